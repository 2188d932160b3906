"""A model is looked up once a use case, and what one use does to its recipe reaches no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
from mmengine.config import Config

import tipr_zoo
from tipr_zoo.cards.index import CardIndex, card_index
from tipr_zoo.command_line import main
from tipr_zoo.errors import TiprZooError
from tipr_zoo.models.resolved_model import resolve
from tipr_zoo.outside import files
from tipr_zoo.synthpedes import draw_synthpedes

TINY, TINY_PRETRAINED = "a_tiny_model", "a_tiny_pretrained_model"


class _NotedCards(dict[str, Any]):
    """Cards by name, which note who is asked for."""

    def __init__(self, cards: dict[str, Any], noted: Counter[str]) -> None:
        super().__init__(cards)
        self.noted = noted

    def __getitem__(self, name: str) -> Any:
        self.noted["cards"] += 1
        return super().__getitem__(name)


@pytest.fixture
def counted(tiny_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many cards were looked up, recipes run, and files of weights hashed."""
    noted: Counter[str] = Counter()
    index = card_index()
    told = CardIndex(_NotedCards(index.cards, noted), index.problems, index.notes, index.faults)
    monkeypatch.setattr("tipr_zoo.models.lookup.card_index", lambda: told)
    fromfile, hashed = Config.fromfile, files.file_sha256

    def noting_recipe(path: Path, *arguments: Any, **options: Any) -> Config:
        noted["recipes"] += 1
        return fromfile(path, *arguments, **options)

    def noting_hash(path: Path) -> str:
        noted["hashes"] += 1
        return hashed(path)

    monkeypatch.setattr(Config, "fromfile", noting_recipe)
    for module in "cards.weights_check", "evaluation.loaded_model", "hub.download", "models.weights_origin":
        monkeypatch.setattr(f"tipr_zoo.{module}.file_sha256", noting_hash)
    return noted


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small SynthPEDES."""
    folder = tmp_path_factory.mktemp("people")
    draw_synthpedes(folder, seed=3, train=6, val=2, test=2, pictures=2, workers=1)
    return folder


def test_one_evaluation_looks_up_once_reads_once_and_hashes_once(
    counted: Counter[str], people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path))
    words = ["eval", TINY_PRETRAINED, "--data", str(people), "--direction", "both", "--records", str(tmp_path / "r")]
    assert main([*words, "--device", "cpu"]) == 0
    assert counted == {"cards": 1, "recipes": 1, "hashes": 1}


def test_with_other_weights_too(
    counted: Counter[str], people: Path, tiny_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path))
    file = tiny_zoo / "tiny.safetensors"
    assert main(["eval", TINY, "--data", str(people), "--weights", str(file), "--device", "cpu"]) == 0
    assert counted == {"cards": 1, "recipes": 1, "hashes": 1}


def test_one_training_looks_up_once_and_reads_once(counted: Counter[str], people: Path, tmp_path: Path) -> None:
    words = ["train", TINY, "--data", str(people), "--work-dir", str(tmp_path), "--device", "cpu"]
    assert main([*words, "--cfg-options", "training.max_epochs=1", "training.batch_size=4"]) == 0
    assert counted == {"cards": 1, "recipes": 1}


@pytest.mark.parametrize(
    "use",
    [
        lambda: tipr_zoo.build(TINY),
        lambda: resolve(TINY, {"training.seed": 1, "training.max_epochs": 3}),
        lambda: resolve(TINY).changed({"training.seed": 1}).changed({"training.max_epochs": 3}),
    ],
    ids=["build", "resolve", "changed"],
)
def test_whoever_needs_a_model_looks_it_up_once(counted: Counter[str], use: Callable[[], Any]) -> None:
    use()
    assert counted == {"cards": 1, "recipes": 1}


def test_weights_of_the_card_are_hashed_once(counted: Counter[str]) -> None:
    tipr_zoo.build(TINY_PRETRAINED, pretrained=True)
    assert counted == {"cards": 1, "recipes": 1, "hashes": 1}


def test_a_checkpoint_of_the_official_code_looks_its_method_up_once(counted: Counter[str], tmp_path: Path) -> None:
    safetensors.torch.save_file(tipr_zoo.build(TINY).state_dict(), tmp_path / "own.safetensors")
    counted.clear()
    with pytest.raises(TiprZooError, match="it has the zoo's own names already"):
        tipr_zoo.from_official(tmp_path / "own.safetensors", method="irra")
    assert counted == {"cards": 1, "recipes": 1}


def test_changes_reach_neither_the_recipe_they_come_from_nor_its_copies(tiny_zoo: Path) -> None:
    first = resolve(TINY, {"training.batch_size": 4})
    second = first.changed({"training.seed": 7})
    second.copied_recipe().model.heads.id.num_identities = 99
    assert (second.recipe.training.seed, second.recipe.training.batch_size) == (7, 4)
    assert first.recipe.training.seed == 0
    assert second.own_recipe.training.batch_size == 8
    assert second.recipe.model.heads.id.num_identities == 6
    assert second.overrides == {"training.batch_size": 4, "training.seed": 7}


def test_a_further_override_is_checked_like_the_first(tiny_zoo: Path) -> None:
    with pytest.raises(TiprZooError, match=r"unknown recipe entry 'training\.sede'; did you mean 'training\.seed'"):
        resolve(TINY).changed({"training.sede": 1})
