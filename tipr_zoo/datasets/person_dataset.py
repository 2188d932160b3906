"""A data set of person pictures with captions, one split of it, as plain Python values."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from tipr_zoo.datasets.annotations import Record, read_annotations
from tipr_zoo.datasets.location import find_annotation_file, find_picture_folder
from tipr_zoo.datasets.specification import DatasetSpecification
from tipr_zoo.errors import DataError


class PersonDataset:
    """One split of a data set; subclasses only set `specification`.

    Pictures and captions keep the order of the annotation file, so that indices into them are stable.

    Args:
        root: The folder with the annotation file, or the folder above it if it bears the data set's name.
        split: ``train``, ``val`` or ``test``.
        check_pictures: Look for every picture of the split on disk, instead of the first alone.

    Attributes:
        name: The data set's name.
        root: The folder as given.
        split: The split as given.
        annotation_file: The file that was read.
        picture_folder: The folder that the records' picture paths start from.
        records: The annotated pictures of the split.

    Raises:
        DataError: A file is missing, broken or incomplete, a record is unusable, or the split is empty.
        UnknownNameError: There is no such split.
    """

    specification: ClassVar[DatasetSpecification]

    def __init__(self, root: str | os.PathLike[str], split: str = "test", check_pictures: bool = False) -> None:
        self.name = self.specification.name
        self.root = Path(root).expanduser()
        self.split = split
        self.annotation_file = find_annotation_file(self.root, self.specification).absolute()
        annotations = read_annotations(self.annotation_file, self.specification)
        self.records: list[Record] = annotations.of_split(split, self.specification)
        self.picture_folder = find_picture_folder(self.annotation_file, self.specification, self.records)
        self._check_pictures_exist(self.records if check_pictures else self.records[:1])

    @cached_property
    def pictures(self) -> list[Path]:
        """Absolute path of each record's picture."""
        return [self.picture_folder / record.picture for record in self.records]

    @cached_property
    def picture_ids(self) -> list[int]:
        """Identity in each picture, as annotated."""
        return [record.identity for record in self.records]

    @cached_property
    def labels(self) -> list[int]:
        """Identity in each picture, renumbered from 0 without gaps in the order of the annotated identities."""
        label_of = {identity: label for label, identity in enumerate(sorted(set(self.picture_ids)))}
        return [label_of[identity] for identity in self.picture_ids]

    @cached_property
    def identity_count(self) -> int:
        """How many different people the split shows."""
        return len(set(self.picture_ids))

    @cached_property
    def captions(self) -> list[str]:
        """Every caption, picture by picture."""
        return [caption for record in self.records for caption in record.captions]

    @cached_property
    def caption_picture_indices(self) -> list[int]:
        """Index into `pictures` of the picture that each caption describes."""
        return [index for index, record in enumerate(self.records) for _ in record.captions]

    @cached_property
    def caption_ids(self) -> list[int]:
        """Identity that each caption describes, as annotated."""
        return [self.picture_ids[index] for index in self.caption_picture_indices]

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({str(self.root)!r}, split={self.split!r}): {self.identity_count:,} identities,"
            f" {len(self.records):,} pictures, {len(self.captions):,} captions"
        )

    def _check_pictures_exist(self, records: list[Record]) -> None:
        missing = [record for record in records if not (self.picture_folder / record.picture).is_file()]
        if missing:
            more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
            raise DataError(
                f"no picture at {self.picture_folder / missing[0].picture}{more}, named by record"
                f" {missing[0].number} (counted from 0) of {self.annotation_file};"
                f" copy it there (`tipr-zoo data check {self.root}` lists all that are missing)"
            )
