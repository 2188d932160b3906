"""torch's and timm's schedules by name: they give what the libraries give, and lengths that do not fit are told."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import timm.scheduler
import torch
from torch.optim import lr_scheduler

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import TiprZooError
from tipr_zoo.training.loop.library_schedule import LibrarySchedule, library_schedule
from tipr_zoo.training.loop.schedule_kinds import OF_TIMM, OF_TORCH
from tipr_zoo.training.train import train

TINY = "a_tiny_model"

Splits = tuple[PersonDataset, PersonDataset]

LR = 2e-3
EPOCHS, STEPS = 6, 60

ENTRIES: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 2},
    "MultiStepLR": {"milestones": [2, 5], "gamma": 0.3},
    "ConstantLR": {"total_iters": 3},
    "LinearLR": {},
    "ExponentialLR": {"gamma": 0.9},
    "PolynomialLR": {"power": 2.0},
    "CosineAnnealingLR": {"eta_min": 1e-4},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "CyclicLR": {"base_lr": 1e-4, "max_lr": 1e-3, "step_size_up": 2, "cycle_momentum": False},
    "OneCycleLR": {"max_lr": 1e-2},
    "CosineLRScheduler": {"warmup_t": 2, "warmup_lr_init": 1e-4, "noise_range_t": [3, 5]},
    "MultiStepLRScheduler": {"decay_t": [2, 4], "decay_rate": 0.5},
    "PolyLRScheduler": {"lr_min": 1e-5},
    "StepLRScheduler": {"decay_t": 2, "decay_rate": 0.5},
    "TanhLRScheduler": {},
    "WSDLRScheduler": {"decay_t": 2},
}

LENGTHS = {"PolynomialLR": "total_iters", "CosineAnnealingLR": "T_max", "OneCycleLR": "total_steps"}


def optimiser() -> torch.optim.Optimizer:
    return torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2))], lr=LR)


def made(**entry: Any) -> LibrarySchedule:
    return library_schedule(entry, EPOCHS, STEPS, optimiser(), LR)


def rates_of_the_library(name: str, arguments: Mapping[str, Any], length: int, every_step: bool) -> list[float]:
    """Run a schedule as its library says."""
    used = optimiser()
    if name in OF_TIMM:
        takes_length = name not in ("StepLRScheduler", "MultiStepLRScheduler")
        given = {"t_initial": length, **arguments} if takes_length else arguments
        schedule = getattr(timm.scheduler, name)(used, t_in_epochs=not every_step, **given)
    else:
        given = {LENGTHS[name]: length, **arguments} if name in LENGTHS else arguments
        schedule = getattr(lr_scheduler, name)(used, **given)
    rates = []
    for time in range(1, length + 1):
        rates.append(used.param_groups[0]["lr"])
        used.step()
        if name not in OF_TIMM:
            schedule.step() if time < length else None
        elif every_step:
            schedule.step_update(time)
        else:
            schedule.step(time)
    return rates


@pytest.mark.parametrize("every_step", [False, True], ids=["epochs", "steps"])
@pytest.mark.parametrize("name", ENTRIES)
def test_rates_are_those_of_the_library(name: str, every_step: bool) -> None:
    if name not in {**OF_TORCH, **OF_TIMM}:
        pytest.skip(f"this version has no {name}")
    schedule = made(type=name, every_step=every_step, **ENTRIES[name])
    length = STEPS if every_step else EPOCHS
    found = [LR * schedule.factor(time, time) for time in range(length)]
    assert found == pytest.approx(rates_of_the_library(name, ENTRIES[name], length, every_step), rel=1e-9)
    assert schedule.factor(10**6, 10**6) == schedule.factors[-1]
    assert len(set(found)) > 1


def test_each_schedule_of_the_libraries_is_tried_here() -> None:
    assert {*OF_TORCH, *OF_TIMM} - {"SequentialLR", "ChainedScheduler"} <= set(ENTRIES)


def test_schedules_one_after_the_other_are_those_of_torch() -> None:
    parts = [{"type": "LinearLR", "total_iters": 2}, {"type": "CosineAnnealingLR"}]
    schedule = made(type="SequentialLR", schedulers=parts, milestones=[2])
    used = optimiser()
    one = lr_scheduler.LinearLR(used, total_iters=2)
    other = lr_scheduler.CosineAnnealingLR(used, T_max=EPOCHS - 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = lr_scheduler.SequentialLR(used, [one, other], milestones=[2])
        rates = []
        for _ in range(EPOCHS):
            rates.append(used.param_groups[0]["lr"])
            used.step()
            theirs.step()
    assert [LR * factor for factor in schedule.factors] == pytest.approx(rates)
    chained = made(type="ChainedScheduler", schedulers=[parts[0], {"type": "ExponentialLR", "gamma": 0.5}])
    assert chained.factors == pytest.approx([1 / 3, 1 / 3, 1 / 4, 1 / 8, 1 / 16, 1 / 32])


def test_the_momentum_goes_round_where_a_schedule_says_so() -> None:
    schedule = made(type="OneCycleLR", max_lr=1e-2, every_step=True)
    assert schedule.momentum(0, 0) == pytest.approx(0.95)
    assert min(schedule.momenta) == pytest.approx(0.85, abs=0.01)
    assert made(type="OneCycleLR", max_lr=1e-2, cycle_momentum=False).momentum(0, 0) is None
    assert made(type="CosineAnnealingLR").momentum(0, 0) is None


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"type": "CosineAnnealingLR", "T_max": 9}, "CosineAnnealingLR is 9 epochs long (T_max), and the training 2"),
        ({"type": "CosineAnnealingLR", "T_max": 9}, "it is not over at the end; every_step=True counts steps"),
        ({"type": "CosineAnnealingLR", "T_max": 1}, "the rate rises again after it"),
        ({"type": "PolynomialLR", "total_iters": 1}, "its last rate stays after it"),
        (
            {"type": "OneCycleLR", "max_lr": 1e-3, "total_steps": 9},
            "is 9 epochs long (total_steps), and the training 2",
        ),
        ({"type": "CosineLRScheduler", "t_initial": 9}, "CosineLRScheduler is 9 epochs long (t_initial)"),
        (
            {"type": "CosineLRScheduler", "t_initial": 9, "every_step": True},
            "9 steps long (t_initial), and the training 6",
        ),
        (
            {"type": "SequentialLR", "milestones": [7], "schedulers": [{"type": "LinearLR"}] * 2},
            "the last part of SequentialLR begins after 7 epochs, and the training is 2 long",
        ),
        ({"type": "CosineLRScheduler", "warmup_t": 9}, "the warm-up of CosineLRScheduler is 9 epochs long (warmup_t)"),
        ({"type": "LinearLR", "total_iters": 9}, "LinearLR is 9 epochs long (total_iters), and the training 2"),
        ({"type": "StepLR", "step_size": 9}, "StepLR never changes the rate in the 2 epochs of the training"),
        (
            {"type": "cosine", "warmup_epochs": 2},
            "warmup_epochs is 2, and the training is 2 epochs long: the rate only",
        ),
        (
            {"type": "step", "warmup_epochs": 0, "milestones": (1, 3)},
            "training.schedule.milestones: 3 come after the end of the training, which is 2 epochs long",
        ),
    ],
    ids=lambda value: "",
)
def test_a_schedule_of_another_length_than_the_training_is_told(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, entry: Any, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    train(TINY, *splits, tmp_path, overrides={"training.schedule": entry})
    assert sum(told in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            {"type": "OneCycleLR", "max_lr": 1e-3, "total_steps": 1},
            "OneCycleLR is 1 epochs long (total_steps), and has no",
        ),
        ({"type": "OneCycleLR"}, "OneCycleLR: TypeError:"),
        ({"type": "CosineLR"}, "unknown schedule type 'CosineLR'; did you mean"),
        ({"type": "onecyclelr"}, "did you mean 'OneCycleLR'"),
        ({"type": "ReduceLROnPlateau"}, "'ReduceLROnPlateau' cannot be used: its rate depends on figures"),
        ({"type": "PlateauLRScheduler"}, "'PlateauLRScheduler' cannot be used: its rate depends on figures"),
        ({"type": "LambdaLR"}, "'LambdaLR' cannot be used: it takes a function"),
        ({"type": 5}, "training.schedule.type must be like 'cosine', got 5"),
        (
            {"type": "StepLR", "step_sizes": 3},
            "unknown argument of the schedule StepLR (training.schedule) 'step_sizes'",
        ),
        ({"type": "StepLR", "step_size": "x"}, "training.schedule.step_size must be a number for StepLR, got 'x'"),
        ({"type": "StepLR", "step_size": None}, "step_size must be a whole number above 0 for StepLR, got None"),
        ({"type": "CosineLRScheduler", "t_initial": -3}, "t_initial must be a whole number above 0"),
        ({"type": "CosineAnnealingLR", "T_max": 1.5}, "T_max must be a whole number above 0 for CosineAnnealingLR"),
        ({"type": "PolynomialLR", "total_iters": -3}, "total_iters must be a whole number above 0 for PolynomialLR"),
        ({"type": "StepLR", "step_size": True}, "training.schedule.step_size must be a number for StepLR, got True"),
        (
            {"type": "StepLR", "step_size": 0},
            "training.schedule.step_size must be a whole number above 0 for StepLR, got 0",
        ),
        ({"type": "StepLR", "step_size": 1, "gamma": "x"}, "training.schedule.gamma must be like 0.1 for StepLR"),
        ({"type": "MultiStepLR", "milestones": 3}, "MultiStepLR: TypeError"),
        ({"type": "ExponentialLR", "gamma": -2.0}, "the rate is -0.0006 after 1 epochs"),
        (
            {"type": "StepLR", "step_size": 1, "every_step": 1},
            "training.schedule.every_step must be True or False, got 1",
        ),
        ({"type": "SequentialLR", "milestones": [1]}, "training.schedule.schedulers must be a list of dicts"),
        (
            {"type": "SequentialLR", "milestones": "x", "schedulers": [{"type": "LinearLR"}] * 2},
            "training.schedule.milestones must be",
        ),
        (
            {"type": "SequentialLR", "milestones": [2, 1], "schedulers": [{"type": "LinearLR"}] * 3},
            "training.schedule.milestones must be 2 rising whole numbers above 0 for 3 schedules, got [2, 1]",
        ),
        (
            {"type": "SequentialLR", "milestones": [1], "schedulers": [{"type": "LinearLR"}, {"type": "CosineLR"}]},
            "unknown schedule type (training.schedule.schedulers[1]) 'CosineLR'",
        ),
        (
            {"type": "SequentialLR", "milestones": [1], "schedulers": [{"type": "LinearLR"}, "cosine"]},
            "training.schedule.schedulers[1] must be a dict with the type of a schedule, got 'cosine'",
        ),
        (
            {"type": "ChainedScheduler", "schedulers": [{"type": "TanhLRScheduler"}]},
            "torch's ChainedScheduler takes torch's schedules, not timm's TanhLRScheduler",
        ),
    ],
    ids=lambda value: "",
)
def test_a_wrong_schedule_is_told_in_one_line(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, entry: Any, told: str
) -> None:
    overrides = {"training.schedule": entry, "training.optimizer.lr": 3e-4}
    with pytest.raises(TiprZooError) as raised:
        train(TINY, *splits, tmp_path, overrides=overrides)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.rglob("*.pth"))


def test_a_base_rate_of_nothing_is_told(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    overrides = {"training.schedule": {"type": "CosineAnnealingLR"}, "training.optimizer.lr": 0.0}
    with pytest.raises(TiprZooError, match=r"CosineAnnealingLR needs a training\.optimizer\.lr above 0"):
        train(TINY, *splits, tmp_path, overrides=overrides)


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "OneCycleLR", "max_lr": 1e-3, "every_step": True},
        {"type": "CosineLRScheduler", "noise_range_t": 0, "every_step": True},
    ],
)
@pytest.mark.parametrize("more", [{}, {"training.batch_size": 4, "training.accumulate_steps": 4}])
def test_a_resumed_training_has_the_same_rates_and_ends_with_the_same_bits(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, entry: Any, more: dict[str, Any]
) -> None:
    overrides = {"training.schedule": entry, **more}
    straight = train(TINY, *splits, tmp_path / "straight", overrides=overrides)
    train(TINY, *splits, tmp_path / "run", overrides=overrides, max_minutes=0)
    resumed = train(TINY, *splits, tmp_path / "run", overrides=overrides, resume=True)
    groups = [
        torch.load(folder / "epoch_2.pth", weights_only=True)["optimizer"]["param_groups"]
        for folder in (tmp_path / "straight", tmp_path / "run")
    ]
    assert groups[0] == groups[1]
    assert resumed.weights.read_bytes() == straight.weights.read_bytes()


def test_rates_of_patterns_are_in_proportion(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    overrides = {
        "training.schedule": {"type": "OneCycleLR", "max_lr": 4e-3, "every_step": True},
        "training.optimizer.lr": 1e-3,
        "training.parameter_patterns": [{"pattern": "text_encoder.*", "rate": 0.1}],
    }
    train(TINY, *splits, tmp_path, overrides=overrides)
    groups = torch.load(tmp_path / "epoch_2.pth", weights_only=True)["optimizer"]["param_groups"]
    of_text = {group["lr"] for group in groups if group["name"].startswith("text_encoder.")}
    of_pictures = {group["lr"] for group in groups if group["name"].startswith("image_encoder.")}
    assert len(of_text) == len(of_pictures) == 1
    assert of_text.pop() == pytest.approx(0.1 * of_pictures.pop())
    assert {group["betas"][0] for group in groups} != {0.9}
