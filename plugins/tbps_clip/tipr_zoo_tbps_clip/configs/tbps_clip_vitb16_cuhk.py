"""TBPS-CLIP on CUHK-PEDES."""

_base_ = ["./_base_/tbps_clip_vitb16.py"]

training = dict(dataset="CUHK-PEDES")
