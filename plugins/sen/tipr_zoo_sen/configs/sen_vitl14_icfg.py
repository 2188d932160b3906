"""SEN-XL on ICFG-PEDES."""

_base_ = ["./_base_/sen_vitl14.py"]

model = dict(heads=dict(id=dict(num_identities=3102)))
training = dict(dataset="ICFG-PEDES")
