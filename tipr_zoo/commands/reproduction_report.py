"""The report of `tipr-zoo reproduce`, in every format. No path in it says where on this machine a file lies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from tipr_zoo.display.tables import Cell, render_table, terminal_width, to_json
from tipr_zoo.reproduction.figure_comparison import NO_SPREAD, RULE, Comparison
from tipr_zoo.reproduction.reproduction import Reproduction
from tipr_zoo.reproduction.seed_figures import NO_SPREAD as NO_INTERVAL
from tipr_zoo.reproduction.seed_figures import RULE as INTERVAL_RULE
from tipr_zoo.reproduction.seed_figures import SeedFigures
from tipr_zoo.terminal.cells import filled
from tipr_zoo.terminal.published_paths import published_path, published_text


def reproduction_report(reproduction: Reproduction, format: str) -> str:
    """Return what was trained, the figures, and what they mean.

    Args:
        reproduction: What `tipr_zoo.reproduction.reproduction.reproduce` gives.
        format: One of `tipr_zoo.display.tables.FORMATS`. CSV has the figures alone.
    """
    if format == "json":
        values = asdict(replace(reproduction, queries=()))  # they are many, and --records keeps them
        values.pop("queries")
        return to_json(_plain({"reproduced": reproduction.is_reproduced, **values}))
    if format == "csv":
        return _csv(reproduction)
    titles = "### " * (format == "markdown")
    parts = [*_parts(reproduction.comparisons, _table, titles, format)]
    parts += _parts(reproduction.unjudged, _unjudged_table, titles, format)
    width = terminal_width() if format == "text" else None
    legend = [filled(line, width) if width else line for line in _legend(reproduction)]
    return "\n\n".join([_heading(reproduction), *parts, *legend])


def _heading(reproduction: Reproduction) -> str:
    """Return what was trained, and how it differs from the card's recipe."""
    seeds = [str(training.seed) for training in reproduction.trainings]
    start = published_path(reproduction.started_from) if reproduction.started_from else "random weights"
    numbers = f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(seeds)}"
    lines = [f"{reproduction.model}, {numbers}: from {start}, {_chosen(reproduction)}"]
    lines += [f"recipe changed: {published_text(change)}" for change in reproduction.recipe_changes]
    lines += [f"other training data than the recipe's: {change}" for change in reproduction.data_changes]
    lines += [
        f"stopped early: seed {training.seed}, after {training.epochs} of {training.max_epochs} epochs"
        for training in reproduction.trainings
        if training.epochs < training.max_epochs
    ]
    return "\n".join(lines)


def _chosen(reproduction: Reproduction) -> str:
    """Return how the epochs were chosen here."""
    split = reproduction.selected_on
    return "the last epochs kept" if split == "none" else f"epochs chosen on the {split} split"


def _parts(figures: Sequence[Any], table: Callable[[Sequence[Any], str], str], titles: str, format: str) -> list[str]:
    """Return a title and a table for each split of each data set."""
    groups = [(title, list(group)) for title, group in groupby(figures, _title)]
    return [part for title, group in groups for part in (titles + title, table(group, format))]


def _title(figures: Comparison | SeedFigures) -> str:
    arguments = (f"{name} {value}" for name, value in sorted(figures.dataset_arguments.items()))
    reranked = [f"re-ranks {figures.rerank}"] if figures.rerank else []
    return ", ".join([figures.dataset, figures.split, *arguments, *reranked])


def _table(comparisons: Sequence[Comparison], format: str) -> str:
    """Return the table of figures on one split of one data set."""
    rows: list[list[Cell]] = []
    for comparison in comparisons:
        spread = "" if comparison.spread is None else f" ± {comparison.spread:.2f}"
        difference = round(comparison.difference, 2) + 0.0  # no -0.00
        here: list[Cell] = [f"{comparison.mean:.2f}{spread}", f"{difference:+.2f}", comparison.allowed]
        card: list[Cell] = [comparison.metric, comparison.figure, comparison.origin]
        rows.append([*card, *here, comparison.verdict, comparison.source])
    columns = ["metric", "card", "origin", "here", "difference", "allowed", "verdict", "source"]
    return render_table(columns, rows, format, width=terminal_width())


def _unjudged_table(figures: Sequence[SeedFigures], format: str) -> str:
    """Return the table of one split that the card has no figures on. One seed has no deviation and no interval."""
    rows: list[list[Cell]] = [
        [
            each.metric,
            each.mean,
            *([] if each.spread is None else [each.spread]),
            *(["{:.2f} to {:.2f}".format(*each.interval)] if each.interval else []),
        ]
        for each in figures
    ]
    of_several = ["mean", "deviation", "95 % interval"]
    columns = ["metric", *(of_several if figures[0].interval else ["here"])]
    return render_table(columns, rows, format, width=terminal_width())


def _legend(reproduction: Reproduction) -> list[str]:
    """Return the rule of the verdicts, the meaning of the figures, and the result."""
    if reproduction.unjudged:
        return _unjudged_legend(reproduction)
    comparisons, is_single = reproduction.comparisons, len(reproduction.trainings) == 1
    here = "; ± is the standard deviation over the seeds" * (not is_single)
    lines = [f"All figures in percent, caption to picture{here}.", NO_SPREAD if is_single else RULE]
    is_reported = any(comparison.origin == "reported" for comparison in comparisons)
    differs = f"Reported figures need not follow the protocol used here ({_chosen(reproduction)}). " * is_reported
    lines.append(f"{differs}The card says of its figures: {' '.join(reproduction.protocol.split())}")
    lines += _notes(reproduction)
    outside = [comparison for comparison in comparisons if comparison.verdict != "within"]
    if is_single:
        lines.append("Not shown to be reproduced: with one seed nothing is judged.")
    elif outside:
        lines.append(f"Not reproduced: {len(outside)} of {len(comparisons)} figures are not within.")
    else:
        lines.append(f"Reproduced: {len(comparisons)} of {len(comparisons)} figures are within.")
    return lines


def _unjudged_legend(reproduction: Reproduction) -> list[str]:
    """Return what mean, deviation and interval mean, and that nothing is judged."""
    is_single = len(reproduction.trainings) == 1
    deviation = "; the deviation is the standard deviation over the seeds" * (not is_single)
    lines = [f"All figures in percent, caption to picture{deviation}.", NO_INTERVAL if is_single else INTERVAL_RULE]
    return [*lines, *_notes(reproduction), "No verdict: the card has no figures on this data."]


def _notes(reproduction: Reproduction) -> list[str]:
    lines = []
    if reproduction.selected_on == "test":
        lines.append("Epochs chosen on the test split make the figures on it a little too good.")
    if reproduction.left_out:
        lines.append(f"Not measured, though the card has figures: {'; '.join(reproduction.left_out)}")
    return lines


def _csv(reproduction: Reproduction) -> str:
    seeds = [training.seed for training in reproduction.trainings]
    if reproduction.unjudged:
        return _unjudged_csv(reproduction.unjudged, seeds)
    columns = [
        "dataset",
        "split",
        "dataset_arguments",
        "rerank",
        "metric",
        "card",
        "origin",
        *(f"seed {seed}" for seed in seeds),
    ]
    columns += ["mean", "spread", "difference", "allowed", "verdict", "source", "source_url"]
    rows: list[list[Cell]] = []
    for comparison in reproduction.comparisons:
        what = _what(comparison)
        here: list[Cell] = [
            comparison.mean,
            comparison.spread,
            comparison.difference,
            comparison.allowed,
            comparison.verdict,
        ]
        figures: list[Cell] = [comparison.figure, comparison.origin, *(comparison.by_seed[seed] for seed in seeds)]
        rows.append([*what, *figures, *here, comparison.source, comparison.source_url])
    return render_table(columns, rows, "csv")


def _unjudged_csv(figures: Sequence[SeedFigures], seeds: Sequence[int]) -> str:
    columns = ["dataset", "split", "dataset_arguments", "rerank", "metric", *(f"seed {seed}" for seed in seeds)]
    columns += ["mean", "spread", "interval_from", "interval_to"]
    rows = [
        [
            *_what(each),
            *(each.by_seed[seed] for seed in seeds),
            each.mean,
            each.spread,
            *(each.interval or (None, None)),
        ]
        for each in figures
    ]
    return render_table(columns, rows, "csv")


def _what(figures: Comparison | SeedFigures) -> list[Cell]:
    """Return the cells that say what was measured."""
    arguments = ", ".join(f"{name} {value}" for name, value in sorted(figures.dataset_arguments.items()))
    return [figures.dataset, figures.split, arguments, figures.rerank, figures.metric]


def _plain(value: Any) -> Any:
    """Return a value for JSON, with every path as text."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, Path):
        return published_path(value)
    return published_text(value) if isinstance(value, str) else value
