"""The components of TBPS-CLIP. Importing this module registers them in ``tipr_zoo.registries``."""

from tipr_zoo_tbps_clip.cyclic_itc import CyclicITC
from tipr_zoo_tbps_clip.drawn_changes import DrawnChanges
from tipr_zoo_tbps_clip.learned_scale import LearnedScaleDualEncoder
from tipr_zoo_tbps_clip.normalised_itc import MultiViewITC, NormalisedITC
from tipr_zoo_tbps_clip.reversed_itc import ReversedITC
from tipr_zoo_tbps_clip.reworded_captions import RewordedCaptions
from tipr_zoo_tbps_clip.self_supervised_contrast import SelfSupervisedContrast
from tipr_zoo_tbps_clip.self_supervised_view import SelfSupervisedView
from tipr_zoo_tbps_clip.tbps_clip_checkpoint import SimplifiedTBPSCLIPCheckpoint, TBPSCLIPCheckpoint

__all__ = [
    "CyclicITC",
    "DrawnChanges",
    "LearnedScaleDualEncoder",
    "MultiViewITC",
    "NormalisedITC",
    "ReversedITC",
    "RewordedCaptions",
    "SelfSupervisedContrast",
    "SelfSupervisedView",
    "SimplifiedTBPSCLIPCheckpoint",
    "TBPSCLIPCheckpoint",
]
