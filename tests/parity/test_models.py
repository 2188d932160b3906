"""IRRA, SEN and FMFA compute what the official code computes, from the embeddings to the gradient of each parameter.

Every file of such figures in the folder is compared, ``tests/parity/files`` or what ``TIPR_PARITY_DIR`` names. Those of
full size take some gigabytes, and about ten seconds each.
"""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.models.reader_lookup import reader_named
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.weights.official_names import to_official, to_zoo

SHIPPED = Path(__file__).parent / "files"
FILES = Path(os.environ.get("TIPR_PARITY_DIR") or SHIPPED)
METHODS = ("irra", "fmfa", "sen")
EMBEDDINGS, LOSSES, GRADIENT_NORMS = 1e-4, 1e-4, 1e-3  # relative errors allowed

UNUSED_BY_SEN = {"cross_attn_TextImage", "cross_attn_Image", "norm_3", "norm_5"}


def _parity_inputs() -> ModuleType:
    """The script that makes weights and inputs, from the folder of the figures where that has one."""
    name = "parity_inputs.py"
    file = FILES / name if (FILES / name).is_file() else SHIPPED / name
    specification = importlib.util.spec_from_file_location("parity_inputs", file)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


INPUTS = _parity_inputs()


def _cases() -> list[Any]:
    """Every file with the figures of one training step of a model."""
    cases = []
    for path in sorted(path for method in METHODS for path in FILES.glob(f"{method}_*.json")):
        figures = json.loads(path.read_text())
        if "grad_norms" in figures:
            cases.append(pytest.param(path, id=path.stem))
    return cases


CASES = _cases()


@dataclass(frozen=True)
class Step:
    """What the official code gives for one training step, and the model and batch that are to give the same."""

    method: str
    model: DualEncoder
    left_over: list[str]
    batch: dict[str, Tensor]
    figures: dict[str, Any]
    arrays: dict[str, np.ndarray]


def _recipe(method: str, sizes: dict[str, Any]) -> dict[str, Any]:
    """The model entry of a recipe for a method at the sizes of a configuration."""
    width = sizes["embed_dim"]
    restoration = {"type": "TextGuidedRestoration", "embedding_size": width, "depth": sizes["cmt_depth"], "weight": 10}
    restoration |= {"image_size": sizes["image_size"], "patch_size": sizes["patch"]}
    reasoning = {"type": "ImplicitRelationReasoning", "embedding_size": width, "depth": sizes["cmt_depth"]}
    adaptive = {"asdm": {"type": "AdaptiveSDM"}, "efa": {"type": "ExplicitFineGrainedAlignment"}}
    losses, heads = {
        "irra": ({"sdm": {"type": "SDM"}}, {"irr": reasoning}),
        "fmfa": (adaptive, {"irr": reasoning}),
        "sen": ({"sdm": {"type": "SDM"}, "cmt": {"type": "CrossModalTriplet", "weight": 10}}, {"tir": restoration}),
    }[method]
    identities = sizes["num_classes"]
    return {
        "image_encoder": {
            "type": "VisionTransformerEncoder",
            "model_name": f"vit_base_patch{sizes['patch']}_clip_quickgelu_224",
            "embedding_size": width,
            "image_size": sizes["image_size"],
            "stride": sizes["stride"],
            "width": sizes["vision_width"],
            "depth": sizes["vision_layers"],
            "num_heads": sizes["vision_width"] // 64,
        },
        "text_encoder": {
            "type": "CLIPTextEncoder",
            "embedding_size": width,
            "width": sizes["text_width"],
            "depth": sizes["text_layers"],
        },
        "tokenizer": {"type": "CLIPTokenizer"},
        "losses": losses,
        "heads": {"id": {"type": "IdentityClassification", "embedding_size": width, "num_identities": identities}}
        | heads,
    }


@pytest.fixture(scope="module", params=CASES)
def step(request: pytest.FixtureRequest) -> Step:
    """One file of figures, and the model with the official weights."""
    figures = json.loads(request.param.read_text())
    method, config, seed = figures["method"], figures["config"], figures["seed"]
    if method != "irra":
        import_plugin(method)
    sizes = INPUTS.CONFIGS[config]
    weights = INPUTS.state_dict(INPUTS.model_shapes(method, sizes), seed)
    model = build_retriever(_recipe(method, sizes))
    rules = reader_named(method).rules
    state, left_over = to_zoo({name: torch.from_numpy(weight) for name, weight in weights.items()}, rules)
    model.load_state_dict(state, strict=True)
    batch = {name: torch.from_numpy(array) for name, array in INPUTS.batch(config, seed).items()}
    with np.load(request.param.with_suffix(".npz")) as arrays:
        return Step(method, model, left_over, batch, figures, dict(arrays))


def _relative_error(found: Tensor, expected: np.ndarray) -> float:
    """Largest difference, as a share of the largest expected value."""
    assert tuple(found.shape) == expected.shape
    return float(np.abs(found.detach().numpy() - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("method", METHODS)
def test_there_is_something_to_compare_with(method: str) -> None:
    assert [case for case in CASES if case.id.startswith(method)], f"no {method}_*.json with gradient norms in {FILES}"


def test_every_official_parameter_that_is_used_has_a_place(step: Step) -> None:
    unused = UNUSED_BY_SEN if step.method == "sen" else set()
    assert {name.partition(".")[0] for name in step.left_over} == unused
    assert not set(step.left_over) & set(step.figures["grad_norms"])


def test_embeddings(step: Step) -> None:
    step.model.eval()
    with torch.no_grad():
        image = step.model.encode_image(step.batch["images"])
        text = step.model.encode_text(step.batch["caption_ids"])
    assert _relative_error(image, step.arrays["image_embedding"]) < EMBEDDINGS
    assert _relative_error(text, step.arrays["text_embedding"]) < EMBEDDINGS


def test_every_token(step: Step) -> None:
    step.model.eval()
    with torch.no_grad():
        features = step.model.features(step.batch)
    assert _relative_error(features.image_tokens[..., :8], step.arrays["image_tokens_first8"]) < EMBEDDINGS
    assert _relative_error(features.text_tokens[..., :8], step.arrays["text_tokens_first8"]) < EMBEDDINGS


def test_losses_and_gradients(step: Step) -> None:
    step.model.train()
    step.model.zero_grad(set_to_none=True)
    losses = step.model.loss(step.batch)
    total = torch.stack(list(losses.values())).sum()
    total.backward()

    found = {key: loss.item() for key, loss in losses.items()} | {"total": total.item()}
    assert found == pytest.approx(step.figures["losses"], rel=LOSSES)
    gradients = {name: parameter.grad for name, parameter in step.model.named_parameters()}
    assert all(gradient is not None for gradient in gradients.values())
    rules = reader_named(step.method).rules
    norms = {name: float(to_official(name, gradients, rules).norm()) for name in step.figures["grad_norms"]}
    assert norms == pytest.approx(step.figures["grad_norms"], rel=GRADIENT_NORMS, abs=1e-6)
    assert len(norms) == len(step.figures["grad_norms"])
