"""FMFA on ICFG-PEDES."""

_base_ = ["./_base_/fmfa_vitb16.py"]

model = dict(heads=dict(id=dict(num_identities=3102)))
training = dict(dataset="ICFG-PEDES", max_epochs=100)
