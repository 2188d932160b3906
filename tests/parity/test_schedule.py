"""The learning rate of every epoch is the official one, in every mode that the official code has."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tipr_zoo.training.loop.schedule import SHAPES, Schedule

FILES = Path(os.environ.get("TIPR_PARITY_DIR") or Path(__file__).parent / "files")
PATHS = sorted(FILES.glob("schedule*.json"))
CASES = [pytest.param(path, mode, id=f"{path.stem}-{mode}") for path in PATHS for mode in json.loads(path.read_text())]
BASE_RATE, RELATIVE_ERROR = 1e-5, 1e-6


def test_there_is_something_to_compare_with() -> None:
    assert CASES, f"no schedule*.json in {FILES}"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_official_mode_has_a_shape_and_every_shape_but_constant_a_mode(path: Path) -> None:
    assert {*json.loads(path.read_text()), "constant"} == set(SHAPES)


@pytest.mark.parametrize(("path", "mode"), CASES)
def test_the_rate_of_every_epoch_is_the_official_one(path: Path, mode: str) -> None:
    expected = json.loads(path.read_text())[mode]
    schedule = Schedule(mode)  # its defaults are those of the official code
    rates = [BASE_RATE * schedule.factor(epoch, len(expected)) for epoch in range(len(expected))]
    assert rates == pytest.approx(expected, rel=RELATIVE_ERROR, abs=0)
