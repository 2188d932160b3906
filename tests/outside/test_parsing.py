"""The gate for parsers: depth and number are limited before anything is made of a text."""

from __future__ import annotations

import json

import pytest
import yaml

from tipr_zoo.outside import parsing
from tipr_zoo.outside.parsing import DEEPEST, MOST_ENTRIES, check_yaml_nesting, parse_json


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1),
        '["a\\"[[", ' * (DEEPEST + 1) + "1" + "]" * (DEEPEST + 1),
    ],
    ids=["never closed", "lists", "objects", "one level too many", "brackets in words"],
)
def test_json_that_is_nested_too_deeply_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"nested more than {DEEPEST} levels deep"):
        parse_json(text)


def test_large_json_that_is_nested_too_deeply_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    filled = json.dumps(['words " [ and \\\\'] * 100_000)
    monkeypatch.setattr(parsing, "_DECODER", None)
    for text in ("[" * 2_000_000, f"[{filled}, {'[' * 70}{']' * 70}]", f"[{filled}, {'[' * 70}"):
        with pytest.raises(ValueError, match=f"nested more than {DEEPEST} levels deep"):
            parse_json(text)


def test_json_of_too_many_values_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "MOST_VALUES", 1000)
    assert len(parse_json(json.dumps([[]] * 450 + ["a, b, c"] * 98))) == 548  # the commas of the words do not count
    with pytest.raises(ValueError, match="it holds more than 1,000 values"):
        parse_json(json.dumps([[]] * 501))


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("NaN", "NaN is no number"),
        ("Infinity", "Infinity is no number"),
        ("-Infinity", "-Infinity is no number"),
        ("1e999", "1e999 is too large for a number"),
        ("-1.5E+4000", "-1.5E\\+4000 is too large for a number"),
        ("9" * 100_000, "a whole number of 100,000 digits is too long"),
        ("-" + "9" * 41, "a whole number of 41 digits is too long"),
        ("9" * 400 + ".0", "9{40}... is too large for a number"),
    ],
    ids=["NaN", "infinity", "minus infinity", "exponent", "negative", "very long", "a bit long", "with a point"],
)
def test_numbers_that_are_none_are_refused_with_place_and_entry(number: str, message: str) -> None:
    before = '{"a": [{"words": "NaN, \\"1e999 [", "id": 1}, [2, {}],\n  {"id": '
    with pytest.raises(json.JSONDecodeError, match=f"{message} in entry 2, counted from 0: line 2 column 10 ") as told:
        parse_json(before + number + "}]}")
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 150
    with pytest.raises(json.JSONDecodeError, match=f"^{message}: line 1 column 1 "):
        parse_json(number)


def test_nan_passes_where_it_stands_for_an_empty_cell() -> None:
    assert repr(parse_json("[1, NaN]", nan=True)) == "[1, nan]"
    with pytest.raises(json.JSONDecodeError, match="-Infinity is no number in entry 1, counted from 0"):
        parse_json("[NaN, -Infinity]", nan=True)


def test_other_numbers_are_read_as_python_reads_them() -> None:
    for number in ("0", "-1", "9" * 40, "1.5", "1e308", "-0.0", "1e-999"):
        assert repr(parse_json(f"[{number}]")) == repr(json.loads(f"[{number}]"))


@pytest.mark.parametrize(
    "values",
    [
        [['a [{ \\ " word'] * 100] * 100,
        {str(number): {"a": [number, {}]} for number in range(1000)},
        json.loads("[" * DEEPEST + "]" * DEEPEST),
        "[" * 1000,
        ["\\\\", '\\\\"', "[" * 100, '"' * 33 + "{" * 100, "\\u005b"] * 50,
    ],
    ids=["brackets in words", "wide", "the deepest", "only a word", "backslashes"],
)
def test_other_json_is_parsed_as_python_does(values: object) -> None:
    assert parse_json(json.dumps(values)) == values


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "{a: " * 100_000 + "1" + "}" * 100_000,
        "\n".join(" " * level + "a:" for level in range(3000)),
        "- " * 100_000 + "a",
        "? " * 100_000,
        "[" * 100_000,
    ],
    ids=["maps", "indented maps", "lists on a line", "keys", "never closed"],
)
def test_yaml_that_is_nested_too_deeply_is_refused_before_it_is_parsed(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match=f"nested more than {DEEPEST} levels deep"):
        check_yaml_nesting(text)


def test_yaml_with_too_many_entries_is_refused() -> None:
    with pytest.raises(yaml.YAMLError, match=f"more than {MOST_ENTRIES:,} entries"):
        check_yaml_nesting("- a\n" * (2 * MOST_ENTRIES + 10))
    check_yaml_nesting("- a\n" * MOST_ENTRIES)


def test_no_yaml_is_told_by_the_parser() -> None:
    with pytest.raises(yaml.YAMLError):
        check_yaml_nesting("[]\n" * 70)
