"""The share of a training that its log, history, progress bar and curves take, at the size of the tiny models.

    python benchmarks/training_trail.py [--epochs 6] [--people 200] [--wandb]

A tiny model is trained on drawn people, and every call of a hook that logs or draws is timed. Its steps are short, so
that the share is the largest that there is. It must be at most 2 %. The weights must be those of a training whose hooks
do nothing, bit for bit. `--wandb` and `--tensorboard` count what they take as well, and assert nothing.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from prettytable import PrettyTable
from side_by_side import hardware

from tipr_zoo.datasets import open_dataset
from tipr_zoo.synthpedes import draw_synthpedes
from tipr_zoo.training.loop import progress_hook
from tipr_zoo.training.loop.progress_hook import ProgressHook
from tipr_zoo.training.loop.tensorboard_hook import TensorBoardHook
from tipr_zoo.training.loop.train_loop import TrainLoop
from tipr_zoo.training.loop.wandb_hook import WandbHook
from tipr_zoo.training.trail.curves_hook import CurvesHook
from tipr_zoo.training.train import train

MODEL = "irra_tiny_synth"
MOST = 0.02
KINDS = {
    "log, history and bar": (
        ProgressHook,
        ("before_train_epoch", "after_train_iter", "after_train_epoch", "after_val_epoch"),
    ),
    "curves": (CurvesHook, ("after_train_epoch", "after_val_epoch", "close")),
    "TensorBoard": (TensorBoardHook, ("after_train_iter", "after_val_epoch", "close")),
    "Weights & Biases": (WandbHook, ("after_train_iter", "after_val_epoch")),
}


def count_seconds(owner: type, name: str, seconds: dict[str, float], kind: str) -> None:
    """Add up what a method takes, from now on."""
    method: Callable[..., Any] = getattr(owner, name)

    def timed(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return method(*arguments, **named)
        finally:
            seconds[kind] += time.perf_counter() - began

    setattr(owner, name, timed)


def leave_out_everything() -> None:
    """Let the hooks do nothing, but for the history, which decides whether an epoch was validated."""
    for name in ("before_train_epoch", "after_train_iter", "after_train_epoch"):
        setattr(ProgressHook, name, lambda *arguments, **named: None)
    ProgressHook.after_val_epoch = lambda hook, runner, metrics=None: progress_hook.append_history(  # type: ignore
        hook.work_dir, {"epoch": runner.epoch, "validation": dict(metrics)}
    )
    for name in ("after_train_epoch", "after_val_epoch", "close"):
        setattr(CurvesHook, name, lambda *arguments, **named: None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6, help="epochs (default 6)")
    parser.add_argument("--people", type=int, default=200, help="people to train on (default 200)")
    parser.add_argument("--tensorboard", action="store_true", help="count TensorBoard, too")
    parser.add_argument("--wandb", action="store_true", help="count Weights & Biases, too, offline")
    options = parser.parse_args()

    os.environ["WANDB_MODE"] = "offline"
    seconds = dict.fromkeys([*KINDS, "everything"], 0.0)
    for kind, (owner, names) in KINDS.items():
        for name in names:
            count_seconds(owner, name, seconds, kind)
    count_seconds(TrainLoop, "run", seconds, "everything")
    with tempfile.TemporaryDirectory() as folder:
        draw_synthpedes(Path(folder) / "data", train=options.people, val=20, test=2, workers=1)
        splits = [open_dataset(f"{folder}/data", split=split) for split in ("train", "val")]
        overrides = {"training.max_epochs": options.epochs, "training.num_workers": 0, "training.batch_size": 32}
        more = {"tensorboard": options.tensorboard, "wandb": options.wandb}
        result = train(MODEL, *splits, Path(folder) / "run", overrides=overrides, **more)
        measured = dict(seconds)
        leave_out_everything()
        plain = train(MODEL, *splits, Path(folder) / "plain", overrides=overrides)
        assert result.weights.read_bytes() == plain.weights.read_bytes(), "the weights are others"
    rows = PrettyTable(["what", "seconds", "share of the training"], align="r")
    rows.align["what"] = "l"
    total = measured.pop("everything")
    for kind, taken in measured.items():
        if taken:
            rows.add_row([kind, f"{taken:.3f}", f"{taken / total:.2%}"])
    rows.add_row(["training and validation", f"{total:.1f}", "100 %"])
    share = (measured["log, history and bar"] + measured["curves"]) / total
    print(f"{MODEL}, {options.epochs} epochs of {options.people} people, batches of 32\n{rows}")
    print(f"log, history, bar and curves: {share:.2%} of the training (at most {MOST:.0%}); same weights without them")
    print(hardware("cuda" if torch.cuda.is_available() else "cpu"))
    assert share <= MOST, f"{share:.2%} is too much"


if __name__ == "__main__":
    main()
