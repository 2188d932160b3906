"""`tipr-zoo data check`: is this data set whole, and the one that was published?"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tipr_zoo.tables import render_table, terminal_width, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tipr_zoo.datasets.check import CheckReport, Finding

NAME = "data check"
HELP = "check a data set's counts, annotations and pictures (exit code 0: usable, 1: problems)"
EXAMPLE = "tipr-zoo data check data/CUHK-PEDES"

EXAMPLES_SHOWN = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "root",
        metavar="DIR",
        help="the folder with the annotation file, or the folder above it if it bears the data set's name",
    )
    parser.add_argument("--name", help="the data set, e.g. RSTPReid (default: recognised by its files)")
    parser.add_argument(
        "--no-decode", action="store_true", help="only check that the pictures exist; broken ones are not found"
    )
    parser.add_argument("--json", action="store_true", help="print every count and finding as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Check the data set and print what was found.

    Returns:
        0 if the data set is usable, 1 if there are problems.
    """
    from tipr_zoo.datasets import check_dataset

    report = check_dataset(arguments.root, arguments.name, decode=not arguments.no_decode, progress=True)
    print(_json(report) if arguments.json else _text(report))
    return 1 if report.problems else 0


def _json(report: CheckReport) -> str:
    content = {"usable": not report.problems, **asdict(report)}
    return to_json({name: str(value) if isinstance(value, Path) else value for name, value in content.items()})


def _text(report: CheckReport) -> str:
    width = terminal_width()
    counts = [(row.split, row.quantity, row.found, row.published, row.verdict) for row in report.rows]
    parts = [
        f"{report.name}: {report.annotation_file}",
        render_table(("split", "quantity", "found", "published", "verdict"), counts, width=width),
        _pictures_line(report),
        _findings("problem", report.problems, width) if report.problems else "No problems: the data set is usable.",
    ]
    if report.notes:
        parts.append(_findings("note", report.notes, width))
    if any(count > EXAMPLES_SHOWN for count in _counts_by_kind([*report.problems, *report.notes])):
        parts.append("--json lists all of them.")
    return "\n\n".join(parts)


def _pictures_line(report: CheckReport) -> str:
    if report.picture_folder is None:
        return "Pictures: none found."
    if report.decoded is None:
        return (
            f"Pictures: looked for in {report.picture_folder}; not decoded (--no-decode), so broken ones are not found."
        )
    return f"Pictures: {report.decoded:,} decoded in {report.picture_folder}."


def _counts_by_kind(findings: Sequence[Finding]) -> list[int]:
    return [len(group) for group in _by_kind(findings).values()]


def _by_kind(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.kind].append(finding)
    return groups


def _findings(title: str, findings: Sequence[Finding], width: int | None) -> str:
    rows: list[tuple[str, int | None, str]] = []
    for kind, group in _by_kind(findings).items():
        for place, finding in enumerate(group[:EXAMPLES_SHOWN]):
            rows.append((kind, len(group), finding.message) if place == 0 else ("", None, finding.message))
    return render_table((title, "count", f"the first {EXAMPLES_SHOWN} of each"), rows, width=width)
