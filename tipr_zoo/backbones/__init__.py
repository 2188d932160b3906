"""Image and text towers, and the neck after them, registered in ``tipr_zoo.registries.BACKBONES``.

A class is imported when it is first asked for: image towers need timm, text towers transformers, and each of both takes
as long to import as a search.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tipr_zoo.backbones.bert_text_encoder import BertTextEncoder
    from tipr_zoo.backbones.bn_neck import BNNeck
    from tipr_zoo.backbones.clip_text_encoder import CLIPTextEncoder
    from tipr_zoo.backbones.modified_resnet import ModifiedResNetEncoder
    from tipr_zoo.backbones.timm_encoder import TimmEncoder
    from tipr_zoo.backbones.vision_transformer import VisionTransformerEncoder

__all__ = [
    "BNNeck",
    "BertTextEncoder",
    "CLIPTextEncoder",
    "ModifiedResNetEncoder",
    "TimmEncoder",
    "VisionTransformerEncoder",
]

_MODULES = {
    "BNNeck": "bn_neck",
    "BertTextEncoder": "bert_text_encoder",
    "CLIPTextEncoder": "clip_text_encoder",
    "ModifiedResNetEncoder": "modified_resnet",
    "TimmEncoder": "timm_encoder",
    "VisionTransformerEncoder": "vision_transformer",
}


def __getattr__(name: str) -> Any:
    """Import a class when it is first asked for."""
    if name in _MODULES:
        return getattr(importlib.import_module(f"tipr_zoo.backbones.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'tipr_zoo.backbones' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
