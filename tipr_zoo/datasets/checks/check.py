"""The check of a data set on disk: its counts against the published ones, and everything that is missing or odd."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tipr_zoo.datasets.annotation import Annotation, Annotations, counts_of, place_in
from tipr_zoo.datasets.annotations import read_annotations
from tipr_zoo.datasets.checks.captions import check_captions_of, listed
from tipr_zoo.datasets.checks.decoding import unreadable_pictures
from tipr_zoo.datasets.checks.findings import CheckReport, CountRow, Finding
from tipr_zoo.datasets.checks.pictures import (
    duplicate_pictures,
    missing_pictures,
    pictures_without_record,
    present_pictures,
)
from tipr_zoo.datasets.layouts import CAPTION_ALL
from tipr_zoo.datasets.location import find_source, sources_in
from tipr_zoo.datasets.picture_folder import command_that_moves_pictures, picture_folder_of, where_was_looked
from tipr_zoo.datasets.reading.json_files import read_json
from tipr_zoo.datasets.reading.text import read_bytes
from tipr_zoo.datasets.recognition import recognise_dataset
from tipr_zoo.datasets.source import Source
from tipr_zoo.datasets.specification import DatasetSpecification, SplitCounts
from tipr_zoo.datasets.splits import EVERY_SPLIT, SPLITS
from tipr_zoo.datasets.unread_files import unread_files
from tipr_zoo.errors import DataError
from tipr_zoo.machine.whole_path import whole_path
from tipr_zoo.terminal.suggested_command import suggested_command


def check_dataset(
    root: str | os.PathLike[str], name: str | None = None, decode: bool = True, progress: bool = False
) -> CheckReport:
    """Check all splits of a data set, and every picture.

    Args:
        root: The folder with the annotation file. Or the folder above it, if that folder has the data set's name. Or
            the table of a custom data set.
        name: A registered data set. None recognises it by its files.
        decode: Decode every annotated picture. Otherwise only its presence is checked.
        progress: Show a progress bar on stderr while pictures are decoded, if stderr is a terminal.

    Raises:
        UnknownNameError: No data set of this name is registered.
        DataError: There is no annotation file to check, or its content is no list of annotations.
    """
    root = whole_path(root)
    specification = recognise_dataset(root, name).specification
    source = find_source(root, specification)
    annotations = read_annotations(source)
    rows = _count_rows(annotations.records, _expected_counts(source))
    problems = [*_annotation_problems(source, annotations, rows)]
    notes = [*_annotation_notes(root, source, annotations)]
    picture_folder, decoded = picture_folder_of(source, annotations.records), None
    if picture_folder is None and annotations.records:
        problems += _no_picture(source, annotations.records)
    if picture_folder is not None:
        sizes, missing = present_pictures(picture_folder, annotations.records)
        problems += missing_pictures(picture_folder, missing, list(sizes), source)
        notes += pictures_without_record(picture_folder, annotations)
        notes += duplicate_pictures(picture_folder, sizes, annotations.records, _shown(annotations))
        if decode:
            unreadable = unreadable_pictures([picture_folder / picture for picture in sizes], progress)
            decoded = len(sizes) - len(unreadable)
            problems += unreadable
    return CheckReport(
        name=specification.name,
        layout=source.layout.name,
        annotation_file=source.paths[0],
        annotation_files=source.paths,
        picture_folder=picture_folder,
        decoded=decoded,
        rows=rows,
        problems=problems,
        notes=notes,
    )


def _no_picture(source: Source, annotations: list[Annotation]) -> Iterator[Finding]:
    """Report that no picture is in its place.

    The findings have the command that moves the pictures' folder, or the commands that move each picture.
    """
    message = where_was_looked(source, annotations)
    if (fix := command_that_moves_pictures(source, annotations)) is not None:
        yield Finding("missing pictures", str(source.folder), message, fix)
        return
    place = source.picture_folders[0]
    yield Finding("missing pictures", str(source.folder), f"{message}; put the pictures into {place}")
    pictures = dict.fromkeys(annotation.picture for annotation in annotations if not os.path.isabs(annotation.picture))
    yield from (finding for finding in missing_pictures(place, [*pictures], [], source) if finding.fix)


def _annotation_problems(source: Source, annotations: Annotations, rows: list[CountRow]) -> Iterator[Finding]:
    """Find what is wrong in the annotations alone."""
    for problem in annotations.problems:
        yield Finding(problem.kind, place_in(problem.file, problem.number), problem.message)
    for row in rows:
        if row.verdict == "differs":
            message = f"{row.split}: {row.found:,} {row.quantity}, published {row.published:,}"
            yield Finding("count differs", row.split, message)
    yield from _changed_annotations(source)
    yield from _identities_in_several_splits(annotations)
    yield from _pictures_with_several_identities(annotations)


def _annotation_notes(root: Path, source: Source, annotations: Annotations) -> Iterator[Finding]:
    """Find what is odd in the annotations alone."""
    usable = annotations.records
    for rule in annotations.rules:
        yield Finding("filled in by rule", str(source.paths[0]), rule)
    for kind, message in annotations.remarks:
        yield Finding(kind, str(source.paths[0]), message)
    yield from _other_files(root, source, annotations)
    yield from _first_identity(usable, source.specification)
    yield from _repeated_pictures(usable)
    yield from check_captions_of(usable, _shown(annotations))


def _shown(annotations: Annotations) -> Callable[[int], str]:
    """Return a function that writes an identity for a message: as it is annotated."""
    return lambda identity: annotations.identity_names.get(identity, str(identity))


def _expected_counts(source: Source) -> Mapping[str, SplitCounts]:
    if source.specification.counts_file is None:
        return source.specification.published
    file = source.folder / source.specification.counts_file
    content, _ = read_json(file)
    try:
        return {
            split: SplitCounts(*(int(counts[quantity]) for quantity in ("identities", "pictures", "captions")))
            for split, counts in content["splits"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{file} does not say under 'splits' how many identities, pictures and captions each split holds;"
            " draw the data set again, or copy the file again"
        ) from error


def _count_rows(annotations: list[Annotation], published: Mapping[str, SplitCounts]) -> list[CountRow]:
    rows = []
    for split in (*SPLITS, EVERY_SPLIT):
        found = counts_of(annotation for annotation in annotations if split in (annotation.split, EVERY_SPLIT))
        if split not in published and (not found.pictures or split == EVERY_SPLIT):
            continue
        for quantity in ("identities", "pictures", "captions"):
            count = getattr(found, quantity)
            expected = getattr(published[split], quantity) if split in published else None
            verdict = "not published" if expected is None else "same" if count == expected else "differs"
            rows.append(CountRow(split, quantity, count, expected, verdict))
    return rows


def _changed_annotations(source: Source) -> Iterator[Finding]:
    """Report annotations whose SHA-256 is not the one that the file beside them states."""
    if source.specification.counts_file is None:
        return
    file, annotation_file = source.folder / source.specification.counts_file, source.paths[0]
    stated = read_json(file)[0].get("sha256")
    if stated is not None and stated != hashlib.sha256(read_bytes(annotation_file)).hexdigest():
        message = f"{annotation_file} does not have the sha256 that {file} states; draw or copy the data set again"
        yield Finding("annotations changed", annotation_file.name, message)


def _identities_in_several_splits(annotations: Annotations) -> Iterator[Finding]:
    splits, shown = defaultdict(set), _shown(annotations)
    for annotation in annotations.records:
        splits[annotation.identity].add(annotation.split)
    for identity, places in sorted(splits.items()):
        if len(places) > 1:
            names = " and ".join(split for split in SPLITS if split in places)
            message = f"identity {shown(identity)} is in {names}: nobody may be in two splits"
            yield Finding("identity in several splits", f"identity {shown(identity)}", message)


def _pictures_with_several_identities(annotations: Annotations) -> Iterator[Finding]:
    identities, shown = defaultdict(set), _shown(annotations)
    for annotation in annotations.records:
        identities[annotation.picture].add(annotation.identity)
    for picture, found in identities.items():
        if len(found) > 1:
            message = f"{picture} is annotated with the identities {listed(sorted(found), shown)}: keep the right one"
            yield Finding("picture with several identities", picture, message)


def _other_files(root: Path, source: Source, annotations: Annotations) -> Iterator[Finding]:
    """Note annotation files that do not have the official name, or that lie beside those that were read."""
    specification = source.specification
    if source.layout is CAPTION_ALL and not annotations.problems:
        (file,) = source.paths
        official = file.with_name(specification.annotation_files[0])
        message = f"{file} holds what {official.name} does; other codes look for it under that name"
        fix = suggested_command("mv", file, official)
        yield Finding("unusual file name", file.name, message, fix)
    read = set(source.paths)
    others = [] if specification.is_table else sources_in(root, specification)
    for other in others:
        if not read & set(other.paths):
            files = " and ".join(map(str, other.paths))
            message = f"{files} ({other.layout.name}) {'is' if len(other.paths) == 1 else 'are'} there, too; not read"
            yield Finding("other annotations beside", other.layout.name, message)
    known = [*read, *(path for other in others for path in other.paths)]
    known += [source.folder / name for name in (*specification.beside, specification.counts_file) if name]
    for file, kind in unread_files(source.folder, known, archives=False):
        yield Finding("file not read", file.name, f"{file} is not read: it seems to be {kind}")


def _first_identity(annotations: list[Annotation], specification: DatasetSpecification) -> Iterator[Finding]:
    # One numbering runs through all splits. Without the training split it begins later.
    if specification.first_identity is None or not any(annotation.split == "train" for annotation in annotations):
        return
    first = min(annotation.identity for annotation in annotations)
    if first != specification.first_identity:
        message = f"identities begin at {first}; the published file's begin at {specification.first_identity}"
        yield Finding("identities renumbered", f"identity {first}", message)


def _repeated_pictures(annotations: list[Annotation]) -> Iterator[Finding]:
    numbers = defaultdict(list)
    for annotation in annotations:
        numbers[annotation.picture].append(annotation.number)
    for picture, found in numbers.items():
        if len(found) > 1:
            yield Finding("picture with several records", picture, f"{picture} has the records {listed(sorted(found))}")
