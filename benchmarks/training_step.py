"""Time and memory of one training step of FMFA, SEN, RDE, TBPS-CLIP or RaSa at ViT-B/16, beside the plain way.

    python benchmarks/training_step.py [fmfa|sen|rde|tbps_clip|tbps_clip_simplified|rasa] [--repeats 3] [--batch 8]

A step is forward, backward and the optimiser: PyTorch's Adam as it is for the plain way, the recipe's for the zoo's.
Both run the same towers with the same (random) weights; the zoo also under bfloat16 autocast, where the processor has
bfloat16. The learning rate is 0, so that all steps start from the same weights: the losses must be equal, those in
bfloat16 within 1 %, RDE's within 2 %. SEN's plain way encodes each caption twice, and RDE's asks every block for its
attention, as the published code does. TBPS-CLIP's runs both towers a second time, and is without dropout, which two
ways cannot draw alike; its step is to take 1.15 times as long at least. So is RaSa's, whose pictures are 384 x 384.

On a GPU, where there is one, FMFA and RDE with B = 64 and SEN with B = 128, as they are trained. Each way runs in a
process of its own, and they take turns.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from functools import partial

import torch
from captions import synthetic_captions
from plain_rasa_transcription import rasa_batch, rasa_losses
from plain_rde_transcription import rde_losses
from plain_sen_transcription import sen_losses
from plain_tbps_clip_transcription import tbps_clip_losses
from plain_transcription import fmfa_losses, write_out_activations
from side_by_side import (
    Run,
    assert_equal,
    choose_device,
    hardware,
    has_bfloat16,
    measure_in_turns,
    need_free,
    table,
)
from torch import Tensor

import tipr_zoo
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.features import TOKEN_ENTRIES
from tipr_zoo.models.lookup import load_card
from tipr_zoo.models.recipe import load_recipe
from tipr_zoo.training.loop.optimiser import build_optimiser
from tipr_zoo.training.loop.parameter_groups import freeze_parameters
from tipr_zoo.training.loop.runner_model import RunnerModel
from tipr_zoo.training.pairs.caption_masking import mask_caption

NAMES = ("fmfa", "sen", "rde", "tbps_clip", "tbps_clip_simplified", "rasa")
MODELS = {name: f"{name}_vitb16_cuhk" for name in NAMES}
GPU_BATCHES = {"fmfa": 64, "sen": 128, "rde": 64, "tbps_clip": 80, "tbps_clip_simplified": 80, "rasa": 13}
PLAIN_LOSSES = {"fmfa": fmfa_losses, "sen": sen_losses, "rde": rde_losses, "rasa": rasa_losses}
PLAIN_LOSSES |= dict.fromkeys(("tbps_clip", "tbps_clip_simplified"), tbps_clip_losses)
WITHOUT_DROPOUT = {name: {"model.text_encoder.dropout": 0.0} for name in ("tbps_clip", "tbps_clip_simplified", "rasa")}
WITHOUT_DROPOUT["rasa"]["model.fusion_encoder.dropout"] = 0.0
PLAIN = "plain, float32"
WAYS = {PLAIN: "float32", "tipr-zoo, float32": "float32", "tipr-zoo, bfloat16": "bfloat16"}
TOLERANCES = {"float32": 1e-4, "bfloat16": 1e-2}
BFLOAT16_TOLERANCES = {"rde": 2e-2}  # its temperature is low, and rounding may choose other tokens


def training_batch(method: str, model: DualEncoder, size: int, device: str) -> dict[str, Tensor]:
    """Make a batch of random pictures with masked captions, two pairs of each identity."""
    if method == "rasa":  # whose vocabulary is on the Hub
        batch = rasa_batch(size, model.image_size, model.tokenize.context_length)
        return {key: value.to(device) for key, value in batch.items()}
    generator = torch.Generator().manual_seed(0)
    caption_ids = model.tokenize(synthetic_captions(size))
    masked = [mask_caption(ids, model.tokenize, generator) for ids in caption_ids]
    batch = {
        "images": torch.randn(size, 3, *model.image_size, generator=generator),
        "caption_ids": caption_ids,
        "pids": torch.arange(size) // 2,
        "mlm_ids": torch.stack([ids for ids, _ in masked]),
        "mlm_labels": torch.stack([labels for _, labels in masked]),
        "mask_noise": torch.rand(size, 1 + math.prod(model.image_encoder.grid_size), generator=generator),
    }
    for view in ("augmented", "self_supervised_1", "self_supervised_2"):
        batch[view] = torch.randn(size, 3, *model.image_size, generator=generator)
    return {key: value.to(device) for key, value in batch.items()}


def trimmed(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Cut the padding after the longest caption, as ``training.trim_padding`` does."""
    ids = batch["caption_ids"]
    longest = int((ids != 0).sum(dim=1).max())
    of_tokens = {*TOKEN_ENTRIES, *(name for name, value in batch.items() if value.shape == ids.shape)}
    return {key: value[:, :longest] if key in of_tokens else value for key, value in batch.items()}


def step(losses: Callable[[], Mapping[str, Tensor]], optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Run one training step and return its losses."""
    optimiser.zero_grad()
    values = losses()
    sum(values.values(), torch.zeros(())).backward()
    optimiser.step()
    return {key.removeprefix("loss_"): value.detach() for key, value in values.items()}


def make_step(method: str, way: str, size: int, device: str) -> Run:
    """Make a step, with its model, batch and optimiser."""
    torch.manual_seed(0)
    model = tipr_zoo.build(MODELS[method], device=device, overrides=WITHOUT_DROPOUT.get(method)).train()
    for objective in model.objectives.values():
        if hasattr(objective, "setup") and method == "rasa":
            objective.setup(model)
    batch = training_batch(method, model, size, device)
    training = load_recipe(load_card(MODELS[method])).training
    freeze_parameters(model, training.get("parameter_patterns", ()))
    recipe = {**training.optimizer, "lr": 0.0}
    if method == "rasa":  # what MLM gives depends on the padding, and its published code pads to the longest, too
        batch = trimmed(batch)
    if way == PLAIN:
        write_out_activations(model)
        plain = {key: recipe[key] for key in ("lr", "betas", "eps", "weight_decay") if key in recipe}
        kind = getattr(torch.optim, recipe["type"])
        return partial(step, partial(PLAIN_LOSSES[method], model, batch), kind(model.parameters(), **plain))
    batch = trimmed(batch) if training.get("trim_padding", False) else batch
    patterns = training.get("parameter_patterns", ())
    optimiser = build_optimiser(model, recipe, training.get("parameter_groups", {}), patterns)
    return partial(step, partial(RunnerModel(model, WAYS[way]), **batch), optimiser)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", nargs="?", choices=MODELS, default="fmfa", help="which method (default fmfa)")
    parser.add_argument("--repeats", type=int, default=3, help="counted steps of each way (default 3)")
    parser.add_argument("--batch", type=int, help="pairs of a batch (default 8, on a GPU 64 or 128)")
    options = parser.parse_args()

    device = choose_device()
    size = options.batch or (GPU_BATCHES[options.method] if device == "cuda" else 8)
    need_free(16 if device == "cpu" else 60, device)
    names = [name for name, precision in WAYS.items() if precision == "float32" or has_bfloat16(device)]
    measured = measure_in_turns(
        {name: partial(make_step, options.method, name, size, device) for name in names}, options.repeats, device
    )
    tolerances = {**TOLERANCES, "bfloat16": BFLOAT16_TOLERANCES.get(options.method, TOLERANCES["bfloat16"])}
    equal = assert_equal(measured, {name: tolerances[WAYS[name]] for name in names[1:]})
    losses = ", ".join(f"{key} {value:.4f}" for key, value in measured[PLAIN].results.items())
    print(f"one step of {MODELS[options.method]}, B = {size}\n{table(measured)}\nlosses: {losses}\n{equal}")
    if not has_bfloat16(device):
        print("this processor has no bfloat16 instructions: autocast was not measured")
    print(hardware(device))


if __name__ == "__main__":
    main()
