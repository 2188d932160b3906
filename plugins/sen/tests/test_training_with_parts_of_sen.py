"""SEN's sampler and pruning in a recipe that is not SEN's: IRRA, in tiny, on a few drawn pedestrians."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import tipr_zoo
from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.registries import CAPTION_AUGMENTATIONS
from tipr_zoo.synthpedes import draw_synthpedes
from tipr_zoo.training.pairs.augmentation import Augmentation
from tipr_zoo.training.pairs.pairs import TrainingPairs
from tipr_zoo.training.train import TrainingResult, train

SMALL: dict[str, Any] = {
    "model.image_encoder.image_size": (64, 32),
    "model.image_encoder.width": 32,
    "model.image_encoder.depth": 1,
    "model.image_encoder.num_heads": 2,
    "model.text_encoder.depth": 1,
    "training.num_workers": 0,
}
PARTS_OF_SEN: dict[str, Any] = {
    "plugins": ["sen"],
    "training.batch_size": 8,
    "training.max_epochs": 3,
    "training.sampler": {"type": "idrannum"},
    "training.caption_augmentation": {"type": "PruningAugmentation", "probability": 0.5},
}


RESTORATION = {
    "type": "TextGuidedRestoration",
    "embedding_size": 128,
    "image_size": (64, 32),
    "depth": 1,
    "weight": 10.0,
}
OBJECTIVES: dict[str, Any] = {
    "model.losses.cmt": {"type": "CrossModalTriplet", "margin": 0.05, "weight": 10.0},
    "model.heads.tir": RESTORATION,
}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> PersonDataset:
    """Six identities of two pictures with two captions each."""
    folder = tmp_path_factory.mktemp("data") / "synthpedes"
    draw_synthpedes(folder, train=6, val=2, test=2, pictures=2, splits=("train",), workers=1)
    return open_dataset(str(folder), split="train")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "cache"))
    import_plugin("sen")  # two tests take a part of it from its registry


def trained(people: PersonDataset, work_dir: Path, **options: Any) -> TrainingResult:
    overrides = {**SMALL, **PARTS_OF_SEN, **options.pop("overrides", {})}
    return train("irra_tiny_synth", people, None, work_dir, overrides=overrides, **options)


def test_a_run_that_was_stopped_ends_as_it_would_have(people: PersonDataset, tmp_path: Path) -> None:
    overrides = {"model.heads.tir": RESTORATION}  # which draws what it hides
    straight = trained(people, tmp_path / "straight", overrides=overrides)
    trained(people, tmp_path / "stopped", max_minutes=0, overrides=overrides)
    torch.manual_seed(99)
    resumed = trained(people, tmp_path / "stopped", resume=True, overrides=overrides)
    assert straight.selected_epoch == resumed.selected_epoch == 3
    expected = safetensors.torch.load_file(straight.weights)
    found = safetensors.torch.load_file(resumed.weights)
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_what_is_seen_of_a_caption_depends_on_seed_epoch_and_index_alone(people: PersonDataset) -> None:
    model = tipr_zoo.build("irra_tiny_synth", overrides=SMALL)
    pruning = CAPTION_AUGMENTATIONS.build(PARTS_OF_SEN["training.caption_augmentation"], captions=people.captions)

    def pairs(seed: int, augmentation: Any = pruning) -> TrainingPairs:
        return TrainingPairs(people, model, Augmentation(), seed, True, augmentation)

    keys = [(epoch, index) for epoch in range(2) for index in range(len(people.captions))]
    one, other = pairs(0), pairs(0)
    seen = {key: one[key] for key in keys}
    for key in reversed(keys):
        for name, value in other[key].items():
            assert torch.equal(value, seen[key][name])

    whole = pairs(0, None)
    pruned_ids = model.tokenize(pruning.pruned)
    is_pruned = []
    for epoch, index in keys:
        ids = seen[epoch, index]["caption_ids"]
        is_pruned.append(not torch.equal(ids, whole[epoch, index]["caption_ids"]))
        assert torch.equal(ids, pruned_ids[index] if is_pruned[-1] else whole.caption_ids[index])
        assert torch.equal(seen[epoch, index]["images"], whole[epoch, index]["images"])
    half = len(keys) // 2
    assert is_pruned[:half] != is_pruned[half:]
    assert 0.25 < sum(is_pruned) / len(keys) < 0.75


def test_words_are_masked_in_the_pruned_caption(people: PersonDataset) -> None:
    model = tipr_zoo.build("irra_tiny_synth", overrides=SMALL)
    pruning = CAPTION_AUGMENTATIONS.build({"type": "PruningAugmentation", "probability": 1}, captions=people.captions)
    pair = TrainingPairs(people, model, Augmentation(), 0, True, pruning)[0, 0]
    labels, ids = pair["mlm_labels"], pair["caption_ids"]
    assert torch.equal(ids, model.tokenize(pruning.pruned[0])[0])
    assert labels.any()
    assert torch.equal(labels[labels > 0], ids[labels > 0])


def test_fewer_identities_than_a_round_takes(people: PersonDataset, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the training split has 6; set training\.batch_size to at most 12"):
        trained(people, tmp_path, overrides={"training.batch_size": 16})


def test_every_part_at_once_in_a_recipe_that_is_not_sens(people: PersonDataset, tmp_path: Path) -> None:
    overrides = {**OBJECTIVES, "training.max_epochs": 1}
    weights = trained(people, tmp_path, overrides=overrides).weights
    history = json.loads((tmp_path / "history.jsonl").read_text().splitlines()[0])
    assert {"loss_sdm", "loss_id", "loss_irr", "loss_cmt", "loss_tir"} <= set(history)
    model = tipr_zoo.build(
        "irra_tiny_synth",
        weights=weights,
        overrides={**SMALL, **OBJECTIVES, "plugins": ["sen"]},
    )
    assert set(model.heads) == {"id", "irr", "tir"}


def test_a_part_whose_plugin_the_recipe_does_not_name(tmp_path: Path) -> None:
    overrides = {"model.losses.cmt": {"type": "CrossModalTriplet"}}
    code = f"import tipr_zoo; tipr_zoo.build('irra_tiny_synth', overrides={overrides})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "unknown loss 'CrossModalTriplet'" in done.stderr
    assert "'sen'" in done.stderr.partition("the recipe must name it: plugins=")[2]


def test_weights_with_a_head_that_the_model_does_not_have_can_be_measured(
    people: PersonDataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    overrides = {**OBJECTIVES, "training.max_epochs": 1}
    weights = trained(people, tmp_path, overrides=overrides).weights
    model = tipr_zoo.build("irra_tiny_synth", weights=weights, overrides=SMALL)
    assert set(model.heads) == {"id", "irr"}
    assert "its heads tir are left out, the model has none" in caplog.text


@pytest.mark.parametrize("largest_group", [1.5, float("nan"), True])
def test_a_largest_group_that_is_no_whole_number(people: PersonDataset, tmp_path: Path, largest_group: Any) -> None:
    overrides = {"training.sampler": {"type": "idrannum", "largest_group": largest_group}}
    with pytest.raises(ConfigError, match="largest_group must be a whole number"):
        trained(people, tmp_path, overrides=overrides)
