"""Pruning captions to pronouns, nouns and adjectives: which words stay, how often, and that tags are kept."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nltk
import pytest
import torch
from nltk.tag.perceptron import PerceptronTagger
from tipr_zoo_sen import pruned_captions as module
from tipr_zoo_sen.components import PruningAugmentation
from tipr_zoo_sen.part_of_speech import load_tagger, split_words
from tipr_zoo_sen.pruned_captions import prune_caption, pruned_captions

from tipr_zoo.errors import ConfigError, UnknownNameError
from tipr_zoo.machine.checked_file import read_checked
from tipr_zoo.registries import CAPTION_AUGMENTATIONS

WHOLE = ["A man is wearing a red jacket and his blue jeans.", "Slowly walking away."]
PRUNED = ["man red jacket his blue jeans", "Slowly walking away."]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and no data of NLTK's."""
    monkeypatch.setattr(nltk.data, "path", [])
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def no_tagger(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, tagging anything is an error."""

    def forbid() -> None:
        def refuse(name: str) -> None:
            raise AssertionError("a caption was tagged once more")

        monkeypatch.setattr(module, "load_tagger", refuse)

    return forbid


def augmented(augmentation: PruningAugmentation, index: int, seed: int) -> str:
    return augmentation(index, torch.Generator().manual_seed(seed))


# Which words stay


@pytest.mark.parametrize(
    ("caption", "kept"),
    [
        *zip(WHOLE, PRUNED, strict=True),
        ("She's carrying a black/white T-shirt; it isn't new", "She black/white T-shirt it new"),
        ("the woman\u2019s bag isn\u2019t red", "woman bag red"),
        ("a WOMAN. Carrying a BAG.Her hair is long", "WOMAN BAG Her hair long"),
        ("He is 1.80 m tall, with 2,5 kg", "He m tall kg"),
        ("", ""),
        (" \n ", " \n "),
        ("...!?", "...!?"),
    ],
)
def test_pronouns_nouns_and_adjectives_stay(caption: str, kept: str) -> None:
    assert prune_caption(caption, load_tagger("pattern")) == kept


def test_words_are_cut_as_the_penn_treebank_cuts_them() -> None:
    assert split_words("She's in a t-shirt. It isn't red!") == [
        ["She", "'s", "in", "a", "t-shirt", "."],
        ["It", "is", "n't", "red", "!"],
    ]


# How often


def test_it_is_found_by_name() -> None:
    augmentation = CAPTION_AUGMENTATIONS.build({"type": "PruningAugmentation"}, captions=WHOLE)
    assert augmentation.probability == 0.2
    assert {augmented(augmentation, 0, seed) for seed in range(50)} == {WHOLE[0], PRUNED[0]}


@pytest.mark.parametrize("probability", [0, 0.2, 1])
def test_a_caption_is_pruned_with_the_probability(probability: float) -> None:
    augmentation = PruningAugmentation(WHOLE, probability)
    share = sum(augmented(augmentation, 0, seed) == PRUNED[0] for seed in range(1000)) / 1000
    assert share == pytest.approx(probability, abs=0.04 if 0 < probability < 1 else 0)


@pytest.mark.parametrize("probability", [-0.1, 1.5, "often", True, float("nan")])
def test_a_probability_that_is_none(probability: float) -> None:
    with pytest.raises(ConfigError, match="probability of PruningAugmentation must be a number from 0 to 1"):
        PruningAugmentation(WHOLE, probability)


# Tagged once and kept


def test_captions_are_tagged_once_and_then_read(cache: Path, no_tagger: Callable[[], None]) -> None:
    first = pruned_captions(WHOLE)
    no_tagger()
    assert pruned_captions(WHOLE) == first == PRUNED
    assert [augmented(PruningAugmentation(WHOLE, 1), index, 0) for index in range(2)] == PRUNED
    with pytest.raises(AssertionError, match="tagged once more"):
        pruned_captions([*WHOLE, "a girl"])
    (file,) = (cache / "pruned_captions").iterdir()
    assert file.suffix == ".json"


@pytest.mark.parametrize("content", ["[", '["one caption"]', '{"a": 1, "b": 2}', "[1, 2]"])
def test_a_damaged_file_is_told_and_replaced(cache: Path, caplog: pytest.LogCaptureFixture, content: str) -> None:
    pruned_captions(WHOLE)
    (file,) = (cache / "pruned_captions").iterdir()
    file.write_text(content)
    with caplog.at_level(logging.WARNING, "tipr_zoo"):
        assert pruned_captions(WHOLE) == PRUNED
    assert "they are tagged anew" in caplog.text
    assert json.loads(read_checked(file) or "") == PRUNED


def test_a_cache_that_cannot_be_written_costs_only_time(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (cache / "file").touch()
    monkeypatch.setenv("TIPR_ZOO_HOME", str(cache / "file"))
    with caplog.at_level(logging.WARNING, "tipr_zoo"):
        assert pruned_captions(WHOLE) == PRUNED
    assert "set TIPR_ZOO_HOME to a folder that can be written" in caplog.text


# Taggers


def test_an_unknown_tagger_is_told() -> None:
    with pytest.raises(UnknownNameError, match="unknown tagger 'patern'; did you mean 'pattern'"):
        PruningAugmentation(WHOLE, tagger="patern")


def test_a_missing_model_of_nltk_is_told() -> None:
    message = "not on this machine; fetch it with `python -m nltk.downloader averaged_perceptron_tagger_eng`"
    with pytest.raises(ConfigError, match=message) as raised:
        PruningAugmentation(WHOLE, tagger="nltk")
    assert "\n" not in str(raised.value)


def test_nltks_perceptron_tags_where_its_model_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "nltk_data" / "taggers" / "averaged_perceptron_tagger_eng"
    folder.mkdir(parents=True)
    trained = PerceptronTagger(load=False)
    trained.train([[("a", "DT"), ("red", "JJ"), ("bag", "NN")], [("he", "PRP"), ("sees", "VBZ")]] * 20)
    for entry, value in {
        "weights": trained.model.weights,
        "tagdict": trained.tagdict,
        "classes": sorted(trained.classes),
    }.items():
        (folder / f"averaged_perceptron_tagger_eng.{entry}.json").write_text(json.dumps(value))
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path / "nltk_data")])
    assert pruned_captions(["he sees a red bag"], tagger="nltk") == ["he red bag"]


def test_a_tagger_is_imported_only_where_one_is_needed() -> None:
    code = "import sys, tipr_zoo_sen.pruned_captions; sys.exit('textblob' in sys.modules or 'nltk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
