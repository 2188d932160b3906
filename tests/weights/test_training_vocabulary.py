"""The words of the training captions travel with the weights: in their header, or in a file that the card names."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import tipr_zoo
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import WeightsError
from tipr_zoo.models.lookup import load_card
from tipr_zoo.training.train import train
from tipr_zoo.vocabulary.vocabulary import vocabulary_of
from tipr_zoo.weights.header import header_entry, read_metadata
from tipr_zoo.weights.tensors import read_weights, write_weights
from tipr_zoo.weights.training_vocabulary import VOCABULARY, training_vocabulary
from tools.write_vocabulary import FILE, training_words

TINY = "a_tiny_model"
SHIPPED = [
    "fmfa_tiny_synth",
    "irra_tiny_synth",
    "rde_tiny_synth",
    "sen_tiny_restoring_synth",
    "sen_tiny_synth",
]


def test_a_training_writes_the_words_of_its_captions_into_its_weights(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    result = train(TINY, *splits, tmp_path / "work", overrides={"training.max_epochs": 1})
    card = load_card(TINY)
    assert training_vocabulary(card, result.weights) == vocabulary_of(splits[0].captions)
    assert training_vocabulary(card) is None  # it has no weights

    again = tmp_path / "again.safetensors"
    write_weights(read_weights(result.weights), again, read_metadata(result.weights))
    assert training_vocabulary(card, again) == vocabulary_of(splits[0].captions)


def test_weights_of_before_have_no_words(tiny_zoo: Path) -> None:
    card = load_card("a_tiny_pretrained_model")
    assert training_vocabulary(card) is None
    assert training_vocabulary(card, card.path.parent / "tiny.safetensors") is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"a": -1}', "{", '{"a": 1e999}'])
def test_damaged_words_in_a_header_are_told(tiny_zoo: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "damaged.safetensors"
    write_weights(tipr_zoo.build(TINY).state_dict(), file, {VOCABULARY: text})
    assert header_entry({VOCABULARY: text}) is not None
    with pytest.raises(WeightsError, match=r"damaged\.safetensors: 'vocabulary' in the header is damaged"):
        training_vocabulary(load_card(TINY), file)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_come_with_their_words(name: str) -> None:
    vocabulary = training_vocabulary(load_card(name))
    assert vocabulary is not None
    assert vocabulary.count("backpack") > 1000
    assert vocabulary.count("umbrella") == 0


def test_the_shipped_words_are_those_of_synthpedes() -> None:
    shipped, first = json.loads(FILE.read_text()), training_words(300).counts
    assert set(first) <= set(shipped)
    for word in ("a", "man", "red", "jacket"):  # a tenth of the people, and so about a tenth of the words
        assert 10 * first[word] == pytest.approx(shipped[word], rel=0.25)


@pytest.mark.slow
def test_the_shipped_words_are_made_by_one_command() -> None:
    assert FILE.read_text() == training_words().text() + "\n"


@pytest.mark.parametrize("content", [None, b"", b'{"a": 2}', b"\xff"])
def test_a_file_of_words_that_is_not_the_cards_is_told(tmp_path: Path, content: bytes | None) -> None:
    card = load_card("irra_tiny_synth")
    assert card.weights is not None
    assert card.weights.vocabulary is not None
    elsewhere = replace(card, path=tmp_path / card.path.name)
    file = tmp_path / card.weights.vocabulary.file
    file.parent.mkdir()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(WeightsError, match="reinstall what brings"):
        training_vocabulary(elsewhere)
    shutil.copy(FILE, file)
    assert training_vocabulary(elsewhere) == training_vocabulary(card)
