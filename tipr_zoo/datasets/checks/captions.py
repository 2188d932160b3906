"""The check of captions: too long, with wrong characters, or the same for two people."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from tipr_zoo.datasets.annotation import Annotation
from tipr_zoo.datasets.checks.findings import Finding
from tipr_zoo.datasets.splits import SPLITS

CONTEXT_LENGTH = 77
"""Tokens that CLIP takes, with its start and end tokens."""

# CLIP cuts at least here. Often it cuts inside words, too.
_PIECES = re.compile(r"[^\W\d_]+|\d|(?:[^\w\s]|_)+")
_CODE_SIGN = re.compile(r"[<&\\{\ufffd\x00-\x08\x0b-\x1f]|http|_x")
_CODE = re.compile(
    r"</?[A-Za-z][^<>]*>"  # a tag
    r"|&(?:[A-Za-z]{2,8}|#\d+|#x[0-9A-Fa-f]+);"  # a named or numbered character
    r"|\\(?:[nrt]\b|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2})"  # an escape that was not undone
    r"|_x[0-9A-Fa-f]{4}_"  # an escape of a spreadsheet
    r"|\{[^{}]*\}"
    r"|https?://\S+"
    r"|[\ufffd\x00-\x08\x0b-\x1f]"  # what is left of a character that could not be decoded
)


def check_captions_of(records: Sequence[Annotation], shown: Callable[[int], str]) -> Iterator[Finding]:
    """Note captions that are shared by identities, in a foreign script, with stray code, or longer than CLIP reads.

    Args:
        records: The annotations of all splits.
        shown: Writes an identity for a message.
    """
    yield from _shared_captions(records, shown)
    for annotation in records:
        for place, caption in enumerate(annotation.captions):
            where = f"{annotation.file.name}, {annotation.place}, caption {place}"
            if not caption.isascii() and (letters := foreign_letters(caption)):
                message = f"{where}: {letters} in {_excerpt(caption, letters[0])}"
                yield Finding("letters of a foreign script", annotation.picture, message)
            if _CODE_SIGN.search(caption) and (code := _CODE.search(caption)):
                message = f"{where}: {code.group()!r} in {_excerpt(caption, code.group())}"
                yield Finding("stray code in a caption", annotation.picture, message)
            if (count := least_tokens(caption)) > CONTEXT_LENGTH:
                words = len(caption.split())
                message = f"{where}: {words} words are at least {count} tokens, so that its end is not read"
                yield Finding(f"caption over {CONTEXT_LENGTH} tokens", annotation.picture, message)


def foreign_letters(caption: str) -> str:
    """Return the letters of a caption that are not Latin, each once."""
    found = dict.fromkeys(letter for letter in caption if ord(letter) > 255 and letter.isalpha())
    return "".join(letter for letter in found if "LATIN" not in unicodedata.name(letter, ""))


def least_tokens(caption: str) -> int:
    """Count the least number of tokens that CLIP can make of a caption, with the start and the end token.

    Every word, every digit and every run of other marks is at least one token.
    """
    if len(caption) <= CONTEXT_LENGTH - 2:  # faster, and right: a token has at least one character
        return len(caption.split()) + 2
    return len(_PIECES.findall(caption)) + 2


def _shared_captions(annotations: Sequence[Annotation], shown: Callable[[int], str]) -> Iterator[Finding]:
    identities = defaultdict(set)
    for annotation in annotations:
        for caption in annotation.captions:
            identities[annotation.split, caption].add(annotation.identity)
    for split in SPLITS:
        for (split_of_caption, caption), found in identities.items():
            if len(found) > 1 and split_of_caption == split:
                message = f"{caption!r} describes the identities {listed(sorted(found), shown)} of {split}"
                yield Finding("caption of several identities", split, message)


def listed(values: Sequence[int], shown: Callable[[int], str] = str) -> str:
    """Write numbers in one line: the first eight of them."""
    more = f" and {len(values) - 8} more" if len(values) > 8 else ""
    return ", ".join(map(shown, values[:8])) + more


def _excerpt(caption: str, part: str) -> str:
    """Return a part of a caption with what is around it."""
    place = caption.index(part)
    start, end = max(0, place - 24), place + len(part) + 24
    return repr(("..." if start else "") + caption[start:end] + ("..." if end < len(caption) else ""))
