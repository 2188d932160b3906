"""``tipr-zoo reproduce``: train a model's recipe with several seeds; compare with its card's figures if it has any."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tipr_zoo.display.tables import FORMATS
from tipr_zoo.terminal.streams import write_document

NAME = "reproduce"
HELP = (
    "train a model's recipe over several seeds; compare with its card's figures (exit code 1: not all within), or give"
    " mean and deviation where it has none"
)
EXAMPLE = """
tipr-zoo reproduce irra_tiny_synth
tipr-zoo reproduce irra_tiny_synth --seeds 0 1 2 3 4 --jobs 2 --records records
tipr-zoo reproduce irra_vitb16_cuhk --data data/CUHK-PEDES --weights ViT-B-16.pt --select-on test
tipr-zoo reproduce my_model --data people.csv
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", metavar="NAME", help="the model")
    parser.add_argument(
        "--data", metavar="DIR", help="the data set's folder (SynthPEDES is drawn where it is left out)"
    )
    parser.add_argument("--dataset", metavar="NAME", help="which data set it is (default: told by its files)")
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
    parser.add_argument(
        "--rerank",
        metavar="K",
        type=int,
        help="rank the best K pictures of each caption again in measuring, 0 for none (default: as the card's figures"
        " were measured)",
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
    """Train, measure, print the report, and write the evaluation records.

    Returns:
        0 if every figure is close enough, or the card has none on this data; 1 if not.

    Raises:
        TrainingInterrupted: A signal has interrupted the work. The same command continues it.
    """
    from tipr_zoo.cards.record_files import check_records_folder, record_file_name
    from tipr_zoo.commands.options import parse_option
    from tipr_zoo.commands.reproduction_report import reproduction_report
    from tipr_zoo.errors import TrainingInterrupted
    from tipr_zoo.evaluation.kept_queries import write_with_queries
    from tipr_zoo.hub.weights import local_weights
    from tipr_zoo.machine.devices import choose_device
    from tipr_zoo.reproduction.reproduction import reproduce

    if arguments.records:
        check_records_folder(arguments.records)
    try:
        reproduction = reproduce(
            arguments.name,
            arguments.data,
            dataset=arguments.dataset,
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
            rerank=arguments.rerank,
        )
    except KeyboardInterrupt as interruption:
        number = getattr(interruption, "exit_code", 130) - 128
        raise TrainingInterrupted("interrupted; the same command goes on where it was", number) from interruption
    measured = zip(reproduction.records, reproduction.queries, strict=True) if arguments.records else ()
    for record, queries in measured:
        path = arguments.records / record_file_name(record)
        write_with_queries(record, queries, path)
        print(f"record: {path}", file=sys.stderr)
    show = print if arguments.format == "text" else write_document
    show(reproduction_report(reproduction, arguments.format))
    return 1 if reproduction.is_reproduced is False else 0
