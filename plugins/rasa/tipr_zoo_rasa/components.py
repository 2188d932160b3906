"""The components of RaSa. Importing this module registers them in ``tipr_zoo.registries``."""

from tipr_zoo_rasa.cleaned_tokenizer import CleanedBertTokenizer
from tipr_zoo_rasa.cross_attention_layers import CrossAttentionLayers
from tipr_zoo_rasa.momentum_contrast import MomentumContrast
from tipr_zoo_rasa.pair_objectives import PositiveRelationDetection, ProbabilisticMatching
from tipr_zoo_rasa.rasa_checkpoint import RaSaCheckpoint
from tipr_zoo_rasa.relation_sensitive import RaSa
from tipr_zoo_rasa.token_towers import TokenBert, TokenVisionTransformer
from tipr_zoo_rasa.word_objectives import MomentumMaskedWords, ReplacedTokenDetection

__all__ = [
    "CleanedBertTokenizer",
    "CrossAttentionLayers",
    "MomentumContrast",
    "MomentumMaskedWords",
    "PositiveRelationDetection",
    "ProbabilisticMatching",
    "RaSa",
    "RaSaCheckpoint",
    "ReplacedTokenDetection",
    "TokenBert",
    "TokenVisionTransformer",
]
