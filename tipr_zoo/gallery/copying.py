"""Copying a gallery from one engine to another, without embedding anything."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.address import is_folder
from tipr_zoo.gallery.header import GalleryHeader, read_header
from tipr_zoo.gallery.stored_vectors import stored_vectors
from tipr_zoo.protocols.engines import Engine, Row

_AT_ONCE = 1000


def copied(address: str, source: Engine, header: GalleryHeader, target: str, kind: type[Engine]) -> Engine:
    """Copy rows and vectors into another gallery; one that is there keeps what it has besides.

    A copy that was stopped goes on where it is begun again: what is there already is not copied twice.

    Args:
        address: Where the rows come from, for messages.
        source: Keeps them.
        header: What that gallery says of itself.
        target: Where they go.
        kind: The engine there.

    Returns:
        The engine that keeps the copy.

    Raises:
        GalleryError: The gallery there is of other weights, or is the same one.
    """
    if address == target or _is_same_folder(address, target):
        raise GalleryError(f"{address} cannot be copied into itself; name another place")
    engine = _opened(target, kind, header)
    try:
        _check(header, read_header(engine.header, target), address, target)
        with getattr(engine, "writing", nullcontext)():
            there = read_header(engine.header, target)
            folders = {folder.path: folder for folder in there.folders}
            for folder in header.folders:
                folders[folder.path] = folders.get(folder.path, folder).joined(folder)
            whole = replace(there, folders=tuple(folders[path] for path in sorted(folders)))
            if whole != there:
                engine.set_header(whole.text())
            page: list[Row] = []
            for row in source.rows():
                page.append(row)
                if len(page) == _AT_ONCE:
                    _copy(page, source, engine)
                    page = []
            _copy(page, source, engine)
            engine.flush()
    except BaseException:
        engine.close()
        raise
    return engine


def _is_same_folder(address: str, target: str) -> bool:
    """Tell whether two addresses are one folder, as by an absolute path or a link."""
    return is_folder(address) and is_folder(target) and os.path.realpath(address) == os.path.realpath(target)


def _opened(target: str, kind: type[Engine], header: GalleryHeader) -> Engine:
    """Open the gallery at an address, or make one."""
    try:
        return kind.create(target, header.text(), header.dimension)
    except GalleryError as refusal:
        try:
            return kind.open(target)
        except GalleryError:
            raise refusal from None


def _check(header: GalleryHeader, there: GalleryHeader, address: str, target: str) -> None:
    if not header.is_alike(there):
        raise GalleryError(
            f"the gallery {target} is of {there.model} with weights {there.weights_sha256[:12]}..., and {address} is of"
            f" {header.model} with {header.weights_sha256[:12]}..., whose embeddings cannot be compared; name another"
            " place"
        )


def _copy(rows: Sequence[Row], source: Engine, target: Engine) -> None:
    """Copy those of some rows that the target does not have as they are."""
    there = {row.key: row for row in target.rows([row.key for row in rows])}
    missing = [row for row in rows if there.get(row.key) != row]
    if missing:
        target.add(missing, stored_vectors(source, [row.key for row in missing]))
