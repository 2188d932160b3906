"""One split of a data set of person pictures with captions, as plain Python values."""

from __future__ import annotations

import hashlib
import os
from functools import cache, cached_property
from pathlib import Path
from typing import ClassVar

from tipr_zoo.datasets.annotation import Annotation
from tipr_zoo.datasets.annotations import read_annotations
from tipr_zoo.datasets.further_captions import further_captions
from tipr_zoo.datasets.location import find_source
from tipr_zoo.datasets.picture_folder import find_picture_folder
from tipr_zoo.datasets.reading.text import read_bytes
from tipr_zoo.datasets.specification import DatasetSpecification
from tipr_zoo.datasets.tables.text_files import text_files_of
from tipr_zoo.errors import DataError
from tipr_zoo.machine.whole_path import whole_path
from tipr_zoo.terminal.log import logger
from tipr_zoo.terminal.suggested_command import quoted


class PersonDataset:
    """One split of a data set, in any layout on disk. Subclasses only set `specification`.

    Pictures and captions keep the order of the annotation file, so indices into them are stable. If a rule fills in
    what the files do not say, this is logged once a process.

    Args:
        root: The folder with the annotation file. Or the folder above it, if that folder has the data set's name. Or
            the table of a custom data set.
        split: ``train``, ``val`` or ``test``; ``all`` for the annotations of every split.
        check_pictures: Check that every picture of the split exists, instead of the first alone.

    Attributes:
        name: The data set's name.
        root: The folder as given.
        split: The split as given.
        splits: The splits that the annotations have, usable or not.
        layout: The layout that it has, e.g. ``"TextReID's layout"``.
        annotation_files: The files that were read, for all splits.
        annotation_file: The first of them.
        picture_folder: The folder that the annotations' picture paths start from.
        records: The annotations of the split, one for each picture.
        identity_names: The annotated text of each identity, if identities are texts that were numbered.

    Raises:
        DataError: A file is missing, broken or incomplete, an annotation is unusable, or the split is empty.
        UnknownNameError: There is no such split.
    """

    specification: ClassVar[DatasetSpecification]

    def __init__(self, root: str | os.PathLike[str], split: str = "test", check_pictures: bool = False) -> None:
        self.name = self.specification.name
        self.root = whole_path(root)
        self.split = split
        source = find_source(self.root, self.specification)
        self.layout = source.layout.name
        self.annotation_files: tuple[Path, ...] = source.paths
        self.annotation_file = source.paths[0]
        annotations = read_annotations(source)
        self.splits = annotations.splits
        self.identity_names = annotations.identity_names
        self.records: list[Annotation] = annotations.of_split(split, self.specification)
        for rule in annotations.rules:
            _log_once(rule)
        self.picture_folder = find_picture_folder(source, self.records)
        self._check_pictures_exist(self.records if check_pictures else self.records[:1])

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the annotation file, as 64 hexadecimal digits. It distinguishes these annotations from others.

        For several files, it is the SHA-256 of their SHA-256 values (32 bytes each) in the order of `annotation_files`.
        For a folder of pictures with text files, the files are these, sorted by path.

        Raises:
            DataError: A file cannot be read any more.
        """
        files = [each for file in self.annotation_files for each in (text_files_of(file) if file.is_dir() else [file])]
        digests = [hashlib.sha256(read_bytes(file)) for file in files]
        if len(digests) == 1:
            return digests[0].hexdigest()
        return hashlib.sha256(b"".join(digest.digest() for digest in digests)).hexdigest()

    @cached_property
    def pictures(self) -> list[Path]:
        """Absolute path of each annotation's picture."""
        return [self.picture_folder / annotation.picture for annotation in self.records]

    @cached_property
    def picture_ids(self) -> list[int]:
        """Identity in each picture, as annotated."""
        return [annotation.identity for annotation in self.records]

    @cached_property
    def labels(self) -> list[int]:
        """Identity in each picture, renumbered from 0 without gaps in the order of the annotated identities."""
        label_of = {identity: label for label, identity in enumerate(sorted(set(self.picture_ids)))}
        return [label_of[identity] for identity in self.picture_ids]

    @cached_property
    def identity_count(self) -> int:
        """The number of different people in the split."""
        return len(set(self.picture_ids))

    @cached_property
    def captions(self) -> list[str]:
        """Every caption, picture by picture."""
        return [caption for annotation in self.records for caption in annotation.captions]

    @cached_property
    def further_captions(self) -> dict[str, list[str | None]]:
        """Further wordings of every caption by their key in the annotations, such as ``captions_bt``; mostly none.

        Raises:
            DataError: An annotation has another number of them than of captions, or one that is no text.
        """
        return further_captions(self.records)

    @cached_property
    def caption_picture_indices(self) -> list[int]:
        """Index into `pictures` of the picture that each caption describes."""
        return [index for index, annotation in enumerate(self.records) for _ in annotation.captions]

    @cached_property
    def caption_ids(self) -> list[int]:
        """Identity that each caption describes, as annotated."""
        return [self.picture_ids[index] for index in self.caption_picture_indices]

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({str(self.root)!r}, split={self.split!r}): {self.identity_count:,} identities,"
            f" {len(self.records):,} pictures, {len(self.captions):,} captions"
        )

    def _check_pictures_exist(self, annotations: list[Annotation]) -> None:
        missing = [
            annotation for annotation in annotations if not os.path.isfile(self.picture_folder / annotation.picture)
        ]
        if missing:
            more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
            raise DataError(
                f"no picture at {self.picture_folder / missing[0].picture}{more}, named by {missing[0].place} of"
                f" {missing[0].file}; copy it there"
                f" (`tipr-zoo data check {quoted(self.root)}` lists all that are missing)"
            )


@cache
def _log_once(message: str) -> None:
    logger.warning("%s", message)
