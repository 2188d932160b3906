"""``tipr-zoo reproduce``: train a card's recipe with several seeds, and compare the results with the card's figures."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tipr_zoo.display.tables import FORMATS, Cell, render_table, terminal_width, to_json
from tipr_zoo.terminal.cells import filled
from tipr_zoo.terminal.streams import write_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tipr_zoo.reproduction.figure_comparison import Comparison
    from tipr_zoo.reproduction.reproduction import Reproduction

NAME = "reproduce"
HELP = (
    "train a model's recipe over several seeds, and compare with its card's figures (exit code 0: all within, 1: not)"
)
EXAMPLE = """
tipr-zoo reproduce irra_tiny_synth
tipr-zoo reproduce irra_tiny_synth --seeds 0 1 2 3 4 --jobs 2 --records records
tipr-zoo reproduce irra_vitb16_cuhk --data data/CUHK-PEDES --weights ViT-B-16.pt --select-on test
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="NAME", help="the model")
    parser.add_argument(
        "--data", metavar="DIR", help="the data set's folder (SynthPEDES is drawn where it is left out)"
    )
    parser.add_argument(
        "--seeds", metavar="N", type=int, nargs="+", default=[0, 1, 2], help="training seeds (default: 0 1 2)"
    )
    parser.add_argument(
        "--work-dir",
        metavar="DIR",
        type=Path,
        help="for one folder a seed (default: work_dirs/reproduce/NAME); what was stopped goes on there, and what is"
        " finished is not trained again",
    )
    parser.add_argument("--weights", metavar="FILE", type=Path, help="weights to start from, as in `tipr-zoo train`")
    parser.add_argument(
        "--select-on",
        metavar="SPLIT",
        choices=("val", "test"),
        default="val",
        help="choose each epoch on val, or on test as papers did (default: val)",
    )
    parser.add_argument("--max-minutes", metavar="M", type=float, help="end each training once this time is up")
    parser.add_argument(
        "--jobs", metavar="N", type=int, default=1, help="trainings at a time, each on a GPU of its own (default: 1)"
    )
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, ... (default: a GPU where there is one)")
    parser.add_argument(
        "--workers", metavar="N", type=int, default=0, help="processes that decode pictures in measuring (default: 0)"
    )
    parser.add_argument("--records", metavar="DIR", type=Path, help="write the records there, for the leaderboard")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to print it (default: text)")
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    parser.add_argument(
        "--cfg-options",
        metavar="KEY=VALUE",
        nargs="+",
        default=[],
        help="entries of the recipe to change, e.g. training.max_epochs=2; the table says so",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, measure, print the comparison, and write the evaluation records.

    Returns:
        0 if every figure is close enough, 1 if not.

    Raises:
        TrainingInterrupted: A signal has interrupted the work. The same command continues it.
    """
    from tipr_zoo.cards.record import check_records_folder, record_file_name, write_record
    from tipr_zoo.commands.options import parse_option
    from tipr_zoo.errors import TrainingInterrupted
    from tipr_zoo.hub.weights import local_weights
    from tipr_zoo.machine.devices import choose_device
    from tipr_zoo.reproduction.reproduction import reproduce

    if arguments.records:
        check_records_folder(arguments.records)
    try:
        reproduction = reproduce(
            arguments.name,
            arguments.data,
            seeds=arguments.seeds,
            work_dir=arguments.work_dir,
            weights=local_weights(arguments.weights) if arguments.weights else None,
            overrides=dict(parse_option(option) for option in arguments.cfg_options),
            select_on=arguments.select_on,
            max_minutes=arguments.max_minutes,
            jobs=arguments.jobs,
            device=choose_device(arguments.device),
            num_workers=arguments.workers,
            progress=True,
        )
    except KeyboardInterrupt as interruption:
        number = getattr(interruption, "exit_code", 130) - 128
        raise TrainingInterrupted("interrupted; the same command goes on where it was", number) from interruption
    for record in reproduction.records if arguments.records else ():
        path = arguments.records / record_file_name(record)
        write_record(record, path)
        print(f"record: {path}", file=sys.stderr)
    show = print if arguments.format == "text" else write_document
    show(_rendered(reproduction, arguments.format))
    return 0 if reproduction.is_reproduced else 1


def _rendered(reproduction: Reproduction, format: str) -> str:
    if format == "json":
        return to_json(_plain({"reproduced": reproduction.is_reproduced, **asdict(reproduction)}))
    if format == "csv":
        return _csv(reproduction)
    groups = [(title, list(group)) for title, group in groupby(reproduction.comparisons, _title)]
    parts = [
        part for title, group in groups for part in ("### " * (format == "markdown") + title, _table(group, format))
    ]
    width = terminal_width() if format == "text" else None
    legend = [filled(line, width) if width else line for line in _legend(reproduction)]
    return "\n\n".join([_heading(reproduction), *parts, *legend])


def _heading(reproduction: Reproduction) -> str:
    """Return what was trained, and how it differs from the card's recipe."""
    seeds = [str(training.seed) for training in reproduction.trainings]
    start = reproduction.started_from or "random weights"
    numbers = f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(seeds)}"
    lines = [f"{reproduction.model}, {numbers}: from {start}, {_chosen(reproduction)}"]
    lines += [f"recipe changed: {change}" for change in reproduction.recipe_changes]
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


def _title(comparison: Comparison) -> str:
    arguments = (f"{name} {value}" for name, value in sorted(comparison.dataset_arguments.items()))
    return ", ".join([comparison.dataset, comparison.split, *arguments])


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


def _legend(reproduction: Reproduction) -> list[str]:
    """Return the rule of the verdicts, the meaning of the figures, and the result."""
    from tipr_zoo.reproduction.figure_comparison import NO_SPREAD, RULE

    comparisons, is_single = reproduction.comparisons, len(reproduction.trainings) == 1
    here = "; ± is the standard deviation over the seeds" * (not is_single)
    lines = [f"All figures in percent, caption to picture{here}.", NO_SPREAD if is_single else RULE]
    is_reported = any(comparison.origin == "reported" for comparison in comparisons)
    differs = f"Reported figures need not follow the protocol used here ({_chosen(reproduction)}). " * is_reported
    lines.append(f"{differs}The card says of its figures: {' '.join(reproduction.protocol.split())}")
    if reproduction.selected_on == "test":
        lines.append("Epochs chosen on the test split make the figures on it a little too good.")
    if reproduction.left_out:
        lines.append(f"Not measured, though the card has figures: {'; '.join(reproduction.left_out)}")
    outside = [comparison for comparison in comparisons if comparison.verdict != "within"]
    if is_single:
        lines.append("Not shown to be reproduced: with one seed nothing is judged.")
    elif outside:
        lines.append(f"Not reproduced: {len(outside)} of {len(comparisons)} figures are not within.")
    else:
        lines.append(f"Reproduced: {len(comparisons)} of {len(comparisons)} figures are within.")
    return lines


def _csv(reproduction: Reproduction) -> str:
    seeds = [training.seed for training in reproduction.trainings]
    columns = ["dataset", "split", "dataset_arguments", "metric", "card", "origin", *(f"seed {seed}" for seed in seeds)]
    columns += ["mean", "spread", "difference", "allowed", "verdict", "source", "source_url"]
    rows: list[list[Cell]] = []
    for comparison in reproduction.comparisons:
        arguments = ", ".join(f"{name} {value}" for name, value in sorted(comparison.dataset_arguments.items()))
        what: list[Cell] = [comparison.dataset, comparison.split, arguments, comparison.metric]
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


def _plain(value: Any) -> Any:
    """Return a value for JSON, with every path as text."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value
