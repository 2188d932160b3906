"""The schedule that a recipe names: one of the zoo's shapes, or one of torch's or timm's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.loop.library_schedule import LibrarySchedule, library_schedule
from tipr_zoo.training.loop.schedule import SHAPES, Schedule
from tipr_zoo.training.loop.schedule_kinds import OF_TIMM, OF_TORCH, UNFIT
from tipr_zoo.training.settings import settings


def recipe_schedule(
    training: Mapping[str, Any], steps: int, optimiser: torch.optim.Optimizer
) -> Schedule | LibrarySchedule:
    """Make the schedule of a recipe. Where it is not as long as the training, one log line says so.

    Args:
        training: The recipe's ``training`` entry.
        steps: Steps of an epoch.
        optimiser: What the rates are for.

    Raises:
        UnknownNameError: There is no such schedule, or it has no such argument.
        ConfigError: A value makes no sense, or the schedule cannot be as long as the training.
    """
    entry, epochs = training.get("schedule") or {}, training["max_epochs"]
    kind = entry.get("type") if isinstance(entry, Mapping) else None
    if isinstance(kind, str) and kind not in SHAPES:
        if kind not in (libraries := {*OF_TORCH, *OF_TIMM, *UNFIT}):
            raise unknown_name("schedule type", kind, {*SHAPES, *libraries})
        return library_schedule(entry, epochs, epochs * steps, optimiser, training["optimizer"]["lr"])
    schedule = settings(Schedule, training, "schedule")
    if schedule.warmup_epochs >= epochs:
        logger.warning(
            "training.schedule.warmup_epochs is %g, and the training is %d epochs long: the rate only rises",
            *(schedule.warmup_epochs, epochs),
        )
    elif schedule.type == "step" and (late := [each for each in schedule.milestones if each >= epochs]):
        logger.warning(
            "training.schedule.milestones: %s come after the end of the training, which is %d epochs long",
            *(", ".join(f"{each:g}" for each in late), epochs),
        )
    return schedule
