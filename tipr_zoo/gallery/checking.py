"""Whether a gallery is as its pictures are, by their contents."""

from __future__ import annotations

from pathlib import Path

from tipr_zoo.gallery.picture_contents import read_files
from tipr_zoo.gallery.records import PictureRecord, record_of
from tipr_zoo.gallery.reports import CheckReport
from tipr_zoo.protocols.engines import Engine

_AT_ONCE = 2000


def checked(engine: Engine) -> CheckReport:
    """Read every picture of a gallery, and compare it with what was embedded.

    Args:
        engine: Keeps the gallery.

    Raises:
        GalleryError: What is written down is damaged.
    """
    report, page = CheckReport(), []
    for row in engine.rows():
        page.append(record_of(row))
        if len(page) == _AT_ONCE:
            _compare(page, report)
            page = []
    _compare(page, report)
    damaged: list[str] = getattr(engine, "damaged", list)()
    report.damaged = [Path(record_of(row).path) for row in engine.rows(damaged)]
    return report


def _compare(records: list[PictureRecord], report: CheckReport) -> None:
    report.pictures += len(records)
    known = [record for record in records if record.content]
    report.unknown += len(records) - len(known)
    found = read_files([record.path for record in known], lambda count: None)
    for record, one in zip(known, found, strict=True):
        path = Path(record.path)
        if not path.exists():
            report.missing.append(path)
        elif isinstance(one, Exception):
            report.unread.append(path)
        elif one.content != record.content:
            report.changed.append(path)
