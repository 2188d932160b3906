"""The nearest rows of a gallery in Milvus: what the server proposes is ranked by its vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tipr_zoo.gallery.engines.milvus_client import MOST_RESULTS, MilvusRequests

REQUEST = 8 * 1024 * 1024
"""Bytes of one request or answer; Milvus takes 64 MB at most, and less where it is told so."""

_SPARE = 32
"""Hits beyond those that are asked for, so that equal scores at the end can be put in order."""

_EQUAL = 1e-5
"""Scores that may be the same: Milvus' own differ in the last digits, and are computed anew here."""

_QUERIES = 100
"""Queries of one request."""

_INDEX = {"index_type": "HNSW", "metric_type": "IP", "params": {"M": 16, "efConstruction": 200}}
_INDEXING = 24 * 3600
"""Seconds that an index may take."""


def nearest(
    requests: MilvusRequests, rows: str, queries: np.ndarray, top: int, wanted: str = "", *, is_indexed: bool
) -> list[list[tuple[str, float]]]:
    """Find the nearest rows of each query.

    Args:
        requests: To the server.
        rows: The collection of rows.
        queries: (Q, D) float32 of unit length.
        top: Rows a query.
        wanted: A filter, as Milvus writes it.
        is_indexed: Whether a graph proposes rows.

    Returns:
        Keys and cosines, the best first; equal scores in order of keys.
    """
    limit = min(top + _SPARE, MOST_RESULTS)
    at_once = max(1, min(_QUERIES, REQUEST // (limit * 4 * queries.shape[1])))
    found: list[list[tuple[str, float]]] = []
    for start in range(0, len(queries), at_once):
        own = queries[start : start + at_once]
        answers = _proposed(requests, rows, own, limit, wanted, is_indexed)
        for query, hits in zip(own, answers, strict=True):
            more = limit
            while len(hits) > top and len(hits) == more < MOST_RESULTS and hits[top - 1][1] - hits[-1][1] < _EQUAL:
                more = min(4 * more, MOST_RESULTS)
                (hits,) = _proposed(requests, rows, query[None], more, wanted, is_indexed)
            found.append(hits[:top])
    return found


def make_index(requests: MilvusRequests, rows: str) -> None:
    """Put a graph in the place of the index that compares every vector. Searches are refused meanwhile.

    Args:
        requests: To the server.
        rows: The collection of rows.
    """
    from pymilvus import MilvusClient  # from an extra

    index = MilvusClient.prepare_index_params()
    index.add_index("vector", **_INDEX)
    requests.send("release_collection", rows)
    for name in requests.send("list_indexes", rows):
        requests.send("drop_index", rows, name)
    requests.send("create_index", rows, index, timeout=_INDEXING)
    requests.send("load_collection", rows, timeout=_INDEXING)


def has_graph(requests: MilvusRequests, rows: str) -> bool:
    """Tell whether `make_index` was done.

    Args:
        requests: To the server.
        rows: The collection of rows.
    """
    names = requests.send("list_indexes", rows)
    if not names:  # its change was cut off
        return False
    return str(requests.send("describe_index", rows, names[0]).get("index_type")) != "FLAT"


def _proposed(
    requests: MilvusRequests, rows: str, queries: np.ndarray, limit: int, wanted: str, is_indexed: bool
) -> list[list[tuple[str, float]]]:
    """Return what the server finds for each query, ranked."""
    params = {"ef": min(32_768, max(2 * limit, 512))} if is_indexed else {}
    answers = requests.send(
        "search",
        rows,
        data=list(queries),
        anns_field="vector",
        filter=wanted,
        limit=limit,
        search_params={"metric_type": "IP", "params": params},
        output_fields=["key", "vector"],
        consistency_level="Strong",
    )
    return [_ranked(query, answer) for query, answer in zip(queries, answers, strict=True)]


def _ranked(query: np.ndarray, answer: Sequence[Mapping[str, Any]]) -> list[tuple[str, float]]:
    """Rank what Milvus found by the cosines of the vectors; the same vector has the same cosine, wherever it stands."""
    if not answer:
        return []
    vectors = np.array([hit["entity"]["vector"] for hit in answer], np.float32)
    cosines = (vectors * query).sum(axis=1, dtype=np.float64).tolist()
    hits = [(str(hit["entity"]["key"]), cosine) for hit, cosine in zip(answer, cosines, strict=True)]
    return sorted(hits, key=lambda hit: (-hit[1], hit[0]))
