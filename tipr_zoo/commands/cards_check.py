"""``tipr-zoo cards check``: the problems of cards and references, each with file, line and fix."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

NAME = "cards check"
HELP = "check model cards and references: file, line and fix of whatever is wrong"
EXAMPLE = """
tipr-zoo cards check
tipr-zoo cards check my_model.md
tipr-zoo cards check my_package/model_cards --json
tipr-zoo cards check model_cards/references/mars.yaml
tipr-zoo cards check my_model.md --write-sizes
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "places",
        metavar="PATH",
        nargs="*",
        type=Path,
        help="cards, references (.yaml) or folders of them (default: all that are installed)",
    )
    parser.add_argument(
        "--sizes", action="store_true", help="also build each model without numbers, and compare its size"
    )
    parser.add_argument(
        "--write-sizes", action="store_true", help="write each model's parameters, embedding and input into its card"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the problems, one a line. Return 1 where there are any."""
    from tipr_zoo.authoring.card_check import card_files, check_card, installed_card_files
    from tipr_zoo.authoring.card_sizes import size_problems, write_size
    from tipr_zoo.display.tables import to_json
    from tipr_zoo.leaderboard.reference_check import check_references, references_in
    from tipr_zoo.leaderboard.references import reference_files

    references, places = references_in(arguments.places) if arguments.places else (reference_files(), [])
    files = card_files(places) if arguments.places else installed_card_files()
    if arguments.write_sizes:
        for path in files:
            if write_size(path):
                print(f"{path}: its size is written", file=sys.stderr)
    problems = {path: check_card(path) for path in files}
    if arguments.sizes:
        for path in files:
            problems[path] = problems[path] or size_problems(path)
    problems |= check_references(references)
    found = [problem for each in problems.values() for problem in each]
    if arguments.json:
        print(
            to_json(
                {
                    "cards": len(files),
                    "references": len(references),
                    "problems": [{**vars(problem), "path": str(problem.path)} for problem in found],
                }
            )
        )
        return 1 if found else 0
    for problem in found:
        print(problem)
    wrong = sum(1 for each in problems.values() if each)
    counted = {"card": len(files), "reference": len(references)}
    checked = " and ".join(f"{count} {name}{'s' * (count != 1)}" for name, count in counted.items() if count)
    said = f"{len(found)} problem{'s' * (len(found) != 1)} in {wrong}" if found else "all right"
    print(f"{checked}: {said}")
    return 1 if found else 0
