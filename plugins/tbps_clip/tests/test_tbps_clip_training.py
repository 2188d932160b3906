"""How TBPS-CLIP is trained: soft labels over time, rates and decay, views and captions, and a stop on the way."""

from __future__ import annotations

import json
import math
import os
import runpy
import signal
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tipr_zoo_tbps_clip.components import DrawnChanges, RewordedCaptions, SelfSupervisedView

from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError, TiprZooError, TrainingInterrupted
from tipr_zoo.models.lookup import load_card
from tipr_zoo.models.reader_lookup import reader_named
from tipr_zoo.models.recipe import load_recipe
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.registries import CAPTION_AUGMENTATIONS, HOOKS, PICTURE_AUGMENTATIONS
from tipr_zoo.synthpedes import draw_synthpedes
from tipr_zoo.training.loop.parameter_groups import freeze_parameters, parameter_groups
from tipr_zoo.training.loop.schedule import Schedule
from tipr_zoo.training.train import train
from tipr_zoo.training.training_hooks import SoftLabelRamp
from tipr_zoo.weights.official_names import usual_names, zoo_names

NAME = "tbps_clip_tiny_synth"
PARITY = Path(__file__).parents[3] / "tests" / "parity" / "files" / "parity_inputs.py"
SMALL = {"training.max_epochs": 2, "training.batch_size": 8, "training.validate_every": 2}


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> tuple[PersonDataset, PersonDataset]:
    folder = tmp_path_factory.mktemp("data") / "synthpedes"
    draw_synthpedes(folder, seed=0, train=5, val=2, test=2, pictures=2)
    train_set, validation_set = (open_dataset(str(folder), split=split) for split in ("train", "val"))
    return train_set, validation_set


class Watching:
    """A hook that notes the ratios of the steps, and may send a signal during one."""

    ratios: list[float]
    stop_at: int | None = None

    def before_step(self, run: Any, batch: Any) -> None:
        type(self).ratios.append(float(batch["soft_label_ratio"][0]))
        assert set(batch) >= {"augmented", "self_supervised_1", "self_supervised_2"}
        if run.step == type(self).stop_at:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> type[Watching]:
    HOOKS.names()
    monkeypatch.setattr(HOOKS, "_module_dict", dict(HOOKS._module_dict))
    monkeypatch.setattr(HOOKS, "_places", dict(HOOKS._places))
    HOOKS.register_module()(Watching)
    Watching.ratios, Watching.stop_at = [], None
    return Watching


@pytest.mark.slow
def test_a_training_that_was_stopped_ends_with_the_same_bits(
    splits: tuple[PersonDataset, PersonDataset], watching: type[Watching], tmp_path: Path
) -> None:
    overrides = SMALL | {"training.hooks": [{"type": "SoftLabelRamp"}, {"type": "Watching"}]}
    train(NAME, *splits, tmp_path / "straight", overrides=overrides)
    ratios, watching.ratios = watching.ratios, []
    steps = len(ratios) // 2
    assert ratios == pytest.approx([0.5 * step / steps for step in range(steps)] + [0.5] * steps)

    watching.stop_at = 1  # within the first epoch, where the ratio rises
    with pytest.raises(TrainingInterrupted):
        train(NAME, *splits, tmp_path / "stopped", overrides=overrides)
    watching.stop_at = None
    train(NAME, *splits, tmp_path / "stopped", resume=True, overrides=overrides)
    assert watching.ratios == ratios

    def state(folder: str) -> dict[str, Any]:
        found: dict[str, Any] = torch.load(tmp_path / folder / "epoch_2.pth", weights_only=True)["state_dict"]
        return found

    one, other = state("straight"), state("stopped")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    lines = [(tmp_path / folder / "history.jsonl").read_text().splitlines() for folder in ("straight", "stopped")]
    losses = [[{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in each] for each in lines]
    assert losses[0] == losses[1]


def test_a_training_without_the_views_does_not_begin(
    splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    overrides = SMALL | {"training.views": None}
    with pytest.raises(TiprZooError, match=r"needed by MultiViewITC.*'augmented'.*training\.views=dict\(augmented="):
        train(NAME, *splits, tmp_path / "run", overrides=overrides)


def test_the_ratio_rises_during_the_first_epoch_and_stays() -> None:
    hook, batch = SoftLabelRamp(0.4), {"pids": torch.zeros(3)}
    for epoch, step, expected in ((0, 0, 0.0), (0, 5, 0.2), (0, 9, 0.36), (1, 0, 0.4), (4, 9, 0.4)):
        run: Any = SimpleNamespace(step=10 * epoch + step, epoch_length=10)
        (ratio,) = hook.before_step(run, batch).values()
        assert ratio.tolist() == pytest.approx([expected] * 3)
    with pytest.raises(ConfigError, match=r"ratio of SoftLabelRamp must be from 0 to 1, got 2"):
        SoftLabelRamp(2)


# The recipes of full size


@pytest.mark.parametrize("kind", ["tbps_clip", "tbps_clip_simplified"])
def test_what_has_no_decay_and_what_is_frozen_is_as_in_the_official_code(kind: str) -> None:
    """No decay for what is no matrix, and for names with bias, ln or bn: by the official names and shapes."""
    card = load_card(f"{kind}_vitb16_cuhk")
    training = load_recipe(card).training
    with torch.device("meta"):
        model = build_retriever(load_recipe(card).model)
    inputs = SimpleNamespace(**runpy.run_path(str(PARITY)))
    shapes = inputs.model_shapes("tbps_clip", inputs.CONFIGS["vitb16_square"])
    shapes = {name: shape for name, shape in shapes.items() if kind == "tbps_clip" or not name.startswith("simclr")}
    freeze_parameters(model, training.parameter_patterns)
    groups = parameter_groups(
        model, training.optimizer.lr, training.optimizer.weight_decay, {}, training.parameter_patterns
    )
    found = {group["name"]: (group["lr"], group["weight_decay"]) for group in groups}
    usual, rules = usual_names(shapes), reader_named(kind).rules
    expected = {}
    for name, shape in shapes.items():
        plain = len(shape) < 2 or any(part in name for part in ("bias", "ln", "bn"))
        expected |= dict.fromkeys(zoo_names(usual[name], rules), (1e-4, 0.0 if plain else 0.02))
    assert expected.pop("image_encoder.trunk.patch_embed.proj.weight")
    assert found == expected


def test_the_rate_of_every_step() -> None:
    training = load_recipe(load_card("tbps_clip_vitb16_cuhk")).training
    schedule, steps = Schedule(**training.schedule), 100
    rates = [1e-4 * schedule.factor(step / steps, training.max_epochs) for step in range(5 * steps)]
    assert rates[0] == pytest.approx(1e-6)
    assert rates[steps] == pytest.approx(1e-4)
    assert all(after > before for before, after in pairwise(rates[: steps + 1]))
    for step in (steps, 3 * steps, 5 * steps - 1):
        share = (step - steps) / (4 * steps)
        assert rates[step] == pytest.approx(5e-6 + 0.5 * (1e-4 - 5e-6) * (1 + math.cos(math.pi * share)))


@pytest.mark.parametrize("name", ["cuhk", "icfg", "rstp"])
def test_the_recipes_say_what_the_published_configurations_say(name: str) -> None:
    full, simple = (load_recipe(load_card(f"{kind}_vitb16_{name}")) for kind in ("tbps_clip", "tbps_clip_simplified"))
    for recipe in (full, simple):
        training = recipe.training
        assert (training.batch_size, training.max_epochs) == (320, 5)
        assert (training.optimizer.betas, training.optimizer.eps) == ((0.9, 0.98), 1e-8)
        assert (recipe.model.mean, recipe.model.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        assert recipe.model.text_encoder.dropout == 0.05
        assert recipe.model.image_encoder.image_size == (224, 224)
    assert (full.training.seed, simple.training.seed) == (1, 0)
    assert (full.model.losses.citc.weight, full.model.heads.ss.weight) == (0.1, 0.4)
    assert set(simple.model.heads) == {"nitc", "ritc"}
    assert not simple.model.get("losses")
    assert "views" not in simple.training


# Captions


def words_of(caption: str, count: int = 300, **probabilities: float) -> list[str]:
    augmentation = RewordedCaptions([caption], **probabilities)
    return [augmentation(0, torch.Generator().manual_seed(seed)) for seed in range(count)]


def test_words_are_left_out_in_their_order_with_this_probability() -> None:
    caption = " ".join(f"w{i}" for i in range(20))
    found = words_of(caption, deleted=0.05, translated=0.0)
    assert all(text.split() == [word for word in caption.split() if word in text.split()] for text in found)
    assert sum(len(text.split()) for text in found) / (20 * len(found)) == pytest.approx(0.95, abs=0.01)
    assert words_of(caption, 5, deleted=0.0, translated=0.0) == [caption] * 5


@pytest.mark.parametrize("caption", ["", "man", "   ", " man "])
def test_a_caption_of_one_word_or_none_stays(caption: str) -> None:
    assert set(words_of(caption, 20, deleted=1.0, translated=0.0)) == {caption}


def test_where_every_word_would_go_one_stays() -> None:
    assert set(words_of("a red coat", 60, deleted=1.0, translated=0.0)) == {"a", "red", "coat"}


def test_a_caption_becomes_its_back_translation_where_it_has_one(caplog: pytest.LogCaptureFixture) -> None:
    further = {"captions_bt": ["back translated", None, ""]}
    augmentation = RewordedCaptions(["first one", "second one", "third one"], further, translated=0.3, deleted=0.0)
    generators = [torch.Generator().manual_seed(seed) for seed in range(400)]
    found = [augmentation(0, generator) for generator in generators]
    assert found.count("back translated") / 400 == pytest.approx(0.3, abs=0.07)
    assert {augmentation(1, generator) for generator in generators} == {"second one"}
    assert {augmentation(2, generator) for generator in generators} == {"third one"}
    assert not caplog.messages
    RewordedCaptions(["a man"], {})
    assert caplog.messages == ["the annotations have no captions_bt: no caption is replaced by its back-translation"]


@pytest.mark.parametrize("entry", [{"deleted": 1.1}, {"translated": -0.1}], ids=str)
def test_what_is_no_probability_is_refused(entry: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=rf"{next(iter(entry))} of RewordedCaptions must be from 0 to 1"):
        CAPTION_AUGMENTATIONS.build({"type": "RewordedCaptions", **entry}, captions=["a"])


# Pictures


@pytest.mark.parametrize("size", [(224, 224), (128, 48), (16, 16), (2, 3)])
@pytest.mark.parametrize("kind", [DrawnChanges, SelfSupervisedView])
@pytest.mark.parametrize("is_grey", [False, True])
def test_a_picture_keeps_its_size_and_type_and_the_draws_are_the_generator_s(
    kind: type[DrawnChanges], size: tuple[int, int], is_grey: bool
) -> None:
    change = kind(size)
    picture = torch.randint(256, (1, *size), dtype=torch.uint8).expand(3, *size).contiguous()
    if not is_grey:
        picture = torch.randint(256, (3, *size), dtype=torch.uint8)
    before = torch.random.get_rng_state()
    for seed in range(12):
        one, other = (change(picture.clone(), torch.Generator().manual_seed(seed)) for _ in range(2))
        assert (one.shape, one.dtype) == (picture.shape, torch.uint8)
        assert torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert (
        len({tuple(change(picture.clone(), torch.Generator().manual_seed(s)).flatten().tolist()) for s in range(12)})
        > 1
    )


def test_a_change_may_be_drawn_twice_and_each_is_drawn() -> None:
    flip = {"type": "HorizontalFlip", "probability": 1.0}
    change = DrawnChanges((4, 4), 2, [flip, {"type": "RandomInvert", "p": 1.0}])
    picture = torch.arange(48, dtype=torch.uint8).view(3, 4, 4)
    found = {tuple(change(picture.clone(), torch.Generator().manual_seed(s)).flatten().tolist()) for s in range(30)}
    both = 255 - picture.flip(-1)
    assert found == {tuple(each.flatten().tolist()) for each in (picture, both)}  # twice the same, or one of each


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"count": 0}, "DrawnChanges needs a count above 0"),
        ({"changes": []}, "DrawnChanges needs a count above 0 and some changes"),
        ({"changes": [{"type": "Erase"}]}, "DrawnChanges changes pixels, and Erase normalised pictures"),
        ({"changes": [{"type": "ColorJiter"}]}, "did you mean 'ColorJitter'"),
        ({"changes": [{"p": 1}]}, "is configured by a dict with a 'type'"),
        ({"changes": ["ColorJitter"]}, "is configured by a dict with a 'type'"),
    ],
    ids=str,
)
def test_changes_that_make_no_sense_are_told(entry: dict[str, Any], told: str) -> None:
    with pytest.raises(TiprZooError, match=told):
        PICTURE_AUGMENTATIONS.build({"type": "DrawnChanges", **entry}, image_size=(8, 8))
