"""RDE on RSTPReid."""

_base_ = ["./_base_/rde_vitb16.py"]

training = dict(dataset="RSTPReid")
