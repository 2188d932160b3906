"""The layouts of data sets: where the files lie, and which keys an entry has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tipr_zoo.datasets.specification import DatasetSpecification
from tipr_zoo.datasets.splits import SPLITS

PATH_KEYS = ("file_path", "img_path", "image_path", "image")
"""Keys under which an entry may hold the picture's path, the official ones first."""

IDENTITY_KEYS = ("id", "person_id", "pid")
"""Keys under which an entry may hold the person's number, the official one first."""

CAPTION_KEYS = ("captions", "caption", "sentence", "text")
"""Keys under which an entry may hold its captions. The first is the official one, which holds a list.

The others hold a list or a single sentence.
"""

FURTHER_CAPTION_KEYS = ("captions_bt",)
"""Keys under which an entry may hold other wordings of its captions, one for each: TBPS-CLIP's back-translations."""

FILE_WORDS: dict[str | None, tuple[str, ...]] = {"val": ("val", "valid", "validation", "dev")}
"""Words for a split in file names, the official one first. The others have one word."""


@dataclass(frozen=True)
class Layout:
    """One way in which annotation files lie below a data set's folder.

    Attributes:
        name: Whose layout it is, as `tipr-zoo data check` writes it.
        files: Paths below the folder. Each of them alone makes the layout. ``{split}`` stands for each of the three
            splits, ``{name}`` for the data set's name and ``{nickname}`` for its nickname. A path without the last two
            does not tell which data set it is.
        dataset: The only data set that has this layout; None if several have it.
        identity_keys: Keys under which an entry may hold the identity.
        has_text_identities: Whether an identity may be written as a string of digits.
        picture_folders: Further places of pictures, relative to the folder.
    """

    name: str
    files: tuple[str, ...]
    dataset: str | None = None
    identity_keys: tuple[str, ...] = IDENTITY_KEYS
    has_text_identities: bool = False
    picture_folders: tuple[str, ...] = ()

    @property
    def names_dataset(self) -> bool:
        """Whether the files' names say which data set it is."""
        return self.dataset is not None or all("{n" in file for file in self.files)

    def files_in(self, folder: Path, specification: DatasetSpecification) -> list[dict[str | None, Path]]:
        """Find every complete or partial set of this layout's files in a folder.

        Returns:
            For each set, its files by split. None is the split of a file that holds all splits.
        """
        if self.dataset not in (None, specification.name):
            return []
        templates = specification.annotation_files if self is OFFICIAL else self.files
        found: list[dict[str | None, Path]] = []
        for template in templates:
            if "{nickname}" in template and specification.nickname is None:
                continue
            splits = SPLITS if "{split}" in template else (None,)
            names = {"name": specification.name, "nickname": specification.nickname}
            present: dict[str | None, Path] = {}
            for split in splits:
                paths = (folder / template.format(split=word, **names) for word in FILE_WORDS.get(split, (split,)))
                if (path := next(filter(Path.is_file, paths), None)) is not None:
                    present[split] = path
            if present:
                found.append(present)
        return found


OFFICIAL = Layout("the official layout", ("{name}",))
"""One file, as the authors publish it. Its names are the specification's `annotation_files`."""

CAPTION_ALL = Layout("caption_all.json in place of reid_raw.json", ("caption_all.json",), "CUHK-PEDES")
"""A file that some people receive. It is read if it says everything that the official file says."""

LAYOUTS = (
    OFFICIAL,
    Layout("RaSa's and MARS's layout", ("processed_data/{split}.json",)),
    Layout("TBPS-CLIP's layout", ("{split}_reid.json",)),
    Layout("TextReID's layout", ("annotations/{split}.json",)),
    Layout(
        "APTM's layout",
        ("finetune/{nickname}_{split}.json", "data/finetune/{nickname}_{split}.json"),
        identity_keys=(*IDENTITY_KEYS, "image_id"),
        has_text_identities=True,
        picture_folders=("images", "../images"),
    ),
    Layout("IVT's layout", ("cuhk_pedes.json",), "CUHK-PEDES", has_text_identities=True),
    Layout("IVT's layout", ("ICFG_PEDES_PROCESS.json",), "ICFG-PEDES", has_text_identities=True),
    Layout("IVT's layout", ("data_process.json",), has_text_identities=True),
    Layout("LGUR's layout", ("captions.json",), has_text_identities=True),
    Layout("PLIP's layout", ("{name}-{split}.json",), has_text_identities=True),
    Layout("one file a split", ("{split}.json",), has_text_identities=True, picture_folders=("../imgs", "..")),
    CAPTION_ALL,
)
"""Every layout of a published data set, the preferred one first."""

TABLE = Layout("a table", ())
"""Anybody's own file of pictures and captions; see `tipr_zoo.datasets.custom`."""
