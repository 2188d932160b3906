"""The checkpoints of FMFA's official code, whose names are IRRA's."""

from __future__ import annotations

from tipr_zoo.checkpoint_readers import IRRACheckpoint
from tipr_zoo.registries import CHECKPOINTS


@CHECKPOINTS.register_module("fmfa")
class FMFACheckpoint(IRRACheckpoint):
    """Checkpoints of FMFA. It trains IRRA's model with other losses, which have no parameters."""

    title = "FMFA"
    model = "fmfa_vitb16_cuhk"
