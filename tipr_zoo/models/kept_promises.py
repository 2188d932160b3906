"""What a retriever gives while it is used, checked against what it promises; a third party's may give anything."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from tipr_zoo.distributed import is_process_gone
from tipr_zoo.errors import ConfigError, NotFiniteError, TiprZooError, error_line
from tipr_zoo.machine.shortage import shortage
from tipr_zoo.models.component_check import PAGE

RERANKING_PAGE = "see Retrievers in docs/plugin_contract.md"
_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EPIPE)
"""Errors of the disk and of what reads the output, whoever comes upon them."""


@contextmanager
def told_failures(what: str, parts: Mapping[str, object] | None = None) -> Iterator[None]:
    """Turn what a component raises into one line. What the machine or another process is to blame for is left alone.

    Args:
        what: What is asked of which class, e.g. ``"preprocess of Plain"``.
        parts: What it is made of, by key. The part that raised is named.

    Raises:
        ConfigError: The component raised.
    """
    try:
        yield
    except (TiprZooError, NotFiniteError, KeyboardInterrupt, GeneratorExit):  # Python's own end of what runs
        raise
    except BaseException as error:  # a plugin may raise what it likes
        if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
            raise
        if isinstance(error, Exception) and (shortage(error) is not None or is_process_gone(error)):
            raise
        place = _part_that_raised(error.__traceback__, parts or {})
        kind = type(error).__name__
        raise ConfigError(f"{what} failed{place}: {kind}: {error_line(error)}; mend it; {PAGE}") from error


def tokenized(
    tokenizer: Callable[[Sequence[str]], Tensor], captions: Sequence[str], kind: str, length: int | None = None
) -> Tensor:
    """Turn captions into (B, L) int64 ids.

    Args:
        tokenizer: The retriever's ``tokenize``.
        captions: B texts.
        kind: The retriever's class.
        length: The L that the rows must have, where others have it already.

    Raises:
        ConfigError: The tokenizer raises, or gives something else.
    """
    what = f"tokenize of {kind}"
    with told_failures(what):
        ids: Any = tokenizer(captions)
    is_right = isinstance(ids, Tensor) and ids.dtype == torch.int64 and ids.ndim == 2 and len(ids) == len(captions)
    if not is_right or (len(ids) and not ids.shape[1]) or ids.shape[1] != (length or ids.shape[1]):
        wanted = f"({len(captions)}, {length or 'L'}) int64 ids"
        raise ConfigError(f"{what} must turn {len(captions)} captions into {wanted}, got {_found(ids)}; {PAGE}")
    return ids


def preprocessed(owner: Any, picture: Image.Image) -> Tensor:
    """Turn a picture into (3, H, W) float32 by a retriever's ``preprocess``.

    Args:
        owner: The retriever.
        picture: Of any size and mode.

    Raises:
        ConfigError: It raises, or gives something else.
        DataError: The picture cannot be used.
    """
    what = f"preprocess of {type(owner).__name__}"
    with told_failures(what):
        pixels: Any = owner.preprocess(picture)
    height, width = owner.image_size
    if not isinstance(pixels, Tensor) or tuple(pixels.shape) != (3, height, width) or pixels.dtype != torch.float32:
        raise ConfigError(
            f"{what} must turn a picture into (3, {height}, {width}) torch.float32, got {_found(pixels)}; {PAGE}"
        )
    return pixels


def embedded(encode: Callable[[Tensor], Tensor], given: Tensor, owner: object) -> Tensor:
    """Embed pictures or captions: (B, ...) -> (B, D) float32 on the CPU.

    Args:
        encode: The retriever's ``encode_image`` or ``encode_text``.
        given: What is embedded.
        owner: The retriever.

    Raises:
        ConfigError: It raises, or gives something else than a row of floating-point numbers for each.
    """
    kind, count = type(owner).__name__, len(given)
    with told_failures(f"{getattr(encode, '__name__', 'embedding')} of {kind}"):
        embeddings: Any = encode(given)
    is_matrix = isinstance(embeddings, Tensor) and embeddings.ndim == 2 and embeddings.is_floating_point()
    if not is_matrix or len(embeddings) != count:
        raise ConfigError(
            f"{kind} must embed {count} pictures or captions as a ({count}, D) tensor of floating-point numbers, got"
            f" {_found(embeddings)}; see Retrievers in docs/plugin_contract.md"
        )
    rows: Tensor = embeddings.float().cpu()
    return rows


def tokens_of(encode: Callable[[Tensor], Tensor], given: Tensor, owner: object) -> Tensor:
    """Encode pictures or captions to tokens: (B, ...) -> (B, T, W) of floating-point numbers, where the model lives.

    Args:
        encode: The retriever's ``encode_picture_tokens``, or ``encode_caption_tokens``, whose T is that of the ids.
        given: What is encoded.
        owner: The retriever.

    Raises:
        ConfigError: It raises, or gives something else.
    """
    name = getattr(encode, "__name__", "encoding")
    what = f"{name} of {type(owner).__name__}"
    with told_failures(what):
        tokens: Any = encode(given)
    is_right = isinstance(tokens, Tensor) and tokens.ndim == 3 and tokens.is_floating_point()
    length = given.shape[1] if given.ndim == 2 else None
    if not is_right or len(tokens) != len(given) or tokens.shape[1] != (length or tokens.shape[1]):
        wanted = f"a ({len(given)}, {length or 'T'}, W) tensor of floating-point numbers"
        raise ConfigError(f"{what} must give {wanted}, got {_found(tokens)}; {RERANKING_PAGE}")
    return tokens


def scored(score: Callable[..., Tensor], given: Sequence[Tensor], owner: object) -> Tensor:
    """Score pairs: -> (n,) float32, where the model lives. Whether they are finite is for the caller, who names pairs.

    Args:
        score: The retriever's ``score_pairs`` or ``score_captions``.
        given: Its arguments. The first one has n rows.
        owner: The retriever.

    Raises:
        ConfigError: It raises, or gives something else than one floating-point number for each pair.
    """
    what, count = f"{getattr(score, '__name__', 'scoring')} of {type(owner).__name__}", len(given[0])
    with told_failures(what):
        scores: Any = score(*given)
    if not isinstance(scores, Tensor) or scores.shape != (count,) or not scores.is_floating_point():
        raise ConfigError(
            f"{what} must score {count} pairs as a ({count},) tensor of floating-point numbers, got {_found(scores)};"
            f" {RERANKING_PAGE}"
        )
    return scores.float()


def _found(given: Any) -> str:
    """Return what a message calls something that is wrong."""
    return f"{tuple(given.shape)} {given.dtype}" if isinstance(given, Tensor) else f"a {type(given).__name__}"


def _part_that_raised(traceback: TracebackType | None, parts: Mapping[str, object]) -> str:
    """Name the part whose method is the innermost one on the way to an error; an empty text where there is none."""
    place = ""
    while traceback is not None:
        caller = traceback.tb_frame.f_locals.get("self")
        for key, part in parts.items():
            if caller is part:
                place = f" in {type(part).__name__} ({key!r})"
        traceback = traceback.tb_next
    return place
