"""What was done to a gallery, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_MOST_NAMES = 20


@dataclass
class AddReport:
    """What `tipr_zoo.Gallery.add` or `refresh` did.

    Attributes:
        found: Pictures and boxes that were found.
        embedded: How many were embedded, each content once.
        copies: How many took the embedding of the same content: they were moved, renamed or copied.
        unchanged: How many were as the gallery knew them.
        changed_facts: How many of the unchanged got other facts.
        removed: How many rows were removed: their pictures are gone, replaced or no longer to be read.
        unreadable: Why pictures cannot be read, by path.
        left_out: Pictures in formats that cannot be decoded here.
        unread_folders: Why folders below cannot be read, by path; their pictures stay as they were.
        missing_folders: Why folders could not be brought up, by path, where others were.
        without_facts: Pictures that the table or the pattern says nothing of.
        unmatched: Rows of the table that name no picture that was found.
        unlike_persons: Pictures that have not the shape of a person's; they are searched like the others.
        remarks: What else is to be told, a line each.
    """

    found: int = 0
    embedded: int = 0
    copies: int = 0
    unchanged: int = 0
    changed_facts: int = 0
    removed: int = 0
    unreadable: dict[Path, str] = field(default_factory=dict)
    left_out: list[Path] = field(default_factory=list)
    unread_folders: dict[Path, str] = field(default_factory=dict)
    missing_folders: dict[Path, str] = field(default_factory=dict)
    without_facts: int = 0
    unmatched: list[str] = field(default_factory=list)
    unlike_persons: list[Path] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def values(self) -> dict[str, Any]:
        """Return the fields by name, as JSON takes them."""
        return {
            **vars(self),
            **{name: {str(path): reason for path, reason in told.items()} for name, told in self._reasons().items()},
            "left_out": [str(path) for path in self.left_out],
            "unlike_persons": [str(path) for path in self.unlike_persons],
        }

    def _reasons(self) -> dict[str, dict[Path, str]]:
        return {
            "unreadable": self.unreadable,
            "unread_folders": self.unread_folders,
            "missing_folders": self.missing_folders,
        }

    def line(self) -> str:
        """Say the counts in one line."""
        counts = {
            "embedded": self.embedded,
            "unchanged": self.unchanged,
            "copies of known content": self.copies,
            "with other facts": self.changed_facts,
            "removed": self.removed,
            "unreadable": len(self.unreadable),
            "left out": len(self.left_out),
            "folders that cannot be read": len(self.unread_folders) + len(self.missing_folders),
        }
        always = ("embedded", "unchanged")
        return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count or what in always)

    def problems(self) -> list[str]:
        """Say what was left out and why, a line each; the first of each kind are named."""
        lines = [*self.unreadable.values()][:_MOST_NAMES]
        if len(self.unreadable) > _MOST_NAMES:
            lines.append(f"and {len(self.unreadable) - _MOST_NAMES:,} more pictures cannot be read")
        if self.unmatched:
            names = ", ".join(self.unmatched[:3])
            lines.append(f"{len(self.unmatched):,} rows of the table name no picture that is there: {names}")
        if self.without_facts:
            lines.append(f"{self.without_facts:,} pictures have no facts: neither the table nor the pattern fits them")
        return [*lines, *self.remarks]


@dataclass(frozen=True)
class GalleryStatus:
    """How a gallery stands.

    Attributes:
        address: Where it is.
        pictures: Rows: pictures, and boxes in pictures.
        contents: Different contents among them; the others are exact copies.
        model: Name of the model.
        weights: The file of its weights, or None for those of its card.
        weights_sha256: Their hash.
        dimension: Numbers of each vector.
        precision: What pictures are embedded in.
        folders: The folders whose pictures are in it.
        facts: Kinds of facts by name.
    """

    address: str
    pictures: int
    contents: int
    model: str
    weights: str | None
    weights_sha256: str
    dimension: int
    precision: str
    folders: list[str]
    facts: Mapping[str, str]

    def values(self) -> dict[str, Any]:
        """Return the fields by name, as JSON takes them."""
        return {**vars(self), "facts": dict(self.facts)}


@dataclass
class CheckReport:
    """What `tipr_zoo.Gallery.check` found.

    Attributes:
        pictures: How many rows were looked at.
        missing: Files that are not there.
        changed: Files whose content is another than the one that was embedded.
        unread: Files that cannot be read.
        unknown: Rows whose content is not known, as of embeddings that were made elsewhere.
        damaged: Pictures whose vectors are not those that were written.
    """

    pictures: int = 0
    missing: list[Path] = field(default_factory=list)
    changed: list[Path] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)
    unknown: int = 0
    damaged: list[Path] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether the gallery is as the pictures are."""
        return not (self.missing or self.changed or self.unread or self.damaged)

    def values(self) -> dict[str, Any]:
        """Return the fields by name, as JSON takes them."""
        return {name: [*map(str, value)] if isinstance(value, list) else value for name, value in vars(self).items()}

    def lines(self) -> list[str]:
        """Say what was found, a line for each kind, with the first names."""
        refresh = "tipr-zoo gallery refresh brings the gallery up"
        kinds = [
            ("are not there", refresh, self.missing),
            ("hold something else than what was embedded", refresh, self.changed),
            ("cannot be read", refresh, self.unread),
            ("have damaged vectors", "remove them from the gallery, and add them again", self.damaged),
        ]
        return [
            f"{len(paths):,} of the pictures {what}: {', '.join(map(str, paths[:3]))}{', ...' * (len(paths) > 3)};"
            f" {fix}"
            for what, fix, paths in kinds
            if paths
        ]
