"""What a recipe's ``training`` must say: every entry is declared, and told by its name."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from tipr_zoo.errors import ConfigError, TiprZooError, UnknownNameError
from tipr_zoo.models.recipe import TRAINING_FIELDS
from tipr_zoo.models.recipe_schema import TrainingSettings
from tipr_zoo.models.resolved_model import resolve
from tipr_zoo.schemas.declared import Declared, keys_of, parts_of
from tipr_zoo.training.loop.optimiser import build_optimiser
from tipr_zoo.training.loop.schedule import Schedule
from tipr_zoo.training.pairs.augmentation import Augmentation
from tipr_zoo.training.pairs.training_data import open_training_data
from tipr_zoo.training.settings import check_training, settings

TRAINING: dict[str, Any] = {"batch_size": 8, "max_epochs": 2, "optimizer": {"type": "AdamW", "lr": 1e-3}}

CHECKED = [part.key for part in parts_of(TrainingSettings) if part.kind is not Any]
"""The entries whose values `check_training` looks at."""


def test_what_is_right_is_left_as_it_is() -> None:
    check_training(TRAINING)
    check_training({**TRAINING, "clip_gradient_norm": 1, "parameter_groups": {"bias": 2}, "schedule": "whatever"})
    assert settings(Schedule, {"schedule": {"milestones": [5, 10]}}, "schedule").milestones == [5, 10]
    assert settings(Augmentation, {}, "augmentation") == Augmentation()


@pytest.mark.parametrize("name", TRAINING_FIELDS)
def test_a_misspelt_entry_is_told_with_its_close_match(name: str) -> None:
    with pytest.raises(UnknownNameError, match=rf"unknown entry of training '{name}_'; did you mean .*'{name}'"):
        check_training({**TRAINING, f"{name}_": 1})


NO_SENSE = [(name, value) for name in CHECKED for value in ("abc", [1], -1, math.nan)]
NO_SENSE.remove(("dataset", "abc"))  # a name, which is looked up where the data is opened


@pytest.mark.parametrize(("name", "value"), NO_SENSE)
def test_a_value_that_makes_no_sense_is_told_with_its_entry(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^the recipe('s| has no) training\.{name}"):
        check_training({**TRAINING, name: value})


@pytest.mark.parametrize("name", ["batch_size", "max_epochs", "optimizer"])
def test_an_entry_that_is_left_out_is_told(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"training\.{name}"):
        check_training({key: value for key, value in TRAINING.items() if key != name})


@pytest.mark.parametrize("name", ["batch_size", "seed", "num_workers", "clip_gradient_norm"])
def test_a_truth_is_no_number(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"training\.{name} must be .* got True"):
        check_training({**TRAINING, name: True})


@pytest.mark.parametrize(("kind", "entry"), [(Augmentation, "augmentation"), (Schedule, "schedule")])
def test_every_setting_is_told_by_its_name(kind: type[Declared], entry: str) -> None:
    for name in keys_of(kind):
        default = getattr(kind(), name)
        with pytest.raises(ConfigError) as raised:
            settings(kind, {entry: {name: None}}, entry)
        assert str(raised.value) == f"training.{entry}.{name} must be like {default!r}, got None"
        with pytest.raises(UnknownNameError, match=rf"unknown entry of training\.{entry} '{name}_'; did you mean"):
            settings(kind, {entry: {f"{name}_": default}}, entry)
    with pytest.raises(ConfigError, match=rf"training\.{entry} must be a dict, got 5"):
        settings(kind, {entry: 5}, entry)


def test_one_wrong_number_of_a_list_is_told_with_the_list() -> None:
    with pytest.raises(ConfigError, match=r"training\.schedule\.milestones must be like \(20, 50\), got \(1, 'x'\)"):
        settings(Schedule, {"schedule": {"milestones": (1, "x")}}, "schedule")


def test_what_a_class_itself_refuses_is_raised_as_it_is() -> None:
    with pytest.raises(ConfigError, match=r"^augmentation flip is a probability, from 0 to 1, got 2$"):
        settings(Augmentation, {"augmentation": {"flip": 2}}, "augmentation")
    with pytest.raises(UnknownNameError, match=r"^unknown schedule type 'cosin'; did you mean 'cosine'"):
        settings(Schedule, {"schedule": {"type": "cosin"}}, "schedule")


@pytest.mark.parametrize(
    ("entry", "value", "told"),
    [
        (
            "betas",
            (0.9,),
            r"training\.optimizer\.betas must be two numbers from 0 to below 1, got \(0\.9,\)",
        ),
        ("betas", (0.9, 1), "two numbers from 0 to below 1"),
        ("eps", "abc", r"training\.optimizer\.eps must be a number from 0"),
    ],
)
def test_what_the_optimiser_takes_is_told_with_its_entry(entry: str, value: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check_training({**TRAINING, "optimizer": {"type": "AdamW", "lr": 1e-3, entry: value}})


def test_an_argument_that_an_optimiser_does_not_have_is_told() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown argument of the optimiser AdamW .* 'epss'; did you mean"):
        build_optimiser(nn.Linear(1, 1), {"type": "AdamW", "lr": 1e-3, "epss": 1}, {})


def test_a_rule_that_is_no_name_is_told() -> None:
    with pytest.raises(ConfigError, match=r"training\.parameter_groups"):
        check_training({**TRAINING, "parameter_groups": {5: 2}})


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            {"training.dataset": "SynthPEDS"},
            r"unknown data set \(training\.dataset\) 'SynthPEDS'; did you mean",
        ),
        ({"training.dataset_arguments.trainn": 3}, "unknown entry of training.dataset_arguments 'trainn'"),
        (
            {"training.dataset_arguments.train": "abc"},
            r"dataset_arguments\.train must be like 1000, got 'abc'",
        ),
        ({"training.dataset_arguments": 5}, r"training\.dataset_arguments must be a dict, got 5"),
    ],
)
def test_data_that_a_recipe_names_wrongly_is_told(overrides: dict[str, Any], told: str) -> None:
    with pytest.raises(TiprZooError, match=told):
        open_training_data(resolve("irra_tiny_synth", overrides), None)


def test_as_many_people_are_drawn_as_a_recipe_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path))
    people = {"train": 3, "val": 2, "test": 2, "pictures": 1}
    overrides = {f"training.dataset_arguments.{key}": count for key, count in people.items()}
    data = open_training_data(resolve("irra_tiny_synth", overrides), None)
    assert (data.train.identity_count, len(data.train.pictures)) == (3, 3)
    assert data.validation is not None
    assert data.validation.identity_count == 2
