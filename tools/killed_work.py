"""The kinds of work on a gallery in a folder that `tools.kill_gallery` kills."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tipr_zoo.gallery import copying
from tipr_zoo.gallery.gallery import Gallery
from tipr_zoo.gallery.gallery_model import GalleryModel
from tipr_zoo.gallery.picture_embedding import EmbeddingSettings
from tipr_zoo.gallery.records import key_of, record_of
from tipr_zoo.protocols.engines import Row

MODEL = "irra_tiny_synth"
READY, ADDED, DELETED = b"r", b"+", b"-"

Held = dict[str, tuple[str, bytes]]
"""Content and vector of each row, by its key."""


@dataclass(frozen=True)
class Workplace:
    """The folder of everything.

    Attributes:
        work: The folder.
        model: Loaded once, and inherited by every process.
        settings: How pictures are embedded.
    """

    work: Path
    model: GalleryModel
    settings: EmbeddingSettings

    @property
    def pictures(self) -> Path:
        """The folder of the pictures."""
        return self.work / "pictures"

    @property
    def killed(self) -> Path:
        """The gallery whose writers are killed."""
        return self.work / "killed"

    def open(self, folder: Path) -> Gallery:
        """Open a gallery with the model that is loaded already."""
        gallery = Gallery.open(folder)
        gallery._model = self.model
        return gallery

    def create(self, folder: Path) -> Gallery:
        """Make an empty gallery in the place of what is there."""
        shutil.rmtree(folder, ignore_errors=True)
        return Gallery.create(folder, MODEL)

    def acknowledging(self, pipe: int) -> Gallery:
        """Open the gallery that is killed, and say that the work begins."""
        gallery = self.open(self.killed)
        gallery._engine = Acknowledging(gallery._engine, pipe)
        os.write(pipe, READY)
        return gallery

    def as_whole(self) -> None:
        """Make the gallery that is killed one of all pictures."""
        shutil.rmtree(self.killed, ignore_errors=True)
        shutil.copytree(self.work / "whole", self.killed)


@dataclass
class Kind:
    """One kind of work that is killed.

    Attributes:
        name: What it is called.
        begin: Makes the gallery as it is before.
        change: The work, on the gallery that is killed; it writes into a pipe what it has done.
        before: What that gallery holds before.
        after: What it must hold at the end.
        is_sound_meanwhile: Whether ``check`` finds nothing before the end either.
    """

    name: str
    begin: Callable[[], None]
    change: Callable[[int], None]
    before: Held
    after: Held
    is_sound_meanwhile: bool = True


class Acknowledging:
    """An engine that writes into a pipe what it has acknowledged.

    Args:
        engine: Does the work.
        pipe: Descriptor to write to.
    """

    def __init__(self, engine: Any, pipe: int) -> None:
        self._engine, self._pipe = engine, pipe

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def add(self, rows: Sequence[Row], vectors: np.ndarray) -> None:
        """Add rows, and say so."""
        self._engine.add(rows, vectors)
        os.write(self._pipe, b"".join(ADDED + row.key.encode() for row in rows))

    def delete(self, keys: Sequence[str]) -> int:
        """Delete rows, and say so."""
        count: int = self._engine.delete(keys)
        os.write(self._pipe, b"".join(DELETED + key.encode() for key in keys))
        return count


def held_of(gallery: Gallery) -> Held:
    """Return what a gallery holds."""
    rows = [record_of(row) for row in gallery._engine.rows()]
    vectors = gallery._engine.vectors([row.key for row in rows])
    return {row.key: (row.content, vector.tobytes()) for row, vector in zip(rows, vectors, strict=True)}


def add_work(place: Workplace) -> Kind:
    """Pictures and exact copies are added to an empty gallery."""
    drawn = sorted(place.pictures.rglob("*.jpg"))
    for path in drawn[::6]:
        shutil.copy(path, path.with_name(f"copy_of_{path.name}"))
    with place.create(place.work / "whole") as whole:
        whole.add(place.pictures, settings=place.settings)
        after = held_of(whole)

    def change(pipe: int) -> None:
        with place.acknowledging(pipe) as gallery:
            gallery.add(place.pictures, settings=place.settings)

    return Kind("add", lambda: place.create(place.killed).close(), change, {}, after)


def remove_work(place: Workplace) -> Kind:
    """Two of three pictures are removed, some at once."""
    with place.open(place.work / "whole") as whole:
        before = held_of(whole)
    paths = sorted(map(str, place.pictures.rglob("*.jpg")))
    gone = [path for number, path in enumerate(paths) if number % 3]

    def change(pipe: int) -> None:
        with place.acknowledging(pipe) as gallery:
            there = {record_of(row).path for row in gallery._engine.rows()}
            left = [path for path in gone if path in there]
            for start in range(0, len(left), 4):
                gallery.remove(left[start : start + 4])

    keys = {key_of(path) for path in gone}
    after = {key: held for key, held in before.items() if key not in keys}
    return Kind("remove", place.as_whole, change, before, after)


def copy_work(place: Workplace) -> Kind:
    """A gallery is copied to where none is, in small pages so that there are many moments."""
    copying._AT_ONCE = 4
    with place.open(place.work / "whole") as whole:
        after = held_of(whole)

    def change(pipe: int) -> None:
        create, opened = copying._opened, []

        def acknowledging(*given: Any) -> Any:
            opened.append(Acknowledging(create(*given), pipe))
            return opened[-1]

        copying._opened = acknowledging
        with place.open(place.work / "whole") as whole:
            os.write(pipe, READY)
            whole.copy(place.killed).close()

    return Kind("copy", lambda: shutil.rmtree(place.killed, ignore_errors=True), change, {}, after)


def refresh_work(place: Workplace) -> Kind:
    """Pictures were moved, swapped, replaced, deleted and copied since."""
    with place.open(place.work / "whole") as whole:
        before = held_of(whole)
    paths = sorted(place.pictures.rglob("*.jpg"))
    for number, path in enumerate(paths):
        if number % 9 == 0:
            path.rename(path.with_name(f"moved_{path.name}"))
        elif number % 9 == 1:
            path.unlink()
        elif number % 9 == 2:
            aside, other = path.with_suffix(".aside"), paths[number + 1 if number + 1 < len(paths) else 3]
            path.rename(aside)
            other.rename(path)
            aside.rename(other)
        elif number % 9 == 4:
            path.write_bytes(path.read_bytes() + os.urandom(4))  # a decoder reads no further than the picture's end
        elif number % 9 == 5:
            shutil.copy(path, path.with_name(f"another_{path.name}"))
    with place.create(place.work / "refreshed") as refreshed:
        refreshed.add(place.pictures, settings=place.settings)
        after = held_of(refreshed)

    def change(pipe: int) -> None:
        with place.acknowledging(pipe) as gallery:
            gallery.refresh(place.pictures, settings=place.settings)

    return Kind("refresh", place.as_whole, change, before, after, is_sound_meanwhile=False)
