"""What averages of the weights, checkpointing and compiling cost or save in a training step of FMFA at ViT-B/16.

    python benchmarks/training_extras.py [--repeats 5] [--batch 8]

A step is forward, backward and the recipe's optimiser at 384 x 128; with averages, they follow the parameters after it.
The learning rate is 0, so that all steps start from the same weights, and the losses must be equal: bit for bit with
averages, and up to rounding where blocks are compiled or run again. Averages are to cost at most 2 % of a step. Two
steps differ by more than that, so what counts is the time of the averages alone, beside that of a step.

Each way runs in a process of its own, and they take turns. Compiling is left out where there is no compiler.
"""

from __future__ import annotations

import argparse
import time
from functools import partial

import torch
from side_by_side import Run, assert_equal, choose_device, hardware, measure_in_turns, need_free, table
from torch import Tensor, nn
from training_step import step, training_batch

import tipr_zoo
from tipr_zoo.errors import ConfigError
from tipr_zoo.models.lookup import load_card
from tipr_zoo.models.recipe import load_recipe
from tipr_zoo.training.loop.compiled_blocks import compile_blocks
from tipr_zoo.training.loop.moving_average import MovingAverage, MovingAverageHook
from tipr_zoo.training.loop.optimiser import build_optimiser
from tipr_zoo.training.loop.runner_model import RunnerModel
from tipr_zoo.training.loop.tower_blocks import checkpoint_gradients

MODEL = "fmfa_vitb16_cuhk"
USUAL, AVERAGED, CHECKPOINTED, COMPILED = "usual", "with averages", "checkpointed blocks", "compiled blocks"
TOLERANCES = {AVERAGED: 0.0, CHECKPOINTED: 1e-5, COMPILED: 1e-4}
LARGEST_SHARE = 0.02


def make_step(way: str, size: int, device: str) -> Run:
    """Make a step, with its model, batch and optimiser."""
    torch.manual_seed(0)
    model = tipr_zoo.build(MODEL, device=device).train()
    batch = training_batch(model, size, device)
    training = load_recipe(load_card(MODEL)).training
    optimiser = build_optimiser(model, {**training.optimizer, "lr": 0.0}, training.get("parameter_groups", {}))
    checkpoint_gradients(model, way == CHECKPOINTED)
    if way == COMPILED:
        compile_blocks(model, {"compile": True}, torch.device(device))
    usual = partial(step, partial(RunnerModel(model), **batch), optimiser)
    if way != AVERAGED:
        return usual
    return partial(_followed, usual, MovingAverageHook(model, MovingAverage()))


def _followed(usual: Run, averages: MovingAverageHook) -> dict[str, Tensor]:
    results = dict(usual())
    averages.follow()
    return results


def seconds_of_averages(device: str, repeats: int) -> float:
    """Return the least of the seconds in which averages follow all parameters."""
    model: nn.Module = tipr_zoo.build(MODEL, device=device)
    averages = MovingAverageHook(model, MovingAverage())
    averages.follow()
    seconds = []
    for _ in range(repeats):
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        averages.follow()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def can_compile(device: str) -> bool:
    """Tell whether there is a compiler."""
    tower = nn.Sequential(nn.Linear(2, 2))
    model = nn.ModuleDict({"image_encoder": tower, "text_encoder": tower})
    try:
        compile_blocks(model, {"compile": True}, torch.device(device))
    except ConfigError as error:
        print(error)
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="counted steps of each way (default 5)")
    parser.add_argument("--batch", type=int, default=8, help="pairs of a batch (default 8)")
    options = parser.parse_args()

    device = choose_device()
    need_free(20, device)
    ways = [USUAL, AVERAGED, CHECKPOINTED, *([COMPILED] if can_compile(device) else [])]
    measured = measure_in_turns(
        {way: partial(make_step, way, options.batch, device) for way in ways}, options.repeats, device
    )
    equal = assert_equal(measured, {way: TOLERANCES[way] for way in ways[1:]})
    print(f"one step of {MODEL}, B = {options.batch}\n{table(measured)}\n{equal}")
    share = seconds_of_averages(device, 4 * options.repeats) / min(measured[USUAL].seconds)
    ratio = min(measured[AVERAGED].seconds) / min(measured[USUAL].seconds)
    print(f"a step with averages takes {ratio:.3f} of the usual one; the averages alone take {share:.2%} of a step")
    print(hardware(device))
    assert share <= LARGEST_SHARE, f"averages take more than {LARGEST_SHARE:.0%} of a step"


if __name__ == "__main__":
    main()
