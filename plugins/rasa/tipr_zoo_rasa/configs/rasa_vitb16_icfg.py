"""RaSa on ICFG-PEDES."""

_base_ = ["./_base_/rasa_vitb16.py"]

training = dict(dataset="ICFG-PEDES")
