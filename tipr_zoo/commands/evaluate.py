"""``tipr-zoo eval``: how well captions find the pictures of a data set."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tipr_zoo.cards.record import DIRECTIONS, METRICS, TEXT_TO_IMAGE, Record, ranking_words
from tipr_zoo.commands.answers_report import answers_report
from tipr_zoo.commands.evaluation_options import (
    add_postprocessing_argument,
    add_reranking_arguments,
    directions_of,
    write_records,
)
from tipr_zoo.commands.options import parse_option
from tipr_zoo.display.selection_mark import TEST_SELECTION_LEGEND, marked
from tipr_zoo.display.tables import FORMATS, Cell, render_table, terminal_width, to_json
from tipr_zoo.errors import ConfigError
from tipr_zoo.terminal.streams import write_document
from tipr_zoo.terminal.suggested_command import suggested_command

if TYPE_CHECKING:
    import torch

NAME = "eval"
HELP = "measure models on data sets: rank-1, rank-5, rank-10, mAP and mINP"
EXAMPLE = """
tipr-zoo eval irra_tiny_synth --data data/synthpedes
tipr-zoo eval irra_tiny_synth --data data/synthpedes --split val --records records --json
tipr-zoo eval irra_tiny_synth --data data/synthpedes --picture hits.png --export embeddings.npz
tipr-zoo eval rde_vitb16_cuhk --data data/CUHK-PEDES --weights mine.safetensors --part bge
tipr-zoo eval irra_vitb16_cuhk --data data/CUHK-PEDES --weights mine.safetensors --direction both
tipr-zoo eval --matrix irra_tiny_synth irra_vitb16_cuhk=mine.safetensors --data data/CUHK-PEDES data/RSTPReid
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    # argparse would show the names last, where --data would take them for folders.
    parser.usage = (
        "tipr-zoo eval NAME --data DIR [OPTION ...]\n"
        "       tipr-zoo eval --matrix NAME[=WEIGHTS] ... --data DIR ... [OPTION ...]"
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="the model; with --matrix several, or NAME=WEIGHTS")
    parser.add_argument(
        "--data", metavar="DIR", nargs="+", type=Path, help="the data set's folder; several for --matrix"
    )
    parser.add_argument("--dataset", metavar="NAME", help="which data set it is (default: told by its files)")
    parser.add_argument("--split", default="test", help="train, val, test or all (default: test)")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        type=Path,
        help="weights to use instead of the card's: a file, or hub:owner/name[@revision][:file]",
    )
    parser.add_argument(
        "--cfg-options", metavar="KEY=VALUE", nargs="+", default=[], help="entries of the recipe to change"
    )
    parser.add_argument(
        "--direction",
        choices=(*DIRECTIONS, "both"),
        default=TEXT_TO_IMAGE,
        help=f"{', '.join(DIRECTIONS)} or both (default: {TEXT_TO_IMAGE})",
    )
    parser.add_argument("--part", metavar="NAME", help="measure one part of the model's similarity alone")
    add_reranking_arguments(parser)
    add_postprocessing_argument(parser)
    parser.add_argument(
        "--presence",
        action="store_true",
        help="also measure single answers: the best scores with the person in the gallery and without, and short"
        " captions",
    )
    parser.add_argument("--matrix", action="store_true", help="a table of every model on every data set")
    parser.add_argument("--metric", metavar="METRIC", choices=METRICS, help="what --matrix shows (default: R1)")
    parser.add_argument("--records", metavar="DIR", type=Path, help="write records there, for the leaderboard")
    parser.add_argument("--export", metavar="FILE", type=Path, help="write the embeddings (.npz, .safetensors)")
    parser.add_argument("--picture", metavar="FILE", type=Path, help="draw the best hits of some captions (.png, .jpg)")
    parser.add_argument("--captions", metavar="N", type=int, default=6, help="captions in that picture (default: 6)")
    parser.add_argument(
        "--workers", metavar="N", type=int, default=0, help="processes that decode pictures (default: 0)"
    )
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, ... (default: a GPU where there is one)")
    parser.add_argument("--no-cache", action="store_true", help="neither take embeddings from the cache nor keep them")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to print it (default: text)")
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")


def run(arguments: argparse.Namespace) -> int | None:
    """Evaluate, write the files that the options ask for, and print the figures."""
    from tipr_zoo.cards.record_files import check_records_folder
    from tipr_zoo.distributed import joined_processes
    from tipr_zoo.evaluation.embedding_export import check_export_file
    from tipr_zoo.machine.devices import choose_device
    from tipr_zoo.machine.result_place import check_picture_file

    _check(arguments)
    if arguments.picture:
        check_picture_file(arguments.picture)
    if arguments.export:
        check_export_file(arguments.export)
    if arguments.records:
        check_records_folder(arguments.records)
    device = choose_device(arguments.device)
    with joined_processes(device):
        if arguments.matrix:
            from tipr_zoo.commands.evaluate_matrix import run_matrix

            return run_matrix(arguments, device)
        _run_single(arguments, device)
    return None


def _check(arguments: argparse.Namespace) -> None:
    """Check that the options fit together.

    Raises:
        ConfigError: An option is missing, too small, or not for this kind of evaluation.
    """
    for option, smallest in {"captions": 1, "workers": 0}.items():
        if (number := getattr(arguments, option)) < smallest:
            raise ConfigError(f"--{option} must be at least {smallest}, got {number}")
    if not arguments.names:
        raise ConfigError("name the model, and before the folders: tipr-zoo eval NAME --data DIR")
    if not arguments.data:
        raise ConfigError(f"--data is missing: {suggested_command('tipr-zoo', 'eval', *arguments.names)} --data DIR")
    if arguments.matrix:
        for option, instead in {
            "weights": "name a model's weights with it: NAME=FILE",
            "export": "export one evaluation at a time",
            "picture": "draw one evaluation at a time",
            "part": "measure the parts of one model at a time",
            "presence": "measure the answers of one model at a time",
        }.items():
            if getattr(arguments, option) not in (None, False):
                raise ConfigError(f"--{option} cannot go with --matrix; {instead}")
        return
    if len(arguments.names) > 1 or len(arguments.data) > 1:
        raise ConfigError("several models or data sets are measured together with --matrix; leave out all but one")
    if arguments.metric is not None:
        raise ConfigError(f"--metric is for --matrix; without it all of {', '.join(METRICS)} are shown")
    if arguments.picture is not None and TEXT_TO_IMAGE not in directions_of(arguments):
        raise ConfigError(f"--picture shows what captions find; leave out --direction {arguments.direction}")


def _run_single(arguments: argparse.Namespace, device: torch.device) -> None:
    """Evaluate one model on one data set."""
    from tipr_zoo.datasets import open_dataset
    from tipr_zoo.display.hits_picture import draw_hits, hits_rows
    from tipr_zoo.display.picture_file import save_picture
    from tipr_zoo.distributed import is_main_process
    from tipr_zoo.evaluation.answers import check_answers, with_answers
    from tipr_zoo.evaluation.embedding_export import export_embeddings
    from tipr_zoo.evaluation.known_answers import keep_answers
    from tipr_zoo.evaluation.loaded_model import load_model
    from tipr_zoo.evaluation.measuring import measure
    from tipr_zoo.evaluation.postprocessing import parse_steps
    from tipr_zoo.models.lookup import load_card

    overrides = dict(parse_option(option) for option in arguments.cfg_options)
    dataset = open_dataset(arguments.data[0], arguments.dataset, arguments.split)
    directions, use_cache = directions_of(arguments), not arguments.no_cache
    steps = parse_steps(arguments.postprocess)
    loaded = load_model(arguments.names[0], arguments.weights, device, overrides)
    loaded = replace(loaded, part=arguments.part, postprocess=steps)
    loaded = loaded.with_reranking(arguments.rerank, arguments.rerank_rest, directions)
    if arguments.presence:
        check_answers(loaded, directions)
    outcomes = measure(loaded, dataset, directions, arguments.workers, progress=is_main_process(), use_cache=use_cache)
    if arguments.presence:
        card = load_card(loaded.name)
        outcomes = [with_answers(outcome, loaded, card, is_main_process()) for outcome in outcomes]
        kept = [keep_answers(card, outcome.record) for outcome in outcomes] if is_main_process() else []
        for place in filter(None, kept):
            print(f"for searches with these weights: {place}", file=sys.stderr)
    if not is_main_process():
        return
    records = write_records(outcomes, arguments.records)
    if arguments.export:
        export_embeddings(outcomes[0], arguments.export)
        print(f"embeddings, not normalised: {arguments.export}", file=sys.stderr)
    if arguments.picture:
        save_picture(draw_hits(hits_rows(outcomes[0], arguments.captions)), arguments.picture)
        print(f"drawn: {arguments.picture}", file=sys.stderr)
    _print_records(records, arguments.format)


def _print_records(records: Sequence[Record], format: str) -> None:
    """Print the figures of one model on one data set, for one direction or both."""
    first = records[0]
    if format == "json":
        values = [record.values() for record in records]
        write_document(to_json(values[0] if len(values) == 1 else values))
        return
    figures: list[list[Cell]] = [[record.metrics[name] for name in METRICS] for record in records]
    if format == "text":
        print(_headline(records))
        columns = list(METRICS)
        if [record.direction for record in records] != [TEXT_TO_IMAGE]:
            columns = ["direction", *columns]
            figures = [[record.direction, *row] for record, row in zip(records, figures, strict=True)]
    else:
        columns = ["model", "dataset", "split", "direction", *METRICS, "selected_on", "from_cache"]
        figures = [
            [
                marked(record.model, record.selected_on) if format == "markdown" else record.model,
                record.dataset,
                record.split,
                record.direction,
                *row,
                record.selected_on,
                " ".join(record.from_cache),
            ]
            for record, row in zip(records, figures, strict=True)
        ]
        if first.part is not None:
            columns, figures = ["part", *columns], [[first.part, *row] for row in figures]
        if any(ranking := ["; ".join(ranking_words(record)) for record in records]):
            columns = ["ranking", *columns]
            figures = [[words, *row] for words, row in zip(ranking, figures, strict=True)]
    show = print if format == "text" else write_document
    show(render_table(columns, figures, format, width=terminal_width()))
    for record in records:
        if format == "text" and record.answers is not None:
            print(f"\n{answers_report(record.answers)}")
    if first.selected_on == "test" and format != "csv":
        print(f"\n{TEST_SELECTION_LEGEND}")


def _headline(records: Sequence[Record]) -> str:
    """Return a line with the model, the data, their size, the time and the device."""
    first = records[0]
    captions, pictures = first.queries, first.gallery
    if first.direction != TEXT_TO_IMAGE:
        captions, pictures = pictures, captions
    part = f" (part {first.part} alone)" if first.part else ""
    part += "".join(f" ({words})" for words in ranking_words(first))
    seconds = sum(record.duration_seconds for record in records)
    cached = f"; {' and '.join(first.from_cache)} taken from the cache" if first.from_cache else ""
    return (
        f"{marked(first.model, first.selected_on)}{part} on {first.dataset} {first.split}: {captions:,} captions,"
        f" {pictures:,} pictures, {first.identities:,} identities, {seconds:.1f} s on {first.device}{cached}"
    )
