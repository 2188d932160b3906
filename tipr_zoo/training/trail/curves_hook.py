"""``curves.png``: the losses, the validation figures, the rates and the gradient norms of all epochs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from tipr_zoo.display.curves_picture import Curve, Panel, draw_curves
from tipr_zoo.display.picture_file import save_picture
from tipr_zoo.errors import WriteError
from tipr_zoo.terminal.log import logger
from tipr_zoo.training.checkpoints.history import read_history

CURVES = "curves.png"

LARGEST_SHARE = 0.01
"""Share of a training's time that drawing may take. Where epochs are short, some of them are not drawn."""

_SHOWN = ("R1", "R5", "R10", "mAP")


class CurvesHook(Hook):
    """Draws the history after each epoch, and at the end.

    A picture that cannot be written is told once; the training goes on.

    Args:
        work_dir: Where the history and the picture are.
        name: The model's name, for the title.
    """

    priority = "LOW"  # after the history was written

    def __init__(self, work_dir: Path, name: str) -> None:
        self.file, self.name = work_dir / CURVES, name
        self._is_due = self._is_told = False
        self._not_before = 0.0

    def after_train_epoch(self, runner: Runner) -> None:
        self._is_due = True
        if not runner.train_loop.validates_after(runner.epoch + 1):
            self._draw_in_time()

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float] | None = None) -> None:
        self._is_due = True
        self._draw_in_time()

    def close(self) -> None:
        """Draw what is not drawn yet, also where training ended with an error."""
        if self._is_due:
            self._draw()

    def _draw_in_time(self) -> None:
        started = time.monotonic()
        if started < self._not_before:
            return
        self._draw()
        ended = time.monotonic()
        self._not_before = ended + (ended - started) / LARGEST_SHARE

    def _draw(self) -> None:
        self._is_due = False
        rows = read_history(self.file.parent)
        try:
            save_picture(draw_curves(curves_title(self.name, rows), curve_panels(rows)), self.file)
        except WriteError as error:
            if not self._is_told:
                logger.warning("%s (the training goes on without this picture)", error)
            self._is_told = True


def curves_title(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the line above the curves: the model, the epochs so far, and the best of them.

    Args:
        name: The model's name.
        rows: The history.
    """
    done = max((row["epoch"] for row in rows), default=0)
    title = f"{name}, {done} epoch{'s' if done != 1 else ''}"
    if (best := _best(rows)) is not None:
        title += f"; best R1 on validation {best[1]:.2f}, in epoch {best[0]}"
    return title


def curve_panels(rows: Sequence[Mapping[str, Any]]) -> list[Panel]:
    """Return what is drawn of a history.

    Args:
        rows: Its lines. Those of older trainings have no rates and no gradient norms.
    """
    epochs = [row for row in rows if "validation" not in row]
    validated = [row["validation"] | {"epoch": row["epoch"]} for row in rows if "validation" in row]
    rates = [(row.get("lr_by_rule") or {"base": row.get("lr")}) | {"epoch": row["epoch"]} for row in epochs]
    losses = [key for key in _keys(epochs) if key.startswith("loss_")]
    best = _best(rows)
    return [
        Panel(
            "loss",
            [
                Curve("loss", _points(epochs, "loss"), is_main=True),
                *(Curve(key.removeprefix("loss_"), _points(epochs, key)) for key in losses if len(losses) > 1),
            ],
        ),
        Panel(
            "validation, in percent",
            [
                Curve(key, _points(validated, key), key == "R1", best[0] if best and key == "R1" else None)
                for key in _SHOWN
            ],
            if_empty="no epoch was validated",
            digits=2,
        ),
        Panel(
            "learning rate",
            [
                Curve("rate" if rule == "base" else rule, _points(rates, rule), rule == "base")
                for rule in _keys(rates)
                if rule != "epoch"
            ],
        ),
        Panel(
            "norm of the gradient",
            [
                Curve("mean", _points(epochs, "grad_norm"), is_main=True),
                Curve("largest", _points(epochs, "grad_norm_largest")),
            ],
        ),
    ]


def _best(rows: Sequence[Mapping[str, Any]]) -> tuple[int, float] | None:
    """Return the epoch with the highest rank-1, the first of equals, and its rank-1; None where none was validated."""
    ranked = [(row["validation"]["R1"], -row["epoch"]) for row in rows if "R1" in row.get("validation", {})]
    return (-max(ranked)[1], max(ranked)[0]) if ranked else None


def _keys(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _points(rows: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    return [(row["epoch"], row[key]) for row in rows if isinstance(row.get(key), (int, float))]
