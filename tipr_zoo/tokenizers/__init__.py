"""Tokenizers. Importing this package registers them in ``tipr_zoo.registries.TOKENIZERS``."""

from tipr_zoo.tokenizers.bert import BertTokenizer
from tipr_zoo.tokenizers.caption_tokenizer import CaptionTokenizer
from tipr_zoo.tokenizers.caption_words import CaptionWord
from tipr_zoo.tokenizers.clip import CLIPTokenizer
from tipr_zoo.tokenizers.small import SmallTokenizer

__all__ = ["BertTokenizer", "CLIPTokenizer", "CaptionTokenizer", "CaptionWord", "SmallTokenizer"]
