"""What a gallery in Milvus knows of itself, in a small collection beside that of its rows."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any

from tipr_zoo.gallery.engines.milvus_client import MilvusRequests
from tipr_zoo.gallery.engines.milvus_fields import PIECE

FORMAT = 1
"""The version of the collections."""

LOADING = 120.0
"""Seconds that loading a collection may take."""

_NUMBERS = {"vector": [0.0, 0.0]}
"""Milvus has no collection without vectors."""

_BEGINNING = {"facts": ("fact_", "fact`"), "parts": ("part_", "part`")}
"""Names of entries begin so; what follows the last letter is the end of their range."""


class About:
    """Format, header and facts of a gallery.

    The header is written in parts, then an entry that names them in one piece: it is the old one or the new one.

    Args:
        requests: Where the server is.
    """

    def __init__(self, requests: MilvusRequests) -> None:
        self.requests = requests
        self.collection = f"tipr_zoo_about_{requests.address.gallery}"
        self.id = ""

    @property
    def rows(self) -> str:
        """Name of the collection of the rows. It holds the gallery's id: another gallery of this name has another."""
        return f"{self.rows_beginning}{self.id}"

    @property
    def rows_beginning(self) -> str:
        """What the names of such collections begin with."""
        return f"tipr_zoo_rows_{self.requests.address.gallery}_"

    def is_there(self) -> bool:
        """Tell whether a gallery is there; one whose creation was cut off is not."""
        return self.requests.send("has_collection", self.collection) and bool(self._entries('name == "format"'))

    def create(self, header: str, dimension: int, identity: str) -> None:
        """Write what the gallery is, after the collection of its rows was made. With the last entry it is there.

        Args:
            header: ASCII JSON, the gallery's own.
            dimension: Numbers of each vector.
            identity: The gallery's id.
        """
        from pymilvus import DataType, MilvusClient  # from an extra

        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("name", DataType.VARCHAR, is_primary=True, max_length=100)
        schema.add_field("text", DataType.VARCHAR, max_length=PIECE)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
        make_collection(self.requests, self.collection, schema, "L2")
        self.id = identity
        self._write({"id": identity, **self._header_entries(header)})
        self._write({"format": json.dumps({"format": FORMAT, "dimension": dimension})})

    def read(self) -> tuple[int, dict[str, str]]:
        """Read what the gallery is: the numbers of each vector, and the facts and their kinds.

        Raises:
            GalleryError: None is there, or one of another version.
        """
        address = self.requests.address
        if not self.requests.send("has_collection", self.collection):
            raise address.error(f"no gallery is there (no collection {self.collection}); create it, or mend the name")
        load(self.requests, self.collection)
        entries = self._entries('name in ["format", "id"]')
        if "format" not in entries:
            raise address.error(f"no gallery is there: its creation was cut off ({self.collection}); create it anew")
        found: dict[str, int] = self._read(entries["format"], dict)
        if found["format"] != FORMAT:
            raise address.error(
                f"the gallery is of format {found['format']}, and this tipr-zoo reads {FORMAT};"
                f" {'upgrade tipr-zoo' if found['format'] > FORMAT else 'copy it with the tipr-zoo that made it'}"
            )
        self.id = entries["id"]
        return found["dimension"], self.facts()

    def facts(self) -> dict[str, str]:
        """Return the gallery's facts and their kinds."""
        entries = self._entries(_range("facts"))
        return dict(sorted(tuple(self._read(text, list)) for text in entries.values()))

    def add_facts(self, kinds: Mapping[str, str]) -> None:
        """Note facts that are new.

        Args:
            kinds: Their kinds by name.
        """
        entries = {}
        for name, kind in kinds.items():
            text = json.dumps([name, kind])
            if len(text) > PIECE:
                raise self.requests.address.error(f"the name of the fact {name[:40]!r}... is too long; shorten it")
            entries[f"fact_{hashlib.sha256(text.encode()).hexdigest()}"] = text
        self._write(entries)

    def _read(self, text: str, kind: type) -> Any:
        """Read what the engine wrote, of this kind."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, kind):
            raise self.requests.address.error("what it says of itself is damaged; make the gallery anew")
        return found

    def header(self) -> str:
        """Return the header."""
        entries = self._same({"header", "id"})
        parts: list[str] = self._read(entries["header"], list)
        found = self._entries(f"name in {json.dumps(parts)}")
        if len(found) < len(parts):  # another process has replaced it in between
            return self.header()
        return "".join(found[part] for part in parts)

    def set_header(self, header: str) -> None:
        """Replace the header.

        Args:
            header: ASCII JSON.
        """
        old: list[str] = self._read(self._same({"header", "id"})["header"], list)
        entries = self._header_entries(header)
        pointer = entries.pop("header")
        self._write(entries)
        self._write({"header": pointer})
        self.requests.send("delete", self.collection, ids=old)

    def drop(self) -> None:
        """Remove all that is stored of the gallery; the collection that says what it is goes first."""
        self._same({"id"})
        self.requests.send("drop_collection", self.collection)
        for name in self.requests.send("list_collections"):
            # An id is 16 digits: a gallery whose name begins with this one's has more behind it.
            if name.startswith(self.rows_beginning) and len(name) == len(self.rows_beginning) + 16:
                self.requests.send("drop_collection", name)

    def _same(self, names: set[str]) -> dict[str, str]:
        """Return entries of the gallery that was opened."""
        entries = self._entries(f"name in {json.dumps(sorted(names))}")
        if entries.get("id") != self.id:
            raise self.requests.address.error("another gallery is there now under this name; open it anew")
        return entries

    def _header_entries(self, header: str) -> dict[str, str]:
        """Return the entries of a header. Their names are new: the old header stays until the last is written."""
        token = secrets.token_hex(8)
        texts = [header[start : start + PIECE] for start in range(0, len(header), PIECE)]
        parts = {f"part_{token}_{n}": text for n, text in enumerate(texts)}
        return {**parts, "header": json.dumps(list(parts))}

    def _entries(self, wanted: str) -> dict[str, str]:
        found = self.requests.query(self.collection, wanted, ["name", "text"])
        return {entry["name"]: entry["text"] for entry in found}

    def _write(self, entries: Mapping[str, str]) -> None:
        if entries:
            rows = [{"name": name, "text": text, **_NUMBERS} for name, text in entries.items()]
            self.requests.send("upsert", self.collection, rows)


def make_collection(requests: MilvusRequests, name: str, schema: Any, metric: str) -> None:
    """Make a collection whose vectors are compared one by one, and load it.

    Args:
        requests: Where the server is.
        name: Its name.
        schema: Its fields, of which ``vector`` is one.
        metric: How vectors are compared.
    """
    from pymilvus import MilvusClient  # from an extra

    index = MilvusClient.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type=metric)
    requests.send(
        "create_collection", name, schema=schema, index_params=index, consistency_level="Strong", timeout=LOADING
    )


def load(requests: MilvusRequests, collection: str) -> None:
    """Load a collection into the server's memory, where it is not.

    Args:
        requests: Where the server is.
        collection: Its name.
    """
    if "Loaded" not in str(requests.send("get_load_state", collection).get("state")).replace("NotLoad", ""):
        requests.send("load_collection", collection, timeout=LOADING)


def _range(kind: str) -> str:
    first, end = _BEGINNING[kind]
    return f'name >= "{first}" and name < "{end}"'
