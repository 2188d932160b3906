"""RDE on ICFG-PEDES."""

_base_ = ["./_base_/rde_vitb16.py"]

training = dict(dataset="ICFG-PEDES")
