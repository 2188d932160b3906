"""FMFA on RSTPReid, to be started from HAM's pretrained weights."""

_base_ = ["./fmfa_vitb16_rstp.py"]

training = dict(batch_size=128)
