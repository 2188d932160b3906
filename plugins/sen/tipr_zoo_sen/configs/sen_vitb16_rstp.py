"""SEN on RSTPReid."""

_base_ = ["./_base_/sen_vitb16.py"]

model = dict(heads=dict(id=dict(num_identities=3701)))
training = dict(dataset="RSTPReid")
