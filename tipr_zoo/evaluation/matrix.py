"""The cross-data-set table: several models, each measured on several data sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tipr_zoo.cards.record import TEXT_TO_IMAGE, Record
from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.arguments import dataset_arguments
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import TiprZooError, error_line
from tipr_zoo.evaluation.loaded_model import LoadedModel, load_of_card
from tipr_zoo.evaluation.measuring import Outcome, measure
from tipr_zoo.evaluation.postprocessing import parse_steps
from tipr_zoo.evaluation.reranking import Reranking
from tipr_zoo.models.lookup import load_card
from tipr_zoo.terminal.published_paths import told_apart

FAILURES = (TiprZooError, OSError, torch.OutOfMemoryError)
"""The errors that cost a cell, and not the whole table."""


@dataclass(frozen=True)
class MatrixRow:
    """One model.

    Attributes:
        model: Its name.
        weights: The weights that were named for it, or None for those of its card.
        trained_on: The data set that the weights were trained on; None where nothing says so, or nothing was loaded.
        selected_on: What their epoch was chosen on; see `tipr_zoo.cards.record.Record`.
    """

    model: str
    weights: Path | None
    trained_on: str | None
    selected_on: str | None


@dataclass(frozen=True)
class MatrixColumn:
    """One data set.

    Attributes:
        folder: The folder that was named.
        label: The data set's name, with what else identifies it; the folder where it cannot be opened.
        dataset: The split, or what is wrong with it.
    """

    folder: Path
    label: str
    dataset: PersonDataset | str


@dataclass(frozen=True)
class MatrixCell:
    """One model on one data set: its evaluation records by direction, or why there are none."""

    records: dict[str, Record]
    problem: str | None


@dataclass(frozen=True)
class EvaluationMatrix:
    """The table: `cells` has one list a row, with one cell a column."""

    rows: list[MatrixRow]
    columns: list[MatrixColumn]
    cells: list[list[MatrixCell]]

    @property
    def problems(self) -> list[str]:
        """What is wrong with the failed cells, each problem once, in the order of the cells."""
        return list(dict.fromkeys(cell.problem for row in self.cells for cell in row if cell.problem is not None))


def open_columns(folders: Sequence[Path], name: str | None = None, split: str = "test") -> list[MatrixColumn]:
    """Open one split of several data sets.

    Args:
        folders: Their folders.
        name: Which data set they hold; None recognises each by its files.
        split: The split.

    Returns:
        Columns with different labels.
    """
    opened = [_open(folder, name, split) for folder in folders]
    shared, places = Counter(label for label, _ in opened), told_apart(folders)

    def told(folder: Path, label: str) -> str:
        return label if label and shared[label] == 1 else f"{label} ({places[folder]})" if label else places[folder]

    return [
        MatrixColumn(folder, told(folder, label), dataset)
        for folder, (label, dataset) in zip(folders, opened, strict=True)
    ]


def evaluate_matrix(
    models: Sequence[tuple[str, Path | None]],
    columns: Sequence[MatrixColumn],
    *,
    device: torch.device,
    directions: Sequence[str] = (TEXT_TO_IMAGE,),
    overrides: Mapping[str, Any] | None = None,
    num_workers: int = 0,
    progress: bool = False,
    use_cache: bool = False,
    rerank: int | None = None,
    rerank_rest: str | None = None,
    postprocess: Sequence[str] = (),
    on_outcome: Callable[[MatrixColumn, Outcome], None] = lambda column, outcome: None,
) -> EvaluationMatrix:
    """Measure every model on every data set. A cell that fails does not stop the others.

    Args:
        models: Names, each with the weights to use instead of its card's, or None.
        columns: From `open_columns`.
        device: Where to run.
        directions: Some of `tipr_zoo.cards.record.DIRECTIONS`.
        overrides: Entries of every recipe to change, by dotted name.
        num_workers: Processes that decode pictures beside this one.
        progress: Whether to show progress bars on stderr.
        use_cache: Whether to take embeddings from the cache folder, and to keep them there.
        rerank: How many of each caption's best pictures are ranked again, 0 for none; None for what each recipe says.
        rerank_rest: The order of the others, one of `tipr_zoo.cards.record.RERANK_RESTS`; None for what each recipe
            says.
        postprocess: Steps that change the first stage; see `tipr_zoo.evaluation.postprocessing`.
        on_outcome: Told of each evaluation as soon as it is there.

    Raises:
        UnknownNameError: There is no such model; nothing was measured.
        ConfigError: `rerank` or a step makes no sense.
    """
    Reranking(rerank or 0)  # says at once what is wrong with it
    steps = parse_steps(postprocess)
    cards = {name: load_card(name) for name in dict.fromkeys(name for name, _ in models)}

    def measure_cell(loaded: LoadedModel, column: MatrixColumn) -> MatrixCell:
        if isinstance(column.dataset, str):
            return MatrixCell({}, column.dataset)
        try:
            outcomes = measure(loaded, column.dataset, directions, num_workers, progress, use_cache)
            for outcome in outcomes:
                on_outcome(column, outcome)
        except FAILURES as error:
            return MatrixCell({}, error_line(error))
        return MatrixCell({outcome.record.direction: outcome.record for outcome in outcomes}, None)

    def measure_row(name: str, weights: Path | None) -> tuple[MatrixRow, list[MatrixCell]]:
        try:
            loaded = load_of_card(cards[name], name, weights, device, overrides)
            loaded = replace(loaded.with_reranking(rerank, rerank_rest, directions), postprocess=steps)
        except FAILURES as error:
            return MatrixRow(name, weights, None, None), [MatrixCell({}, error_line(error)) for _ in columns]
        row = MatrixRow(name, weights, loaded.trained_on, loaded.selected_on)
        return row, [measure_cell(loaded, column) for column in columns]

    measured = [measure_row(name, weights) for name, weights in models]
    return EvaluationMatrix([row for row, _ in measured], list(columns), [cells for _, cells in measured])


def _open(folder: Path, name: str | None, split: str) -> tuple[str, PersonDataset | str]:
    """Open a split. Return a label and the split, or no label and what is wrong with it."""
    try:
        dataset = open_dataset(folder, name, split)
        arguments = [f"{key} {value}" for key, value in dataset_arguments(dataset).items()]
    except FAILURES as error:
        return "", error_line(error)
    return " ".join([dataset.name, ", ".join(arguments)]).strip(), dataset
