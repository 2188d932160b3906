"""SEN-XL on CUHK-PEDES."""

_base_ = ["./_base_/sen_vitl14.py"]

model = dict(heads=dict(id=dict(num_identities=11003)))
training = dict(dataset="CUHK-PEDES")
