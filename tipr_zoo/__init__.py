"""tipr-zoo: a plugin-based model zoo for text-to-image person retrieval.

Importing this package is light: torch, mmengine, timm, transformers and plugins are imported by the first
function that needs them.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from tipr_zoo.version import __version__ as __version__

if TYPE_CHECKING:
    from tipr_zoo.cards.card import ModelCard as ModelCard
    from tipr_zoo.evaluation.metrics import retrieval_metrics as retrieval_metrics
    from tipr_zoo.gallery.gallery import Gallery as Gallery
    from tipr_zoo.models.building import build as build
    from tipr_zoo.models.lookup import list_models as list_models
    from tipr_zoo.models.lookup import load_card as load_card
    from tipr_zoo.models.official_checkpoint import from_official as from_official
    from tipr_zoo.plugins.contract import PLUGIN_CONTRACT as PLUGIN_CONTRACT

if "HOME" not in os.environ and os.name == "posix":
    from tipr_zoo.cache_folder import name_a_cache_folder

    name_a_cache_folder()


_PUBLIC = {
    "Gallery": "tipr_zoo.gallery.gallery",
    "PLUGIN_CONTRACT": "tipr_zoo.plugins.contract",
    "ModelCard": "tipr_zoo.cards.card",
    "build": "tipr_zoo.models.building",
    "from_official": "tipr_zoo.models.official_checkpoint",
    "list_models": "tipr_zoo.models.lookup",
    "load_card": "tipr_zoo.models.lookup",
    "retrieval_metrics": "tipr_zoo.evaluation.metrics",
}

__all__ = [
    "PLUGIN_CONTRACT",
    "Gallery",
    "ModelCard",
    "__version__",
    "build",
    "from_official",
    "list_models",
    "load_card",
    "registries",
    "retrieval_metrics",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name == "registries":
        return importlib.import_module("tipr_zoo.registries")
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tipr_zoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
