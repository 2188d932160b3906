"""RDE on RSTPReid, where its code fits the mixtures more closely."""

_base_ = ["./_base_/rde_vitb16.py"]

training = dict(
    dataset="RSTPReid",
    hooks=[dict(type="ConsensusDivision", max_iter=100, tol=1e-4, reg_covar=1e-6)],
)
