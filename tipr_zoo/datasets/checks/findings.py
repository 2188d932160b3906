"""The result of the check of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class CountRow:
    """One count of one split.

    Attributes:
        split: ``train``, ``val`` or ``test``; ``all`` if only totals were published.
        quantity: ``identities``, ``pictures`` or ``captions``.
        found: The count of the usable annotations.
        published: The count that there should be; None if nothing was published.
        verdict: ``same``, ``differs`` or ``not published``.
    """

    split: str
    quantity: str
    found: int
    published: int | None
    verdict: str


@dataclass(frozen=True)
class Finding:
    """Something about a data set that its user should know.

    Attributes:
        kind: What it is in a few words, e.g. ``"missing picture"``. Findings of one kind belong together.
        place: The split, the annotation or the file.
        message: One line.
        fix: A shell command that repairs it, if there is one. It deletes nothing.
    """

    kind: str
    place: str
    message: str
    fix: str | None = None


@dataclass(frozen=True)
class CheckReport:
    """The result of a check.

    Attributes:
        name: The data set's name.
        layout: The layout that it has, e.g. ``"TextReID's layout"``.
        annotation_file: The first of the files that were read.
        annotation_files: All of them.
        picture_folder: The folder in which the pictures were looked for; None if no picture was found anywhere.
        decoded: How many pictures could be decoded; None if decoding was skipped.
        rows: The counts of each split, with the published ones.
        problems: What makes the data set unusable, or its figures incomparable.
        notes: What is odd but does no harm. Published data sets have some of it.
    """

    name: str
    layout: str
    annotation_file: Path
    annotation_files: tuple[Path, ...]
    picture_folder: Path | None
    decoded: int | None
    rows: list[CountRow]
    problems: list[Finding]
    notes: list[Finding]
