"""The learning rate over time by one of torch's or timm's schedules.

Such a schedule is run once, before the training, over an optimiser of no model. What it gives for every epoch or step
is noted. So the rate depends on time alone, as that of `tipr_zoo.training.loop.schedule` does, and nothing of a
schedule has to be in a checkpoint.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from timm.scheduler.scheduler import Scheduler

from tipr_zoo.errors import ConfigError, TiprZooError, error_line
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.loop.schedule_kinds import LENGTHS, OF_TIMM, OF_TORCH, arguments_of, check_argument, found_kind

_WARMUPS = ("LinearLR", "ConstantLR")
"""Those of torch's schedules after which another rate usually follows, so that they are mostly short."""

_OF_SCHEDULES = ("SequentialLR", "ChainedScheduler")


@dataclass(frozen=True)
class LibrarySchedule:
    """The factors of the base learning rate that a schedule gives.

    Attributes:
        every_step: Whether there is one for every step (batch), or one for every epoch.
        factors: The factors.
        momenta: The momentum, or first beta, at each of these times; empty where the schedule leaves it as it is.
    """

    every_step: bool
    factors: tuple[float, ...]
    momenta: tuple[float, ...] = ()

    def factor(self, epoch: int, step: int) -> float:
        """Return the factor. After the last one, that stays: epochs may differ in length.

        Args:
            epoch: Epochs done.
            step: Steps done in all epochs together.
        """
        return self.factors[self._index(epoch, step)]

    def momentum(self, epoch: int, step: int) -> float | None:
        """Return the momentum, or first beta, as `factor` does; None where it stays as it is."""
        return self.momenta[self._index(epoch, step)] if self.momenta else None

    def _index(self, epoch: int, step: int) -> int:
        return min(step if self.every_step else epoch, len(self.factors) - 1)


def library_schedule(
    entry: Mapping[str, Any], epochs: int, steps: int, optimiser: torch.optim.Optimizer, lr: float
) -> LibrarySchedule:
    """Run a schedule of torch's or timm's.

    Args:
        entry: ``training.schedule``: ``type``, one of `OF_TORCH` and `OF_TIMM`, ``every_step``, and what it takes. All
            of its lengths are in epochs, or in steps where ``every_step`` is set. Where the argument that says how long
            it is is left out, it is as long as the training. Rates in it, such as ``eta_min``, are those of a parameter
            with the base rate; the rates of others are in proportion.
        epochs: Length of the training in epochs.
        steps: The same in steps.
        optimiser: The training's, which says whether there is a momentum to change.
        lr: The base rate.

    Raises:
        UnknownNameError: It has no such argument.
        ConfigError: A value makes no sense, or the schedule cannot be as long as the training.
    """
    every_step = entry.get("every_step", False)
    if not isinstance(every_step, bool):
        raise ConfigError(f"training.schedule.every_step must be True or False, got {every_step!r}")
    if lr <= 0:
        raise ConfigError(f"training.schedule {entry['type']} needs a training.optimizer.lr above 0, got {lr!r}")
    length, unit = (steps, "steps") if every_step else (epochs, "epochs")
    trial = _optimiser_like(optimiser, lr)
    arguments = {key: value for key, value in entry.items() if key != "every_step"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the optimiser takes no steps
            schedule = _Made(trial, every_step).schedule(arguments, length, "training.schedule")
            points = _run(schedule, trial, length, every_step)
    except TiprZooError:
        raise
    except Exception as error:  # whatever values lead to
        hint = f"; the training is {length} {unit} long"
        raise ConfigError(
            f"training.schedule, {entry['type']}: {type(error).__name__}: {error_line(error)}{hint}"
        ) from error
    factors = tuple(rate / lr for rate, _ in points)
    wrong = next((index for index, factor in enumerate(factors) if not 0 <= factor < math.inf), None)
    if wrong is not None:
        raise ConfigError(
            f"training.schedule, {entry['type']}: the rate is {factors[wrong] * lr:g} after {wrong} {unit}; a rate is a"
            " finite number from 0"
        )
    if length > 1 and len(set(factors)) == 1:
        logger.warning(
            "training.schedule: %s never changes the rate in the %d %s of the training", entry["type"], length, unit
        )
    momenta = tuple(momentum for _, momentum in points)
    return LibrarySchedule(every_step, factors, momenta if len(set(momenta)) > 1 else ())


@dataclass(frozen=True)
class _Made:
    """What schedules are made for.

    Attributes:
        optimiser: One of no model.
        every_step: Whether time is counted in steps.
    """

    optimiser: torch.optim.Optimizer
    every_step: bool

    def schedule(self, entry: Any, length: int, place: str) -> Any:
        """Make a schedule of an entry.

        Args:
            entry: ``type``, and its arguments.
            length: How long it is to be.
            place: Where the entry stands.
        """
        if not isinstance(entry, Mapping) or not isinstance(entry.get("type"), str):
            raise ConfigError(f"{place} must be a dict with the type of a schedule, got {entry!r}")
        arguments = dict(entry)
        name = arguments.pop("type")
        kind = found_kind(name, place)
        known = arguments_of(kind)
        for argument, value in arguments.items():
            check_argument(name, argument, value, known, place)
        if name in _OF_SCHEDULES:
            return self._of_schedules(name, arguments, length, place)
        if name == "OneCycleLR" and {"epochs", "steps_per_epoch"} & arguments.keys():
            length_name = "epochs"
        else:
            length_name = "t_initial" if name in OF_TIMM else LENGTHS.get(name, "")
        if length_name in known and length_name not in arguments:
            arguments[length_name] = length - _warmup_before(arguments, name)
        further = {"t_in_epochs": not self.every_step} if name in OF_TIMM else {}
        made = kind(self.optimiser, **arguments, **further)
        self._tell_length(name, made, length, length_name, place)
        return made

    def _of_schedules(self, name: str, arguments: dict[str, Any], length: int, place: str) -> Any:
        """Make a schedule that is made of others: one after the other, or all at once."""
        parts = arguments.get("schedulers")
        if not isinstance(parts, (list, tuple)) or not parts:
            raise ConfigError(f"{place}.schedulers must be a list of dicts with the types of schedules, got {parts!r}")
        if of_timm := [part["type"] for part in parts if isinstance(part, Mapping) and part.get("type") in OF_TIMM]:
            raise ConfigError(f"{place}.schedulers: torch's {name} takes torch's schedules, not timm's {of_timm[0]}")
        lengths = [length] * len(parts)
        if name == "SequentialLR":
            milestones = arguments.get("milestones")
            if not _are_rising(milestones) or len(milestones) != len(parts) - 1:  # type: ignore[arg-type]  # a list
                raise ConfigError(
                    f"{place}.milestones must be {len(parts) - 1} rising whole numbers above 0 for {len(parts)}"
                    f" schedules, got {milestones!r}"
                )
            ends = [*milestones, max(length, 1)]  # type: ignore[misc]  # a list
            if ends[-2:][0] >= length:
                logger.warning(
                    "%s: the last part of %s begins after %s %s, and the training is %s long",
                    *(place, name, ends[-2:][0], self._unit, length),
                )
            lengths = [max(end - start, 1) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        arguments["schedulers"] = [
            self.schedule(part, each, f"{place}.schedulers[{index}]")
            for index, (part, each) in enumerate(zip(parts, lengths, strict=True))
        ]
        if name == "SequentialLR":
            return OF_TORCH[name](self.optimiser, **arguments)
        return OF_TORCH[name](**arguments, optimizer=self.optimiser)

    def _tell_length(self, name: str, made: Any, length: int, length_name: str, place: str) -> None:
        """Say where a schedule is not as long as what it is for."""
        if name == "OneCycleLR":
            own, length_name = int(made.total_steps), "total_steps"
            if own < length:
                raise ConfigError(
                    f"{place}: {name} is {own} {self._unit} long (total_steps), and has no rate for the rest of the"
                    f" {length} {self._unit} of the training; leave its length out{self._hint}"
                )
        elif name in OF_TIMM and hasattr(made, "get_cycle_length"):
            own = int(made.get_cycle_length())
        elif length_name in LENGTHS.values():
            own = getattr(made, length_name)
        elif name in _WARMUPS:
            own, length_name = max(made.total_iters, length), "total_iters"
        else:
            return
        if name in OF_TIMM and made.warmup_t >= length:
            logger.warning(
                "%s: the warm-up of %s is %s %s long (warmup_t), and the training %s: the rate only rises%s",
                *(place, name, made.warmup_t, self._unit, length, self._hint),
            )
        if own != length:
            what = (
                "it is not over at the end"
                if own > length
                else "the rate rises again after it"
                if name == "CosineAnnealingLR"
                else "its last rate stays after it"
            )
            logger.warning(
                "%s: %s is %s %s long (%s), and the training %s: %s%s",
                *(place, name, own, self._unit, length_name, length, what, self._hint),
            )

    @property
    def _unit(self) -> str:
        return "steps" if self.every_step else "epochs"

    @property
    def _hint(self) -> str:
        return "" if self.every_step else "; every_step=True counts steps"


def _warmup_before(arguments: Mapping[str, Any], name: str) -> int:
    """Return how long the warm-up of a schedule of timm's is, where it comes before all else."""
    is_before = arguments.get("warmup_prefix", False) or name.startswith("WSD")
    warmup = arguments.get("warmup_t", 0) if is_before and name in OF_TIMM else 0
    return warmup if isinstance(warmup, int) else 0


def _are_rising(values: object) -> bool:
    if not isinstance(values, (list, tuple)) or not all(type(value) is int for value in values):
        return False
    return all(before < after for before, after in zip((0, *values), values, strict=False))


def _optimiser_like(optimiser: torch.optim.Optimizer, lr: float) -> torch.optim.Optimizer:
    """Make an optimiser of no model with the options that schedules change."""
    parameter, options = torch.nn.Parameter(torch.zeros(1)), optimiser.param_groups[0]
    if isinstance(betas := options.get("betas"), (list, tuple)):
        return torch.optim.AdamW([parameter], lr=lr, betas=(betas[0], betas[1]))
    if isinstance(momentum := options.get("momentum"), (int, float)):
        return torch.optim.SGD([parameter], lr=lr, momentum=momentum)
    return torch.optim.Adagrad([parameter], lr=lr)


def _run(
    schedule: Any, optimiser: torch.optim.Optimizer, length: int, every_step: bool
) -> Sequence[tuple[float, float]]:
    """Return rate and momentum at each time."""
    group = optimiser.param_groups[0]
    points = []
    for time in range(length):
        if time and isinstance(schedule, Scheduler):
            schedule.step_update(time) if every_step else schedule.step(time)
        elif time:
            schedule.step()
        points.append((float(group["lr"]), float(group["betas"][0] if "betas" in group else group.get("momentum", 0))))
    return points
