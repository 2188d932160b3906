"""What a hook and an augmentation that do nothing cost, as a share of a training step.

    python benchmarks/hooks_and_augmentations.py [--rounds 2000] [--step-seconds 4.0]

A hook that does nothing is called before and after a step, with a batch of 8 pairs, as the training calls it. An
augmentation that does nothing is put among the published ones, and pictures of 384 x 128 are changed with it and
without it in turns, by the processor's time; the pictures must be equal to the last bit. Both are shown beside the
seconds of a step: the fastest of `benchmarks/training_step.py fmfa` on this machine, or what is given.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch
from side_by_side import hardware

from tipr_zoo.pictures.preprocessing import ImageNormalisation
from tipr_zoo.registries import PICTURE_AUGMENTATIONS
from tipr_zoo.training.loop.hook_caller import HookCaller
from tipr_zoo.training.pairs.augmentation_steps import build_augmentation

BATCH, SIZE = 8, (384, 128)


class IdleHook:
    """A hook that does nothing."""

    def before_step(self, run: Any, batch: Any) -> None:
        """Do nothing."""

    def after_step(self, run: Any, losses: Any) -> None:
        """Do nothing."""


class IdleAugmentation:
    """An augmentation that does nothing."""

    def __call__(self, picture: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return the picture as it is."""
        return picture


def hook_seconds(rounds: int) -> float:
    """Return the seconds that an idle hook adds to a step, the median of all rounds."""
    caller = HookCaller([IdleHook()], seed=0, figures={})
    batch = {"images": torch.zeros(BATCH, 3, 2, 2), "pids": torch.arange(BATCH)}
    outputs = {"loss": 1.0, "loss_sdm": 1.0}

    class Run:
        step_in_epoch = epoch = 0

    caller.run = Run()  # type: ignore[assignment]
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        caller.before_train_iter(None, 0, batch)  # type: ignore[arg-type]
        caller.after_train_iter(None, 0, batch, outputs)  # type: ignore[arg-type]
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def augmentation_seconds(rounds: int) -> tuple[float, float]:
    """Return the seconds of a picture, without and with an idle augmentation."""
    PICTURE_AUGMENTATIONS.register_module()(IdleAugmentation)
    published = [{"type": "HorizontalFlip"}, {"type": "Shift"}, {"type": "Erase"}]
    normalisation = ImageNormalisation()
    ways = [
        build_augmentation(entries, "training.augmentation", SIZE, normalisation)
        for entries in (published, [{"type": "IdleAugmentation"}, *published])
    ]
    pixels = torch.randint(256, (3, *SIZE), dtype=torch.uint8)
    taken: list[list[float]] = [[], []]
    for index in range(rounds):
        pictures = []
        for way, seconds in zip(ways, taken, strict=True):
            generator = torch.Generator().manual_seed(index)
            start = time.process_time()
            pictures.append(way(pixels, normalisation, generator))
            seconds.append(time.process_time() - start)
        assert torch.equal(*pictures)
    return statistics.median(taken[0]), statistics.median(taken[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2000, help="how often each is done (default 2000)")
    parser.add_argument("--step-seconds", type=float, default=4.0, help="of a step of 8 pairs (default 4.0)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    hook = hook_seconds(options.rounds)
    without, with_idle = augmentation_seconds(options.rounds)
    per_step = BATCH * (with_idle - without)
    print(f"an idle hook: {1e6 * hook:.1f} us a step, {100 * hook / options.step_seconds:.4f} % of it")
    print(
        f"an idle augmentation: {1e6 * without:.0f} us a picture without, {1e6 * with_idle:.0f} us with it"
        f" ({with_idle / without:.3f} times), {100 * per_step / options.step_seconds:.4f} % of a step of {BATCH} pairs"
    )
    print(hardware("cpu"))


if __name__ == "__main__":
    main()
