"""What keeps a gallery's rows and vectors, and finds the nearest: a folder on disk, or a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from tipr_zoo.protocols.promises import SeesSubmodules

if TYPE_CHECKING:
    import numpy as np

Fact = str | int | float | bool
"""What filters ask about: one value of one fact of a picture."""


@dataclass(frozen=True)
class Row:
    """One picture of a gallery as an engine keeps it.

    Attributes:
        key: 32 hexadecimal digits, the gallery's name for the picture (and box).
        record: ASCII text of at most 64 KiB, JSON; the gallery's own (path, size, time, content hash, box, facts),
            which no engine reads.
        facts: What filters ask about, by name. One fact has one kind in the whole gallery: text, number (int, float)
            or bool.
    """

    key: str
    record: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True)
class Condition:
    """What a row must be like to be found. Rows without the fact never fit.

    Attributes:
        fact: Name of the fact.
        comparison: ``"="``, ``"!="``, ``"<"``, ``"<="``, ``">"`` or ``">="``.
        value: What the fact is compared with, of the fact's kind. Text compares by code points.
    """

    fact: str
    comparison: str
    value: Fact


@runtime_checkable
class Engine(Protocol, metaclass=SeesSubmodules):
    """Keeps rows with one vector each, and finds the nearest. Vectors are float32 of unit length; cosine is the score.

    A class is registered in `tipr_zoo.registries.ENGINES`. Threads may share one engine.

    Attributes:
        scheme: Beginnings of the addresses that are its own, without ``://``; none for a folder.
    """

    scheme: ClassVar[tuple[str, ...]]

    @classmethod
    def create(cls, address: str, header: str, dimension: int) -> Engine:
        """Make an empty gallery.

        Args:
            address: Where.
            header: ASCII JSON, the gallery's own.
            dimension: Numbers of each vector.

        Raises:
            GalleryError: One is there already, or nothing can be made there.
        """

    @classmethod
    def open(cls, address: str) -> Engine:
        """Open the gallery at an address.

        Args:
            address: Where it is.

        Raises:
            GalleryError: None is there, or one of another version, or it is damaged.
        """

    @property
    def header(self) -> str:
        """The gallery's own ASCII JSON."""

    def set_header(self, header: str) -> None:
        """Replace the header, as a whole or not at all.

        Args:
            header: ASCII JSON.
        """

    def add(self, rows: Sequence[Row], vectors: np.ndarray) -> None:
        """Add rows, in the place of those of the same key. Once it returns, nothing ends them, and a search finds them.

        Args:
            rows: The rows; no key twice.
            vectors: (n, D) float32 of unit length.

        Raises:
            GalleryError: They do not fit the gallery, or cannot be kept.
        """

    def delete(self, keys: Sequence[str]) -> int:
        """Delete rows, and return how many of them were there.

        Args:
            keys: Of the rows; a key that is not there is passed over.
        """

    def rows(self, keys: Sequence[str] | None = None) -> Iterator[Row]:
        """Yield all rows in order of keys, or those of these keys that are there.

        Args:
            keys: Whose rows; None for all.
        """

    def vectors(self, keys: Sequence[str]) -> np.ndarray:
        """Return the vectors of rows, (n, D) float32, in the order of the keys. An engine may keep them in float16.

        Args:
            keys: Of the rows.

        Raises:
            GalleryError: A key is not there.
        """

    def search(self, vectors: np.ndarray, top: int, where: Sequence[Condition] = ()) -> list[list[tuple[str, float]]]:
        """Find the nearest rows.

        Args:
            vectors: (Q, D) float32 of unit length.
            top: Rows a query.
            where: What each row must be like.

        Returns:
            For each query keys and cosines, the best first; equal scores in order of keys.

        Raises:
            GalleryError: A fact is not there, or a value is of another kind.
        """

    def count(self, where: Sequence[Condition] = ()) -> int:
        """Count rows.

        Args:
            where: What each row must be like.

        Raises:
            GalleryError: A fact is not there, or a value is of another kind.
        """

    def facts(self) -> Mapping[str, str]:
        """Return the gallery's facts and their kinds: ``"text"``, ``"number"`` or ``"bool"``."""

    def flush(self) -> None:
        """Do what may be put off, as codes and indexes."""

    def drop(self) -> None:
        """Remove the gallery, and all that is stored of it."""

    def close(self) -> None:
        """Give back what is held. A closed engine is not used any more."""
