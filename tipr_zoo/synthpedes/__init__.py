"""SynthPEDES: a person-retrieval data set that the project draws itself, in the layout of CUHK-PEDES."""

from __future__ import annotations

from tipr_zoo.synthpedes.dataset import draw_synthpedes
from tipr_zoo.synthpedes.identity import Identity, identities

__all__ = ["Identity", "draw_synthpedes", "identities"]
