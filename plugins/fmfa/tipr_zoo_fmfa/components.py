"""The components of FMFA. Importing this module registers them in ``tipr_zoo.registries``."""

from tipr_zoo_fmfa.adaptive_sdm import AdaptiveSDM
from tipr_zoo_fmfa.explicit_fine_grained_alignment import ExplicitFineGrainedAlignment
from tipr_zoo_fmfa.fmfa_checkpoint import FMFACheckpoint

__all__ = ["AdaptiveSDM", "ExplicitFineGrainedAlignment", "FMFACheckpoint"]
