"""FMFA on CUHK-PEDES, to be started from HAM's pretrained weights."""

_base_ = ["./fmfa_vitb16_cuhk.py"]

training = dict(batch_size=128)
