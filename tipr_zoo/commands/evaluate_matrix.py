"""``tipr-zoo eval --matrix``: every model on every data set, in one table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

from tipr_zoo.cards.record import TEXT_TO_IMAGE, ranking_words
from tipr_zoo.commands.evaluation_options import directions_of, write_records
from tipr_zoo.commands.options import parse_option
from tipr_zoo.display.selection_mark import TEST_SELECTION_LEGEND, marked
from tipr_zoo.display.tables import Best, Cell, Note, render_table, terminal_width, to_json
from tipr_zoo.distributed import is_main_process
from tipr_zoo.errors import ConfigError
from tipr_zoo.evaluation.matrix import (
    EvaluationMatrix,
    MatrixCell,
    MatrixColumn,
    MatrixRow,
    evaluate_matrix,
    open_columns,
)
from tipr_zoo.evaluation.measuring import Outcome
from tipr_zoo.terminal.cells import filled
from tipr_zoo.terminal.published_paths import published_path, published_text, told_apart
from tipr_zoo.terminal.streams import write_document


def run_matrix(arguments: argparse.Namespace, device: torch.device) -> int:
    """Measure all cells, then print the table.

    Args:
        arguments: The options of the command.
        device: The device to run on.

    Returns:
        1 where a cell failed, else 0.
    """
    metric, directions = arguments.metric or "R1", directions_of(arguments)

    def on_outcome(column: MatrixColumn, outcome: Outcome) -> None:
        if not is_main_process():
            return
        record = outcome.record
        print(f"{record.model} on {column.label}: {metric} {record.metrics[metric]:.2f}", file=sys.stderr)
        write_records([outcome], arguments.records)

    matrix = evaluate_matrix(
        [_model_and_weights(name) for name in arguments.names],
        open_columns(arguments.data, arguments.dataset, arguments.split),
        device=device,
        directions=directions,
        overrides=dict(parse_option(option) for option in arguments.cfg_options),
        num_workers=arguments.workers,
        progress=is_main_process(),
        use_cache=not arguments.no_cache,
        rerank=arguments.rerank,
        rerank_rest=arguments.rerank_rest,
        postprocess=arguments.postprocess,
        on_outcome=on_outcome,
    )
    if is_main_process():
        _print_matrix(matrix, metric, arguments)
    return 1 if matrix.problems else 0


def _print_matrix(matrix: EvaluationMatrix, metric: str, arguments: argparse.Namespace) -> None:
    directions = directions_of(arguments)
    if arguments.format == "json":
        write_document(to_json(_as_json(matrix, metric)))
        _tell_problems(matrix)
    elif arguments.format == "csv":
        columns = ["direction", "selected on", "model", "trained on", *(column.label for column in matrix.columns)]
        cells = [
            [direction, row.selected_on, _label(matrix, row), row.trained_on, *figures]
            for direction in directions
            for row, figures in zip(matrix.rows, _figures(matrix, metric, direction), strict=True)
        ]
        ranking = [words for direction in directions for words in _ranking(matrix, direction)]
        if any(ranking):
            columns = ["ranking", *columns]
            cells = [[words, *row] for words, row in zip(ranking, cells, strict=True)]
        write_document(render_table(columns, cells, "csv"))
        _tell_problems(matrix)
    else:
        sections = [_section(matrix, metric, direction, arguments) for direction in directions]
        print("\n\n".join(sections) + _legend(matrix, arguments.format))
        if arguments.format == "markdown":
            _tell_problems(matrix)


def _tell_problems(matrix: EvaluationMatrix) -> None:
    """Say on stderr what failed, with whole paths, which a table for other people leaves out."""
    for problem in matrix.problems:
        print(f"failed: {problem}", file=sys.stderr)


def _model_and_weights(word: str) -> tuple[str, Path | None]:
    """Split ``NAME`` or ``NAME=FILE``."""
    name, equals, file = word.partition("=")
    if equals and not file:
        raise ConfigError(f"{word} names no weights; write {name}=FILE, or {name} for those of its card")
    return name, Path(file) if equals else None


def _section(matrix: EvaluationMatrix, metric: str, direction: str, arguments: argparse.Namespace) -> str:
    """Return a title and the table of one direction, with a row for each model and a column for each data set."""
    title = ", ".join([metric, arguments.split, *([direction] if direction != TEXT_TO_IMAGE else [])])
    cells: list[list[Cell]] = [
        [marked(_label(matrix, row), row.selected_on), row.trained_on, *figures]
        for row, figures in zip(matrix.rows, _figures(matrix, metric, direction), strict=True)
    ]
    columns = ["model", "trained on", *(column.label for column in matrix.columns)]
    if any(ranking := _ranking(matrix, direction)):
        columns.insert(1, "ranking")
        for row, words in zip(cells, ranking, strict=True):
            row.insert(1, words)
    table = render_table(columns, cells, arguments.format, width=terminal_width())
    return f"### {title}\n\n{table}" if arguments.format == "markdown" else f"{title}\n\n{table}"


def _figures(matrix: EvaluationMatrix, metric: str, direction: str) -> list[list[Cell]]:
    """Return a list for each model: its metric on every data set, or the number of the problem there."""
    numbers = {problem: number for number, problem in enumerate(matrix.problems, start=1)}
    values = [
        [record.metrics[metric] for cell in column if (record := cell.records.get(direction))]
        for column in zip(*matrix.cells, strict=True)
    ]

    def figure(cell: MatrixCell, in_column: list[float]) -> Cell:
        if cell.problem is not None:
            return Note(f"[{numbers[cell.problem]}]")
        value = cell.records[direction].metrics[metric]
        is_best = len(in_column) > 1 and round(value, 2) >= round(max(in_column), 2)
        return Best(value) if is_best else value

    return [[figure(*each) for each in zip(cells, values, strict=True)] for cells in matrix.cells]


def _ranking(matrix: EvaluationMatrix, direction: str) -> list[str]:
    """Say of each model how it ranks, where that is not by the plain first stage. A small gallery has fewer to rank."""
    records = [[cell.records[direction] for cell in cells if direction in cell.records] for cells in matrix.cells]
    return [" or ".join(dict.fromkeys("; ".join(ranking_words(each)) for each in of_row)) for of_row in records]


def _label(matrix: EvaluationMatrix, row: MatrixRow) -> str:
    """Return the model with its weights file. Where another file has the same name, add the folder."""
    if row.weights is None:
        return row.model
    own = row.weights
    same_name = [other.weights for other in matrix.rows if other.weights and other.weights.name == own.name]
    label = told_apart(same_name)[own] if len({path.absolute() for path in same_name}) > 1 else own.name
    return f"{row.model} ({label})"


def _legend(matrix: EvaluationMatrix, format: str) -> str:
    """Return the meanings of the marks, and the problems."""
    width = terminal_width() if format == "text" else None
    lines = ["* best of its column; all figures in percent"] if format == "text" else []
    if any(row.selected_on == "test" for row in matrix.rows):
        lines.append(TEST_SELECTION_LEGEND)
    for number, problem in enumerate(matrix.problems, start=1):
        line = f"[{number}] {problem if format == 'text' else _published(matrix, problem)}"
        lines.append(filled(line, width, next_indent="    ") if width else line)
    return "\n\n".join(["", *lines]) if format == "markdown" else "\n".join(["", "", *lines])


def _published(matrix: EvaluationMatrix, problem: str) -> str:
    """Return a problem without the folders of this machine."""
    weights = [row.weights for row in matrix.rows if row.weights]
    return published_text(problem, [*weights, *(column.folder for column in matrix.columns)])


def _as_json(matrix: EvaluationMatrix, metric: str) -> dict[str, Any]:
    """Return everything, with the whole evaluation record of every cell."""
    return {
        "metric": metric,
        "rows": [
            {
                "model": row.model,
                "weights": published_path(row.weights) if row.weights else None,
                "trained_on": row.trained_on,
                "selected_on": row.selected_on,
                "cells": [
                    {
                        "data": published_path(column.folder),
                        "dataset": column.label,
                        "values": {direction: record.metrics[metric] for direction, record in cell.records.items()},
                        "problem": _published(matrix, cell.problem) if cell.problem else None,
                        "records": [record.values() for record in cell.records.values()],
                    }
                    for column, cell in zip(matrix.columns, cells, strict=True)
                ],
            }
            for row, cells in zip(matrix.rows, matrix.cells, strict=True)
        ],
    }
