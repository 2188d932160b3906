"""Annotated paths as they are on this machine: without another machine's folders, in the Unicode form of the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tipr_zoo.datasets.annotation import Annotation, AnnotationProblem, Annotations, place_in
from tipr_zoo.datasets.reading.paths import composed, is_absolute
from tipr_zoo.datasets.source import Source

_SAMPLE = 20


def on_this_machine(source: Source, annotations: Annotations) -> Annotations:
    """Return the annotations with the paths that their pictures have here.

    Two things change from machine to machine. Other codes write paths like ``/home/ann/CUHK-PEDES/imgs/cam_a/1.jpg``
    into copies of annotations: the folders of that machine are left out if the pictures lie here without them. And a
    file name with accents has two forms in Unicode, of which some disks keep one and annotations the other.

    Args:
        source: The data set's files.
        annotations: The annotations as written.

    Returns:
        The annotations, with a rule for the folders that were left out and a remark for names of another form. A path
        that is still absolute is a problem, unless it is one of this machine's in somebody's own table.
    """
    records, rules = _without_foreign_folders(source, annotations.records)
    records, remarks = _in_the_form_of_the_disk(source, records)
    usable, problems = _told_apart(source, records)
    return replace(
        annotations,
        records=usable,
        problems=[*annotations.problems, *problems],
        rules=(*annotations.rules, *rules),
        remarks=(*annotations.remarks, *remarks),
    )


def _without_foreign_folders(source: Source, records: list[Annotation]) -> tuple[list[Annotation], list[str]]:
    sample = [annotation.picture for annotation in records[:: max(1, len(records) // _SAMPLE)]]
    folders = [folder for folder in source.picture_folders if folder.is_dir()]
    if any(os.path.isfile(os.path.join(folder, picture)) for picture in sample for folder in folders):
        return records, []
    found = next((found for picture in sample if (found := _foreign_folder(picture, folders)) is not None), None)
    if found is None:
        return records, []
    prefix, folder = found
    cut = [
        replace(annotation, picture=annotation.picture.removeprefix(prefix))
        if annotation.picture.startswith(prefix)
        else annotation
        for annotation in records
    ]
    return cut, [f"{source.paths[0]} names pictures in {prefix}, which is no folder here: read from {folder}"]


def _foreign_folder(picture: str, folders: Sequence[Path]) -> tuple[str, Path] | None:
    """Find the beginning of a path that another machine has, and the folder here that has the rest.

    A relative path loses only folders that end in the name of the folder here. Otherwise it could be another one.
    """
    parts = picture.split("/")
    for place in range(1, len(parts)):
        for folder in folders:
            may_be_cut = is_absolute(picture) or parts[place - 1] == folder.name
            if may_be_cut and os.path.isfile(os.path.join(folder, *parts[place:])):
                return "/".join(parts[:place]) + "/", folder
    return None


def _in_the_form_of_the_disk(
    source: Source, records: list[Annotation]
) -> tuple[list[Annotation], list[tuple[str, str]]]:
    if all(annotation.picture.isascii() for annotation in records):
        return records, []
    listings: dict[str, dict[str, str]] = {}
    spelled, example, count = [], None, 0
    for annotation in records:
        picture = annotation.picture
        if not picture.isascii():
            picture = _spelled_as_on_disk(source.picture_folders, picture, listings)
        if picture != annotation.picture:
            example, count = example or annotation, count + 1
            annotation = replace(annotation, picture=picture)
        spelled.append(annotation)
    if example is None:
        return records, []
    message = (
        f"{count:,} of the pictures that {source.paths[0]} names have the same letters in another Unicode form on disk,"
        f" e.g. {example.picture}: read from there"
    )
    return spelled, [("names in another Unicode form", message)]


def _spelled_as_on_disk(folders: Sequence[Path], picture: str, listings: dict[str, dict[str, str]]) -> str:
    """Return a path in the Unicode form that its file has on disk; as it is if there is no such file."""
    if any(os.path.isfile(os.path.join(folder, picture)) for folder in folders):
        return picture
    for folder in folders:
        here, names = os.fspath(folder), []
        for name in picture.split("/"):
            if here not in listings:
                listings[here] = {composed(entry): entry for entry in _names_in(here)}
            if (found := listings[here].get(composed(name))) is None:
                break
            names.append(found)
            here = os.path.join(here, found)
        else:
            if os.path.isfile(here):
                return "/".join(names)
    return picture


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _told_apart(source: Source, records: list[Annotation]) -> tuple[list[Annotation], list[AnnotationProblem]]:
    """Tell annotations from those whose path belongs to another machine."""
    is_table = source.specification.is_table
    foreign = {
        place
        for place, annotation in enumerate(records)
        if is_absolute(annotation.picture) and not (is_table and os.path.isabs(annotation.picture))
    }
    if not foreign:
        return records, []
    usable = [annotation for place, annotation in enumerate(records) if place not in foreign]
    return usable, list(_foreign_paths(records[place] for place in sorted(foreign)))


def _foreign_paths(records: Iterator[Annotation]) -> Iterator[AnnotationProblem]:
    for annotation in records:
        message = (
            f"{annotation.file}, {place_in(annotation.file, annotation.number)}: its path {annotation.picture!r} leads"
            " out of the picture folder; write a path inside it"
        )
        yield AnnotationProblem(annotation.number, annotation.split, "wrong path", message, annotation.file)
