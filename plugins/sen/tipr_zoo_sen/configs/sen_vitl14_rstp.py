"""SEN-XL on RSTPReid."""

_base_ = ["./_base_/sen_vitl14.py"]

model = dict(heads=dict(id=dict(num_identities=3701)))
training = dict(dataset="RSTPReid")
