"""``tipr-zoo eval``: how well a model's captions find the pictures of a data set."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from tipr_zoo.errors import ConfigError

NAME = "eval"
HELP = "measure a model on a data set: rank-1, rank-5, rank-10, mAP and mINP"
EXAMPLE = """
tipr-zoo eval irra_tiny_synth --data data/synthpedes
tipr-zoo eval irra_tiny_synth --data data/synthpedes --split val --records records --json
tipr-zoo eval irra_tiny_synth --data data/synthpedes --picture hits.png
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="NAME", help="the model")
    parser.add_argument("--data", metavar="DIR", required=True, help="the data set's folder")
    parser.add_argument("--dataset", metavar="NAME", help="which data set it is (default: told by its files)")
    parser.add_argument("--split", default="test", help="train, val or test (default: test)")
    parser.add_argument("--weights", metavar="FILE", type=Path, help="weights to use instead of the card's")
    parser.add_argument("--records", metavar="DIR", type=Path, help="write the record there, for the leaderboard")
    parser.add_argument("--picture", metavar="FILE", type=Path, help="draw the best hits of some captions (.png, .jpg)")
    parser.add_argument("--captions", metavar="N", type=int, default=6, help="captions in that picture (default: 6)")
    parser.add_argument(
        "--workers", metavar="N", type=int, default=0, help="processes that decode pictures (default: 0)"
    )
    parser.add_argument("--device", metavar="NAME", help="cpu, cuda, ... (default: a GPU where there is one)")
    parser.add_argument("--json", action="store_true", help="print the record as JSON")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate, print the figures, and write the record and the picture that were asked for."""
    from tipr_zoo.datasets import open_dataset
    from tipr_zoo.devices import choose_device
    from tipr_zoo.evaluation_record import evaluate_and_record
    from tipr_zoo.hits_picture import draw_hits
    from tipr_zoo.picture_file import check_picture_file
    from tipr_zoo.records import METRICS, check_records_folder, write_record
    from tipr_zoo.tables import render_table, terminal_width

    for option, smallest in {"captions": 1, "workers": 0}.items():
        if (number := getattr(arguments, option)) < smallest:
            raise ConfigError(f"--{option} must be at least {smallest}, got {number}")
    if arguments.picture:
        check_picture_file(arguments.picture)
    if arguments.records:
        check_records_folder(arguments.records)
    dataset = open_dataset(arguments.data, arguments.dataset, arguments.split)
    outcome = evaluate_and_record(
        arguments.name,
        dataset,
        weights=arguments.weights,
        device=choose_device(arguments.device),
        num_workers=arguments.workers,
        progress=True,
    )
    record = outcome.record
    if arguments.records:
        what = f"{record.dataset_sha256[:8]}_{record.weights_sha256[:8]}"
        path = arguments.records / f"{record.model}_{record.dataset}_{record.split}_{what}.json"
        write_record(record, path)
        print(f"record: {path}", file=sys.stderr)
    if arguments.picture:
        draw_hits(outcome.hits_rows(arguments.captions)).save(arguments.picture)
        print(f"drawn: {arguments.picture}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(asdict(record), indent=2, ensure_ascii=False))
        return
    print(
        f"{record.model} on {record.dataset} {record.split}: {record.queries:,} captions, {record.gallery:,} pictures,"
        f" {record.identities:,} identities, {record.duration_seconds:.1f} s on {record.device}"
    )
    print(render_table(list(METRICS), [[f"{record.metrics[name]:.2f}" for name in METRICS]], width=terminal_width()))
