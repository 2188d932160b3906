"""Checking a data set on disk: counts against the published ones, and everything that is missing or odd."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from tipr_zoo.datasets.annotations import Annotations, Record, read_annotations, read_json
from tipr_zoo.datasets.location import find_annotation_file, find_picture_folder
from tipr_zoo.datasets.recognition import recognise_dataset
from tipr_zoo.datasets.specification import SPLITS, DatasetSpecification, SplitCounts
from tipr_zoo.errors import DataError
from tipr_zoo.pictures import list_pictures, open_picture


@dataclass(frozen=True)
class CountRow:
    """One count of one split.

    Attributes:
        split: ``train``, ``val`` or ``test``.
        quantity: ``identities``, ``pictures`` or ``captions``.
        found: How many the usable records hold.
        published: How many there should be; None if nothing was published.
        verdict: ``same``, ``differs`` or ``not published``.
    """

    split: str
    quantity: str
    found: int
    published: int | None
    verdict: str


@dataclass(frozen=True)
class Finding:
    """Something about a data set that its user should know.

    Attributes:
        kind: What it is in a few words, e.g. ``"missing picture"``; findings of one kind belong together.
        place: The split, record or file.
        message: One line.
    """

    kind: str
    place: str
    message: str


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Attributes:
        name: The data set's name.
        annotation_file: The file that was read.
        picture_folder: The folder the pictures were looked for in; None if no picture was found anywhere.
        decoded: How many pictures could be decoded; None if decoding was skipped.
        rows: Counts of each split, beside the published ones.
        problems: What makes the data set unusable, or its figures incomparable.
        notes: What is odd and harms nothing; published data sets have some of it.
    """

    name: str
    annotation_file: Path
    picture_folder: Path | None
    decoded: int | None
    rows: list[CountRow]
    problems: list[Finding]
    notes: list[Finding]


def check_dataset(
    root: str | os.PathLike[str], name: str | None = None, decode: bool = True, progress: bool = False
) -> CheckReport:
    """Check all splits of a data set, and every picture.

    Args:
        root: The folder with the annotation file, or the folder above it if it bears the data set's name.
        name: A registered data set; None recognises it by its files.
        decode: Decode every annotated picture; otherwise only its presence is checked.
        progress: Show a progress bar on stderr while pictures are decoded.

    Raises:
        UnknownNameError: No data set of this name is registered.
        DataError: There is no annotation file to check, or it is not a list of records.
    """
    specification = recognise_dataset(root, name).specification
    annotation_file = find_annotation_file(Path(root).expanduser(), specification).absolute()
    annotations = read_annotations(annotation_file, specification)
    records = annotations.records
    rows = _count_rows(records, _expected_counts(annotation_file, specification))
    problems = [Finding(p.kind, f"record {p.number}", p.message) for p in annotations.problems]
    problems += [
        Finding("count differs", row.split, f"{row.split}: {row.found:,} {row.quantity}, published {row.published:,}")
        for row in rows
        if row.verdict == "differs"
    ]
    problems += _changed_annotations(annotation_file, specification)
    problems += [*_identities_in_several_splits(records), *_pictures_with_several_identities(records)]
    notes = [*_first_identity(records, specification), *_repeated_pictures(records), *_shared_captions(records)]
    picture_folder, decoded = None, None
    try:
        if records:
            picture_folder = find_picture_folder(annotation_file, specification, records)
    except DataError as error:
        problems.append(Finding("missing pictures", str(annotation_file.parent), str(error)))
    if picture_folder is not None:
        present, missing = _presence(picture_folder, records)
        problems += missing
        notes += _pictures_without_record(picture_folder, annotations)
        if decode:
            unreadable = _unreadable(present, progress)
            decoded = len(present) - len(unreadable)
            problems += unreadable
    return CheckReport(specification.name, annotation_file, picture_folder, decoded, rows, problems, notes)


def _expected_counts(annotation_file: Path, specification: DatasetSpecification) -> dict[str, SplitCounts]:
    if specification.counts_file is None:
        return dict(specification.published)
    file = annotation_file.parent / specification.counts_file
    content = read_json(file)
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


def _changed_annotations(annotation_file: Path, specification: DatasetSpecification) -> Iterator[Finding]:
    """A finding if the annotations are not the bytes that the file beside them vouches for."""
    if specification.counts_file is None:
        return
    file = annotation_file.parent / specification.counts_file
    stated = read_json(file).get("sha256")
    if stated is not None and stated != hashlib.sha256(annotation_file.read_bytes()).hexdigest():
        message = f"{annotation_file} does not have the sha256 that {file} states; draw or copy the data set again"
        yield Finding("annotations changed", annotation_file.name, message)


def _count_rows(records: list[Record], published: dict[str, SplitCounts]) -> list[CountRow]:
    rows = []
    for split in SPLITS:
        found = SplitCounts.of(record for record in records if record.split == split)
        if not found.pictures and split not in published:
            continue
        for quantity in ("identities", "pictures", "captions"):
            count = getattr(found, quantity)
            expected = getattr(published[split], quantity) if split in published else None
            verdict = "not published" if expected is None else "same" if count == expected else "differs"
            rows.append(CountRow(split, quantity, count, expected, verdict))
    return rows


def _identities_in_several_splits(records: list[Record]) -> Iterator[Finding]:
    splits = defaultdict(set)
    for record in records:
        splits[record.identity].add(record.split)
    for identity, places in sorted(splits.items()):
        if len(places) > 1:
            names = " and ".join(split for split in SPLITS if split in places)
            message = f"identity {identity} is in {names}: nobody may be in two splits"
            yield Finding("identity in several splits", f"identity {identity}", message)


def _pictures_with_several_identities(records: list[Record]) -> Iterator[Finding]:
    identities = defaultdict(set)
    for record in records:
        identities[record.picture].add(record.identity)
    for picture, found in identities.items():
        if len(found) > 1:
            message = f"{picture} is annotated with the identities {_listed(found)}: keep the right one"
            yield Finding("picture with several identities", picture, message)


def _first_identity(records: list[Record], specification: DatasetSpecification) -> Iterator[Finding]:
    # Identities are numbered through the splits, so that without the training split they begin later.
    if not any(record.split == "train" for record in records):
        return
    first = min(record.identity for record in records)
    if first != specification.first_identity:
        message = f"identities begin at {first}; the published file's begin at {specification.first_identity}"
        yield Finding("identities renumbered", f"identity {first}", message)


def _repeated_pictures(records: list[Record]) -> Iterator[Finding]:
    numbers = defaultdict(list)
    for record in records:
        numbers[record.picture].append(record.number)
    for picture, found in numbers.items():
        if len(found) > 1:
            yield Finding("picture with several records", picture, f"{picture} has the records {_listed(found)}")


def _shared_captions(records: list[Record]) -> Iterator[Finding]:
    identities = defaultdict(set)
    for record in records:
        for caption in record.captions:
            identities[record.split, caption].add(record.identity)
    for (split, caption), found in identities.items():
        if len(found) > 1:
            message = f"{caption!r} describes the identities {_listed(found)} of {split}"
            yield Finding("caption of several identities", split, message)


def _presence(picture_folder: Path, records: list[Record]) -> tuple[list[Path], list[Finding]]:
    """The annotated pictures that exist, each once, and a finding for each that does not."""
    present, missing = [], []
    for picture in dict.fromkeys(record.picture for record in records):
        path = picture_folder / picture
        if path.is_file():
            present.append(path)
        else:
            missing.append(Finding("missing picture", picture, f"no picture at {path}; copy it there"))
    return present, missing


def _pictures_without_record(picture_folder: Path, annotations: Annotations) -> list[Finding]:
    if annotations.problems:
        message = "not looked for pictures without a record: the unusable records may name them"
        return [Finding("check skipped", str(picture_folder), message)]
    annotated = {os.path.normpath(record.picture) for record in annotations.records}
    try:
        pictures = list_pictures(picture_folder)
    except DataError as error:
        return [Finding("check skipped", str(picture_folder), f"not looked for pictures without a record: {error}")]
    named = {str(path): os.path.relpath(path, picture_folder) for path in pictures}
    return [
        Finding("picture without a record", name, f"{path} is in no record")
        for path, name in named.items()
        if name not in annotated
    ]


def _unreadable(pictures: list[Path], progress: bool) -> list[Finding]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        reasons = tqdm(
            pool.map(_reason_unreadable, pictures),
            total=len(pictures),
            desc="decoding",
            unit="picture",
            disable=not progress,
        )
        return [
            Finding("unreadable picture", str(path), reason)
            for path, reason in zip(pictures, reasons, strict=True)
            if reason
        ]


def _reason_unreadable(path: Path) -> str | None:
    try:
        open_picture(path)
    except DataError as error:
        return str(error)
    return None


def _listed(values: Iterable[int]) -> str:
    values = sorted(values)
    more = f" and {len(values) - 8} more" if len(values) > 8 else ""
    return ", ".join(map(str, values[:8])) + more
