"""The search for what makes a loss not finite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import Runner
from torch import Tensor

from tipr_zoo.distributed import process_rank
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import NotFiniteError as NotFiniteError
from tipr_zoo.errors import TrainingError
from tipr_zoo.machine.whole_file import write_whole

NAMED = 3
"""How many files of a batch the message names; a file in the work dir lists all of them."""


def not_finite_error(runner: Runner, step: int, batch: Mapping[str, Tensor], error: NotFiniteError) -> TrainingError:
    """Make the error that ends a training after something not finite; the parameters are those before the step.

    The pairs of the step go to ``not_finite_rank_R.json`` in the work dir, with the losses and the culprit.

    Args:
        runner: The runner.
        step: The step within the epoch, from 0.
        batch: What the step was done with.
        error: What is not finite.
    """
    model = runner.model.module if hasattr(runner.model, "module") else runner.model
    pairs = runner.train_dataloader.dataset
    indices = [key[1] for key in runner.train_dataloader.batch_sampler.keys_of(step)]
    files = [str(pairs.pictures[pairs.picture_indices[index]]) for index in indices]
    if error.losses:
        with model.autocast(next(model.parameters()).device):  # what overflows in float16 need not in float32
            culprit, rows = find_culprit(model.retriever, batch, error.losses)
        wrong = ", ".join(f"{key} is {value}" for key, value in error.losses.items() if not _is_finite(value))
    else:
        (culprit, rows), wrong = (_gradient_culprit(error.gradients), []), "a gradient is not finite"
    about = {
        "epoch": runner.epoch + 1,
        "step": runner.iter + 1,
        "losses": {key: str(value) for key, value in error.losses.items()},
        "culprit": culprit,
        "culprit_pictures": [files[row] for row in rows],
        "pairs": [
            {"picture": file, "caption": pairs.captions[index]} for file, index in zip(files, indices, strict=True)
        ],
    }
    file = Path(runner.work_dir) / f"not_finite_rank_{process_rank()}.json"
    write_whole(file, (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode())
    named = [files[row] for row in rows] or files
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    which = "of these pairs" if rows else "the batch"
    return TrainingError(
        f"{wrong} at step {runner.iter + 1}, in epoch {runner.epoch + 1}: {culprit}; {which}:"
        f" {', '.join(named[:NAMED])}{more} ({file} lists all); no parameter was changed by it: go on with --resume and"
        " a lower training.optimizer.lr or training.precision='float32'"
    )


@torch.no_grad()
def find_culprit(
    retriever: DualEncoder, batch: Mapping[str, Tensor], losses: Mapping[str, float]
) -> tuple[str, list[int]]:
    """Find what is not finite first on the way from the parameters and the batch to the losses.

    Args:
        retriever: The model, with the parameters before the step.
        batch: This process's rows; see `tipr_zoo.features.Batch`.
        losses: The losses by key.

    Returns:
        It in words, and the rows of the batch that it concerns; none where it concerns the whole batch.
    """
    for name, parameter in retriever.named_parameters():
        if not parameter.isfinite().all():
            return f"parameter {name} is not finite", []
    device = next(retriever.parameters()).device
    batch = {key: value.to(device) for key, value in batch.items()}
    stages: dict[str, Any] = {"pictures, as they are loaded, are": batch["images"]}
    if not (rows := _bad_rows(stages["pictures, as they are loaded, are"])):
        stages |= _stages(retriever, batch)
    for name, values in stages.items():
        if rows := _bad_rows(values):
            return f"{name} not finite", rows
    keys = [key.removeprefix("loss_") for key, value in losses.items() if not _is_finite(value) and key != "loss"]
    made = "the towers' tokens" if hasattr(retriever, "tokens") else "the embeddings"
    return f"{made} are finite, and {' and '.join(keys)} made of them not", []


def _stages(retriever: DualEncoder, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what the losses of a batch are made of, by its name in a sentence."""
    if not hasattr(retriever, "tokens"):
        image, text = retriever.encode_image(batch["images"]), retriever.encode_text(batch["caption_ids"])
        return {"embeddings of the pictures are": image, "embeddings of the captions are": text}
    image_tokens, text_tokens = retriever.tokens(batch)
    return {"tokens of the image tower are": image_tokens, "tokens of the text tower are": text_tokens}


def _gradient_culprit(names: Sequence[str]) -> str:
    """Name the parameters in words. They come in the order of the model, which is about that of the forward pass."""
    if not names:
        return "each is, but their norm is beyond the largest number"
    more = f" and of {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"the losses are, but not the gradients of {', '.join(names[-NAMED:])}{more}"


def _bad_rows(values: Tensor) -> list[int]:
    return (~values.flatten(1).isfinite().all(dim=1)).nonzero().flatten().tolist()


def _is_finite(value: float) -> bool:
    return abs(value) < float("inf")
