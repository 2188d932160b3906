"""Image and text towers, and the neck after them.

Importing this package registers them in ``tipr_zoo.registries.BACKBONES``.
"""

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
