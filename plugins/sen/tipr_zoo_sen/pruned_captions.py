"""Captions reduced to their pronouns, nouns and adjectives (SEN, arXiv 2307.09059). They are tagged once and kept."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.machine.checked_file import read_checked, write_checked
from tipr_zoo_sen.part_of_speech import Tagger, load_tagger, tag_caption, tagger_version

logger = logging.getLogger("tipr_zoo")

KEPT_TAGS = ("PRP", "NN", "JJ")
"""A word is kept if its tag begins with one of these: pronouns, nouns, adjectives."""

_RULES = 2
"""Version of the rules and of the file. A higher one makes older files of the cache invalid."""


def prune_caption(caption: str, tagger: Tagger) -> str:
    """Return the words of a caption whose tags begin with one of `KEPT_TAGS`, joined by spaces.

    Where no tag does, return the caption.

    >>> tags = {"a": "DT", "man": "NN", "in": "IN", "red": "JJ"}
    >>> prune_caption("a man in red", lambda words: [(word, tags[word]) for word in words])
    'man red'

    Args:
        caption: Any text.
        tagger: See `tipr_zoo_sen.part_of_speech.load_tagger`.
    """
    return " ".join(word for word, tag in tag_caption(caption, tagger) if tag.startswith(KEPT_TAGS)) or caption


def pruned_captions(captions: Sequence[str], tagger: str = "pattern") -> list[str]:
    """Return every caption pruned, in the same order.

    Captions are tagged only the first time. The result is kept in a file of the zoo's cache folder. The file's name has
    a hash of the captions, the tagger and its version.

    Args:
        captions: The captions.
        tagger: Name of the tagger.

    Raises:
        UnknownNameError: There is no such tagger.
        ConfigError: The tagger's model is not on this machine.
    """
    path = _cache_file(captions, tagger)
    kept = _read(path, len(captions))
    if kept is None:
        tag = load_tagger(tagger)
        kept = [prune_caption(caption, tag) for caption in captions]
        _write(path, kept)
    return kept


def _cache_file(captions: Sequence[str], tagger: str) -> Path:
    content = json.dumps([_RULES, tagger, tagger_version(tagger), *captions])
    return cache_folder() / "pruned_captions" / f"{hashlib.sha256(content.encode()).hexdigest()}.json"


def _read(path: Path, count: int) -> list[str] | None:
    """Read the kept captions. None where there is no usable file."""
    if not os.path.lexists(path):
        return None
    try:
        kept = json.loads(read_checked(path) or "null")
    except (OSError, ValueError, RecursionError) as error:
        logger.warning("pruned captions in %s cannot be read (%s); they are tagged anew", path, error)
        return None
    if not isinstance(kept, list) or len(kept) != count or not all(isinstance(caption, str) for caption in kept):
        logger.warning("%s does not hold %d pruned captions; they are tagged anew", path, count)
        return None
    return kept


def _write(path: Path, kept: list[str]) -> None:
    """Keep the captions. Another process sees the whole file or none."""
    try:
        write_checked(path, json.dumps(kept))
    except OSError as error:
        logger.warning(
            "pruned captions cannot be kept in %s (%s), so that every training tags them anew; set TIPR_ZOO_HOME to a"
            " folder that can be written",
            path.parent,
            error.strerror,
        )
