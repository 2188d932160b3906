"""The galleries that searches of plain folders keep in the cache, so that the next search embeds only what is new."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.errors import DataError, GalleryError
from tipr_zoo.gallery.gallery import Gallery
from tipr_zoo.gallery.gallery_model import GalleryModel
from tipr_zoo.gallery.picture_embedding import EmbeddingSettings
from tipr_zoo.gallery.records import absolute
from tipr_zoo.gallery.reports import AddReport
from tipr_zoo.machine.whole_file import remove_parts


@dataclass(frozen=True)
class CachedGallery:
    """A gallery of the cache, brought up to its folder.

    Attributes:
        gallery: It.
        report: What was embedded, and what was known.
    """

    gallery: Gallery
    report: AddReport


def cached_gallery(
    name: str,
    folder: Path,
    weights: Path | None = None,
    device: str | torch.device = "cpu",
    settings: EmbeddingSettings | None = None,
) -> CachedGallery:
    """Open the gallery that the cache has of a folder and a model, or make one, and bring it up.

    Args:
        name: The model.
        folder: The pictures.
        weights: A file in the place of the card's weights.
        device: Where the model is to live.
        settings: Batches, decoding processes and progress.

    Raises:
        DataError: The folder is missing, or holds no readable picture.
        GalleryError: Another process writes into that gallery.
        WriteError: The cache cannot be written.
        TiprZooError: There is no such model, or its weights are missing, damaged or do not fit.
    """
    model = GalleryModel(name, weights, device)
    parts = [model.weights_sha256, model.embedding_sha256, absolute(folder)]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    place = cache_folder() / "galleries" / digest
    gallery = _opened(place, name, weights, device)
    try:
        try:
            report = gallery.refresh(folder, settings=settings)
        except GalleryError:
            if not _is_outdated(gallery):
                raise
            gallery.close()
            gallery = _made(place, name, weights, device)
            report = gallery.refresh(folder, settings=settings)
        if not len(gallery):
            first = next(iter(report.unreadable.values()), str(folder))
            raise DataError(f"none of the {report.found} pictures can be read: {first}")
        return CachedGallery(gallery, report)
    except BaseException:
        gallery.close()
        raise


def _opened(place: Path, name: str, weights: Path | None, device: str | torch.device) -> Gallery:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        gallery = Gallery.open(place, weights=weights, device=device)
        gallery.confirm_model()
        return gallery
    except GalleryError:  # none is there, or one that an older version made, or it is damaged: a cache is made anew
        remove_parts(place.parent)
    return _made(place, name, weights, device)


def _made(place: Path, name: str, weights: Path | None, device: str | torch.device) -> Gallery:
    shutil.rmtree(place, ignore_errors=True)
    return Gallery.create(place, name, weights, device=device)


def _is_outdated(gallery: Gallery) -> bool:
    """Tell whether a gallery is of pictures that were prepared in another way than now, as by an older plugin."""
    try:
        gallery.check_model()
    except GalleryError:
        return True
    return False
