"""Where a data set's files lie below the folder a user names."""

from __future__ import annotations

import filecmp
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from tipr_zoo.datasets.annotations import Record, captions_without_identities, read_json
from tipr_zoo.datasets.specification import DatasetSpecification
from tipr_zoo.errors import DataError

OTHER_LAYOUTS = {
    "caption_all.json": "some people receive it in place of reid_raw.json; its keys are not documented",
    "processed_data/*.json": "RaSa's and MARS's rewriting, one file a split",
    "*_reid.json": "TBPS-CLIP's rewriting, one file a split",
    "annotations/*.json": "TextReID's rewriting, one file a split",
    "finetune/*.json": "APTM's rewriting, one file a split",
    "cuhk_pedes.json": "IVT's rewriting, one object with an entry a split",
    "ICFG_PEDES_PROCESS.json": "IVT's rewriting, one object with an entry a split",
    "data_process.json": "IVT's rewriting, one object with an entry a split",
    "captions.json": "LGUR's rewriting",
    "*-PEDES-*.json": "PLIP's rewriting, one file a split",
}
"""Files found in the wild that are not the official annotations, by pattern."""


def check_root(root: Path) -> None:
    """Raise a DataError unless `root` is a folder."""
    if not root.exists():
        raise DataError(
            f"no folder at {root}; check the path, or draw a data set there with `tipr-zoo data synth {root}`"
        )
    if not root.is_dir():
        raise DataError(f"{root} is a file; name the folder that holds the data set")


def annotation_file_in(root: Path, specification: DatasetSpecification) -> Path | None:
    """The annotation file of a data set in `root`, or in a folder of the data set's name below it.

    Raises:
        DataError: Two different files could be meant.
    """
    found = [
        folder / name
        for folder in (root, root / specification.name)
        for name in specification.annotation_files
        if (folder / name).is_file() and _neighbours_fit(folder, specification)
    ]
    different = [file for file in found[1:] if not filecmp.cmp(found[0], file, shallow=False)]
    if different:
        raise DataError(
            f"{root} has two different annotation files of {specification.name}: {found[0]} and {different[0]};"
            " remove one, or name the folder that holds the right one"
        )
    return found[0] if found else None


def find_annotation_file(root: Path, specification: DatasetSpecification) -> Path:
    """The annotation file of a data set, in `root` or in a folder of the data set's name below it.

    Raises:
        DataError: There is none; the message lists what was looked for, and explains what was found instead.
    """
    check_root(root)
    file = annotation_file_in(root, specification)
    if file is None:
        raise missing_annotations(root, [specification])
    return file


def missing_annotations(root: Path, specifications: Sequence[DatasetSpecification]) -> DataError:
    """The error for a folder without annotations of any of these data sets."""
    for specification in specifications:
        for folder in (root, root / specification.name):
            beside = [name for name in specification.never_beside if (folder / name).is_file()]
            files = [name for name in specification.annotation_files if (folder / name).is_file()]
            marks = [name for name in specification.beside if (folder / name).is_file()]
            if marks and not files:
                return DataError(
                    f"{folder} has {marks[0]} without {specification.annotation_files[0]}, so {specification.name} is"
                    " incomplete there; draw it again with the same settings, which goes on where it stopped,"
                    " or copy it again"
                )
            absent = [name for name in specification.beside if not (folder / name).is_file()]
            if beside and files:
                return DataError(
                    f"{folder / files[0]} is not {specification.name}: {beside[0]} beside it marks another data set;"
                    " leave the name out to have the data set recognised"
                )
            if absent and files:
                return DataError(
                    f"{folder / files[0]} is not {specification.name}: there is no {absent[0]} beside it;"
                    " leave the name out to have the data set recognised"
                )
    wanted = "; ".join(f"{' or '.join(s.annotation_files)} for {s.name}" for s in specifications)
    subfolders = ", ".join(f"{specification.name}/" for specification in specifications)
    found = _what_lies_there_instead([root, *(root / specification.name for specification in specifications)])
    return DataError(
        f"no annotation file in {root}: looked there and in {subfolders} below it for {wanted};"
        f" {found or 'name the folder that holds one'}"
    )


def find_picture_folder(annotation_file: Path, specification: DatasetSpecification, records: Iterable[Record]) -> Path:
    """The folder that the records' picture paths start from: the first one that has any of the pictures.

    Raises:
        DataError: No folder has any; the message says where was looked, and for what.
    """
    records = list(records)
    candidates = [annotation_file.parent / name for name in specification.picture_folders]
    for candidate in candidates:
        if candidate.is_dir() and any((candidate / record.picture).is_file() for record in records):
            return candidate
    example = f", e.g. {records[0].picture}" if records else ""
    places = " and ".join(f"{candidate}{'' if candidate.is_dir() else ' (no such folder)'}" for candidate in candidates)
    raise DataError(
        f"none of the {len(records):,} pictures that {annotation_file} names is there{example}: looked in {places};"
        f" put the pictures into {candidates[0]}"
    )


def _neighbours_fit(folder: Path, specification: DatasetSpecification) -> bool:
    return all((folder / name).is_file() for name in specification.beside) and not any(
        (folder / name).is_file() for name in specification.never_beside
    )


def _what_lies_there_instead(folders: Sequence[Path]) -> str:
    needed = (
        "needed is the official annotation file, one JSON list of records with split, id, file_path and captions:"
        " ask the data set's authors for it"
    )
    for folder in folders:
        for pattern, origin in OTHER_LAYOUTS.items():
            for file in sorted(folder.glob(pattern)):
                return f"found {file} ({origin}) instead; {needed}"
    for folder in folders:
        for file in sorted([*folder.glob("*.json"), *folder.glob("*.jsonl")]):
            if (entry := _caption_without_identity(file)) is not None:
                return captions_without_identities(file, entry)
    return ""


def _caption_without_identity(file: Path) -> dict | None:
    """The first record of a list of captions that knows no identities; None for any other file."""
    try:
        if file.suffix == ".jsonl":
            with file.open(encoding="utf-8") as lines:
                first = json.loads(next(lines, "null"))
        else:
            entries = read_json(file)
            first = entries[0] if isinstance(entries, list) and entries else None
    except (DataError, OSError, ValueError):
        return None  # it only serves to explain a missing file
    captions = {"text", "caption", "captions", "sentence"}
    return first if isinstance(first, dict) and captions & set(first) and "id" not in first else None
