"""What distinguishes one data set from another: file names, picture names and published counts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SplitCounts:
    """The size of one split.

    Attributes:
        identities: Number of different people.
        pictures: Number of annotated pictures. A picture with two annotations counts twice, as in the published
            figures.
        captions: Number of captions of all pictures.
    """

    identities: int
    pictures: int
    captions: int


@dataclass(frozen=True)
class DatasetSpecification:
    """What is particular to one data set. For the layouts of its files, see `layouts.LAYOUTS`.

    Attributes:
        name: The name as its authors write it.
        annotation_files: File names under which the official annotations circulate.
        nickname: Its name in file and folder names of other codes, e.g. ``"cuhk"``.
        first_identity: The smallest identity of the published file.
        published: Counts of the published splits, by split; under ``all`` if only totals were published.
        picture_folders: Folders where pictures may lie, relative to the data set's folder, the official one first.
        picture_pattern: A regular expression for the beginning of each picture's path, if it distinguishes this data
            set from others.
        one_caption_a_picture: Whether each of its annotations has one caption. Then two annotations of one picture stay
            two.
        beside: Files that lie beside the annotations, if a file name alone does not distinguish data sets.
        never_beside: Files that show that these annotations are those of another data set.
        counts_file: A JSON file beside the annotations, for a data set that is drawn in any size. ``splits`` holds this
            copy's counts, ``sha256`` the hash of its annotations.
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
        """Return whether a folder of this name must hold the data set: ``CUHK-PEDES``, ``cuhkpedes``, ``cuhk``...

        >>> DatasetSpecification("CUHK-PEDES", nickname="cuhk").is_folder_name("cuhk_pedes")
        True
        """
        known = {_folded(self.name)} | ({_folded(self.nickname)} if self.nickname else set())
        return _folded(name) in known


def _folded(name: str) -> str:
    return re.sub(r"[-_ ]", "", name).casefold()
