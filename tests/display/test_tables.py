"""Tables: as text that fits a width, Markdown, CSV and JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from tipr_zoo.display import text_layout
from tipr_zoo.display.tables import Best, Second, render_table

COLUMNS = ("model", "note", "R1")
ROWS = (("a_model", "a long remark that goes on | and on", Best(75.0)), ("another_model", None, 9.5))


def test_text_aligns_numbers_to_the_right() -> None:
    assert render_table(COLUMNS, ROWS).splitlines() == [
        "model          note                                    R1",
        "----------------------------------------------------------",
        "a_model        a long remark that goes on | and on  75.00*",
        "another_model                                        9.50",
    ]


@pytest.mark.parametrize("width", [40, 55, 80])
def test_text_fits_the_width_and_loses_nothing(width: int) -> None:
    lines = render_table(COLUMNS, ROWS, width=width).splitlines()
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    assert {"another_model", "remark", "75.00*", "9.50"} <= set(words)


@pytest.mark.parametrize("width", [None, 24, 40, 55])
@pytest.mark.parametrize(
    "rows", [(), ROWS, ((1, "", None), (2.5, "several words and a_long_word-in/parts", Second(3.0)))]
)
def test_narrow_letters_are_drawn_as_any_others(
    rows: Sequence[Sequence[Any]], width: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = render_table(COLUMNS, rows, width=width)
    monkeypatch.setattr(text_layout, "_is_narrow", lambda rows: False)  # PrettyTable draws
    assert render_table(COLUMNS, rows, width=width) == drawn


def test_markdown() -> None:
    assert render_table(COLUMNS, ROWS, "markdown").splitlines() == [
        "| model | note | R1 |",
        "| --- | --- | ---: |",
        "| a_model | a long remark that goes on \\| and on | **75.00** |",
        "| another_model |  | 9.50 |",
    ]


def test_csv_and_json_hold_plain_values() -> None:
    assert render_table(COLUMNS, ROWS, "csv").splitlines()[-1] == "another_model,,9.5"
    rows = json.loads(render_table(COLUMNS, ROWS, "json"))
    assert rows[0]["R1"] == 75.0
    assert rows[1] == {"model": "another_model", "note": None, "R1": 9.5}


def test_the_terminals_width_is_respected() -> None:
    words = [sys.executable, "-m", "tipr_zoo", "list"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "60"})
    lines = done.stdout.split("\n\n")[0].splitlines()
    assert max(map(len, lines)) <= 60
