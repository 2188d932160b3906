"""The model of a gallery: loaded when it is needed, and refused where it is another."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from tipr_zoo.cards.hub_reference import is_hub_reference
from tipr_zoo.errors import GalleryError, WeightsError
from tipr_zoo.evaluation.embedding import embed_captions
from tipr_zoo.gallery.header import GalleryHeader, embedding_sha256, preprocessing_sha256
from tipr_zoo.gallery.picture_embedding import unit_vectors
from tipr_zoo.hub.weights import local_weights, pinned_weights
from tipr_zoo.machine.kept_hashes import kept_hashes
from tipr_zoo.models.built_model import BuiltModel
from tipr_zoo.models.image_side import load_image_side
from tipr_zoo.models.resolved_model import ResolvedModel, resolve
from tipr_zoo.models.text_side import load_text_side
from tipr_zoo.protocols import Retriever
from tipr_zoo.weights.fetching import fetch_weights


class GalleryModel:
    """A model of the zoo with one set of weights. Threads may share it.

    Args:
        name: A name that ``tipr-zoo list`` shows, or ``hub:owner/name[@revision]``.
        weights: A file in the place of the card's weights, or ``hub:owner/name[@revision][:file]``; or None.
        device: Where it is to live.

    Raises:
        TiprZooError: There is no such model, or it has no weights.
    """

    def __init__(self, name: str, weights: str | Path | None, device: str | torch.device = "cpu") -> None:
        self.resolved: ResolvedModel = resolve(name)
        self.weights, self._device = weights, torch.device(device)
        if weights is None and self.resolved.card.weights is None:
            raise WeightsError(
                f"no weights of {name} are published, and a gallery needs some; train it, or name a file: weights=FILE"
                " (--weights FILE)"
            )
        self.file = fetch_weights(self.resolved.card) if weights is None else local_weights(weights)
        if not self.file.is_file():
            raise WeightsError(f"weights {self.file} do not exist; check the path, or name them: --weights FILE")
        self.weights_sha256 = self._hash_of_weights()
        self.embedding_sha256 = embedding_sha256(self.resolved.recipe.model)
        self._lock = threading.RLock()
        self._whole: BuiltModel | None = None
        self._text: BuiltModel | None = None
        self._pictures: BuiltModel | None = None

    def _hash_of_weights(self) -> str:
        own = self.resolved.card.weights
        if self.weights is None and own is not None:
            return own.sha256  # with which the file was just compared
        (found,) = kept_hashes([self.file], str(self.file.absolute()))
        if not found:
            raise WeightsError(f"weights {self.file} are no regular file; copy them into one")
        return found

    def header(self, dimension: int, precision: str) -> GalleryHeader:
        """Return what a new gallery of this model says of itself.

        Args:
            dimension: Numbers of each vector.
            precision: What pictures are embedded in.
        """
        weights = None if self.weights is None else self._lasting_weights()
        return GalleryHeader(
            self.resolved.name,
            weights,
            self.weights_sha256,
            self.embedding_sha256,
            self.preprocessing_sha256(),
            dimension,
            precision,
        )

    def _lasting_weights(self) -> str:
        """Return the name by which the weights are found again, from any folder."""
        assert self.weights is not None
        return str(pinned_weights(self.weights) if is_hub_reference(self.weights) else Path(self.weights).absolute())

    def preprocessing_sha256(self) -> str:
        """Hash what pictures become before the image tower."""
        model = self.of_pictures()
        normalisation = getattr(model, "normalisation", None)
        interpolation = str(getattr(model, "interpolation", ""))
        return preprocessing_sha256(model.image_size, model.preprocess, normalisation, interpolation)

    def check_is_of(self, header: GalleryHeader, address: str, *, embeds_pictures: bool) -> None:
        """Check that a gallery's vectors are of this model.

        Args:
            header: What the gallery says of itself.
            address: The gallery, for messages.
            embeds_pictures: Whether pictures are going to be embedded, and their preprocessing counts.

        Raises:
            GalleryError: They are of other weights, another recipe or other preprocessing.
        """
        if self.weights_sha256 != header.weights_sha256:
            raise GalleryError(
                f"the gallery {address} is of other weights of {header.model} (SHA-256 {header.weights_sha256[:12]}...)"
                f" than {self.file} ({self.weights_sha256[:12]}...); name those with --weights FILE, or make another"
                " gallery"
            )
        if self.embedding_sha256 != header.embedding_sha256:
            raise GalleryError(
                f"the gallery {address} is of another recipe of {header.model} than the one that is installed; make it"
                " anew"
            )
        if embeds_pictures and self.preprocessing_sha256() != header.preprocessing_sha256:
            raise GalleryError(
                f"the gallery {address} is of pictures that were prepared in another way than {header.model} does now;"
                " make it anew"
            )

    def whole(self) -> BuiltModel:
        """Return the model with both of its towers."""
        with self._lock:
            if self._whole is None:
                # not at the top: a sentence needs neither the image tower nor timm, which takes long to import
                from tipr_zoo.evaluation.loaded_model import load_resolved

                loaded = load_resolved(self.resolved, None if self.weights is None else self.file, self._device)
                self._whole = loaded.model  # type: ignore[assignment]  # what `build` gives
                assert self._whole is not None
            return self._whole

    def of_pictures(self) -> BuiltModel:
        """Return what embeds pictures: the model without its text tower where that is possible, else all of it."""
        with self._lock:
            if self._whole is None and self._pictures is None:
                self._pictures = load_image_side(self.resolved, self.file, self._device) or self.whole()
            model = self._whole or self._pictures
            assert model is not None  # one of both is there
            return model

    def embed_sentences(self, sentences: list[str]) -> npt.NDArray[np.float32]:
        """Embed sentences: -> (Q, D) float32 of unit length.

        Args:
            sentences: Q texts.

        Raises:
            WeightsError: The weights give no finite numbers.
        """
        with self._lock:
            if self._whole is None and self._text is None:
                self._text = load_text_side(self.resolved, self.file) or self.whole()
            model: Retriever = self._whole or self._text  # type: ignore[assignment]  # one of both is there
            return unit_vectors(embed_captions(model, sentences).numpy(), "the sentence")
