"""The gate for parsers: depth and number are limited before anything is made of a text."""

from __future__ import annotations

import json

import pytest
import yaml

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


def test_large_json_that_is_nested_too_deeply_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="cannot be parsed: RecursionError"):
        parse_json("[" * 2_000_000)


@pytest.mark.parametrize(
    "values",
    [
        [['a [{ \\ " word'] * 100] * 100,
        {str(number): {"a": [number, {}]} for number in range(1000)},
        json.loads("[" * DEEPEST + "]" * DEEPEST),
        "[" * 1000,
    ],
    ids=["brackets in words", "wide", "the deepest", "only a word"],
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
