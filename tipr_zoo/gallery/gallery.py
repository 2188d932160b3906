"""A gallery: pictures embedded once, kept, and searched at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tipr_zoo.errors import ConfigError, DataError, GalleryError
from tipr_zoo.gallery.address import engine_of, is_folder
from tipr_zoo.gallery.asked import check_sentence
from tipr_zoo.gallery.fact_tables import KnownFacts, read_fact_table, read_path_pattern
from tipr_zoo.gallery.facts import read_conditions
from tipr_zoo.gallery.gallery_model import GalleryModel
from tipr_zoo.gallery.header import PRECISIONS, GalleryHeader, PictureFolder, read_header
from tipr_zoo.gallery.hits import Hit
from tipr_zoo.gallery.picture_contents import Crops, content_sha256, file_state
from tipr_zoo.gallery.picture_embedding import (
    EmbeddingSettings,
    batches_of,
    best_precision,
    embedded_batches,
    unit_vectors,
)
from tipr_zoo.gallery.querying import QueryWeights, Selection, combined, find, plain, ranked_again
from tipr_zoo.gallery.records import PictureRecord, absolute, checked_box, record_of
from tipr_zoo.gallery.reports import AddReport, CheckReport, GalleryStatus
from tipr_zoo.gallery.updating import Update, Wanted, below, gone_paths, part_of_paths, pictures_again
from tipr_zoo.models.built_model import BuiltModel
from tipr_zoo.pictures.files import find_pictures
from tipr_zoo.protocols.engines import Engine, Fact

Where = Mapping[str, Fact] | Sequence[Any] | str | None
"""What pictures must be like: values by fact, or conditions as ``"time>=2026-05-01"``."""

Embeddings = npt.NDArray[np.floating[Any]] | torch.Tensor

_AT_ONCE = 1000


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
        self.address, self._engine, self._device = address, engine, device
        self.header: GalleryHeader = read_header(engine.header, address)
        self._weights = self.header.weights if weights is None else weights
        self._model: GalleryModel | None = None

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
        engine = engine_of(address)
        loaded = GalleryModel(model, weights, device)
        whole = loaded.whole()
        with torch.inference_mode():
            dimension = loaded.embed_sentences(["a person"]).shape[1]
        header = loaded.header(dimension, precision or best_precision(whole))
        gallery = cls(_plain(address), engine.create(_plain(address), header.text(), dimension), weights, device)
        gallery._model = loaded
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
        boxes: Mapping[Any, Iterable[Sequence[int]]] | None = None,
        facts: Mapping[Any, Mapping[str, Fact]] | str | os.PathLike[str] | None = None,
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
        return self._update(Path(folder), boxes, facts, pattern, part, settings, removes_gone=False)

    def refresh(
        self,
        folder: str | os.PathLike[str] | None = None,
        boxes: Mapping[Any, Iterable[Sequence[int]]] | None = None,
        facts: Mapping[Any, Mapping[str, Fact]] | str | os.PathLike[str] | None = None,
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
        folders = [Path(known.path) for known in self.header.folders] if folder is None else [Path(folder)]
        if not folders:
            raise GalleryError(f"no folder was added to the gallery {self.address} yet; add one")
        reports = [self._update(one, boxes, facts, pattern, None, settings, removes_gone=True) for one in folders]
        return _together(reports)

    def remove(self, paths: Iterable[str | os.PathLike[str]]) -> int:
        """Remove pictures from the gallery; their files stay.

        Args:
            paths: Pictures, or folders for all pictures in and below them.

        Returns:
            How many rows were removed.

        Raises:
            GalleryError: The gallery holds nothing there, or another process writes into it.
        """
        given = [os.fspath(paths)] if isinstance(paths, str | os.PathLike) else [os.fspath(path) for path in paths]
        wanted = [absolute(path) for path in given]
        with self._writing():
            known = [(record.path, record.key) for record in map(record_of, self._engine.rows())]
            keys = [key for path, key in known if any(below(path, folder) for folder in wanted)]
            for path in wanted:
                if not any(below(other, path) for other, _ in known):
                    raise GalleryError(f"the gallery {self.address} holds no picture {path}; nothing was removed")
            folders = tuple(folder for folder in self.header.folders if folder.path not in wanted)
            if folders != self.header.folders:
                self._set_header(replace(self.header, folders=folders))
            return sum(self._engine.delete(keys[part]) for part in batches_of(len(keys), _AT_ONCE))

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
        if weights_sha256 is not None and weights_sha256 != self.header.weights_sha256:
            raise GalleryError(
                f"the embeddings are of weights {weights_sha256[:12]}..., and the gallery {self.address} is of"
                f" {self.header.weights_sha256[:12]}...; make another gallery for them"
            )
        array = vectors.detach().cpu().numpy() if isinstance(vectors, torch.Tensor) else np.asarray(vectors)
        names = [absolute(path) for path in paths]
        if array.shape != (len(names), self.header.dimension) or (facts is not None and len(facts) != len(names)):
            raise GalleryError(
                f"{len(names):,} paths need embeddings of shape ({len(names)}, {self.header.dimension}), and as many"
                f" facts; got {array.shape}{'' if facts is None else f' and {len(facts):,} facts'}"
            )
        if len(set(names)) < len(names):
            raise GalleryError("a path stands twice among the embeddings; give each picture once")
        with self._writing():
            for part in batches_of(len(names), _AT_ONCE):
                own = names[part]
                records = [_record_here(path) if reads_files else PictureRecord(path) for path in own]
                known = [dict(one) for one in facts[part]] if facts is not None else [{} for _ in own]
                rows = [record.with_facts(one).row() for record, one in zip(records, known, strict=True)]
                self._engine.add(rows, _checked_vectors(array[part], own))
            self._engine.flush()
        return len(names)

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
        sentences = None if text is None else [text]
        given: dict[str, Any] = {"picture": picture, "minus": minus, "weights": weights}
        return self._search(sentences, top, where, threshold, rerank, group, **given)[0]

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
        if isinstance(sentences, str):
            raise ConfigError("search_many takes a list of sentences; search takes one")
        if not len(sentences):
            return []
        given: dict[str, Any] = {"picture": picture, "minus": minus, "weights": weights}
        return self._search(list(sentences), top, where, threshold, rerank, group, **given)

    def _search(
        self,
        sentences: list[str] | None,
        top: int,
        where: Where,
        threshold: float | None,
        rerank: int,
        group: str | None,
        *,
        picture: str | os.PathLike[str] | None,
        minus: str | None,
        weights: QueryWeights | None,
    ) -> list[list[Hit]]:
        weights = weights or QueryWeights()
        for sentence in [*(sentences or []), *([] if minus is None else [minus])]:
            check_sentence(sentence)
        if isinstance(rerank, bool) or not isinstance(rerank, int) or rerank < 0:
            raise ConfigError(f"rerank must be a whole number from 0, got {rerank!r}")
        if rerank and not sentences:
            raise ConfigError("pictures are ranked again by a sentence; give one, or leave rerank out")
        model = self._checked_model(embeds_pictures=picture is not None or rerank > 0)
        wanted = Selection(top, read_conditions(where, self._engine.facts()), threshold, group)
        queries = combined(
            [
                (weights.text, model.embed_sentences(sentences) if sentences else None),
                (weights.picture, None if picture is None else self._embed_picture(picture)),
                (-weights.minus, None if minus is None else model.embed_sentences([minus])),
            ]
        )
        found = find(self._engine, queries, replace(wanted, top=max(top, rerank)))
        if not rerank:
            return [plain(hits) for hits in found]
        from tipr_zoo.gallery.reranking import pair_scores  # not at the top: few ask for it

        whole = model.whole()
        return [
            plain(ranked_again(hits, rerank, partial(pair_scores, whole, text)))[:top]
            for text, hits in zip(sentences or [], found, strict=True)
        ]

    def check_model(self) -> None:
        """Check that the model of the gallery is there, with the same weights, recipe and preprocessing.

        Raises:
            GalleryError: It is another.
            TiprZooError: There is no such model, or it has no weights.
        """
        self._checked_model(embeds_pictures=True)

    def status(self) -> GalleryStatus:
        """Say how the gallery stands."""
        contents, pictures = set(), 0
        for row in self._engine.rows():
            record = record_of(row)
            contents.add((record.content or record.path, record.box))
            pictures += 1
        header = self.header
        return GalleryStatus(
            self.address,
            pictures,
            len(contents),
            header.model,
            header.weights,
            header.weights_sha256,
            header.dimension,
            header.precision,
            [folder.path for folder in header.folders],
            self._engine.facts(),
        )

    def check(self) -> CheckReport:
        """Read every picture again, and compare it with what was embedded; and the vectors with what was written.

        Raises:
            GalleryError: The gallery is damaged.
        """
        from tipr_zoo.gallery.checking import checked  # not at the top: few ask for it

        return checked(self._engine)

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

        engine = copied(self.address, self._engine, self.header, _plain(address), engine_of(address))
        return Gallery(_plain(address), engine, self._weights, self._device)

    def __len__(self) -> int:
        """Return the number of pictures and boxes."""
        return self._engine.count()

    def drop(self) -> None:
        """Remove the gallery, and all that is stored of it; the pictures stay."""
        self._engine.drop()

    def close(self) -> None:
        """Give back what is held. A closed gallery is not used any more."""
        self._engine.close()

    def __enter__(self) -> Gallery:
        """Return the gallery itself, which is closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _update(
        self,
        folder: Path,
        boxes: Mapping[Any, Iterable[Sequence[int]]] | None,
        facts: Mapping[Any, Mapping[str, Fact]] | str | os.PathLike[str] | None,
        pattern: str | None,
        part: tuple[int, int] | None,
        settings: EmbeddingSettings | None,
        removes_gone: bool,
    ) -> AddReport:
        with self._writing():
            self._checked_model(embeds_pictures=False)
            known = next((one for one in self.header.folders if one.path == absolute(folder)), None)
            if known is not None:
                facts, pattern = known.facts if facts is None else facts, pattern or known.pattern
            found = pictures_again(folder, self.address) if removes_gone else find_pictures(folder)
            paths = [absolute(path) for path in found.readable]
            sources = [self._facts_of(folder, paths, facts), self._facts_by_pattern(folder, paths, pattern)]
            there = [one for one in sources if one is not None]
            table = absolute(facts) if isinstance(facts, str | os.PathLike) else None
            self._note_folder(PictureFolder(absolute(folder), table, pattern))
            settings = replace(settings or EmbeddingSettings(), precision=self.header.precision)
            told = found.told()
            report = AddReport(left_out=list(found.left_out), remarks=[told] if told else [])
            update = Update(self._engine, self._pictures_model, settings, report)
            facts_of = _joined(there)
            given = {**facts_of.boxes, **({} if boxes is None else _boxes_of(boxes, folder, paths))}
            gone = gone_paths(update.known, absolute(folder), paths) if removes_gone else ()
            wanted = Wanted(
                part_of_paths(paths, part), given, boxes is not None or bool(given), facts_of, bool(there), gone
            )
            if there:
                report.unmatched = list(sources[0].unmatched) if sources[0] is not None else []
                report.without_facts = len(set(paths) - {path for path, _ in facts_of.facts})
            update.run(wanted)
        return report

    def _facts_of(
        self, folder: Path, paths: list[str], facts: Mapping[Any, Mapping[str, Fact]] | str | os.PathLike[str] | None
    ) -> KnownFacts | None:
        if facts is None:
            return None
        if not isinstance(facts, Mapping):
            return read_fact_table(Path(facts), folder, paths, self._engine.facts())
        there = set(paths)
        known = KnownFacts()
        for path, values in facts.items():
            place = _place(path, folder)
            if place in there:
                known.facts[place, None] = dict(values)
            else:
                known.unmatched.append(place)
        return known

    def _facts_by_pattern(self, folder: Path, paths: list[str], pattern: str | None) -> KnownFacts | None:
        return None if pattern is None else read_path_pattern(pattern, folder, paths, self._engine.facts())

    def _note_folder(self, folder: PictureFolder) -> None:
        others = [one for one in self.header.folders if one.path != folder.path]
        header = replace(self.header, folders=tuple(sorted([*others, folder], key=lambda one: one.path)))
        if header != self.header:
            self._set_header(header)

    def _set_header(self, header: GalleryHeader) -> None:
        self._engine.set_header(header.text())
        self.header = header

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Keep other processes from writing meanwhile, where the engine can; and see what they have written."""
        with getattr(self._engine, "writing", nullcontext)():
            self.header = read_header(self._engine.header, self.address)
            yield

    def _checked_model(self, *, embeds_pictures: bool) -> GalleryModel:
        """Return the gallery's model.

        Raises:
            GalleryError: It is of other weights than the gallery.
        """
        if self._model is None:
            self._model = GalleryModel(self.header.model, self._weights, self._device)
        self._model.check_is_of(self.header, self.address, embeds_pictures=embeds_pictures)
        return self._model

    def _pictures_model(self) -> BuiltModel:
        return self._checked_model(embeds_pictures=True).whole()

    def _embed_picture(self, picture: str | os.PathLike[str]) -> npt.NDArray[np.float32]:
        """Embed one picture: -> (1, D) float32 of unit length."""
        crops = Crops([(os.fspath(picture), None)], self._pictures_model())
        (batch,) = embedded_batches(crops, EmbeddingSettings(workers=0, precision=self.header.precision))
        for error in batch.errors.values():
            raise error
        return batch.vectors


def _plain(address: str | os.PathLike[str]) -> str:
    return os.fspath(address) if not is_folder(address) else str(Path(address))


def _place(path: object, folder: Path) -> str:
    """Return the absolute path of a picture that is named from a folder, or from the root."""
    if not isinstance(path, str | os.PathLike):
        raise GalleryError(f"a picture is named by its path, got a {type(path).__name__}")
    below_it = absolute(folder / path)
    return below_it if os.path.exists(below_it) or not os.path.exists(path) else absolute(path)


def _boxes_of(
    boxes: Mapping[Any, Iterable[Sequence[int]]], folder: Path, paths: list[str]
) -> dict[str, list[tuple[int, int, int, int]]]:
    there, found = set(paths), {}
    for path, own in boxes.items():
        place = _place(path, folder)
        if place not in there:
            raise DataError(f"boxes are given of {path}, and {folder} holds no such picture; check the path")
        found[place] = list(dict.fromkeys(checked_box(box, place) for box in own))
    return found


def _joined(sources: Sequence[KnownFacts]) -> KnownFacts:
    """Put facts together; where two sources know the same fact, the first one counts."""
    joined = KnownFacts()
    for source in reversed(sources):
        for place, facts in source.facts.items():
            joined.facts[place] = {**joined.facts.get(place, {}), **facts}
        joined.boxes |= source.boxes
    return joined


def _record_here(path: str) -> PictureRecord:
    """Return the record of a picture that was embedded elsewhere, with its content where it is on this machine."""
    try:
        return PictureRecord(path, None, file_state(path), content_sha256(path))
    except OSError:
        return PictureRecord(path)


def _checked_vectors(vectors: npt.NDArray[Any], paths: Sequence[str]) -> npt.NDArray[np.float32]:
    if not np.issubdtype(vectors.dtype, np.floating):
        raise GalleryError(f"embeddings are floating-point numbers, got {vectors.dtype}")
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    wrong = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if len(wrong):
        raise GalleryError(f"the embedding of {paths[int(wrong[0])]} is not finite, or zero; embed that picture again")
    return unit_vectors(vectors.astype(np.float32), "the pictures")


def _together(reports: Sequence[AddReport]) -> AddReport:
    whole = AddReport()
    for report in reports:
        for name, value in vars(report).items():
            own = getattr(whole, name)
            setattr(whole, name, {**own, **value} if isinstance(own, dict) else own + value)
    return whole
