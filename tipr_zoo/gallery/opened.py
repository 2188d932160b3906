"""An open gallery: its engine, what it says of itself, and its model once that is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import torch

from tipr_zoo.errors import GalleryError
from tipr_zoo.gallery.gallery_model import GalleryModel
from tipr_zoo.gallery.header import GalleryHeader, read_header
from tipr_zoo.models.built_model import BuiltModel
from tipr_zoo.protocols.engines import Engine
from tipr_zoo.version import __version__


class OpenedGallery:
    """What is held of a gallery while it is open.

    Args:
        address: Where it is.
        engine: Keeps it.
        weights: The file of the weights, where it is elsewhere than it was; it must be the same by its hash.
        device: Where the model is to live.

    Attributes:
        header: What it says of itself.
        loaded: Its model, once that was needed.
    """

    def __init__(
        self,
        address: str,
        engine: Engine,
        weights: str | Path | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self.address, self.engine, self.device = address, engine, device
        self.header: GalleryHeader = read_header(engine.header, address)
        self.weights = self.header.weights if weights is None else weights
        self.loaded: GalleryModel | None = None

    def set_header(self, header: GalleryHeader) -> None:
        """Write down what the gallery says of itself, where that is new."""
        if header != self.header:
            self.engine.set_header(header.text())
            self.header = header

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep other processes from writing meanwhile, where the engine can; and see what they have written."""
        with getattr(self.engine, "writing", nullcontext)():
            self.header = read_header(self.engine.header, self.address)
            yield

    def model(self, *, embeds_pictures: bool) -> GalleryModel:
        """Return the gallery's model, which is loaded once.

        Args:
            embeds_pictures: Whether pictures are going to be embedded, and their preprocessing counts.

        Raises:
            GalleryError: It is of other weights than the gallery.
            TiprZooError: There is no such model, or its weights are missing, damaged or do not fit.
        """
        if self.loaded is None:
            self.loaded = GalleryModel(self.header.model, self.weights, self.device)
        self.loaded.check_is_of(self.header, self.address, embeds_pictures=embeds_pictures)
        return self.loaded

    def confirm_model(self) -> None:
        """Check the model, and its preprocessing where another version made the gallery; then note this version.

        Raises:
            GalleryError: As in `model`.
            TiprZooError: As in `model`.
        """
        is_of_this_version = self.header.made_by == __version__
        self.model(embeds_pictures=not is_of_this_version)
        if not is_of_this_version:
            with suppress(GalleryError), self.writing():  # where another process writes, the next search notes it
                self.set_header(replace(self.header, made_by=__version__))

    def pictures_model(self) -> BuiltModel:
        """Return the model that embeds pictures; of sentences it need not know.

        Raises:
            GalleryError: It is of other weights than the gallery.
            TiprZooError: There is no such model, or its weights are missing, damaged or do not fit.
        """
        return self.model(embeds_pictures=True).of_pictures()
