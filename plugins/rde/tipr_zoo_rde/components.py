"""The components of RDE. Importing this module registers them in ``tipr_zoo.registries``."""

from tipr_zoo_rde.consensus_division import ConsensusDivision
from tipr_zoo_rde.dual_embedding import RobustDualEmbedding
from tipr_zoo_rde.gated_objectives import GatedITC, GatedSDM
from tipr_zoo_rde.rde_checkpoint import CONQUERCheckpoint, ICLCheckpoint, RDECheckpoint
from tipr_zoo_rde.token_augmentation import TokenAugmentation
from tipr_zoo_rde.triplet_alignment import TripletAlignment

__all__ = [
    "CONQUERCheckpoint",
    "ConsensusDivision",
    "GatedITC",
    "GatedSDM",
    "ICLCheckpoint",
    "RDECheckpoint",
    "RobustDualEmbedding",
    "TokenAugmentation",
    "TripletAlignment",
]
