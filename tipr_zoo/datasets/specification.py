"""What tells one data set from another: file names, keys, and how much of everything was published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tipr_zoo.datasets.annotations import Record

SPLITS = ("train", "val", "test")
"""The names a split can have."""


@dataclass(frozen=True)
class SplitCounts:
    """How much one split holds.

    Attributes:
        identities: Different people.
        pictures: Annotated pictures; a picture with two records counts twice, as in the published figures.
        captions: Captions of all pictures.
    """

    identities: int
    pictures: int
    captions: int

    @classmethod
    def of(cls, records: Iterable[Record]) -> SplitCounts:
        """The counts of some records."""
        records = list(records)
        return cls(len({r.identity for r in records}), len(records), sum(len(r.captions) for r in records))


@dataclass(frozen=True)
class DatasetSpecification:
    """How a data set lies on disk. Its annotations are a JSON list of records with split, id, captions and a path.

    Attributes:
        name: The name as its authors write it, and the name of the folder it may lie in.
        annotation_files: File names under which the annotations circulate.
        path_keys: Keys under which a record may hold the picture's path, the official one first.
        first_identity: The smallest identity of the published file.
        published: Counts of the published splits, by split.
        picture_folders: Where pictures may lie, relative to the annotation file's folder, the official place first.
        beside: Files that lie beside the annotations, where a file name alone does not tell data sets apart.
        never_beside: Files that show that these annotations are another data set's.
        counts_file: A JSON file beside the annotations, for a data set that is drawn in any size: ``splits`` holds
            this copy's counts, ``sha256`` that of its annotations.
    """

    name: str
    annotation_files: tuple[str, ...]
    path_keys: tuple[str, ...] = ("file_path",)
    first_identity: int = 0
    published: Mapping[str, SplitCounts] = field(default_factory=dict)
    picture_folders: tuple[str, ...] = ("imgs", ".")
    beside: tuple[str, ...] = ()
    never_beside: tuple[str, ...] = ()
    counts_file: str | None = None
