"""Progress bars where the clock of the machine is set back."""

from __future__ import annotations

import io
from itertools import count

import pytest

from tipr_zoo.terminal.progress_bar import ProgressBar


def test_a_clock_that_goes_backwards_shows_no_negative_time(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = count(1_700_000_000, -3600)
    monkeypatch.setattr("tqdm.std.time", lambda: float(next(readings)))
    shown = io.StringIO()
    with ProgressBar(total=3, file=shown, mininterval=0) as bar:
        for _ in range(3):
            bar.update()
    assert "100%" in shown.getvalue()
    assert "-" not in shown.getvalue()
