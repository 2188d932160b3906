"""FMFA on ICFG-PEDES, to be started from HAM's pretrained weights."""

_base_ = ["./fmfa_vitb16_icfg.py"]

training = dict(batch_size=128)
