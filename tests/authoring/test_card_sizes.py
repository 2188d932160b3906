"""The size of models on their cards: it is what building gives, and a command writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

import tipr_zoo
from tipr_zoo.authoring.card_sizes import size_problems, write_size
from tipr_zoo.cards.card import read_card
from tipr_zoo.cards.schema import SizeBlock
from tipr_zoo.command_line import main
from tipr_zoo.errors import CardError
from tipr_zoo.models.model_size import model_size


@pytest.mark.parametrize("name", tipr_zoo.list_models())
def test_every_card_says_what_building_gives(name: str) -> None:
    card = tipr_zoo.load_card(name)
    assert card.size == model_size(card), "write it with: tipr-zoo cards check --write-sizes"


def test_the_size_is_that_of_a_model_with_numbers() -> None:
    model = tipr_zoo.build("irra_tiny_synth")
    size = tipr_zoo.load_card("irra_tiny_synth").size
    assert size.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert size.embedding == model.encode_text(model.tokenize("a man")).shape[1]
    assert size.input == model.image_size


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A copy of a card without its size."""
    text = tipr_zoo.load_card("clip_vitb16").path.read_text()
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith("  size:")]
    (tmp_path / "clip_vitb16.md").write_text("".join(lines))
    return tmp_path / "clip_vitb16.md"


WRITTEN = {
    "none": "",
    "on one line": "  size: {parameters: 7, embedding: 512, input: [224, 224]}\n",
    "on several lines": "  size:\n    parameters: 7\n    embedding: 512\n    input: [224, 224]\n",
}


@pytest.mark.parametrize("old", WRITTEN.values(), ids=WRITTEN)
def test_the_command_writes_the_size_and_nothing_else(old: str, card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = card.read_text()
    config = "  config: clip_vitb16.py\n"
    card.write_text(before.replace(config, config + old))
    assert main(["cards", "check", str(card), "--sizes"]) == 1
    told = "does not say its size" if not old else "the card says {parameters: 7, "
    assert told in capsys.readouterr().out
    assert main(["cards", "check", str(card), "--write-sizes"]) == 0
    size = "  size: {parameters: 149620736, embedding: 512, input: [224, 224]}\n"
    assert card.read_text() == before.replace(config, config + size)
    assert main(["cards", "check", str(card), "--sizes"]) == 0
    assert not write_size(card)


def test_a_card_whose_model_cannot_be_built_is_told(card: Path) -> None:
    card.write_text(card.read_text().replace("plugin: null", "plugin: no_such_plugin"))
    (problem,) = size_problems(card)
    assert "the model cannot be built, so that its size is not known: unknown plugin" in problem.message


WRONG = {
    "no whole number": ("{parameters: 1.5, embedding: 2, input: [3, 4]}", "'parameters' must be a whole number"),
    "below one": ("{parameters: 1, embedding: 0, input: [3, 4]}", "'embedding' must be a whole number above 0"),
    "one side": ("{parameters: 1, embedding: 2, input: [3]}", "must be the height and width in pixels"),
    "a side that is none": ("{parameters: 1, embedding: 2, input: [3, a]}", "must be the height and width in pixels"),
    "no list": ("{parameters: 1, embedding: 2, input: 3}", "must be the height and width in pixels"),
    "missing": ("{parameters: 1, embedding: 2}", "'input'"),
    "another field": ("{parameters: 1, embedding: 2, input: [3, 4], depth: 5}", "depth"),
    "a text": ("big", "'size' must be a mapping"),
}


@pytest.mark.parametrize(("size", "message"), WRONG.values(), ids=WRONG)
def test_a_size_that_makes_no_sense_is_told(size: str, message: str, card: Path) -> None:
    config = "  config: clip_vitb16.py\n"
    card.write_text(card.read_text().replace(config, f"{config}  size: {size}\n"))
    with pytest.raises(CardError) as raised:
        read_card(card)
    assert message in str(raised.value)


def test_list_and_info_show_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "clip_vitb16", "--long"]) == 0
    header, _, row, *_ = capsys.readouterr().out.splitlines()
    assert header.split()[-3:] == ["parameters", "embedding", "input"]
    assert row.split()[-6:] == ["149.6", "M", "512", "224", "x", "224"]
    assert main(["list", "clip_vitb16"]) == 0
    assert "149.6" not in capsys.readouterr().out
    assert main(["info", "clip_vitb16"]) == 0
    text = capsys.readouterr().out
    assert "149.6 M parameters (149,620,736), embeddings of 512 numbers, pictures of 224 x 224 pixels" in text
    assert "tipr-zoo train clip_vitb16" not in text
    assert tipr_zoo.load_card("clip_vitb16").size == SizeBlock(parameters=149620736, embedding=512, input=(224, 224))
