"""Adding embeddings to a gallery that were made elsewhere with the same weights."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.opened import OpenedGallery
from tipr_zoo.gallery.picture_contents import content_sha256, file_state
from tipr_zoo.gallery.picture_embedding import batches_of, unit_vectors
from tipr_zoo.gallery.records import PictureRecord, named_paths
from tipr_zoo.protocols.engines import Fact

Embeddings = npt.NDArray[np.floating[Any]] | torch.Tensor

_AT_ONCE = 1000


def add_given_embeddings(
    gallery: OpenedGallery,
    vectors: Embeddings,
    paths: Sequence[str | os.PathLike[str]],
    facts: Sequence[Mapping[str, Fact]] | None,
    weights_sha256: str | None,
    reads_files: bool,
) -> int:
    """Add embeddings that were made elsewhere; return how many.

    Args:
        gallery: The gallery.
        vectors: (N, D) of any length.
        paths: N pictures.
        facts: Facts of each; None for none.
        weights_sha256: SHA-256 of the file of the weights that made them; None where that is not known.
        reads_files: Whether to read the files that are here.

    Raises:
        GalleryError: They do not fit the gallery, are of other weights, or a path stands there twice.
    """
    _check_weights(gallery, weights_sha256)
    if isinstance(paths, str | bytes | os.PathLike):
        raise GalleryError("the paths of embeddings are a list; give [path] for one")
    array, names = _array(vectors), named_paths(paths)
    dimension = gallery.header.dimension
    if array.shape != (len(names), dimension) or (facts is not None and len(facts) != len(names)):
        raise GalleryError(
            f"{len(names):,} paths need embeddings of shape ({len(names)}, {dimension}), and as many facts; got"
            f" {array.shape}{'' if facts is None else f' and {len(facts):,} facts'}"
        )
    if len(set(names)) < len(names):
        raise GalleryError("a path stands twice among the embeddings; give each picture once")
    with gallery.writing():
        for part in batches_of(len(names), _AT_ONCE):
            own = names[part]
            records = [_record_here(path) if reads_files else PictureRecord(path) for path in own]
            known = [_facts(one) for one in facts[part]] if facts is not None else [{} for _ in own]
            rows = [record.with_facts(one).row() for record, one in zip(records, known, strict=True)]
            gallery.engine.add(rows, _checked_vectors(array[part], own))
        gallery.engine.flush()
    return len(names)


def _check_weights(gallery: OpenedGallery, weights_sha256: str | None) -> None:
    own = gallery.header.weights_sha256
    if weights_sha256 is not None and weights_sha256 != own:
        raise GalleryError(
            f"the embeddings are of weights {str(weights_sha256)[:12]}..., and the gallery {gallery.address} is of"
            f" {own[:12]}...; make another gallery for them"
        )


def _array(vectors: Embeddings) -> npt.NDArray[Any]:
    try:
        return vectors.detach().cpu().numpy() if isinstance(vectors, torch.Tensor) else np.asarray(vectors)
    except (TypeError, ValueError) as error:
        raise GalleryError(f"embeddings are an array of numbers, (N, D): {error}") from error


def _facts(facts: object) -> dict[str, Fact]:
    if not isinstance(facts, Mapping):
        raise GalleryError(f"facts of a picture are a dict of values by name, got a {type(facts).__name__}")
    return dict(facts)


def _record_here(path: str) -> PictureRecord:
    """Return the record of a picture that was embedded elsewhere, with its content where it is on this machine."""
    try:
        return PictureRecord(path, None, file_state(path), content_sha256(path))
    except OSError:
        return PictureRecord(path)


def _checked_vectors(vectors: npt.NDArray[Any], paths: Sequence[str]) -> npt.NDArray[np.float32]:
    if not np.issubdtype(vectors.dtype, np.floating):
        raise GalleryError(f"embeddings are floating-point numbers, got {vectors.dtype}")
    with np.errstate(over="ignore"):  # which is told below
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    wrong = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if len(wrong):
        raise GalleryError(f"the embedding of {paths[int(wrong[0])]} is not finite, or zero; embed that picture again")
    return unit_vectors(vectors.astype(np.float32), "the pictures")
