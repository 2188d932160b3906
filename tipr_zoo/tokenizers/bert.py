"""BERT's tokenizer: WordPiece in Rust, from a vocabulary file of the user's."""

from __future__ import annotations

import hashlib
from pathlib import Path

import tokenizers
import torch
from tokenizers import models, normalizers, pre_tokenizers
from torch import Tensor

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.cards.hub_reference import is_hub_reference, parse_hub_reference
from tipr_zoo.errors import ConfigError, HubError
from tipr_zoo.hub.download import fetch_hub_file
from tipr_zoo.outside.files import read_text
from tipr_zoo.registries import TOKENIZERS
from tipr_zoo.tokenizers.caption_tokenizer import CaptionTokenizer

PADDING, UNKNOWN, START, END, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"

LARGEST_FILE = 64 * 2**20
"""Bytes of the largest vocabulary that is read. That of multilingual BERT has 1 MB."""

_PREFIX = "##"


@TOKENIZERS.register_module()
class BertTokenizer(CaptionTokenizer):
    """WordPiece as BERT has it (arXiv 1810.04805), for captions in lower case without accents.

    Args:
        file: The vocabulary, one piece a line (``vocab.txt``), a path. A bare name is looked for in the current folder,
            then in ``vocabularies`` of the cache folder (see `tipr_zoo.cache_folder`). One of the Hub's,
            ``hub:owner/name[@revision]:file``, is fetched; nothing else is. The first piece is ``[PAD]``, so that
            padding is id 0.
        context_length: Length L of a row, in tokens.

    Attributes:
        vocabulary_sha256: Hash of the pieces in their order. Embeddings that are kept depend on it.

    Raises:
        ConfigError: The file is missing, too large, no text, or no such vocabulary; or `context_length` is below 3.
        HubError: The Hub cannot be reached, or does not have or give the file.
    """

    def __init__(self, file: str, context_length: int = 77) -> None:
        path = _found(file)
        vocabulary = _read_vocabulary(path)
        pieces = tokenizers.Tokenizer(
            models.WordPiece(vocabulary, unk_token=UNKNOWN, continuing_subword_prefix=_PREFIX)
        )
        pieces.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=True)
        pieces.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        super().__init__(pieces, vocabulary[START], vocabulary[END], vocabulary[MASK], context_length, len(vocabulary))
        self.vocabulary_sha256 = hashlib.sha256("\n".join(vocabulary).encode()).hexdigest()
        words = [number for piece, number in vocabulary.items() if not _is_special(piece)]
        self._word_ids = torch.tensor(words, dtype=torch.int64, device="cpu")  # a model may be built without numbers

    @property
    def word_ids(self) -> Tensor:
        """The ids of pieces of words: (W,) int64."""
        return self._word_ids


def _is_special(piece: str) -> bool:
    return piece in (PADDING, UNKNOWN, START, END, MASK) or (piece.startswith("[unused") and piece.endswith("]"))


def _found(file: str) -> Path:
    """Find a vocabulary by its path or its name."""
    if not isinstance(file, str) or not file:
        raise ConfigError(f"file of BertTokenizer must be the path of a vocab.txt, got {file!r}")
    if is_hub_reference(file):
        return _fetched(file)
    places = [Path(file).expanduser() if file.startswith("~/") else Path(file)]
    if Path(file).name == file:
        places.append(cache_folder() / "vocabularies" / file)
    for place in places:
        if place.exists():
            return place
    raise ConfigError(
        f"vocabulary {' or '.join(map(str, places))} is missing; name BERT's vocab.txt, which comes with its weights"
        " (model.tokenizer.file)"
    )


def _fetched(file: str) -> Path:
    """Fetch a vocabulary from the Hub."""
    reference = parse_hub_reference(file)
    if reference.file is None:
        raise ConfigError(f"{file} names no file of the repository; write {file}:vocab.txt (model.tokenizer.file)")
    try:
        return fetch_hub_file(reference)[0]
    except HubError as error:
        raise type(error)(
            f"{error}; or name a vocab.txt on this machine: --cfg-options model.tokenizer.file=vocab.txt"
        ) from error


def _read_vocabulary(path: Path) -> dict[str, int]:
    """Read pieces and their ids."""
    try:
        text = read_text(path, LARGEST_FILE, "utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"vocabulary {path} is no text in UTF-8; BERT's is vocab.txt, one piece a line") from None
    except OSError as error:
        raise ConfigError(f"vocabulary {path} cannot be read: {error.strerror or error}") from error
    lines = text.removesuffix("\n").split("\n")
    vocabulary = {piece: number for number, piece in enumerate(lines)}
    if missing := [piece for piece in (PADDING, UNKNOWN, START, END, MASK) if piece not in vocabulary]:
        raise ConfigError(
            f"vocabulary {path} has no {missing[0]}, so it is no WordPiece vocabulary of BERT's; name its vocab.txt"
        )
    if len(vocabulary) != len(lines):
        twice = next(piece for number, piece in enumerate(lines) if vocabulary[piece] != number)
        raise ConfigError(f"vocabulary {path} has the piece {twice!r} twice, and a piece has one id")
    if vocabulary[PADDING]:
        raise ConfigError(
            f"vocabulary {path} has {PADDING} in line {vocabulary[PADDING] + 1}; padding is the first line"
        )
    return vocabulary
