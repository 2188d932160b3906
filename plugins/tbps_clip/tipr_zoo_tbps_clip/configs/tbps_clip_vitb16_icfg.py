"""TBPS-CLIP on ICFG-PEDES."""

_base_ = ["./_base_/tbps_clip_vitb16.py"]

training = dict(dataset="ICFG-PEDES")
