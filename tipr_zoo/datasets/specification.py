"""What tells one data set from another: file names, pictures' names, and how much of everything was published."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


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


@dataclass(frozen=True)
class DatasetSpecification:
    """What is particular to one data set; how its files may be laid out is told by `layouts.LAYOUTS`.

    Attributes:
        name: The name as its authors write it.
        annotation_files: File names under which the official annotations circulate.
        nickname: What other codes call it in file and folder names, e.g. ``"cuhk"``.
        first_identity: The smallest identity of the published file.
        published: Counts of the published splits, by split; under ``all`` where only totals were published.
        picture_folders: Where pictures may lie, relative to the data set's folder, the official place first.
        picture_pattern: What the path of each of its pictures begins with, where that tells it from other data sets.
        one_caption_a_picture: Whether each of its records has one caption, so that two records of one picture stay two.
        beside: Files that lie beside the annotations, where a file name alone does not tell data sets apart.
        never_beside: Files that show that these annotations are another data set's.
        counts_file: A JSON file beside the annotations, for a data set that is drawn in any size: ``splits`` holds
            this copy's counts, ``sha256`` that of its annotations.
        is_table: Whether it is anybody's own table of pictures and captions.
    """

    name: str
    annotation_files: tuple[str, ...] = ()
    nickname: str | None = None
    first_identity: int | None = 0
    published: Mapping[str, SplitCounts] = field(default_factory=dict)
    picture_folders: tuple[str, ...] = ("imgs", ".")
    picture_pattern: str | None = None
    one_caption_a_picture: bool = False
    beside: tuple[str, ...] = ()
    never_beside: tuple[str, ...] = ()
    counts_file: str | None = None
    is_table: bool = False

    def is_folder_name(self, name: str) -> bool:
        """Whether a folder of this name says that it holds the data set: ``CUHK-PEDES``, ``cuhkpedes``, ``cuhk``..."""
        known = {_folded(self.name)} | ({_folded(self.nickname)} if self.nickname else set())
        return _folded(name) in known


def _folded(name: str) -> str:
    return re.sub(r"[-_ ]", "", name).casefold()
