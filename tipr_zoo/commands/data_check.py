"""`tipr-zoo data check`: is this data set complete, and is it the published one?"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tipr_zoo.display.tables import Cell, render_table, terminal_width, to_json
from tipr_zoo.terminal.cells import filled
from tipr_zoo.terminal.streams import write_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tipr_zoo.datasets.checks.findings import CheckReport, CountRow, Finding

NAME = "data check"
HELP = "check a data set's counts, annotations and pictures (exit code 0: usable, 1: problems)"
EXAMPLE = """
tipr-zoo data check data/CUHK-PEDES
tipr-zoo data check shop/people.csv
"""

EXAMPLES_SHOWN = 3
FIXES_SHOWN = 20
QUANTITIES = ("identities", "pictures", "captions")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "root",
        metavar="DIR",
        help="the data set's folder in any of its layouts, or a table of your own (.csv, .tsv, .jsonl, .json)",
    )
    parser.add_argument(
        "--name", metavar="NAME", help="the data set, e.g. RSTPReid or custom (default: recognised by its files)"
    )
    parser.add_argument(
        "--no-decode", action="store_true", help="only check that the pictures exist; broken ones are not found"
    )
    parser.add_argument("--json", action="store_true", help="print every count and finding as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Check the data set and print the findings.

    Returns:
        0 if the data set is usable, 1 if there are problems.
    """
    from tipr_zoo.datasets import check_dataset

    report = check_dataset(arguments.root, arguments.name, decode=not arguments.no_decode, progress=True)
    if arguments.json:
        write_document(_json(report))
    else:
        print(_text(report))
    return 1 if report.problems else 0


def _json(report: CheckReport) -> str:
    content = {"usable": not report.problems, **asdict(report)}
    content["annotation_files"] = [str(file) for file in report.annotation_files]
    content["fixes"] = _fixes(report)
    return to_json({name: str(value) if isinstance(value, Path) else value for name, value in content.items()})


def _text(report: CheckReport) -> str:
    width = terminal_width()
    parts = [_head(report, width)]
    if report.rows:
        parts.append(_counts(report, width))
    parts.append(_pictures_line(report))
    if report.problems:
        parts.append(_findings("Problems", report.problems, width))
    else:
        parts.append("No problems: the data set is usable.")
    if report.notes:
        parts.append(_findings("Notes", report.notes, width))
    if fixes := _fixes(report):
        shown = [*fixes[:FIXES_SHOWN], *(["..."] if len(fixes) > FIXES_SHOWN else [])]
        parts.append("Run this, then check again:\n\n" + "\n".join(shown))
    has_more = any(len(group) > EXAMPLES_SHOWN for group in _by_kind([*report.problems, *report.notes]).values())
    if has_more or len(fixes) > FIXES_SHOWN:
        parts.append("--json lists all of them.")
    return "\n\n".join(parts)


def _head(report: CheckReport, width: int | None) -> str:
    files = "\n".join(_wrapped(str(file), "  ", width) for file in report.annotation_files)
    return f"{report.name}, {report.layout}\n{files}"


def _counts(report: CheckReport, width: int | None) -> str:
    """Return a line for each split, with the published counts where they differ."""
    by_split: dict[str, list[CountRow]] = defaultdict(list)
    for row in report.rows:
        by_split[row.split].append(row)
    has_published = any(row.published is not None for row in report.rows)
    lines: list[tuple[Cell, ...]] = [
        (split, *(row.found for row in rows), *([_published(rows)] if has_published else []))
        for split, rows in by_split.items()
    ]
    columns = ("split", *QUANTITIES, *(["published"] if has_published else []))
    return render_table(columns, lines, width=width)


def _published(rows: Sequence[CountRow]) -> str:
    if all(row.verdict == "same" for row in rows):
        return "the same"
    different = [f"{row.published:,} {row.quantity}" for row in rows if row.published is not None]
    return "without it" if not different else f"other: {', '.join(different)}"


def _pictures_line(report: CheckReport) -> str:
    if report.picture_folder is None:
        return "Pictures: none found."
    if report.decoded is None:
        return (
            f"Pictures: looked for in {report.picture_folder}; not decoded (--no-decode), so broken ones are not found."
        )
    return f"Pictures: {report.decoded:,} decoded in {report.picture_folder}."


def _by_kind(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.kind].append(finding)
    return groups


def _findings(title: str, findings: Sequence[Finding], width: int | None) -> str:
    """Return each kind with its number of findings, and the first of them below it."""
    lines = [f"{title}: {len(findings):,}"]
    for kind, group in _by_kind(findings).items():
        lines.append(f"\n  {kind}: {len(group):,}" if len(group) > 1 else f"\n  {kind}")
        if kind == "count differs":
            lines.append("    as the table above shows")
            continue
        lines += [_wrapped(finding.message, "    ", width) for finding in group[:EXAMPLES_SHOWN]]
        if len(group) > EXAMPLES_SHOWN:
            lines.append(f"    ... and {len(group) - EXAMPLES_SHOWN:,} more")
    return "\n".join(lines)


def _fixes(report: CheckReport) -> list[str]:
    """Return the commands that fix what can be fixed, each once."""
    return list(dict.fromkeys(finding.fix for finding in [*report.problems, *report.notes] if finding.fix))


def _wrapped(message: str, indent: str, width: int | None) -> str:
    """Break a message into lines of the terminal's width. Paths stay whole, so that they can be copied."""
    if width is None:
        return indent + message
    return filled(message, width, indent, indent + "  ", hyphens=False, long_words=False)
