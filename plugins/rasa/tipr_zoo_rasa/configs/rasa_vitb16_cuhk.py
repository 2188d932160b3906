"""RaSa on CUHK-PEDES."""

_base_ = ["./_base_/rasa_vitb16.py"]

training = dict(dataset="CUHK-PEDES")
