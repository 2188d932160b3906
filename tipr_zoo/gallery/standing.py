"""How a gallery stands: what it holds, and of what."""

from __future__ import annotations

from tipr_zoo.gallery.opened import OpenedGallery
from tipr_zoo.gallery.records import record_of
from tipr_zoo.gallery.reports import GalleryStatus


def status_of(gallery: OpenedGallery) -> GalleryStatus:
    """Say how a gallery stands."""
    contents, pictures = set(), 0
    for row in gallery.engine.rows():
        record = record_of(row)
        contents.add((record.content or record.path, record.box))
        pictures += 1
    header = gallery.header
    return GalleryStatus(
        gallery.address,
        pictures,
        len(contents),
        header.model,
        header.weights,
        header.weights_sha256,
        header.dimension,
        header.precision,
        [folder.path for folder in header.folders],
        gallery.engine.facts(),
    )
