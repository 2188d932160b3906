"""Every problem of a card is told in one pass, with the line that it stands on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tipr_zoo.authoring.card_check import check_card
from tipr_zoo.command_line import main

# Behind every mark stands what is said of its line, or of what is missing from the mapping that begins there.
CARD = """---
licence: mit  #! unknown field 'licence'; did you mean 'license'
datasets: CUHK-PEDES  #! field 'datasets' must be a list of texts
tags: [a, a]  #! a tag is given twice
language: en
model-index:
- name: another  #! 'name' must be the card's name 'model', got 'another'
  nome: model  #! unknown field 'nome'; did you mean 'name'
  results:
  - task: {type: image-retrieval}  #! 'type' must be text-to-image-person-retrieval
    dataset:
      type: [cuhk]  #! 'type' must be text, got ['cuhk']
      name: ''  #! 'name' must be text, got ''
      split: 5  #! 'split' must be text, got 5
      args: {day: 2020-01-01}  #! 'args' must be numbers and texts by name
      size: 1  #! unknown field 'size'
    metrics:
    - {type: R1, value: 173.0}  #! R1 is a percentage, got 173.0
    - {type: R2, value: 3.0}  #! 'type' must be one of R1
    - {type: R5, value: .nan}  #! 'value' must be a number, got nan
    - {type: R10, value: true}  #! 'value' must be a number, got True
    - {type: mAP, value: '5'}  #! 'value' must be a number, got '5'
    - {type: mINP, value: 1.0}
    - {type: mINP, value: 2.0}  #! mINP is given twice
    source:
      name: a paper
      url: file:///etc/passwd  #! 'url' must be a web address or the path of a record
  - task: text  #! field 'task' must be a mapping, got 'text' | field 'type' is missing
    dataset: {type: a, name: b, split: c}
    metrics: []  #! 'metrics' is empty
    source: null  #! a figure needs a 'source' with 'name' and 'url'
  - task: {type: text-to-image-person-retrieval}
    dataset: {type: a, name: b, split: c}
    metrics: {R1: 5}  #! field 'metrics' must be a list of mappings
    source: {name: n, url: records/none.json}  #! cannot be read as a record
tipr_zoo:
  plugin: fmfaa  #! unknown plugin 'fmfaa'; did you mean 'fmfa'
  config: ../model.py  #! 'config' must be a path inside the folder of recipes
  method:
    name: 5  #! 'name' must be text, got 5
    selected_on: train  #! 'selected_on' must be val, test, none or null, got 'train'
    weights_published: 'yes'  #! 'weights_published' must be true, false or null, got 'yes'
    reproduced_in: https://example.org  #! field 'reproduced_in' must be a list of texts
  weights:
    file: https://example.org/w  #! 'file' must be a path as seen from the card
    sha256: ABC  #! 'sha256' must be 64 lower-case hexadecimal digits, got 'ABC'
    size: true  #! 'size' must be the file's length in bytes, got True
    format: pickle  #! 'format' must be safetensors or pytorch, got 'pickle'
    license: {}  #! 'license' must be text, got {}
  weights_note: 7  #! 'weights_note' must be text, got 7
  paper: {title: null, url: "https://u.org"}  #! field 'title' is missing
  code: [1]  #! field 'code' must be a mapping, got [1]
  protocole: none  #! unknown field 'protocole'; did you mean 'protocol'
---

# A model

## Use

## Care
"""

MISSING = {1: ["field 'license' is missing"], 36: ["field 'protocol' is missing"]}
"""What is said of fields that are not there, by the line of the mapping that lacks them."""


def expected() -> dict[int, list[str]]:
    """What must be said of every line."""
    found = {number: line.partition("#! ")[2].split(" | ") for number, line in enumerate(CARD.splitlines(), start=1)}
    found = {number: messages for number, messages in found.items() if messages != [""]}
    return {number: [*found.get(number, []), *MISSING.get(number, [])] for number in sorted({*found, *MISSING})}


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "model.md"
    path.write_text(CARD)
    return path


def test_a_card_with_some_forty_problems_at_once_tells_all_of_them_with_their_lines(card: Path) -> None:
    problems = check_card(card)
    told = {line: [p.message for p in problems if p.line == line] for line in sorted({p.line for p in problems})}
    assert list(told) == list(expected())
    for line, messages in expected().items():
        assert len(told[line]) == len(messages), (line, told[line])
        for message in messages:
            assert any(message in one for one in told[line]), (line, message, told[line])
    assert len(problems) == 41
    assert all("\n" not in str(problem) for problem in problems)


def test_they_are_printed_in_the_order_of_their_lines(card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cards", "check", str(card)]) == 1
    *lines, summary = capsys.readouterr().out.splitlines()
    numbers = [int(line.removeprefix(f"{card}:").partition(":")[0]) for line in lines]
    assert (numbers, summary) == (sorted(numbers), "1 card: 41 problems in 1")


def test_only_the_card_is_read_and_nothing_is_written(card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (card.parent / "beside").mkdir()
    monkeypatch.setattr("tempfile.TemporaryDirectory", None)
    monkeypatch.setattr("os.symlink", None)
    before = {path: path.stat().st_mtime_ns for path in card.parent.rglob("*")}
    assert len(check_card(card)) == 41
    assert {path: path.stat().st_mtime_ns for path in card.parent.rglob("*")} == before


def test_every_figure_that_its_record_has_otherwise_is_told(tmp_path: Path) -> None:
    from tipr_zoo.cards.index import core_cards_folder

    cards = core_cards_folder()
    for folder in ("records", "weights"):
        (tmp_path / folder).symlink_to(cards / folder)
    text = (cards / "irra_tiny_synth.md").read_text()
    for metric, old, new in [("R1", "77.56", "70.00"), ("mAP", "79.04", "70.00"), ("R5", "95.25", "90.00")]:
        assert f"type: {metric}, value: {old}" in text
        text = text.replace(f"type: {metric}, value: {old}", f"type: {metric}, value: {new}")
    path = tmp_path / "irra_tiny_synth.md"
    path.write_text(text)
    messages = [problem.message for problem in check_card(path)]
    assert [message.split()[0] for message in messages] == ["R1", "R5", "mAP"]
