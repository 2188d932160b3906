"""Twelve steps of training end where those of the official code end, with the same losses and rates on the way.

Every file of such figures in the folder is compared, ``tests/parity/files`` or what ``TIPR_PARITY_DIR`` names. The
zoo trains by the recipe of the full-size model, made smaller, with the optimiser and the steps of ``tipr-zoo train``.
"""

from __future__ import annotations

import json
import os
import runpy
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import Tensor

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.models.lookup import load_card
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.models.reader_lookup import reader_named
from tipr_zoo.models.recipe import load_recipe
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.training.loop.hooks import LearningRateHook
from tipr_zoo.training.loop.optimiser import build_optimiser
from tipr_zoo.training.loop.runner_model import RunnerModel
from tipr_zoo.training.loop.schedule import Schedule
from tipr_zoo.weights.official_names import to_zoo, zoo_names

SHIPPED = Path(__file__).parent / "files"
FILES = Path(os.environ.get("TIPR_PARITY_DIR") or SHIPPED)
METHODS = ("irra", "fmfa", "sen", "rde")
PATHS = sorted(path for method in METHODS for path in FILES.glob(f"{method}_trajectory*.json"))
TOLERANCE, RATES = 2e-3, 1e-9  # relative errors allowed

_SCRIPT = "parity_inputs.py"
INPUTS = SimpleNamespace(**runpy.run_path(str((FILES if (FILES / _SCRIPT).is_file() else SHIPPED) / _SCRIPT)))


@dataclass(frozen=True)
class Trajectory:
    """What the official code gives for a short training, and what the zoo gives."""

    figures: dict[str, Any]
    arrays: dict[str, np.ndarray]
    losses: list[dict[str, float]]
    rates: list[float]
    groups: dict[str, list[float]]
    embeddings: dict[str, Tensor]


def _small_recipe(method: str, sizes: dict[str, Any]) -> Any:
    """The recipe of the full-size model at the sizes of a configuration."""
    width, patch = sizes["embed_dim"], sizes["patch"]
    overrides = {
        "model.image_encoder.model_name": f"vit_base_patch{patch}_clip_quickgelu_224",
        "model.image_encoder.image_size": sizes["image_size"],
        "model.image_encoder.stride": sizes["stride"],
        "model.text_encoder.vocabulary_size": sizes["vocab_size"],
    }
    for tower, kind in (("image", "vision"), ("text", "text")):
        overrides |= {
            f"model.{tower}_encoder.embedding_size": width,
            f"model.{tower}_encoder.width": sizes[f"{kind}_width"],
            f"model.{tower}_encoder.depth": sizes[f"{kind}_layers"],
            f"model.{tower}_encoder.num_heads": sizes[f"{kind}_width"] // 64,
        }
    if method == "rde":
        selected = INPUTS.model_shapes("rde", sizes)["visul_emb_layer.fc.weight"][0]
        return load_recipe(load_card("rde_vitb16_cuhk"), {**overrides, "model.selected_size": selected})
    head = "tir" if method == "sen" else "irr"
    overrides["model.heads.id.num_identities"] = sizes["num_classes"]
    overrides |= {"model.heads.id.embedding_size": width, f"model.heads.{head}.embedding_size": width}
    overrides[f"model.heads.{head}.depth"] = sizes["cmt_depth"]
    if method == "sen":
        overrides |= {"model.heads.tir.image_size": sizes["image_size"], "model.heads.tir.patch_size": patch}
    return load_recipe(load_card(f"{method}_vitb16_cuhk"), overrides)


def _train(
    retriever: DualEncoder, optimiser: torch.optim.Optimizer, batches: list[dict[str, Tensor]], about: dict[str, Any]
) -> tuple[list[dict[str, float]], list[float]]:
    """Take a step with every batch; the losses and the factor of the base rates of each."""
    schedule = Schedule(about["mode"], warmup_epochs=about["warmup_epochs"], warmup_factor=about["warmup_factor"])
    hook, model, wrapper = LearningRateHook(schedule), RunnerModel(retriever).train(), OptimWrapper(optimiser)
    losses, factors = [], []
    for step, batch in enumerate(batches):
        runner = SimpleNamespace(
            iter=step,
            epoch=step // about["steps_per_epoch"],
            max_epochs=about["total_epochs"],
            train_dataloader=range(about["steps_per_epoch"]),
            optim_wrapper=wrapper,
        )
        hook.before_train_iter(runner, step % about["steps_per_epoch"], batch)
        (factor,) = {round(group["lr"] / group["initial_lr"], 12) for group in optimiser.param_groups}
        factors.append(factor)
        found = model.train_step(batch, wrapper)
        total = found.pop("loss")
        losses.append({name.removeprefix("loss_"): value for name, value in found.items()} | {"total": total})
    return losses, factors


@pytest.fixture(scope="module", params=PATHS, ids=lambda path: path.stem)
def trajectory(request: pytest.FixtureRequest) -> Trajectory:
    """One file of figures, and the same training by the zoo."""
    figures = json.loads(request.param.read_text())
    method, config, seed = figures["method"], figures["config"], figures["seed"]
    if method != "irra":
        import_plugin(method)
    sizes, about = INPUTS.CONFIGS[config], figures["schedule"]
    recipe = _small_recipe(method, sizes)
    weights = INPUTS.state_dict(INPUTS.model_shapes(method, sizes), seed)
    retriever = build_retriever(recipe.model)
    rules = reader_named(method).rules
    retriever.load_state_dict(to_zoo({name: torch.from_numpy(value) for name, value in weights.items()}, rules)[0])
    batches = [
        {name: torch.from_numpy(array) for name, array in batch.items()}
        for batch in INPUTS.trajectory(config, seed, steps=len(figures["steps"]))
    ]

    base_rate, multipliers = figures["optimizer"]["lr"], dict(recipe.training.get("parameter_groups", {}))
    if "selection" in multipliers:  # the published code gives these layers a rate of their own, whatever the base rate
        multipliers["selection"] *= recipe.training.optimizer.lr / base_rate
    optimiser = build_optimiser(retriever, figures["optimizer"], multipliers)
    losses, factors = _train(retriever, optimiser, batches, about)

    retriever.eval()
    with torch.no_grad():
        embeddings = _embeddings(retriever, batches[0])
    groups = {
        group["name"]: [group["initial_lr"] / base_rate, group["weight_decay"]] for group in optimiser.param_groups
    }
    with np.load(request.param.with_suffix(".npz")) as arrays:
        rates = [base_rate * factor for factor in factors]
        return Trajectory(figures, dict(arrays), losses, rates, groups, embeddings)


def _embeddings(retriever: DualEncoder, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """What is compared in the end, by the name that it has among the official figures."""
    if hasattr(retriever, "parts"):  # two embeddings a side, before they are laid end to end
        features = retriever.features(batch)
        names = {"embedding": features.part("bge"), "selected": features.part("tse")}
        return {f"{side}_{name}": part[i] for name, part in names.items() for i, side in enumerate(("image", "text"))}
    image, text = retriever.encode_image(batch["images"]), retriever.encode_text(batch["caption_ids"])
    return {"final_image_embedding": image, "final_text_embedding": text}


@pytest.mark.parametrize("method", METHODS)
def test_there_is_something_to_compare_with(method: str) -> None:
    found = [path for path in PATHS if json.loads(path.read_text())["method"] == method]
    assert found, f"no {method}_trajectory*.json in {FILES}"


def test_rate_and_weight_decay_of_every_parameter(trajectory: Trajectory) -> None:
    official: dict[str, list[float]] = trajectory.figures["lr_multiplier_and_weight_decay"]
    rules = reader_named(trajectory.figures["method"]).rules
    expected = {zoo: value for name, value in official.items() for zoo in zoo_names(name, rules)}
    assert set(trajectory.groups) == set(expected)
    for name, value in expected.items():
        assert trajectory.groups[name] == pytest.approx(value), name


def test_rate_of_every_step(trajectory: Trajectory) -> None:
    assert trajectory.rates == pytest.approx([step["lr"] for step in trajectory.figures["steps"]], rel=RATES)


def test_losses_of_every_step(trajectory: Trajectory) -> None:
    for number, (found, step) in enumerate(zip(trajectory.losses, trajectory.figures["steps"], strict=True), start=1):
        expected = {name: value for name, value in step.items() if name != "lr"}
        assert found == pytest.approx(expected, rel=TOLERANCE), f"step {number}"


def test_embeddings_after_the_last_step(trajectory: Trajectory) -> None:
    assert trajectory.embeddings.keys() == trajectory.arrays.keys()
    for name, expected in trajectory.arrays.items():
        difference = np.abs(trajectory.embeddings[name].numpy() - expected).max()
        assert difference / np.abs(expected).max() < TOLERANCE, name
