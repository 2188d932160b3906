"""Retrieval metrics from a similarity matrix, or straight from embeddings: R-k, mAP and mINP in percent.

For a query with M matches in the gallery, let rank_1 < ... < rank_M be the places (from 1) of its matches when the
gallery is sorted by falling similarity. Then, averaged over the queries,

- R-k is the share of queries with rank_1 <= k,
- mAP is the mean of AP = 1/M * sum_j j / rank_j,
- mINP is the mean of M / rank_M (Ye et al., "Deep Learning for Person Re-identification", 2021).

**Ties are pessimistic**: a non-match that is exactly as similar as a match is placed before it. So the figures do not
depend on the order of the gallery. A model that gives every picture the same score gains nothing by it.

Only the ranks of the few matches matter, so nothing is argsorted. Each row's non-matches are sorted by value. The rank
of a match follows from the number of non-matches that are not below it. Rows are handled a chunk at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tipr_zoo.errors import DataError
from tipr_zoo.evaluation.query_figures import (
    Floats,
    Identities,
    QueryFigures,
    SimilarityRows,
    check_positive,
    figures_of_queries,
    is_tensor,
)

if TYPE_CHECKING:
    import torch

Array: TypeAlias = "npt.ArrayLike | torch.Tensor"

# Each thread ranks as many rows at once as fit in this many bytes: small enough for the cache and next to nothing
# beside a matrix. A matrix product is slow for few rows, hence more of them where the similarity is yet to be computed.
CHUNK_BYTES = 4 * 2**20
CHUNK_BYTES_FROM_EMBEDDINGS = 16 * 2**20


def retrieval_metrics(
    similarity: Array,
    query_ids: Identities,
    gallery_ids: Identities,
    *,
    ranks: Sequence[int] = (1, 5, 10),
    chunk_rows: int | None = None,
) -> dict[str, float]:
    """Compute R-k for every k in `ranks`, mAP and mINP, in percent.

    Ties are pessimistic: a non-match exactly as similar as a match is placed before it.

    Args:
        similarity: (queries, gallery) real numbers, larger is more alike; a NumPy array or a torch tensor of any
            float type, on any device. It is read, never changed. Infinities are allowed, NaN is not.
        query_ids: (queries,) the identity of each query: whole numbers or strings.
        gallery_ids: (gallery,) the identity of each gallery item, of the same kind.
        ranks: the k of the R-k to report.
        chunk_rows: how many rows each thread ranks at once; by default as many as fit in 4 MiB. It does not change
            the result.

    Returns:
        `{"R1": ..., "R5": ..., "R10": ..., "mAP": ..., "mINP": ...}`, with one `R{k}` for every k in `ranks`.

    Raises:
        DataError: the similarity is empty, not two-dimensional or holds NaN, an identity list has another length, or
            a query has no match in the gallery.
        ConfigError: `ranks` or `chunk_rows` are not whole numbers from 1.

    Example:
        Of two matches, one is placed first and the other third.

        >>> retrieval_metrics([[0.9, 0.5, 0.1]], query_ids=[7], gallery_ids=[7, 8, 7], ranks=(1,))
        {'R1': 100.0, 'mAP': 83.33..., 'mINP': 66.66...}
    """
    matrix = similarity if is_tensor(similarity) else np.asarray(similarity)
    if len(matrix.shape) != 2:
        raise DataError(f"similarity must be a (queries, gallery) matrix, not of shape {tuple(matrix.shape)}")

    dtype = _float_type(matrix, "similarity")

    def read_rows(start: int, stop: int, out: Floats) -> None:
        np.copyto(out, _to_numpy(matrix[start:stop]))

    rows = SimilarityRows(matrix.shape[0], matrix.shape[1], dtype, read_rows, CHUNK_BYTES)
    for rank in ranks:
        check_positive("ranks", rank)
    return figures_of_queries(rows, query_ids, gallery_ids, chunk_rows).metrics(ranks)


def retrieval_metrics_from_embeddings(
    query_embeddings: Array,
    gallery_embeddings: Array,
    query_ids: Identities,
    gallery_ids: Identities,
    *,
    ranks: Sequence[int] = (1, 5, 10),
    chunk_rows: int | None = None,
) -> dict[str, float]:
    """Compute the same metrics from the cosine of embeddings, without ever holding the whole similarity matrix.

    The cosine is taken on the CPU in float32 (float64 if an embedding is), wherever the embeddings lie. So a GPU's TF32
    or half-precision settings do not change the figures.

    Args:
        query_embeddings: (queries, D) floats, normalised or not; a NumPy array or a torch tensor on any device.
        gallery_embeddings: (gallery, D) likewise.
        query_ids: (queries,) the identity of each query, as in `retrieval_metrics`.
        gallery_ids: (gallery,) the identity of each gallery item, of the same kind.
        ranks: the k of the R-k to report.
        chunk_rows: how many rows each thread ranks at once, as in `retrieval_metrics`.

    Returns:
        What `retrieval_metrics` returns for the cosine similarity of the embeddings.

    Raises:
        DataError: as in `retrieval_metrics`; also if the widths D differ, or an embedding has no direction (all zero,
            or not finite).
        ConfigError: `ranks` or `chunk_rows` are not whole numbers from 1.
    """
    for rank in ranks:
        check_positive("ranks", rank)
    return query_figures_from_embeddings(
        query_embeddings, gallery_embeddings, query_ids, gallery_ids, chunk_rows=chunk_rows
    ).metrics(ranks)


def query_figures_from_embeddings(
    query_embeddings: Array,
    gallery_embeddings: Array,
    query_ids: Identities,
    gallery_ids: Identities,
    *,
    chunk_rows: int | None = None,
) -> QueryFigures:
    """Compute what those metrics are means of, for each query.

    Args:
        query_embeddings: As in `retrieval_metrics_from_embeddings`.
        gallery_embeddings: Likewise.
        query_ids: Likewise.
        gallery_ids: Likewise.
        chunk_rows: Likewise.

    Raises:
        DataError: As there.
        ConfigError: `chunk_rows` is no whole number from 1.
    """
    rows = cosine_rows(query_embeddings, gallery_embeddings)
    return figures_of_queries(rows, query_ids, gallery_ids, chunk_rows)


def cosine_rows(query_embeddings: Array, gallery_embeddings: Array) -> SimilarityRows:
    """Return the cosines of embeddings as rows that are computed when they are read.

    Args:
        query_embeddings: As in `retrieval_metrics_from_embeddings`.
        gallery_embeddings: Likewise.

    Raises:
        DataError: As there.
    """
    queries = _unit_rows(query_embeddings, "query_embeddings")
    gallery = _unit_rows(gallery_embeddings, "gallery_embeddings")
    if queries.shape[1] != gallery.shape[1]:
        raise DataError(
            f"query_embeddings are {queries.shape[1]} wide and gallery_embeddings {gallery.shape[1]}; "
            "both must come from one model"
        )
    one_product_at_a_time = Lock()  # a product has threads of its own

    def read_rows(start: int, stop: int, out: Floats) -> None:
        with one_product_at_a_time:
            np.matmul(queries[start:stop], gallery.T, out=out)

    dtype = np.result_type(queries, gallery)
    return SimilarityRows(len(queries), len(gallery), dtype, read_rows, CHUNK_BYTES_FROM_EMBEDDINGS)


def _unit_rows(embeddings: Array, name: str) -> Floats:
    values = embeddings if is_tensor(embeddings) else np.asarray(embeddings)
    if len(values.shape) != 2:
        raise DataError(f"{name} must be an (items, D) matrix, not of shape {tuple(values.shape)}")
    unit = np.array(_to_numpy(values), dtype=_float_type(values, name), order="C")
    length = np.linalg.norm(unit, axis=1, keepdims=True)
    directionless = np.flatnonzero(~(np.isfinite(length) & (length > 0)))
    if len(directionless):
        raise DataError(f"{name} row {directionless[0]} has no direction: it is all zero, or holds NaN or infinity")
    unit /= length
    return unit


def _float_type(values: Any, name: str) -> npt.DTypeLike:
    """Return the type to rank in: float64 stays, shorter floats become float32, whole numbers float64."""
    if is_tensor(values):
        kind = "f" if values.is_floating_point() else "c" if values.is_complex() else "i"
    else:
        kind = values.dtype.kind
    if kind not in "fiub":
        raise DataError(f"{name} must hold real numbers, not {values.dtype}")
    return np.float32 if kind == "f" and values.dtype.itemsize <= 4 else np.float64


def _to_numpy(values: Any) -> npt.NDArray[Any]:
    """Look at an array or CPU tensor as it is; copy a tensor from a GPU, or of a float type that NumPy lacks."""
    if not is_tensor(values):
        return values
    is_short_float = values.is_floating_point() and values.dtype.itemsize < 4
    return (values.detach().float() if is_short_float else values.detach()).cpu().numpy()
