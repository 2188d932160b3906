"""The check of picture files: missing ones and where they lie instead, doubled ones, and unannotated ones."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tipr_zoo.datasets.annotation import Annotation, Annotations
from tipr_zoo.datasets.checks.captions import listed
from tipr_zoo.datasets.checks.findings import Finding
from tipr_zoo.datasets.picture_folder import rename_command
from tipr_zoo.datasets.reading.paths import folded
from tipr_zoo.datasets.source import Source
from tipr_zoo.errors import DataError
from tipr_zoo.outside.files import PICTURE_LIMIT, read_bytes
from tipr_zoo.pictures.files import FoundPictures, find_pictures, list_pictures
from tipr_zoo.terminal.suggested_command import quoted


def present_pictures(folder: Path, records: Sequence[Annotation]) -> tuple[dict[str, int], list[str]]:
    """Return the size in bytes of each annotated picture that exists, and the annotated paths of those that do not."""
    sizes: dict[str, int] = {}
    missing: list[str] = []
    for picture in dict.fromkeys(annotation.picture for annotation in records):
        path = os.path.join(folder, picture)
        if os.path.isfile(path):
            sizes[picture] = os.path.getsize(path)
        else:
            missing.append(picture)
    return sizes, missing


def missing_pictures(folder: Path, missing: Sequence[str], present: Sequence[str], source: Source) -> list[Finding]:
    """Report each picture that is missing.

    If it lies elsewhere, the finding has the command that moves it back.

    Args:
        folder: The picture folder.
        missing: Annotated paths of the pictures that are missing.
        present: Annotated paths of the pictures that exist.
        source: The data set's files.
    """
    moves = _moves(folder, missing, present, source) if missing else {}
    findings = []
    for picture in missing:
        place, fix = moves.get(picture, (None, None))
        advice = f"it lies at {place}" if place else "copy it there"
        findings.append(Finding("missing picture", picture, f"no picture at {folder / picture}; {advice}", fix))
    return findings


def pictures_without_record(folder: Path, annotations: Annotations) -> list[Finding]:
    """Note each picture in the folder that no annotation names."""
    if all(os.path.isabs(annotation.picture) for annotation in annotations.records):
        return []
    if annotations.problems:
        message = "not looked for pictures without a record: the unusable records may name them"
        return [Finding("check skipped", str(folder), message)]
    annotated = {os.path.normpath(os.path.join(folder, annotation.picture)) for annotation in annotations.records}
    try:
        found = find_pictures(folder)
    except DataError as error:
        return [Finding("check skipped", str(folder), f"not looked for pictures without a record: {error}")]
    unknown = [path for path in found.left_out if str(path) not in annotated]
    told = FoundPictures([], unknown, found.unread_folders).told()
    return ([Finding("pictures left out", str(folder), told)] if told else []) + [
        Finding("picture without a record", os.path.relpath(path, folder), f"{path} is in no record")
        for path in map(str, found.readable)
        if path not in annotated
    ]


def duplicate_pictures(
    folder: Path, sizes: dict[str, int], records: Sequence[Annotation], shown: Callable[[int], str]
) -> Iterator[Finding]:
    """Note each set of annotated files with the same bytes. Published data sets have some.

    Args:
        folder: The picture folder.
        sizes: Size in bytes of each picture that exists, by its annotated path.
        records: The annotations of all splits.
        shown: Writes an identity for a message.
    """
    by_size = defaultdict(list)
    for picture, size in sizes.items():
        if size:
            by_size[size].append(picture)
    by_content = defaultdict(list)
    for size, pictures in by_size.items():
        if len(pictures) > 1:
            for picture in pictures:
                by_content[size, _digest(os.path.join(folder, picture))].append(picture)
    groups = [pictures for (_, digest), pictures in by_content.items() if digest is not None and len(pictures) > 1]
    if not groups:
        return
    of_picture = defaultdict(set)
    for annotation in records:
        of_picture[annotation.picture].add((annotation.identity, annotation.split))
    for pictures in groups:
        owners = {owner for picture in pictures for owner in of_picture[picture]}
        identities, splits = sorted({identity for identity, _ in owners}), sorted({split for _, split in owners})
        several = len(identities) > 1
        whose = f", though of the identities {listed(identities, shown)}" if several else ""
        where = f" in {' and '.join(splits)}" if len(splits) > 1 else ""
        kind = "same picture of several identities" if several else "same picture twice"
        names = " and ".join(pictures[:4]) + (f" and {len(pictures) - 4} more" if len(pictures) > 4 else "")
        yield Finding(kind, pictures[0], f"{names} are the same bytes{whose}{where}")


def _digest(path: str) -> bytes | None:
    try:
        return hashlib.blake2b(read_bytes(path, PICTURE_LIMIT), digest_size=16).digest()
    except OSError:
        return None  # the decoding of the picture reports it


def _moves(folder: Path, missing: Sequence[str], present: Sequence[str], source: Source) -> dict[str, tuple[Path, str]]:
    """Find missing pictures that lie elsewhere below the data set's folder, under the same file name.

    Returns:
        By its annotated path, each picture that was found: where it lies, and the command that moves it.
    """
    base = source.folder if folder.is_relative_to(source.folder) else folder
    annotated = {os.path.normpath(os.path.join(folder, picture)) for picture in present}
    try:
        strays = [path for path in list_pictures(base) if str(path) not in annotated]
    except DataError:
        return {}
    by_name = defaultdict(list)
    for path in strays:
        by_name[folded(path.name)].append(path)
    found = {
        picture: by_name[name][0] for picture in missing if len(by_name[name := folded(os.path.basename(picture))]) == 1
    }
    groups = defaultdict(list)
    for picture, stray in found.items():
        groups[stray.parent, (folder / picture).parent].append(picture)
    moves: dict[str, tuple[Path, str]] = {}
    for (here, there), pictures in groups.items():
        command = None
        is_used = any(path.startswith((f"{here}{os.sep}", f"{there}{os.sep}")) for path in annotated)
        # The commands run one after the other. So none may take away what another one names.
        others = [place for group in groups if group != (here, there) for place in group]
        is_used |= any(other.is_relative_to(place) for other in others for place in (here, there))
        if not is_used and all(found[picture].name == os.path.basename(picture) for picture in pictures):
            command = rename_command(here, there, keep=source.paths)
        for picture in pictures:
            moves[picture] = found[picture], command or _move(found[picture], folder / picture)
    return moves


def _move(here: Path, there: Path) -> str:
    parents = "" if there.parent.is_dir() else f"mkdir -p {quoted(there.parent)} && "
    return f"{parents}mv {quoted(here)} {quoted(there)}"
