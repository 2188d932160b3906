"""What a caller says of the pictures of a folder: facts, by path, in a table or in the paths themselves; and boxes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tipr_zoo.errors import DataError, GalleryError
from tipr_zoo.gallery.fact_tables import KnownFacts, read_fact_table, read_path_pattern
from tipr_zoo.gallery.records import Box, absolute, checked_box
from tipr_zoo.protocols.engines import Fact

Boxes = Mapping[Any, Iterable[Sequence[int]]]
"""Boxes of pictures by path, from the folder or the root: left, top, right and bottom in pixels."""

Facts = Mapping[Any, Mapping[str, Fact]] | str | os.PathLike[str]
"""Facts of pictures by path, or the file of a table."""


def given_facts(facts: Facts | None, folder: Path, paths: Sequence[str], kinds: Mapping[str, str]) -> KnownFacts | None:
    """Read the facts that a caller gives.

    Args:
        facts: By path, or the file of a table; None for none.
        folder: The folder that the paths may be from.
        paths: Absolute paths of the pictures that were found.
        kinds: Kinds of the facts that the gallery has, by name.

    Raises:
        GalleryError: They cannot be read, or not be kept.
    """
    if facts is None:
        return None
    if not isinstance(facts, Mapping | str | os.PathLike):
        raise GalleryError(f"facts are a dict by path, or the file of a table, got a {type(facts).__name__}")
    if not isinstance(facts, Mapping):
        return read_fact_table(Path(facts), folder, paths, kinds)
    there = set(paths)
    known = KnownFacts()
    for path, values in facts.items():
        if not isinstance(values, Mapping):
            raise GalleryError(f"{path}: facts are a dict of values by name, got a {type(values).__name__}")
        place = _place(path, folder)
        if place in there:
            known.facts[place, None] = dict(values)
        else:
            known.unmatched.append(place)
    return known


def facts_in_paths(
    pattern: str | None, folder: Path, paths: Sequence[str], kinds: Mapping[str, str]
) -> KnownFacts | None:
    """Read facts off paths; see `tipr_zoo.gallery.fact_tables.read_path_pattern`.

    Args:
        pattern: E.g. ``"cam{camera}/{person}_*"``; None for none.
        folder: The folder that it begins in.
        paths: Absolute paths of the pictures that were found.
        kinds: Kinds of the facts that the gallery has, by name.

    Raises:
        GalleryError: The pattern cannot be read.
    """
    if pattern is not None and not isinstance(pattern, str):
        raise GalleryError(f"a pattern is text, e.g. 'cam{{camera}}/{{person}}_*', got a {type(pattern).__name__}")
    return None if pattern is None else read_path_pattern(pattern, folder, paths, kinds)


def given_boxes(boxes: Boxes | None, folder: Path, paths: Sequence[str]) -> dict[str, list[Box]]:
    """Return the boxes that a caller gives, by absolute path, each once.

    Args:
        boxes: By path; None for none.
        folder: The folder that the paths may be from.
        paths: Absolute paths of the pictures that were found.

    Raises:
        DataError: They are of a picture that was not found.
        GalleryError: One is no box.
    """
    if boxes is not None and not isinstance(boxes, Mapping):
        raise GalleryError(f"boxes are a dict of lists by path, got a {type(boxes).__name__}")
    there, found = set(paths), {}
    for path, own in (boxes or {}).items():
        if not isinstance(own, Iterable):
            raise GalleryError(f"{path}: boxes are a list, each of four numbers, got a {type(own).__name__}")
        place = _place(path, folder)
        if place not in there:
            raise DataError(f"boxes are given of {path}, and {folder} holds no such picture; check the path")
        found[place] = list(dict.fromkeys(checked_box(box, place) for box in own))
    return found


def joined(sources: Sequence[KnownFacts]) -> KnownFacts:
    """Put facts together; where two sources know the same fact, the first one counts."""
    whole = KnownFacts()
    for source in reversed(sources):
        for place, facts in source.facts.items():
            whole.facts[place] = {**whole.facts.get(place, {}), **facts}
        whole.boxes |= source.boxes
    return whole


def _place(path: object, folder: Path) -> str:
    """Return the absolute path of a picture that is named from a folder, or from the root."""
    if not isinstance(path, str | os.PathLike):
        raise GalleryError(f"a picture is named by its path, got a {type(path).__name__}")
    below_it = absolute(folder / path)
    return below_it if os.path.exists(below_it) or not os.path.exists(path) else absolute(path)
