"""Print what the records of the tiny models say of single answers, as the tables of ``docs/answers.md``.

    python -m tools.answers_tables

The records are those of data seed 1, which neither training nor the cards' curves saw.
"""

from __future__ import annotations

from pathlib import Path

import model_cards
from tipr_zoo.cards.answers import MeasuredAnswers
from tipr_zoo.cards.record import Record, read_record
from tipr_zoo.display.tables import Cell, render_table

RECORDS = Path(model_cards.__file__).parent / "records"


def main() -> None:
    """Print the tables of AUC and of calibration."""
    found = [read_record(file) for file in sorted(RECORDS.glob("*_tiny_*_seed1.json"))]
    records = [record for record in found if record.answers is not None]
    print(
        render_table(["model", *_sizes(records[0])], [[f"`{each.model}`", *_auc(each)] for each in records], "markdown")
    )
    print()
    stated = list(dict.fromkeys(each.stated for record in records for each in _of(record).calibration))
    columns = ["model", "galleries", *map(str, stated)]
    print(render_table(columns, [row for record in records for row in _calibration(record, stated)], "markdown"))


def _of(record: Record) -> MeasuredAnswers:
    assert record.answers is not None
    return record.answers


def _sizes(record: Record) -> list[str]:
    return [f"{each.persons} persons, {each.pictures} pictures" for each in _of(record).galleries]


def _auc(record: Record) -> list[str]:
    return [f"{100 * each.auc:.1f} %" for each in _of(record).galleries]


def _calibration(record: Record, stated: list[float]) -> list[list[Cell]]:
    found = {(each.persons, each.stated): each.found for each in _of(record).calibration}
    rows: list[list[Cell]] = []
    for each in _of(record).galleries:
        name = "" if rows else f"`{record.model}`"
        words = f"{each.persons} persons, {each.pictures} pictures"
        rows.append([name, words, *(f"{found[each.persons, level]:.3f}" for level in stated)])
    return rows


if __name__ == "__main__":
    main()
