"""The tokenizer of the tiny models: a byte-pair encoding of some hundred pieces, trained on SynthPEDES captions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import TOKENIZERS
from tipr_zoo.tokenizers.caption_tokenizer import CaptionTokenizer, clean

SPECIAL_TOKENS = ("<|mask|>", "<|startoftext|>", "<|endoftext|>")


@TOKENIZERS.register_module()
class SmallTokenizer(CaptionTokenizer):
    """A byte-level byte-pair encoding read from a file. Its pieces can write any text.

    Id 0 is padding. The mask, start and end tokens are the three largest ids.

    Args:
        file: A ``tokenizer.json`` written by `train_small_tokenizer`. A bare name is a file beside this module.
        context_length: Length L of a row, in tokens.
        removed: Characters that count as blanks, such as ``".!"``.

    Raises:
        ConfigError: The file is missing or broken, or `context_length` is below 3.
    """

    def __init__(self, file: str, context_length: int = 77, removed: str = "") -> None:
        path = Path(__file__).parent / file
        if not path.is_file():
            raise ConfigError(f"tokenizer file {path} is missing")
        try:
            pieces = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the Rust library raises plain Exception
            raise ConfigError(f"tokenizer file {path} cannot be read: {error}") from error
        pieces.encode_special_tokens = True  # a caption that spells the padding token keeps its letters
        mask_id, start_id, end_id = (pieces.get_vocab_size() + offset for offset in range(3))
        super().__init__(pieces, start_id, end_id, mask_id, context_length, removed=removed)


def train_small_tokenizer(captions: Iterable[str], vocabulary_size: int) -> tokenizers.Tokenizer:
    """Learn the pieces of `SmallTokenizer`.

    Args:
        captions: The captions to learn from.
        vocabulary_size: Number of ids in all. It includes padding and the three special tokens.

    Returns:
        A Rust tokenizer; save it with ``save(path)``.
    """
    pieces = tokenizers.Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    pieces.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size - len(SPECIAL_TOKENS),
        special_tokens=["<|padding|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    pieces.train_from_iterator((clean(caption) for caption in captions), trainer)
    return pieces
