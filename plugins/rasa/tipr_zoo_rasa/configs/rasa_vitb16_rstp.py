"""RaSa on RSTPReid."""

_base_ = ["./_base_/rasa_vitb16.py"]

training = dict(dataset="RSTPReid")
