"""The simplified TBPS-CLIP on RSTPReid."""

_base_ = ["./_base_/tbps_clip_simplified_vitb16.py"]

training = dict(dataset="RSTPReid")
