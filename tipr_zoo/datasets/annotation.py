"""The annotations of a data set: the usable ones, and the problems of all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.datasets.specification import DatasetSpecification, SplitCounts
from tipr_zoo.datasets.splits import EVERY_SPLIT, SPLITS
from tipr_zoo.errors import DataError

LINE_SUFFIXES = frozenset({".csv", ".tsv", ".jsonl", ".txt"})
"""Endings of files in which the place of an annotation is its line."""


@dataclass(frozen=True)
class Annotation:
    """One annotated picture.

    Attributes:
        number: Place of its first entry in the annotation file, from 0. In CSV, TSV and JSON Lines its line, from 1.
        split: ``train``, ``val`` or ``test``.
        identity: The person's number as annotated.
        picture: Path relative to the picture folder, with forward slashes. Absolute in some custom data sets.
        captions: One or more sentences, none of them blank.
        file: The annotation file that it is from.
        further_captions: What stands under the keys of further wordings of its captions, as it is; see
            `tipr_zoo.datasets.further_captions`.
    """

    number: int
    split: str
    identity: int
    picture: str
    captions: tuple[str, ...]
    file: Path
    further_captions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Its place in its file, e.g. ``"record 3 (counted from 0)"`` or ``"line 5"``."""
        return place_in(self.file, self.number)

    def with_row(self, row: Annotation) -> Annotation:
        """Return the annotation with the caption of one more row of its picture, and with its further wordings."""
        further: dict[str, Any] = {}
        for key in (*self.further_captions, *row.further_captions):
            further[key] = [
                wording
                for part in (self, row)
                for wording in wordings_of(part.further_captions.get(key), len(part.captions))
            ]
        return replace(self, captions=self.captions + row.captions, further_captions=further)


def wordings_of(value: Any, count: int) -> list[Any]:
    """Return what stands under a key of further wordings as a list; where nothing does, a None for each caption."""
    if value is None:
        return [None] * count
    return list(value) if isinstance(value, list) else [value]


def place_in(file: Path, number: int) -> str:
    """Name the place of an annotation for a message.

    >>> place_in(Path("reid_raw.json"), 3), place_in(Path("mine.csv"), 5)
    ('record 3 (counted from 0)', 'line 5')
    """
    return f"line {number}" if file.suffix.lower() in LINE_SUFFIXES else f"record {number} (counted from 0)"


@dataclass(frozen=True)
class AnnotationProblem:
    """An entry that cannot be used.

    Attributes:
        number: Its place, as in `Annotation`.
        split: Its split; None if its split is unknown.
        kind: What is wrong in a few words, e.g. ``"empty caption"``.
        message: One line that names the file, the place and the fix.
        file: The annotation file that it is from.
    """

    number: int
    split: str | None
    kind: str
    message: str
    file: Path


@dataclass(frozen=True)
class Annotations:
    """The annotations of all splits.

    Attributes:
        files: The files that were read.
        records: The usable annotations, in the files' order.
        problems: What is wrong with all others, in the files' order.
        rules: One line for each rule that filled in what the files do not say, e.g. which identity goes to which split.
        remarks: What was found and not read, e.g. an unknown column. Each is a kind in a few words, and one line.
        identity_names: The annotated text of each identity, if identities are texts that were numbered.
    """

    files: tuple[Path, ...]
    records: list[Annotation]
    problems: list[AnnotationProblem]
    rules: tuple[str, ...] = ()
    remarks: tuple[tuple[str, str], ...] = ()
    identity_names: Mapping[int, str] = field(default_factory=dict)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have any entry, usable or not."""
        present = {annotation.split for annotation in self.records} | {problem.split for problem in self.problems}
        return tuple(split for split in SPLITS if split in present)

    def of_split(self, split: str, specification: DatasetSpecification) -> list[Annotation]:
        """Select the annotations of one split, or of ``all``.

        Args:
            split: ``train``, ``val``, ``test`` or ``all``.
            specification: The data set, for messages.

        Raises:
            UnknownNameError: No data set has such a split.
            DataError: An entry of this split, or of an unknown split, is unusable. Or the split is empty.
        """
        if split not in (*SPLITS, EVERY_SPLIT):
            raise unknown_name("split", str(split), (*SPLITS, EVERY_SPLIT))
        problems = [problem for problem in self.problems if problem.split in (split, None) or split == EVERY_SPLIT]
        if problems:
            others = len(problems) - 1
            more = f" (and {others:,} more unusable: `tipr-zoo data check` lists them)" if others else ""
            raise DataError(problems[0].message + more)
        annotations = [annotation for annotation in self.records if split in (annotation.split, EVERY_SPLIT)]
        if not annotations:
            raise self._empty_split(split, specification)
        return annotations

    def _empty_split(self, split: str, specification: DatasetSpecification) -> DataError:
        present = Counter(annotation.split for annotation in self.records)
        known = ", ".join(f"{name} ({present[name]:,})" for name in SPLITS if present[name]) or "none"
        published = specification.published
        is_unpublished = published and not {split, EVERY_SPLIT} & set(published)
        remark = f"; {specification.name} was published without it" if is_unpublished else ""
        advice = f"; split {EVERY_SPLIT!r} takes them all" if specification.is_table and present else ""
        files = " and ".join(map(str, self.files))
        have = "has" if len(self.files) == 1 else "have"
        return DataError(f"{files} {have} no record of split {split!r}{remark}; records by split: {known}{advice}")


def counts_of(annotations: Iterable[Annotation]) -> SplitCounts:
    """Count the people, the pictures and the captions of some annotations."""
    annotations = list(annotations)
    return SplitCounts(
        identities=len({annotation.identity for annotation in annotations}),
        pictures=len(annotations),
        captions=sum(len(annotation.captions) for annotation in annotations),
    )
