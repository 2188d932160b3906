"""RaSa's captions: without punctuation, cut to so many words, in BERT's word pieces."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from torch import Tensor

from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import TOKENIZERS
from tipr_zoo.tokenizers.bert import BertTokenizer
from tipr_zoo.tokenizers.caption_words import CaptionWord

logger = logging.getLogger("tipr_zoo")

_LEFT_OUT = re.compile(r"""[,.'!?"()*#:;~]""")
_PARTING = re.compile(r"[-/]")


def cleaned(caption: str) -> str:
    """Return a caption without punctuation; hyphens and slashes part words.

    >>> cleaned("A woman's T-shirt (red/white), jeans.")
    'a womans t shirt red white jeans'
    """
    return " ".join(_PARTING.sub(" ", _LEFT_OUT.sub("", caption.lower())).split())


@TOKENIZERS.register_module()
class CleanedBertTokenizer:
    """BERT's tokenizer for cleaned captions, whose vocabulary is read when the first caption comes.

    So a model is built, and its pictures are embedded, on a machine that has no vocabulary.

    Args:
        file: The vocabulary, as `BertTokenizer` takes it: a path of a ``vocab.txt``, or ``hub:owner/name:file``. A bare
            name that is none of them is a file of this package.
        vocabulary_size: How many pieces it has, as the model knows them.
        context_length: Length L of a row, in tokens.
        max_words: How many words of a caption are read.
        special_ids: The ids of ``[CLS]``, ``[SEP]`` and ``[MASK]``, as the model knows them.

    Raises:
        ConfigError: A size is no whole number above 0, or `context_length` is below 3. When a caption comes: the
            vocabulary is missing or has another number of pieces.
    """

    def __init__(
        self,
        file: str = "hub:google-bert/bert-base-uncased:vocab.txt",
        vocabulary_size: int = 30522,
        context_length: int = 50,
        max_words: int = 50,
        special_ids: Sequence[int] = (101, 102, 103),
    ) -> None:
        sizes = {"vocabulary_size": vocabulary_size, "context_length": context_length, "max_words": max_words}
        for name, size in sizes.items():
            if isinstance(size, bool) or not isinstance(size, int) or size < (3 if name == "context_length" else 1):
                raise ConfigError(f"{name} of CleanedBertTokenizer must be a whole number, large enough, got {size!r}")
        self.file, self.max_words = _of_this_package(file), max_words
        self.vocabulary_size, self.context_length = vocabulary_size, context_length
        if len(special_ids) != 3 or not all(0 < number < vocabulary_size for number in special_ids):
            raise ConfigError(
                f"special_ids of CleanedBertTokenizer must be three ids above 0 and below the vocabulary_size,"
                f" {vocabulary_size}, got {special_ids!r}"
            )
        self.start_id, self.end_id, self.mask_id = special_ids

    @property
    def is_ready(self) -> bool:
        """Whether captions can be turned into ids without asking anybody; a model is built all the same."""
        return "_pieces" in vars(self) or Path(self.file).is_file()

    @property
    def word_ids(self) -> Tensor:
        """The ids of pieces of words: (W,) int64."""
        return self._pieces.word_ids

    @property
    def vocabulary_sha256(self) -> str:
        """Hash of the pieces in their order. Embeddings that are kept depend on it."""
        return self._pieces.vocabulary_sha256

    def __call__(self, captions: str | Sequence[str]) -> Tensor:
        """Turn one caption or B of them into (B, L) int64 ids, zero after the end token.

        A caption that is too long is cut. A warning says how many were.

        Raises:
            DataError: Something given is no text.
            ConfigError: The vocabulary cannot be read, or is another one than the model's.
        """
        if isinstance(captions, str):
            captions = [captions]
        if not isinstance(captions, (list, tuple)) or not all(isinstance(caption, str) for caption in captions):
            return self._pieces(captions)  # which says what is wrong
        words = [cleaned(caption).split() for caption in captions]
        if cut := sum(len(each) > self.max_words for each in words):
            logger.warning("%d of %d captions exceed %d words and were cut", cut, len(words), self.max_words)
        return self._pieces([" ".join(each[: self.max_words]) for each in words])

    def cleaned(self, caption: str) -> str:
        """Return a caption as it is read."""
        return " ".join(cleaned(caption).split()[: self.max_words])

    def words(self, caption: str) -> list[CaptionWord]:
        """Find the words of a caption as it is read, with the tokens that they are made of."""
        return self._pieces.words(self.cleaned(caption))

    @cached_property
    def _pieces(self) -> BertTokenizer:
        """The tokenizer, once its vocabulary was read."""
        pieces = BertTokenizer(self.file, self.context_length)
        if pieces.vocabulary_size != self.vocabulary_size:
            raise ConfigError(
                f"vocabulary {self.file} has {pieces.vocabulary_size} pieces and the model knows"
                f" {self.vocabulary_size}; name the vocab.txt that its weights were trained with (model.tokenizer.file)"
            )
        own, found = (self.start_id, self.end_id, self.mask_id), (pieces.start_id, pieces.end_id, pieces.mask_id)
        if own != found:
            raise ConfigError(
                f"vocabulary {self.file} has [CLS], [SEP] and [MASK] at {found} and the model at {own}; name the"
                " vocab.txt that its weights were trained with (model.tokenizer.file)"
            )
        return pieces


def _of_this_package(file: object) -> str:
    """Return the path of a vocabulary of this package, or what was given."""
    if not isinstance(file, str) or not file:
        raise ConfigError(f"file of CleanedBertTokenizer must be the path of a vocab.txt, got {file!r}")
    own = Path(__file__).parent / file
    return str(own) if Path(file).name == file and not Path(file).exists() and own.is_file() else file
