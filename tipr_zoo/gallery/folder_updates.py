"""Adding folders to a gallery, bringing it up to them, and removing pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tipr_zoo.errors import DataError, GalleryError
from tipr_zoo.gallery.folder_paths import (
    below,
    checked_part,
    gone_pictures,
    part_of_paths,
    pictures_again,
    pictures_of,
)
from tipr_zoo.gallery.given_facts import Boxes, Facts, facts_in_paths, given_boxes, given_facts, joined
from tipr_zoo.gallery.header import PictureFolder, joined_parts
from tipr_zoo.gallery.opened import OpenedGallery
from tipr_zoo.gallery.picture_embedding import EmbeddingSettings, batches_of
from tipr_zoo.gallery.records import absolute, named_paths, record_of
from tipr_zoo.gallery.reports import AddReport
from tipr_zoo.gallery.updating import Update, Wanted
from tipr_zoo.pictures.files import find_pictures

_AT_ONCE = 1000


@dataclass(frozen=True)
class FolderContents:
    """What is said of the pictures of folders, and how they are embedded.

    Attributes:
        boxes: Boxes of pictures by path; None for whole pictures, or for those of before.
        facts: Facts by path, or the file of a table; None for the table of before.
        pattern: Reads facts off the paths; None for the one of before.
        part: Which of how many parts of the pictures to embed; None for all.
        settings: Batches, decoding processes and progress.
    """

    boxes: Boxes | None = None
    facts: Facts | None = None
    pattern: str | None = None
    part: tuple[int, int] | None = None
    settings: EmbeddingSettings | None = None

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            GalleryError: They are something else.
        """
        if self.settings is not None and not isinstance(self.settings, EmbeddingSettings):
            raise GalleryError(f"settings are EmbeddingSettings(...), got a {type(self.settings).__name__}")


def update_folder(gallery: OpenedGallery, folder: Path, contents: FolderContents, *, removes_gone: bool) -> AddReport:
    """Bring a gallery up to a folder.

    Args:
        gallery: The gallery.
        folder: The folder.
        contents: What is said of its pictures.
        removes_gone: Whether pictures that are not in the folder any more leave the gallery.

    Raises:
        GalleryError: Another process writes into the gallery, it is of other weights, or facts cannot be kept.
        DataError: The folder is missing, or holds no picture.
        WriteError: The disk is full.
    """
    with gallery.writing():
        gallery.model(embeds_pictures=False)
        known = next((one for one in gallery.header.folders if one.path == absolute(folder)), None)
        before = PictureFolder(absolute(folder)) if known is None else known
        facts = before.facts if contents.facts is None else contents.facts
        pattern = contents.pattern or before.pattern
        parts = _wanted_parts(known, contents.part, is_refreshed=removes_gone)
        found = pictures_again(folder, gallery.address) if removes_gone else find_pictures(folder)
        paths = [absolute(path) for path in found.readable]
        kinds = gallery.engine.facts()
        named = given_facts(facts, folder, paths, kinds)
        sources = [one for one in (named, facts_in_paths(pattern, folder, paths, kinds)) if one is not None]
        table = absolute(facts) if isinstance(facts, str | os.PathLike) else None
        told = found.told()
        report = AddReport(left_out=list(found.left_out), unread_folders=dict(found.unread_folders))
        report.remarks += [told] if told else []
        settings = replace(contents.settings or EmbeddingSettings(), precision=gallery.header.precision)
        update = Update(gallery.engine, gallery.pictures_model, settings, report)
        facts_of = joined(sources)
        boxes = {**facts_of.boxes, **given_boxes(contents.boxes, folder, paths)}
        has_boxes = contents.boxes is not None or bool(boxes)
        known_paths = update.known if removes_gone else ()
        gone = gone_pictures(known_paths, before, found)
        report.remarks += gone.remarks
        _note_folder(gallery, PictureFolder(before.path, table, pattern, parts, gone.disks))
        own = part_of_paths(paths, parts if contents.part is None else [contents.part])
        if removes_gone:
            own = sorted({*own, *(path for path in paths if path in update.known)})
            report.remarks += _parts_remark(folder, parts, len(paths) - len(own))
        wanted = Wanted(own, boxes, has_boxes, facts_of, bool(sources), gone.paths)
        if sources:
            report.unmatched = [] if named is None else list(named.unmatched)
            report.without_facts = len(set(paths) - {path for path, _ in facts_of.facts})
        update.run(wanted)
    return report


def refresh_folders(gallery: OpenedGallery, folder: Path | None, contents: FolderContents) -> AddReport:
    """Bring a gallery up to a folder, and remove the pictures that are not there any more.

    Args:
        gallery: The gallery.
        folder: The folder; None for every folder that was added.
        contents: What is said of the pictures.

    Raises:
        TiprZooError: As of `update_folder`. Of several folders those that are missing are told of in the report, and
            the others are brought up; an error is raised where all are.
        GalleryError: No folder was added yet.
    """
    folders = [Path(known.path) for known in gallery.header.folders] if folder is None else [folder]
    if not folders:
        raise GalleryError(f"no folder was added to the gallery {gallery.address} yet; add one")
    reports, errors = [], {}
    for one in folders:
        try:
            reports.append(update_folder(gallery, one, contents, removes_gone=True))
        except DataError as error:
            if len(folders) == 1:
                raise
            errors[one] = str(error)
    if not reports:
        raise DataError("; ".join(errors.values()))
    whole = _together(reports)
    whole.missing_folders = errors
    return whole


def remove_pictures(gallery: OpenedGallery, paths: Iterable[str | os.PathLike[str]]) -> int:
    """Remove pictures from a gallery; return how many rows that were.

    Args:
        gallery: The gallery.
        paths: Pictures, or folders for all pictures in and below them.

    Raises:
        GalleryError: The gallery holds nothing there, or another process writes into it.
    """
    wanted = named_paths(paths)
    with gallery.writing():
        known = [(record.path, record.key) for record in map(record_of, gallery.engine.rows())]
        keys = [key for path, key in known if any(below(path, folder) for folder in wanted)]
        for path in wanted:
            if not any(below(other, path) for other, _ in known):
                raise GalleryError(f"the gallery {gallery.address} holds no picture {path}; nothing was removed")
        folders = tuple(folder for folder in gallery.header.folders if folder.path not in wanted)
        gallery.set_header(replace(gallery.header, folders=folders))
        return sum(gallery.engine.delete(keys[part]) for part in batches_of(len(keys), _AT_ONCE))


def _wanted_parts(
    known: PictureFolder | None, part: tuple[int, int] | None, *, is_refreshed: bool
) -> tuple[tuple[int, int], ...]:
    """Return the parts that a gallery is to hold of a folder; none for all.

    Raises:
        GalleryError: There is no such part.
    """
    own = () if part is None else (checked_part(part),)
    if known is None:
        return own
    if part is None:
        return known.parts if is_refreshed else ()
    return joined_parts(known.parts, own)


def _parts_remark(folder: Path, parts: Sequence[tuple[int, int]], count: int) -> list[str]:
    if not count:
        return []
    named = ", ".join(f"{number}/{of}" for number, of in parts)
    return [
        f"the gallery holds the parts {named} of {folder}: {pictures_of(count)} of the other parts are not in it;"
        " gallery add without --part adds them"
    ]


def _note_folder(gallery: OpenedGallery, folder: PictureFolder) -> None:
    others = [one for one in gallery.header.folders if one.path != folder.path]
    folders = tuple(sorted([*others, folder], key=lambda one: one.path))
    gallery.set_header(replace(gallery.header, folders=folders))


def _together(reports: Sequence[AddReport]) -> AddReport:
    whole = AddReport()
    for report in reports:
        for name, value in vars(report).items():
            own = getattr(whole, name)
            setattr(whole, name, {**own, **value} if isinstance(own, dict) else own + value)
    return whole
