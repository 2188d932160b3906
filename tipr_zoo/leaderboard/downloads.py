"""The rows for programs: as CSV and as JSON, one row a source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from tipr_zoo.cards.record import METRICS
from tipr_zoo.display.model_size import pixels
from tipr_zoo.display.tables import Cell, render_table, to_json
from tipr_zoo.leaderboard.published_rows import published_rows
from tipr_zoo.leaderboard.row import LeaderboardRow, arguments_text, kind_of

_OF_ROW = ("trained_on", "direction", "model", "name")
_OF_SOURCE = ("origin", "source", "source_url", "date", "secondary", "is_further", "remark", "selected_on")
_OF_METHOD = ("image_encoder", "text_encoder", "pretraining", "at_test_time", "weights_published", "weights_part")
_OF_SPEED = ("seconds", "seconds_on", "seconds_url", "budget", "seeds")
_OF_MARKS = ("is_of_other_data", "is_of_unknown_data", "part", "vectors", "rerank", "rerank_rest")


def json_text(rows: Sequence[LeaderboardRow], indent: int | None = None) -> str:
    """Return every field of every row as JSON."""
    return to_json([row.values() for row in published_rows(rows)], indent)


def csv_text(rows: Sequence[LeaderboardRow]) -> str:
    """Return the fields of every row that fit one cell as CSV.

    A truth value is ``yes``, ``no``, or empty where it is not known.
    """
    lines = [[cell(row) for cell in _CELLS.values()] for row in published_rows(rows)]
    return render_table(list(_CELLS), lines, "csv")


def _cell(value: object) -> Cell:
    """Return a value as a cell."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def _field(name: str, row: LeaderboardRow, of: str = "") -> Cell:
    """Return a field of a row, or of what it has under the name `of`, which may be None."""
    owner = getattr(row, of) if of else row
    return _cell(getattr(owner, name, None))


def _fields(names: Sequence[str], of: str = "", prefix: str = "") -> dict[str, Callable[[LeaderboardRow], Cell]]:
    return {f"{prefix}{name}": partial(_field, name, of=of) for name in names}


def _pictures(row: LeaderboardRow) -> Cell:
    return pixels(row.size.input) if row.size and row.size.input else None


def _deviation(metric: str, row: LeaderboardRow) -> Cell:
    return (row.spread or {}).get(metric)


def _figure(metric: str, row: LeaderboardRow) -> Cell:
    return row.metrics.get(metric)


_CELLS: dict[str, Callable[[LeaderboardRow], Cell]] = {
    **_fields(("dataset", "split")),
    "dataset_arguments": arguments_text,
    **_fields(_OF_ROW),
    **{metric: partial(_figure, metric) for metric in METRICS},
    **_fields(_OF_SOURCE),
    **_fields(("selected_on_in_paper",), "method"),
    "method": partial(_field, "name", of="method"),
    **_fields(_OF_METHOD, "method"),
    "is_large": lambda row: _cell(kind_of(row).is_large),
    **_fields(("weights_loaded", "has_card")),
    "paper_url": partial(_field, "url", of="paper"),
    **_fields(("venue", "year", "doi"), "paper"),
    **_fields(("url", "license", "license_note"), "code", "code_"),
    **_fields(("parameters", "embedding"), "size"),
    "pictures": _pictures,
    **_fields(_OF_SPEED),
    **{f"{metric}_deviation": partial(_deviation, metric) for metric in METRICS},
    "disagrees_on": lambda row: " ".join(row.disagrees_on),
    **_fields(_OF_MARKS),
    "postprocess": lambda row: " ".join(row.postprocess or ()),
    **_fields(("transductive",)),
}
"""What stands in each column."""
