"""The base of every tokenizer: from captions to a tensor of ids with start, end and padding."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence

import ftfy
import tokenizers
import torch
from torch import Tensor

from tipr_zoo.errors import ConfigError, DataError
from tipr_zoo.terminal.log import logger
from tipr_zoo.tokenizers.caption_words import CaptionWord, caption_words

_WHITE_SPACE = re.compile(r"\s+")


class CaptionTokenizer:
    """A tokenizer that turns captions into rows of ids: start token, pieces, end token, zeros.

    Args:
        pieces: The Rust tokenizer that cuts a cleaned caption into pieces.
        start_id: Id of the start token.
        end_id: Id of the end token. CLIP's text tower finds it as the largest id; see `tipr_zoo.sentence_ends`.
        mask_id: Id of the mask token of masked language modelling.
        context_length: Length L of a row, in tokens.
        vocabulary_size: Number of ids; None where the end token is the last one.
        removed: Characters that count as blanks, such as ``".!"``.

    Raises:
        ConfigError: `context_length` is below 3.
    """

    padding_id = 0
    """What fills a row after the end token."""

    def __init__(
        self,
        pieces: tokenizers.Tokenizer,
        start_id: int,
        end_id: int,
        mask_id: int,
        context_length: int = 77,
        vocabulary_size: int | None = None,
        removed: str = "",
    ) -> None:
        if context_length < 3:
            raise ConfigError(f"context_length must be at least 3, got {context_length}")
        self.pieces = pieces
        self.start_id, self.end_id, self.mask_id = start_id, end_id, mask_id
        self.context_length = context_length
        self.removed = removed
        self.vocabulary_size = end_id + 1 if vocabulary_size is None else vocabulary_size

    @property
    def word_ids(self) -> range | Tensor:
        """The ids that masked language modelling may put in a word's place: a range, or (W,) int64."""
        return range(1, self.mask_id)

    def __call__(self, captions: str | Sequence[str]) -> Tensor:
        """Tokenize captions.

        A caption that is too long is cut, as CLIP does it. Its last token is then the end token. A warning says how
        many captions were cut.

        Args:
            captions: One caption, or a sequence of B.

        Returns:
            (B, L) int64 ids, zero after the end token.

        Raises:
            DataError: Something given is no text.
        """
        captions = [captions] if isinstance(captions, str) else _listed(captions)
        rows = torch.zeros(len(captions), self.context_length, dtype=torch.int64)
        room = self.context_length - 2
        too_long = 0
        encodings = self.pieces.encode_batch_fast(
            [self.cleaned(caption) for caption in captions], add_special_tokens=False
        )
        for row, encoding in zip(rows, encodings, strict=True):
            ids = encoding.ids
            too_long += len(ids) > room
            ids = [self.start_id, *ids[:room], self.end_id]
            row[: len(ids)] = torch.tensor(ids)
        if too_long:
            logger.warning("%d of %d captions exceed %d tokens and were cut", too_long, len(captions), room)
        return rows

    def cleaned(self, caption: str) -> str:
        """Return a caption as it is cut into pieces: without what is removed, then cleaned by `clean`."""
        return clean(caption.translate(dict.fromkeys(map(ord, self.removed), " ")) if self.removed else caption)

    def words(self, caption: str) -> list[CaptionWord]:
        """Find the words of a caption, with the tokens that they are made of.

        Args:
            caption: One caption. It is cleaned in the same way as for its ids (`cleaned`).

        Returns:
            The words in order. The ``tokens`` of each are columns of the row of ids that a call of the tokenizer gives.
            A word that is cut off because the caption is too long has none.
        """
        caption = self.cleaned(caption)
        offsets = self.pieces.encode(caption, add_special_tokens=False).offsets[: self.context_length - 2]
        return caption_words(caption, offsets)


def _listed(captions: Sequence[str]) -> list[str]:
    """Return captions as a list, if they are texts."""
    if not isinstance(captions, Iterable) or isinstance(captions, (bytes, Mapping)):
        raise DataError(f"tokenize takes a caption or a list of captions, not a {type(captions).__name__}")
    listed = list(captions)
    for index, caption in enumerate(listed):
        if not isinstance(caption, str):
            raise DataError(f"tokenize takes captions; number {index} is a {type(caption).__name__}, no text")
    return listed


def clean(caption: str) -> str:
    """Clean a caption as CLIP's tokenizer does.

    Broken characters are mended, entities are resolved twice, white space is folded, and letters become lower case.

    >>> clean(" A man &amp; a  DOG ")
    'a man & a dog'
    """
    if not (caption.isascii() and caption.isprintable()) or "&" in caption:
        caption = html.unescape(html.unescape(ftfy.fix_text(caption)))
    return _WHITE_SPACE.sub(" ", caption.strip()).strip().lower()
