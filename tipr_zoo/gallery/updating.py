"""Bringing a gallery up to a folder: only what is new or changed by content is embedded, and what is gone goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tipr_zoo.errors import DataError
from tipr_zoo.gallery.fact_tables import KnownFacts
from tipr_zoo.gallery.picture_contents import Crops, ReadFile, file_state, is_unchanged, read_files
from tipr_zoo.gallery.picture_embedding import EmbeddedBatch, EmbeddingSettings, batches_of, embedded_batches
from tipr_zoo.gallery.records import Box, PictureRecord, record_of
from tipr_zoo.gallery.reports import AddReport
from tipr_zoo.gallery.stored_vectors import stored_vectors
from tipr_zoo.pictures.shapes import is_of_a_person
from tipr_zoo.protocols import Retriever
from tipr_zoo.protocols.engines import Engine
from tipr_zoo.terminal.progress_bar import ProgressBar

Place = tuple[str, Box | None]
"""A picture's absolute path, and the box in it; None for the whole."""

_COPIED_AT_ONCE = 1000
"""Rows that take the vector of another one."""


@dataclass
class Wanted:
    """What a gallery is to hold of a folder.

    Attributes:
        paths: Absolute paths of its pictures.
        boxes: The boxes in each picture; a picture that is not there is wanted as a whole, or as it was.
        has_boxes: Whether boxes were given, so that those of before go.
        facts: What is known of the pictures.
        has_facts: Whether facts were given, so that those of before are replaced.
        gone: Absolute paths of pictures of before that are not there any more.
    """

    paths: list[str]
    boxes: Mapping[str, Sequence[Box]] = field(default_factory=dict)
    has_boxes: bool = False
    facts: KnownFacts = field(default_factory=KnownFacts)
    has_facts: bool = False
    gone: Iterable[str] = ()


class Update:
    """One update of a gallery.

    What is known so far is read once. Every batch is kept before the next is begun; so an end at any moment costs the
    batch at hand, and the next update goes on from there.

    Args:
        engine: Keeps the gallery.
        model: Gives the model that embeds pictures; it is asked for where there is one to embed.
        settings: How they are embedded.
        report: Told what was done.
    """

    def __init__(
        self, engine: Engine, model: Callable[[], Retriever], settings: EmbeddingSettings, report: AddReport
    ) -> None:
        self._engine, self._model, self._settings, self._report = engine, model, settings, report
        self.known: dict[str, dict[Box | None, PictureRecord]] = {}
        self._contents: dict[tuple[str, Box | None], str] = {}
        self._shapes: dict[str, tuple[int, int] | None] = {}
        self._unlike: set[Path] = set()
        for row in engine.rows():
            record = record_of(row)
            self.known.setdefault(record.path, {})[record.box] = record
            self._shapes[row.key] = record.shape  # the record's own key is its hash, which takes time
            if record.content:
                self._contents.setdefault((record.content, record.box), row.key)

    def run(self, wanted: Wanted) -> None:
        """Bring the gallery up.

        Args:
            wanted: What it is to hold.

        Raises:
            TiprZooError: A row cannot be kept, or the model fails.
        """
        surely, to_read = self._sorted_out(wanted)
        self._report.unchanged += len(surely)
        self._note_shapes(surely)
        self._change_facts(surely, wanted)
        gone = [key for path in wanted.gone for key in self._keys(path)]
        with self._bar(len(to_read), "reading") as bar:
            read = read_files(list(to_read), bar.update)
        copies: list[tuple[PictureRecord, str]] = []
        new: dict[tuple[str, Box | None], list[PictureRecord]] = {}
        for (path, boxes), found in zip(to_read.items(), read, strict=True):
            if isinstance(found, DataError):
                self._report.unreadable[Path(path)] = str(found)
                gone += self._keys(path)
                continue
            for box in boxes:
                self._deal(self._record(path, box, found, wanted), copies, new)
        self._copy(copies)
        gone += self._embed(new)
        gone += self._other_boxes(wanted)
        self._report.removed += sum(self._engine.delete(gone[part]) for part in batches_of(len(gone), _COPIED_AT_ONCE))
        self._report.unlike_persons = sorted(self._unlike)
        self._engine.flush()

    def _bar(self, total: int, what: str) -> ProgressBar:
        return ProgressBar(total=total, desc=what, unit="picture", disable=not self._settings.progress)

    def _keys(self, path: str) -> list[str]:
        return [record.key for record in self.known.get(path, {}).values()]

    def _boxes(self, path: str, wanted: Wanted) -> list[Box | None]:
        """Return the boxes to hold of a picture."""
        if path in wanted.boxes:
            return list(wanted.boxes[path])
        return [None] if wanted.has_boxes or path not in self.known else list(self.known[path])

    def _sorted_out(self, wanted: Wanted) -> tuple[list[PictureRecord], dict[str, list[Box | None]]]:
        """Return what is surely as it was, and the paths to read with their boxes."""
        surely: list[PictureRecord] = []
        to_read: dict[str, list[Box | None]] = {}
        for path in wanted.paths:
            boxes, known = self._boxes(path, wanted), self.known.get(path, {})
            self._report.found += len(boxes)
            try:
                state = file_state(path)
            except OSError:
                to_read[path] = boxes  # which says what is wrong
                continue
            rest = [box for box in boxes if box not in known or not is_unchanged(known[box].state, state)]
            surely += [known[box] for box in boxes if box not in rest]
            if rest:
                to_read[path] = rest
        return surely, to_read

    def _record(self, path: str, box: Box | None, found: ReadFile, wanted: Wanted) -> PictureRecord:
        old = self.known.get(path, {}).get(box)
        facts = wanted.facts.of(path, box) if wanted.has_facts or old is None else old.facts
        shape = old.shape if old is not None and old.content == found.content else None
        return PictureRecord(path, box, found.state, found.content, shape, dict(facts))

    def _deal(
        self,
        record: PictureRecord,
        copies: list[tuple[PictureRecord, str]],
        new: dict[tuple[str, Box | None], list[PictureRecord]],
    ) -> None:
        """Find out where the vector of a picture that was read comes from."""
        old = self.known.get(record.path, {}).get(record.box)
        content = (record.content, record.box)
        if old is not None and old.content == record.content:
            self._report.unchanged += 1
            self._report.changed_facts += old.facts != record.facts
            copies.append((record, record.key))
        elif content in self._contents:
            self._report.copies += 1
            copies.append((record, self._contents[content]))
        else:
            new.setdefault(content, []).append(record)

    def _change_facts(self, records: Sequence[PictureRecord], wanted: Wanted) -> None:
        if not wanted.has_facts:
            return
        changed = [
            record.with_facts(facts)
            for record in records
            if (facts := wanted.facts.of(record.path, record.box)) != record.facts
        ]
        self._report.changed_facts += len(changed)
        self._copy([(record, record.key) for record in changed])

    def _copy(self, copies: Sequence[tuple[PictureRecord, str]]) -> None:
        """Write rows with the vectors of rows that are there."""
        # What gets another vector itself, as where two files were swapped, must give its own before.
        changing = {record.key for record, source in copies if record.key != source}
        held = sorted({source for _, source in copies if source in changing})
        vector_of = dict(zip(held, stored_vectors(self._engine, held), strict=True)) if held else {}
        for part in batches_of(len(copies), _COPIED_AT_ONCE):
            own = copies[part]
            vectors = stored_vectors(self._engine, [source for _, source in own])
            for place, (_, source) in enumerate(own):
                vectors[place] = vector_of.get(source, vectors[place])
            records = [replace(record, shape=record.shape or self._shapes.get(source)) for record, source in own]
            self._engine.add([record.row() for record in records], vectors)
            self._note_shapes(records)

    def _embed(self, new: Mapping[tuple[str, Box | None], list[PictureRecord]]) -> list[str]:
        """Embed each new content once, and keep it batch by batch. Return the keys of what is no picture."""
        groups, gone = list(new.values()), []
        if not groups:
            return []
        crops = Crops([(group[0].path, group[0].box) for group in groups], self._model())
        with self._bar(len(groups), "embedding") as bar:
            for batch in embedded_batches(crops, self._settings):
                self._keep(batch, groups)
                for number, error in batch.errors.items():
                    first = groups[number][0].path
                    for record in groups[number]:
                        copy = "" if record.path == first else f"{record.path} is an exact copy: "
                        self._report.unreadable[Path(record.path)] = f"{copy}{error}"
                        gone += [record.key] if record.box in self.known.get(record.path, {}) else []
                bar.update(len(batch.numbers))
        return gone

    def _keep(self, batch: EmbeddedBatch, groups: Sequence[list[PictureRecord]]) -> None:
        """Write the rows of a batch, those of exact copies among them."""
        records, sources = [], []
        read = [(number, crop) for number, crop in zip(batch.numbers, batch.crops, strict=True) if crop is not None]
        for place, (number, crop) in enumerate(read):
            group = groups[number]
            if crop.content != group[0].content:  # it was replaced since it was hashed, and its copies were not
                group = [replace(group[0], content=crop.content, state=None)]
                self._report.remarks.append(
                    f"{group[0].path} was changed while it was read; run gallery refresh once more"
                )
            records += [replace(record, shape=crop.shape) for record in group]
            sources += [place] * len(group)
            self._report.embedded += 1
            self._report.copies += len(group) - 1
        if records:
            self._engine.add([record.row() for record in records], np.ascontiguousarray(batch.vectors[sources]))
            self._note_shapes(records)

    def _note_shapes(self, records: Iterable[PictureRecord]) -> None:
        """Note whole pictures that have not the shape of a person's."""
        self._unlike |= {
            Path(record.path)
            for record in records
            if record.box is None and record.shape is not None and not is_of_a_person(*record.shape)
        }

    def _other_boxes(self, wanted: Wanted) -> list[str]:
        """Return the keys of boxes that are not wanted any more."""
        if not wanted.has_boxes:
            return []
        return [
            record.key
            for path in wanted.paths
            for box, record in self.known.get(path, {}).items()
            if box not in self._boxes(path, wanted)
        ]
