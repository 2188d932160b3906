"""A gallery in Milvus, standalone or a cluster."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from tipr_zoo.gallery.engines.installed_client import check_client
from tipr_zoo.gallery.engines.milvus_about import LOADING, About, load, make_collection
from tipr_zoo.gallery.engines.milvus_client import MOST_RESULTS, SCHEMES, MilvusRequests
from tipr_zoo.gallery.engines.milvus_fields import PIECE, PIECES, conditions, fields_of, keys_among, row_of
from tipr_zoo.gallery.engines.milvus_search import REQUEST, has_graph, make_index, nearest
from tipr_zoo.gallery.engines.row_checks import (
    check_conditions,
    check_header,
    check_keys,
    check_rows,
    check_top,
    check_vectors,
)
from tipr_zoo.gallery.engines.server_address import ServerAddress, parse_address
from tipr_zoo.protocols import Condition, Row
from tipr_zoo.registries import ENGINES

FORM = "milvus+http://USER@HOST:PORT/GALLERY"
"""How an address is written."""

_PORT = 19530
_KEYS = 1000
"""Keys that are asked for in one request."""


@ENGINES.register_module(name="milvus")
class MilvusEngine:
    """Keeps a gallery in two collections of Milvus: of rows, ``tipr_zoo_rows_GALLERY_ID``, and a small one about it.

    Up to `EXACT_BELOW` rows every vector is compared. Above, `flush` makes an HNSW index, and the float32 vectors of
    what it proposes decide. Every request waits for what was written before it, so that rows are found at once. Many
    rows are sent in pieces: where `add` raises, some of them may have been added. Threads may share an engine.

    Attributes:
        scheme: Beginnings of its addresses.
        EXACT_BELOW: Rows up to which every vector is compared.
    """

    scheme: ClassVar[tuple[str, ...]] = tuple(SCHEMES)
    EXACT_BELOW: ClassVar[int] = 200_000

    def __init__(self, address: ServerAddress) -> None:
        self._address, self._requests = address, MilvusRequests(address)
        self._about = About(self._requests)
        self.dimension = 0
        self._kinds: dict[str, str] = {}
        self._is_indexed = False

    @classmethod
    def create(cls, address: str, header: str, dimension: int) -> MilvusEngine:
        """Make an empty gallery.

        Args:
            address: Where, ``milvus+http://HOST:PORT/GALLERY``.
            header: ASCII JSON, the gallery's own.
            dimension: Numbers of each vector, 2 to 32,768.

        Raises:
            GalleryError: One is there already, or the server cannot be reached or refuses.
        """
        engine = cls(_server(address))
        place, about = engine._address, engine._about
        check_header(header, place.shown)
        if not 2 <= dimension <= 32_768:
            raise place.error(f"Milvus keeps vectors of 2 to 32768 numbers, got {dimension}")
        if about.is_there():
            raise place.error(f"a gallery is there already ({about.collection}); open it, or give another name")
        identity = secrets.token_hex(8)
        make_collection(engine._requests, f"{about.rows_beginning}{identity}", _schema(dimension), "IP")
        about.create(header, dimension, identity)
        engine.dimension = dimension
        return engine

    @classmethod
    def open(cls, address: str) -> MilvusEngine:
        """Open the gallery at an address.

        Args:
            address: Where it is, ``milvus+http://HOST:PORT/GALLERY``.

        Raises:
            GalleryError: None is there, or one of another version, or the server cannot be reached or refuses.
        """
        engine = cls(_server(address))
        engine.dimension, engine._kinds = engine._about.read()
        load(engine._requests, engine._about.rows)
        engine._is_indexed = has_graph(engine._requests, engine._about.rows)
        return engine

    @property
    def header(self) -> str:
        """The gallery's own ASCII JSON, as it is now."""
        return self._about.header()

    def set_header(self, header: str) -> None:
        """Replace the header, as a whole or not at all.

        Args:
            header: ASCII JSON.
        """
        check_header(header, self._address.shown)
        self._about.set_header(header)

    def add(self, rows: Sequence[Row], vectors: np.ndarray) -> None:
        """Add rows, in the place of those of the same key.

        Args:
            rows: The rows; no key twice.
            vectors: (n, D) float32 of unit length.

        Raises:
            GalleryError: They do not fit the gallery, or the server cannot be reached or refuses.
        """
        kept = check_vectors(vectors, self.dimension, self._address.shown, rows=len(rows))
        if check_rows(rows, self._kinds, self._address.shown):
            self._kinds = self._about.facts()  # another process may have added them
        new = check_rows(rows, self._kinds, self._address.shown)
        fields = [fields_of(row, vector, self._address) for row, vector in zip(rows, kept, strict=True)]
        self._about.add_facts(new)
        self._kinds = {**self._kinds, **new}
        for piece in _pieces([each["size"] * 2 + 4 * self.dimension for each in fields]):
            self._requests.send("upsert", self._about.rows, fields[piece])

    def delete(self, keys: Sequence[str]) -> int:
        """Delete rows, and return how many of them were there.

        Args:
            keys: Of the rows; a key that is not there is passed over.
        """
        check_keys(keys, self._address.shown)
        deleted = 0
        for start in range(0, len(keys), _KEYS):
            found = self._requests.query(self._about.rows, keys_among(keys[start : start + _KEYS]), ["key"])
            if found:
                self._requests.send("delete", self._about.rows, ids=[each["key"] for each in found])
            deleted += len(found)
        return deleted

    def rows(self, keys: Sequence[str] | None = None) -> Iterator[Row]:
        """Yield all rows in order of keys, or those of these keys that are there, in pages.

        Args:
            keys: Whose rows; None for all.
        """
        if keys is None:
            digits = max(0, math.ceil(math.log(max(1, self.count()) * 2 / MOST_RESULTS, 16)))
            for prefix in range(16**digits):
                yield from self._rows_of_prefix(f"{prefix:0{digits}x}" if digits else "")
            return
        check_keys(keys, self._address.shown)
        for start in range(0, len(keys), _KEYS):
            wanted = keys[start : start + _KEYS]
            sizes = {each["key"]: each["size"] for each in self._sizes(keys_among(wanted))}
            yield from self._fetched([(key, sizes[key]) for key in wanted if key in sizes])

    def vectors(self, keys: Sequence[str]) -> np.ndarray:
        """Return the vectors of rows, (n, D) float32, in the order of the keys.

        Args:
            keys: Of the rows.

        Raises:
            GalleryError: A key is not there.
        """
        check_keys(keys, self._address.shown)
        result = np.empty((len(keys), self.dimension), np.float32)
        for piece in _pieces([4 * self.dimension] * len(keys)):
            wanted = keys[piece]
            found = self._requests.query(self._about.rows, keys_among(wanted), ["key", "vector"])
            by_key = {each["key"]: each["vector"] for each in found}
            for index, key in enumerate(wanted, piece.start):
                if key not in by_key:
                    raise self._address.error(f"no row has the key {key}; it was removed, or never added")
                result[index] = by_key[key]
        return result

    def search(self, vectors: np.ndarray, top: int, where: Sequence[Condition] = ()) -> list[list[tuple[str, float]]]:
        """Find the nearest rows.

        Args:
            vectors: (Q, D) float32 of unit length.
            top: Rows a query, at most 16,384, which is Milvus' limit; more where the gallery has no more than that.
            where: What each row must be like.

        Returns:
            For each query keys and cosines, the best first; equal scores in order of keys.

        Raises:
            GalleryError: A fact is not there, or a value is of another kind, or the server cannot be reached.
        """
        queries = check_vectors(vectors, self.dimension, self._address.shown)
        check_top(top, self._address.shown)
        self._check(where)
        if top > MOST_RESULTS and self.count() > MOST_RESULTS:
            raise self._address.error(
                f"Milvus gives at most {MOST_RESULTS} hits, and {top} are asked for; ask for fewer"
            )
        return nearest(self._requests, self._about.rows, queries, top, conditions(where), is_indexed=self._is_indexed)

    def count(self, where: Sequence[Condition] = ()) -> int:
        """Count rows.

        Args:
            where: What each row must be like.

        Raises:
            GalleryError: A fact is not there, or a value is of another kind, or the server cannot be reached.
        """
        self._check(where)
        return self._requests.count(self._about.rows, conditions(where))

    def facts(self) -> Mapping[str, str]:
        """Return the gallery's facts and their kinds: ``"text"``, ``"number"`` or ``"bool"``."""
        self._kinds = self._about.facts()
        return dict(self._kinds)

    def flush(self) -> None:
        """Write what the server has in memory alone; make the index once there are more than `EXACT_BELOW` rows.

        While the index takes the place of the one before it, searches are refused.
        """
        self._requests.send("flush", self._about.rows, timeout=max(LOADING, self._address.timeout))
        if self._is_indexed or self.count() <= self.EXACT_BELOW:
            return
        make_index(self._requests, self._about.rows)
        self._is_indexed = True

    def drop(self) -> None:
        """Remove the gallery: its collections, and all that is in them."""
        self._about.drop()
        self.close()

    def close(self) -> None:
        """Close the connection. A closed engine is not used any more."""
        self._requests.close()

    def _check(self, where: Sequence[Condition]) -> None:
        if any(each.fact not in self._kinds for each in where):
            self._kinds = self._about.facts()  # another process may have added it
        check_conditions(where, self._kinds, self._address.shown)

    def _sizes(self, wanted: str) -> list[dict[str, Any]]:
        return self._requests.query(self._about.rows, wanted, ["key", "size"], MOST_RESULTS)

    def _rows_of_prefix(self, prefix: str) -> Iterator[Row]:
        """Yield the rows whose keys begin so, in order of keys."""
        first, last = prefix.ljust(32, "0"), prefix.ljust(32, "f")
        found = self._sizes(f'key >= "{first}" and key <= "{last}"')
        if len(found) < MOST_RESULTS:
            yield from self._fetched(sorted((each["key"], each["size"]) for each in found))
            return
        for digit in "0123456789abcdef":
            yield from self._rows_of_prefix(prefix + digit)

    def _fetched(self, sizes: Sequence[tuple[str, int]]) -> Iterator[Row]:
        """Yield rows in the order of these keys and sizes, as many at once as an answer holds."""
        for piece in _pieces([size for _, size in sizes]):
            keys = [key for key, _ in sizes[piece]]
            found = self._requests.query(self._about.rows, keys_among(keys), ["key", *PIECES])
            by_key = {each["key"]: each for each in found}
            yield from (row_of(by_key[key]) for key in keys if key in by_key)


def _server(address: str) -> ServerAddress:
    place = parse_address(address, _PORT, FORM, ("database",))
    check_client(place, "milvus", "pymilvus")
    return place


def _schema(dimension: int) -> Any:
    """Return the fields of the collection of rows."""
    from pymilvus import DataType, MilvusClient  # from an extra

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=32)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    schema.add_field("facts", DataType.JSON)
    schema.add_field("size", DataType.INT64)
    for piece in PIECES:
        schema.add_field(piece, DataType.VARCHAR, max_length=PIECE)
    return schema


def _pieces(sizes: Sequence[int]) -> Iterator[slice]:
    """Cut a list into pieces of at most `_KEYS` entries and about `REQUEST` bytes.

    Args:
        sizes: Bytes of each entry.
    """
    start = total = 0
    for index, size in enumerate(sizes):
        if index > start and (total + size > REQUEST or index - start == _KEYS):
            yield slice(start, index)
            start, total = index, 0
        total += size
    if sizes:
        yield slice(start, len(sizes))
