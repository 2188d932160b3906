"""The components of SEN. Importing this module registers them in ``tipr_zoo.registries``."""

from tipr_zoo_sen.cross_modal_triplet import CrossModalTriplet
from tipr_zoo_sen.identity_random_number_sampler import IdentityRandomNumberSampler
from tipr_zoo_sen.pruning_augmentation import PruningAugmentation
from tipr_zoo_sen.sen_checkpoint import SENCheckpoint
from tipr_zoo_sen.text_guided_restoration import TextGuidedRestoration

__all__ = [
    "CrossModalTriplet",
    "IdentityRandomNumberSampler",
    "PruningAugmentation",
    "SENCheckpoint",
    "TextGuidedRestoration",
]
