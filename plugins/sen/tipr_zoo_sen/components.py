"""What SEN adds to tipr-zoo. Importing this module registers it in ``tipr_zoo.registries.LOSSES`` and ``HEADS``."""

from tipr_zoo_sen.cross_modal_triplet import CrossModalTriplet
from tipr_zoo_sen.text_guided_restoration import TextGuidedRestoration

__all__ = ["CrossModalTriplet", "TextGuidedRestoration"]
