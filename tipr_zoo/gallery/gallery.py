"""A gallery: pictures embedded once, kept, and searched at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import torch

from tipr_zoo.errors import ConfigError
from tipr_zoo.gallery.address import engine_of, is_folder
from tipr_zoo.gallery.folder_updates import FolderContents, refresh_folders, remove_pictures, update_folder
from tipr_zoo.gallery.gallery_model import GalleryModel
from tipr_zoo.gallery.given_embeddings import Embeddings, add_given_embeddings
from tipr_zoo.gallery.given_facts import Boxes, Facts
from tipr_zoo.gallery.header import PRECISIONS, GalleryHeader
from tipr_zoo.gallery.hits import Hit
from tipr_zoo.gallery.opened import OpenedGallery
from tipr_zoo.gallery.picture_embedding import EmbeddingSettings, best_precision
from tipr_zoo.gallery.querying import QueryWeights, Selection
from tipr_zoo.gallery.reports import AddReport, CheckReport, GalleryStatus
from tipr_zoo.gallery.searching import Query, Where, search_gallery
from tipr_zoo.gallery.standing import status_of
from tipr_zoo.machine.devices import usable_device
from tipr_zoo.protocols.engines import Engine, Fact

_OTHER_DEVICE = "try device='cpu'"


class Gallery:
    """Pictures that one model has embedded, with what is known of them. `create` and `open` give one.

    A gallery belongs to one model, one set of weights and one preprocessing, by their hashes; others are refused.
    Threads may search it at the same time.

    Args:
        address: Where it is.
        engine: Keeps it.
        weights: The file of the weights, where it is elsewhere than it was; it must be the same by its hash.
        device: Where the model is to live.
    """

    def __init__(
        self,
        address: str,
        engine: Engine,
        weights: str | Path | None = None,
        device: str | torch.device = "cpu",
    ) -> None:
        self._opened = OpenedGallery(address, engine, weights, usable_device(device, _OTHER_DEVICE))

    @property
    def address(self) -> str:
        """Where it is."""
        return self._opened.address

    @property
    def header(self) -> GalleryHeader:
        """What it says of itself: the model, weights and preprocessing of its vectors, and its folders."""
        return self._opened.header

    @classmethod
    def create(
        cls,
        address: str | os.PathLike[str],
        model: str,
        weights: str | Path | None = None,
        *,
        device: str | torch.device = "cpu",
        precision: str | None = None,
    ) -> Gallery:
        """Make an empty gallery.

        Args:
            address: A folder, which is made; or the address of a server's, e.g. ``postgresql://host/crops``.
            model: A name that ``tipr-zoo list`` shows, or ``hub:owner/name[@revision]``.
            weights: A file in the place of the card's weights.
            device: Where the model is to live.
            precision: ``"float32"`` or ``"bfloat16"`` for embedding pictures; None for what suits the model and the
                processor.

        Raises:
            GalleryError: There is one already, or nothing can be made there.
            TiprZooError: There is no such model, or its weights are missing, damaged or do not fit.
        """
        if precision is not None and precision not in PRECISIONS:
            raise ConfigError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
        engine, device = engine_of(address), usable_device(device, _OTHER_DEVICE)
        loaded = GalleryModel(model, weights, device)
        whole = loaded.whole()
        with torch.inference_mode():
            dimension = loaded.embed_sentences(["a person"]).shape[1]
        header = loaded.header(dimension, precision or best_precision(whole))
        gallery = cls(_plain(address), engine.create(_plain(address), header.text(), dimension), weights, device)
        gallery._opened.loaded = loaded
        return gallery

    @classmethod
    def open(
        cls,
        address: str | os.PathLike[str],
        *,
        weights: str | Path | None = None,
        device: str | torch.device = "cpu",
    ) -> Gallery:
        """Open a gallery. Its model is loaded when it is needed.

        Args:
            address: Where it is, as `create` takes it.
            weights: The file of its weights, where it is elsewhere than it was.
            device: Where the model is to live.

        Raises:
            GalleryError: None is there, or one of another version, or it is damaged.
        """
        return cls(_plain(address), engine_of(address).open(_plain(address)), weights, device)

    def add(
        self,
        folder: str | os.PathLike[str],
        boxes: Boxes | None = None,
        facts: Facts | None = None,
        *,
        pattern: str | None = None,
        part: tuple[int, int] | None = None,
        settings: EmbeddingSettings | None = None,
    ) -> AddReport:
        """Add the pictures of a folder, and of the folders below it. What is known already is not embedded again.

        A picture is known by its content: one that was moved, renamed or copied takes the embedding that is there. What
        was replaced is embedded anew. What cannot be read is left out, named and counted. Every batch is kept before
        the next one begins; if this is stopped, the next call goes on from there.

        Args:
            folder: The folder.
            boxes: Boxes of pictures by path, from the folder or the root: left, top, right and bottom in pixels. Each
                is embedded as a picture of its own. A picture without any is embedded as a whole.
            facts: Facts of pictures by path; or a table with a column ``picture`` and one for each fact: CSV, TSV, JSON
                Lines, JSON or parquet. A column ``box`` there gives boxes.
            pattern: Reads facts off the paths, e.g. ``"cam{camera}/{person}_*"``.
            part: Which of how many parts of the pictures to embed, e.g. ``(1, 4)``, where several machines share the
                work; `copy` brings their galleries together.
            settings: Batches, decoding processes and progress.

        Returns:
            What was done.

        Raises:
            GalleryError: Another process writes into the gallery, it is of other weights, or facts cannot be kept.
            DataError: The folder is missing, or holds no picture.
            WriteError: The disk is full.
        """
        contents = FolderContents(boxes, facts, pattern, part, settings)
        return update_folder(self._opened, Path(folder), contents, removes_gone=False)

    def refresh(
        self,
        folder: str | os.PathLike[str] | None = None,
        boxes: Boxes | None = None,
        facts: Facts | None = None,
        *,
        pattern: str | None = None,
        settings: EmbeddingSettings | None = None,
    ) -> AddReport:
        """Do what `add` does, and remove the pictures that are not in the folder any more.

        Args:
            folder: The folder; None for every folder that was added.
            boxes: As in `add`.
            facts: As in `add`; None for the table of before.
            pattern: As in `add`; None for the one of before.
            settings: As in `add`.

        Raises:
            GalleryError: As in `add`.
            DataError: The folder is missing, or holds no picture; then nothing is removed.
        """
        contents = FolderContents(boxes, facts, pattern, settings=settings)
        return refresh_folders(self._opened, None if folder is None else Path(folder), contents)

    def remove(self, paths: Iterable[str | os.PathLike[str]]) -> int:
        """Remove pictures from the gallery; their files stay.

        Args:
            paths: Pictures, or folders for all pictures in and below them.

        Returns:
            How many rows were removed.

        Raises:
            GalleryError: The gallery holds nothing there, or another process writes into it.
        """
        return remove_pictures(self._opened, paths)

    def add_embeddings(
        self,
        vectors: Embeddings,
        paths: Sequence[str | os.PathLike[str]],
        facts: Sequence[Mapping[str, Fact]] | None = None,
        *,
        weights_sha256: str | None = None,
        reads_files: bool = True,
    ) -> int:
        """Add embeddings that were made elsewhere with the same weights and preprocessing.

        Args:
            vectors: (N, D) of any length, as the image tower gives them.
            paths: N pictures; they need not be on this machine.
            facts: Facts of each; None for none.
            weights_sha256: SHA-256 of the file of the weights that made them, which is compared with the gallery's.
            reads_files: Whether to read the files that are here, so that `refresh` and `check` know their content.

        Returns:
            How many were added.

        Raises:
            GalleryError: They do not fit the gallery, are of other weights, or a path stands there twice.
        """
        return add_given_embeddings(self._opened, vectors, paths, facts, weights_sha256, reads_files)

    def search(
        self,
        text: str | None = None,
        *,
        picture: str | os.PathLike[str] | None = None,
        minus: str | None = None,
        top: int = 10,
        where: Where = None,
        threshold: float | None = None,
        rerank: int = 0,
        group: str | None = None,
        weights: QueryWeights | None = None,
    ) -> list[Hit]:
        """Find the pictures that fit best.

        Args:
            text: A sentence.
            picture: A picture of a person, for more like this one.
            minus: A sentence that is taken away.
            top: Number of hits.
            where: What pictures must be like, e.g. ``{"camera": 3}`` or ``["time>=2026-05-01"]``.
            threshold: The least cosine of a hit.
            rerank: How many of the best are ranked again by the model's score of the pair; 0 for none.
            group: ``"content"`` for one hit of exact copies, or a fact, e.g. ``"person"``, for one of each value.
            weights: How much sentence, picture and `minus` count.

        Returns:
            The hits, the best first.

        Raises:
            ConfigError: There is nothing to search for, or a number makes no sense.
            GalleryError: There is no such fact, or the gallery is of other weights.
            DataError: The picture cannot be read.
        """
        query = Query(None if text is None else [text], picture, minus, weights or QueryWeights(), rerank)
        return search_gallery(self._opened, query, where, Selection(top, (), threshold, group))[0]

    def search_many(
        self,
        sentences: Sequence[str],
        top: int = 10,
        *,
        picture: str | os.PathLike[str] | None = None,
        minus: str | None = None,
        where: Where = None,
        threshold: float | None = None,
        rerank: int = 0,
        group: str | None = None,
        weights: QueryWeights | None = None,
    ) -> list[list[Hit]]:
        """Find the pictures that fit each of many sentences best, in little more time than for one.

        Args:
            sentences: The sentences.
            top: As in `search`, and so are the others.
            picture: As in `search`.
            minus: As in `search`.
            where: As in `search`.
            threshold: As in `search`.
            rerank: As in `search`.
            group: As in `search`.
            weights: As in `search`.

        Returns:
            The hits of each sentence.

        Raises:
            TiprZooError: As in `search`.
        """
        if isinstance(sentences, str | bytes) or not isinstance(sentences, Iterable):
            raise ConfigError("search_many takes a list of sentences; search takes one")
        sentences = list(sentences)
        if not sentences:
            return []
        query = Query(sentences, picture, minus, weights or QueryWeights(), rerank)
        return search_gallery(self._opened, query, where, Selection(top, (), threshold, group))

    def check_model(self) -> None:
        """Check that the model of the gallery is there, with the same weights, recipe and preprocessing.

        Raises:
            GalleryError: It is another.
            TiprZooError: There is no such model, or it has no weights.
        """
        self._opened.model(embeds_pictures=True)

    def confirm_model(self) -> None:
        """Check what `check_model` checks, of the preprocessing only where another version made the gallery.

        What the check of the preprocessing needs is the whole model, which takes longer to load than a search takes.
        The version that checked it is noted.

        Raises:
            GalleryError: As in `check_model`.
            TiprZooError: As in `check_model`.
        """
        self._opened.confirm_model()

    def status(self) -> GalleryStatus:
        """Say how the gallery stands."""
        return status_of(self._opened)

    def check(self) -> CheckReport:
        """Read every picture again, and compare it with what was embedded; and the vectors with what was written.

        Raises:
            GalleryError: The gallery is damaged.
        """
        from tipr_zoo.gallery.checking import checked  # not at the top: few ask for it

        return checked(self._opened.engine)

    def copy(self, address: str | os.PathLike[str]) -> Gallery:
        """Copy everything into another gallery, in any engine, without embedding anything.

        Args:
            address: Where; a gallery of the same weights that is there gets the pictures besides those that it has.

        Returns:
            The other gallery.

        Raises:
            GalleryError: One of other weights is there, or it cannot be written.
        """
        from tipr_zoo.gallery.copying import copied  # not at the top: few ask for it

        own = self._opened
        engine = copied(own.address, own.engine, own.header, _plain(address), engine_of(address))
        return Gallery(_plain(address), engine, own.weights, own.device)

    def __len__(self) -> int:
        """Return the number of pictures and boxes."""
        return self._opened.engine.count()

    def drop(self) -> None:
        """Remove the gallery, and all that is stored of it; the pictures stay."""
        self._opened.engine.drop()

    def close(self) -> None:
        """Give back what is held. A closed gallery is not used any more."""
        self._opened.engine.close()

    def __enter__(self) -> Gallery:
        """Return the gallery itself, which is closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _plain(address: str | os.PathLike[str]) -> str:
    return os.fspath(address) if not is_folder(address) else str(Path(address))
