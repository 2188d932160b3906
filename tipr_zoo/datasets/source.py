"""The files of one data set in one layout."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tipr_zoo.datasets.layouts import TABLE, Layout
from tipr_zoo.datasets.specification import DatasetSpecification


@dataclass(frozen=True)
class Source:
    """The place where a data set was found.

    Attributes:
        specification: Which data set it is.
        layout: How its files are laid out.
        folder: The folder that the layout starts from.
        files: Annotation files by split, in the order of the splits, as absolute paths. None is the split of a file
            that holds all splits. Tables may have other words for splits, see `reading.words.SPLIT_WORDS`, and several
            files a split, as ``train-00000-of-00003``.
    """

    specification: DatasetSpecification
    layout: Layout
    folder: Path
    files: Mapping[str | None, Path]

    @property
    def paths(self) -> tuple[Path, ...]:
        """The annotation files."""
        return tuple(self.files.values())

    @property
    def is_in_own_folder(self) -> bool:
        """Whether a folder's name says that it is this data set."""
        return self.specification.is_folder_name(self.folder.name)

    @property
    def picture_folders(self) -> list[Path]:
        """The folders where pictures may lie, the official one first."""
        if self.layout is TABLE:
            return [self.folder / name for name in self.specification.picture_folders]
        beside = list(dict.fromkeys(path.parent for path in self.paths))
        names = (*self.specification.picture_folders, *self.layout.picture_folders)
        # Paths may begin with the data set's folder itself, as in CUHK-PEDES/imgs/cam_a/...
        above = [self.folder.parent] if self.is_in_own_folder else []
        return list(dict.fromkeys([*(Path(os.path.normpath(self.folder / name)) for name in names), *beside, *above]))
