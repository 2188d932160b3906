"""The figures of a card (``model-index``) or a reference, each with its source.

The source decides the kind of a figure. A source beside the card is an evaluation record of ``tipr-zoo eval``: the
figure is *measured*. A source on the web is a publication. The figure is *reproduced* where ``method.reproduced_in``
names that source: it prints figures of its own training. Otherwise the figure is *reported*.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tipr_zoo.cards.method_facts import MethodFacts
from tipr_zoo.cards.record import METRICS, TEXT_TO_IMAGE, Record, read_record
from tipr_zoo.cards.schema import DatasetBlock, IndexEntry, MetricBlock, ResultBlock, is_path
from tipr_zoo.errors import RecordError
from tipr_zoo.schemas.problems import UNKNOWN, Problems

if TYPE_CHECKING:
    from tipr_zoo.cards.reference_schema import PublishedResultBlock

ORIGINS = ("reported", "reproduced", "measured")
"""Kinds of figures: printed by the authors; printed by others who trained the method again; in an evaluation record."""

_RANKS = ("R1", "R5", "R10")
"""Metrics of which a later one is never below an earlier one."""

_ROUNDING = 0.005 + 1e-9  # for figures of two digits; in binary, 80.125 and 80.12 are more than 0.005 apart


@dataclass(frozen=True)
class Result:
    """Figures of one model on one split of one data set, from one source.

    Attributes:
        model: Name of the model.
        dataset: Name of the data set, e.g. ``"CUHK-PEDES"``.
        split: The split, e.g. ``"test"``.
        dataset_arguments: Further arguments that identify the data, e.g. ``{"seed": 0}`` of SynthPEDES.
        metrics: Figures in percent by metric, in the order of `METRICS`.
        source_name: The source in words: a paper's table, a README, or the command that measured.
        source_url: The web address of the source, or the path of an evaluation record beside the card.
        origin: One of `ORIGINS`.
        record: The evaluation record of a measured result. None for other results.
        selected_on: The split on which the epoch was chosen. The evaluation record says it, or for reported figures
            the card. None where it is not known, as for reproduced figures.
        vectors: How many vectors a side has: the similarity is the mean of as many cosines. The evaluation record or
            the ``method:`` block says it. None where it is not known.
        rerank: How many pictures of each caption are ranked again, 0 for none, from there as well.
        rerank_rest: The order of the others, one of `tipr_zoo.cards.record.RERANK_RESTS`, where the record says it.
        secondary: Whether the figures come from a third party's page, which says that it read them in the source.
        remark: What must be known of these figures.
    """

    model: str
    dataset: str
    split: str
    dataset_arguments: dict[str, Any]
    metrics: dict[str, float]
    source_name: str
    source_url: str
    origin: str
    record: Record | None = None
    selected_on: str | None = None
    vectors: int | None = None
    rerank: int | None = None
    rerank_rest: str | None = None
    secondary: bool = False
    remark: str | None = None


class ResultReader:
    """Makes results from the entries of a file, and finds the entries that make no sense.

    Args:
        model: Name of the model, or the name of a reference's rows.
        method: Its ``method:`` block.
        path: The file.
        problems: The problems of the file so far. New ones are added. A field with a problem gets no second one. A
            result with a problem is not made.
    """

    def __init__(self, model: str, method: MethodFacts, path: Path, problems: Problems) -> None:
        self.model, self.method, self.path, self.problems = model, method, path, problems
        self._sources: set[str] = set()

    def of_index(self, index: Sequence[IndexEntry]) -> tuple[Result, ...]:
        """Return the results of a card's ``model-index``. It must name no other model."""
        results: list[Result] = []
        for number, entry in enumerate(index):
            place = f"model-index[{number}]"
            if entry.name != self.model and not self.problems.are_within(f"{place}.name"):
                self.problems.add(place, "name", f"'name' must be the card's name {self.model!r}, got {entry.name!r}")
            results += self._of(entry.results, f"{place}.results")
        self._check_reproductions("model-index")
        return tuple(results)

    def of_reference(self, blocks: Sequence[PublishedResultBlock]) -> tuple[Result, ...]:
        """Return the results of a reference. None of them is measured."""
        results = self._of(blocks, "results")
        self._check_reproductions("results")
        return tuple(results)

    def _of(self, blocks: Sequence[ResultBlock | PublishedResultBlock], place: str) -> list[Result]:
        """Return the results of a list that have no problem."""
        results = [self._result(block, f"{place}[{number}]") for number, block in enumerate(blocks)]
        self._check_repeated(results, place)
        return [result for number, result in enumerate(results) if not self.problems.are_within(f"{place}[{number}]")]

    def _check_repeated(self, results: Sequence[Result], place: str) -> None:
        """Add a problem for each result that stands for the same data and source as one before it."""
        seen: dict[str, int] = {}
        for number, result in enumerate(results):
            if not result.source_url or self.problems.are_within(f"{place}[{number}]"):
                continue
            thing = json.dumps([result.dataset, result.split, result.dataset_arguments, result.source_url])
            if (first := seen.setdefault(thing, number)) != number:
                told = f"the same data and source as {place}[{first}]; join the two, or name the right source"
                self.problems.add(f"{place}[{number}]", None, told)

    def _result(self, block: ResultBlock | PublishedResultBlock, place: str) -> Result:
        """Make one result. It is right only where no problem is added."""
        url = block.source.url or ""
        self._sources.add(url)
        origin = "measured" if url and is_path(url) else "reported"
        if url in self.method.reproduced_in:
            origin = "reproduced"
        metrics = self._metrics(block.metrics, place)
        record = self._record(block, metrics, place) if origin == "measured" else None
        selected_on = self.method.selected_on if origin == "reported" else record.selected_on if record else None
        return Result(
            model=self.model,
            dataset=block.dataset.name,
            split=block.dataset.split,
            dataset_arguments=dict(block.dataset.args or {}),
            metrics=metrics,
            source_name=block.source.name,
            source_url=url,
            origin=origin,
            record=record,
            selected_on=selected_on,
            vectors=(record.vectors if record else None) or self.method.vectors,
            rerank=self.method.rerank if record is None else record.rerank or 0,
            rerank_rest=record.rerank_rest if record else None,
            secondary=bool(getattr(block.source, "secondary", False)),
            remark=getattr(block.source, "remark", None),
        )

    def _metrics(self, blocks: Sequence[MetricBlock], place: str) -> dict[str, float]:
        """Return the figures of one result, in the order of `METRICS`."""
        metrics: dict[str, float] = {}
        for number, block in enumerate(blocks):
            here, name = f"{place}.metrics[{number}]", block.type
            if name in metrics:
                self.problems.add(here, None, f"{name} is given twice")
            elif name and not 0.0 <= block.value <= 100.0:
                self.problems.add(here, None, f"{name} is a percentage, got {block.value}")
            if name and (name not in metrics) and not self.problems.are_within(here):
                metrics[name] = block.value
        if not blocks and not self.problems.are_within(f"{place}.metrics"):
            self.problems.add(place, "metrics", "'metrics' is empty")
        for fewer, more in pairwise(metric for metric in _RANKS if metric in metrics):
            if metrics[more] < metrics[fewer]:
                told = f"{more} ({metrics[more]}) is below {fewer} ({metrics[fewer]}), which cannot be; see the source"
                self.problems.add(place, "metrics", told)
        return {name: metrics[name] for name in METRICS if name in metrics}

    def _check_reproductions(self, place: str) -> None:
        """Add a problem for each address of ``reproduced_in`` that no figure comes from."""
        if not self.problems.are_within(place):
            for url in sorted(set(self.method.reproduced_in) - self._sources):
                self.problems.add("", None, f"method.reproduced_in: no result has its source at {url}")

    def _record(
        self, block: ResultBlock | PublishedResultBlock, metrics: dict[str, float], place: str
    ) -> Record | None:
        """Read the evaluation record that a measured result names as its source. The two must say the same."""
        url, source = str(block.source.url), f"{place}.source"
        try:
            record = read_record(self.path.parent / url, of_card=True)
        except RecordError as error:
            self.problems.add(source, None, str(error))
            return None
        if record.direction != TEXT_TO_IMAGE:
            self.problems.add(source, None, f"record {url} is {record.direction}, a card's figures are {TEXT_TO_IMAGE}")
        if record.part is not None:
            told = f"record {url} is of the part {record.part!r} alone, a card's figures are the whole model's"
            self.problems.add(source, None, told)
        if record.postprocess is not None:
            told = (
                f"record {url} is post-processed by {', '.join(record.postprocess)}, a card's figures are the model's"
            )
            self.problems.add(source, None, told)
        for name, value in {"model": self.model, **self._said_of_data(block.dataset, f"{place}.dataset")}.items():
            if value != (measured := getattr(record, name)):
                self.problems.add(source, None, f"{name} is {value!r} on the card and {measured!r} in its record {url}")
        for name, figure in metrics.items():
            if abs(record.metrics[name] - figure) > _ROUNDING:
                self.problems.add(
                    source, None, f"{name} is {figure} on the card and {record.metrics[name]} in its record {url}"
                )
        return record

    def _said_of_data(self, block: DatasetBlock, place: str) -> dict[str, object]:
        """Return what a ``dataset:`` block says, by the names of a record, without the fields that have a problem.

        Where a field is unknown, it may be a misspelt one. Then a field that the block leaves out is no sure one.
        """
        keys = {"dataset": "name", "split": "split", "dataset_arguments": "args"}
        said = {"dataset": block.name, "split": block.split, "dataset_arguments": dict(block.args or {})}
        if any(problem.where == place for problem in self.problems):  # the whole block
            return {}
        is_misspelt = any(problem.place == place and problem.kind == UNKNOWN for problem in self.problems)
        return {
            name: value
            for name, value in said.items()
            if not self.problems.are_within(f"{place}.{keys[name]}") and (value or not is_misspelt)
        }
