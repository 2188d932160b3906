"""CLIP's byte-pair encoding, exactly, in Rust."""

from __future__ import annotations

import gzip
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import tokenizers
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import TOKENIZERS
from tipr_zoo.tokenizers.caption_tokenizer import CaptionTokenizer

MASK_ID, START_ID, END_ID = 49405, 49406, 49407

SPECIAL_TOKENS = ("<|mask|>", "<|startoftext|>", "<|endoftext|>")

_WORDS = r"(?i)'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


@TOKENIZERS.register_module()
class CLIPTokenizer(CaptionTokenizer):
    """CLIP's tokenizer: start 49406, end 49407, zero padding.

    The last piece of CLIP's vocabulary (``jekyll</w>``, 49405) gives its id to the mask token, as in IRRA. That one
    word is cut into its two pieces.

    Args:
        context_length: Length L of a row, in tokens.
        removed: Characters that count as blanks, such as ``".!"``.

    Raises:
        ConfigError: CLIP's vocabulary is missing, or `context_length` is below 3.
    """

    def __init__(self, context_length: int = 77, removed: str = "") -> None:
        super().__init__(clip_pieces(), START_ID, END_ID, MASK_ID, context_length, removed=removed)


@cache
def clip_pieces() -> tokenizers.Tokenizer:
    """Build CLIP's byte-pair encoding from the vocabulary file that open_clip_torch ships.

    Raises:
        ConfigError: The vocabulary file is missing.
    """
    with gzip.open(_vocabulary_file(), "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")
    # There are 256 bytes, each also as the end of a word, and two special tokens. They leave this many merges.
    # The last merge is left out for the mask token.
    merges = [(first, second) for first, second in (line.split() for line in lines[1 : 49152 - 256 - 2 + 1])][:-1]
    letters = _byte_letters()
    pieces = [*letters, *(letter + "</w>" for letter in letters), *(first + second for first, second in merges)]
    vocabulary = {piece: index for index, piece in enumerate([*pieces, *SPECIAL_TOKENS])}
    tokenizer = tokenizers.Tokenizer(BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>"))
    # As in the official code, a caption that spells a special token gets that token.
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    tokenizer.pre_tokenizer = Sequence(
        [
            Split(tokenizers.Regex(_WORDS), behavior="removed", invert=True),
            ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


def _vocabulary_file() -> Path:
    """Find CLIP's merges without an import of open_clip, which would import everything it needs."""
    spec = find_spec("open_clip")
    for location in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(location) / "bpe_simple_vocab_16e6.txt.gz").is_file():
            return path
    raise ConfigError("CLIP's vocabulary is missing; it comes with open_clip_torch: pip install open_clip_torch")


def _byte_letters() -> list[str]:
    """Return a printable letter for each of the 256 bytes, in the order of CLIP's vocabulary: printable bytes first."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]
