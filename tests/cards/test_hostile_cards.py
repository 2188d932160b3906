"""Cards, references and records with changed bytes: each is read, or refused in one line that names the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tipr_zoo.authoring.card_check import check_card
from tipr_zoo.cards.card import read_card
from tipr_zoo.cards.index import CardIndex, core_cards_folder
from tipr_zoo.cards.record import read_record
from tipr_zoo.errors import CardError, RecordError
from tipr_zoo.leaderboard.references import read_reference

CARDS = core_cards_folder()
CARD = (CARDS / "irra_tiny_synth.md").read_bytes()
RECORD = sorted((CARDS / "records").glob("*.json"))[0].read_bytes()
REFERENCE = sorted((CARDS / "references").glob("*.yaml"))[0].read_bytes()

WORDS = st.sampled_from(
    [
        "!!timestamp",
        "!!int",
        "!!float",
        "!!bool",
        "!!null",
        "!!binary",
        "!!set",
        "!!omap",
        "!!pairs",
        "!!map",
        "!!seq",
        "!!str",
        "!!python/name:os.system",
        "!a",
        "<<:",
        "&a",
        "*a",
        "?",
        "-",
        ":",
        ",",
        "[",
        "]",
        "{",
        "}",
        "|",
        ">",
        "'",
        '"',
        "#",
        "%",
        "@",
        "`",
        "~",
        ".nan",
        ".inf",
        "-.inf",
        "0x",
        "0o8",
        "1e999",
        "1_0",
        "1:99:99",
        "2024-13-45",
        "2020-01-01",
        "NaN",
        "Infinity",
        "null",
        "true",
        "[[[[",
        "{{{{",
        "\\ud800",
        "\\x00",
    ]
)
PIECES = st.one_of(
    WORDS.map(str.encode), st.binary(max_size=4), st.integers(4000, 5000).map(lambda n: b"9" * n), st.just(b"\r\n- ")
)
CHANGES = st.lists(st.tuples(st.integers(0, 1 << 16), PIECES, st.integers(0, 12)), min_size=1, max_size=4)
BOUNDED = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def changed(content: bytes, changes: list[tuple[int, bytes, int]], behind: int) -> bytes:
    """A file's content with some pieces put in the place of others, in its first bytes."""
    result = bytearray(content)
    for place, piece, dropped in changes:
        place %= min(len(result), behind) + 1
        result[place : place + dropped] = piece
    return bytes(result)


def told(read: Callable[[], object], error: type[Exception]) -> str:
    """What an error of this kind says; empty where there is none. Any other error is the test's."""
    try:
        read()
    except error as raised:
        return str(raised)
    return ""


@BOUNDED
@given(changes=CHANGES)
def test_a_changed_card_is_right_or_one_line(changes: list[tuple[int, bytes, int]], tmp_path: Path) -> None:
    path = tmp_path / "irra_tiny_synth.md"
    path.write_bytes(changed(CARD, changes, behind=CARD.index(b"\n---\n")))
    said = told(lambda: read_card(path), CardError)
    assert said == "" or said.startswith(f"{path}: ")
    assert "\n" not in said
    if said:
        assert check_card(path)
    index = CardIndex()
    index.add(path, owner=None)
    index.add(CARDS / "irra_vitb16_cuhk.md", owner=None)
    assert "irra_vitb16_cuhk" in index.cards


@BOUNDED
@given(changes=CHANGES)
def test_a_changed_record_is_right_or_one_line(changes: list[tuple[int, bytes, int]], tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(changed(RECORD, changes, behind=len(RECORD)))
    said = told(lambda: read_record(path), RecordError)
    assert said == "" or said.startswith(f"{path}: ")
    assert "\n" not in said


@BOUNDED
@given(changes=CHANGES)
def test_a_changed_reference_is_right_or_one_line(changes: list[tuple[int, bytes, int]], tmp_path: Path) -> None:
    path = tmp_path / "reference.yaml"
    path.write_bytes(changed(REFERENCE, changes, behind=len(REFERENCE)))
    said = told(lambda: read_reference(path), CardError)
    assert said == "" or said.startswith(f"{path}: ")
    assert "\n" not in said


@pytest.mark.parametrize("key", list(json.loads(RECORD)))
@pytest.mark.parametrize("value", ["9" * 5000, "1e999", "NaN", "[" * 70 + "]" * 70, '"\\ud800"', "{}", "[[]]", "-1"])
def test_no_value_of_a_record_raises_anything_else(key: str, value: str, tmp_path: Path) -> None:
    values = json.loads(RECORD)
    path = tmp_path / "record.json"
    path.write_text(json.dumps({**values, key: "HERE"}).replace('"HERE"', value))
    assert "\n" not in told(lambda: read_record(path), RecordError)
