"""References: every field is declared, and what makes no sense is told with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tipr_zoo.errors import CardError
from tipr_zoo.leaderboard.references import read_reference, read_references

SHIPPED = read_references()[0].path


def changed(folder: Path, place: str, key: str, value: Any) -> Path:
    """A copy of a shipped reference with one field changed."""
    values = yaml.safe_load(SHIPPED.read_text())
    mapping = values
    for step in filter(None, place.split(".")):
        mapping = mapping[int(step)] if step.isdigit() else mapping[step]
    mapping[key] = value
    path = folder / SHIPPED.name
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


@pytest.mark.parametrize(
    ("place", "key", "value", "told"),
    [
        ("", "resuts", [], "unknown field 'resuts'; did you mean 'results'?"),
        ("", "tipr_zoo", {}, "unknown field 'tipr_zoo'"),
        ("method", "pretrainig", "none", "method: unknown field 'pretrainig'; did you mean 'pretraining'"),
        ("method", "weights_published", 1, "method: 'weights_published' must be true, false or null, got 1"),
        ("results.0", "sorce", {}, "results[0]: unknown field 'sorce'; did you mean 'source'?"),
        ("results.0.source", "ulr", "", "results[0].source: unknown field 'ulr'; did you mean 'url'?"),
        ("results.0.metrics.0", "value", "5", "results[0].metrics[0]: 'value' must be a number, got '5'"),
        ("results.0.metrics.0", "value", 101, "results[0].metrics[0]: R1 is a percentage, got 101.0"),
        ("results.0", "metrics", [], "results[0]: 'metrics' is empty"),
        (
            "results.0.source",
            "url",
            "ftp://x",
            "results[0].source: 'url' must be a web address or the path of a record",
        ),
        ("results.0.source", "url", "x.json", "results[0].source: a reference has no code to measure with: 'url' must"),
        ("method", "reproduced_in", ["https://x.org"], "method.reproduced_in: no result has its source at https://x"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, place: str, key: str, value: Any, told: str) -> None:
    path = changed(tmp_path, place, key, value)
    with pytest.raises(CardError) as raised:
        read_reference(path)
    assert str(raised.value).startswith(f"{path}: {told}")


def test_a_reference_that_was_right_is_read_the_same_again() -> None:
    assert read_reference(SHIPPED) == read_reference(SHIPPED) == read_references()[0]
