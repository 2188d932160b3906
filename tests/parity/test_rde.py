"""RDE computes what its official code computes: embeddings, attention, similarity, losses, and every gradient.

Every file of such figures in the folder is compared, ``tests/parity/files`` or what ``TIPR_PARITY_DIR`` names.
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
from torch import Tensor

import tipr_zoo
from tipr_zoo.features import Features
from tipr_zoo.models.official_checkpoint import read_official
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.models.reader_lookup import reader_named
from tipr_zoo.registries import LOSSES
from tipr_zoo.weights.official_names import to_official

SHIPPED = Path(__file__).parent / "files"
FILES = Path(os.environ.get("TIPR_PARITY_DIR") or SHIPPED)
_SCRIPT = "parity_inputs.py"
INPUTS = SimpleNamespace(**runpy.run_path(str((FILES if (FILES / _SCRIPT).is_file() else SHIPPED) / _SCRIPT)))
CASES = [path for path in sorted(FILES.glob("rde_*.json")) if "grad_norms" in json.loads(path.read_text())]
LOSS_CASES = sorted(FILES.glob("losses_rde*.json"))
EMBEDDINGS, LOSS_VALUES, GRADIENT_NORMS = 1e-4, 1e-4, 1e-3  # relative errors allowed
UNUSED = {"visul_emb_layer.linear", "visul_emb_layer.mlp.bns.1", "texual_emb_layer.mlp.bns.1"}
TYPES = {
    "tal": {"type": "TripletAlignment"},
    "trl": {"type": "TripletAlignment", "hardest": True},
    "infonce": {"type": "GatedITC"},
    "sdm": {"type": "GatedSDM"},
}


@dataclass(frozen=True)
class Step:
    """What the official code gives for one training step, and the model and batch that are to give the same."""

    model: Any
    left_over: set[str]
    batch: dict[str, Tensor]
    figures: dict[str, Any]
    arrays: dict[str, np.ndarray]


@pytest.fixture(autouse=True, scope="module")
def plugin() -> None:
    import_plugin("rde")


@pytest.fixture(scope="module", params=CASES, ids=lambda path: path.stem)
def step(request: pytest.FixtureRequest) -> Step:
    """One file of figures, and the model with the official weights."""
    figures = json.loads(request.param.read_text())
    config, seed = figures["config"], figures["seed"]
    sizes = INPUTS.CONFIGS[config]
    official = {
        name: torch.from_numpy(value)
        for name, value in INPUTS.state_dict(INPUTS.model_shapes("rde", sizes), seed).items()
    }
    model = tipr_zoo.from_official(official, "rde", sizes["image_size"], sizes["stride"])
    left_over = set(read_official(official, "rde", sizes["image_size"], sizes["stride"]).unused)
    batch = {name: torch.from_numpy(array) for name, array in INPUTS.batch(config, seed).items()}
    batch["label_hat"] = torch.from_numpy(INPUTS.label_hat(config, seed))
    with np.load(request.param.with_suffix(".npz")) as arrays:
        return Step(model, left_over, batch, figures, dict(arrays))


def _relative_error(found: Tensor, expected: np.ndarray) -> float:
    """Largest difference, as a share of the largest expected value."""
    assert tuple(found.shape) == expected.shape
    return float(np.abs(found.detach().numpy() - expected).max() / np.abs(expected).max())


def test_there_is_something_to_compare_with() -> None:
    assert CASES, f"no rde_*.json with gradient norms in {FILES}"
    assert LOSS_CASES, f"no losses_rde*.json in {FILES}"


def test_every_official_parameter_that_is_used_has_a_place(step: Step) -> None:
    assert {".".join(name.split(".")[:-1]) for name in step.left_over} == UNUSED
    assert all(step.figures["grad_norms"].get(name, 0) == 0 for name in step.left_over)


def test_embeddings_and_their_similarity(step: Step) -> None:
    step.model.eval()
    with torch.no_grad():
        features = step.model.features(step.batch)
        image = step.model.encode_image(step.batch["images"])
        text = step.model.encode_text(step.batch["caption_ids"])
    for part, name in (("bge", "embedding"), ("tse", "selected")):
        found = features.part(part)
        assert _relative_error(found[0], step.arrays[f"image_{name}"]) < EMBEDDINGS
        assert _relative_error(found[1], step.arrays[f"text_{name}"]) < EMBEDDINGS
        own = torch.cosine_similarity(found[1].unsqueeze(1), found[0].unsqueeze(0), dim=2)
        columns = step.model.parts[part]
        alone = torch.cosine_similarity(text[:, columns].unsqueeze(1), image[:, columns].unsqueeze(0), dim=2)
        assert torch.allclose(alone, own, atol=1e-5)
    cosines = torch.cosine_similarity(text.unsqueeze(1), image.unsqueeze(0), dim=2)
    assert _relative_error(cosines, step.arrays["similarity"]) < EMBEDDINGS


def test_attention_of_the_last_blocks(step: Step) -> None:
    step.model.eval()
    with torch.no_grad():
        patches = step.model.image_encoder.encode_with_attention(step.batch["images"])[1]
        words = step.model.text_encoder.encode_with_attention(step.batch["caption_ids"])[1]
    assert _relative_error(patches, step.arrays["image_attention"]) < EMBEDDINGS
    assert _relative_error(words, step.arrays["text_attention"]) < EMBEDDINGS


def test_losses_and_gradients(step: Step) -> None:
    step.model.train()
    step.model.zero_grad(set_to_none=True)
    losses = step.model.loss(step.batch)
    total = torch.stack(list(losses.values())).sum()
    total.backward()

    found = {key: loss.item() for key, loss in losses.items()} | {"total": total.item()}
    assert found == pytest.approx(step.figures["losses"], rel=LOSS_VALUES)
    gradients = {name: parameter.grad for name, parameter in step.model.named_parameters()}
    assert all(gradient is not None for gradient in gradients.values())
    expected = {name: norm for name, norm in step.figures["grad_norms"].items() if name not in step.left_over}
    rules = reader_named("rde").rules
    norms = {name: float(to_official(name, gradients, rules).norm()) for name in expected}
    assert norms == pytest.approx(expected, rel=GRADIENT_NORMS, abs=1e-6)


@pytest.mark.parametrize(
    ("path", "name"),
    [pytest.param(path, name, id=name) for path in LOSS_CASES for name in json.loads(path.read_text())["values"]],
)
def test_a_loss_alone(path: Path, name: str) -> None:
    with np.load(path.with_suffix(".npz")) as arrays:
        image, text, pids, verdicts = (torch.from_numpy(arrays[key]) for key in ("image", "text", "pids", "label_hat"))
        gradients = [arrays[f"{name}_grad{index}"] for index in (0, 1)]
    kind, _, temperature = name.partition("_tau")
    options = {"temperature": float(temperature)} if temperature else {}
    for embedding in (image, text):
        embedding.requires_grad_()

    loss = LOSSES.build({**TYPES[kind], **options})(
        Features(image, text, image, text), {"pids": pids, "label_hat": verdicts}
    )
    loss.backward()

    assert loss.item() == pytest.approx(json.loads(path.read_text())["values"][name], rel=LOSS_VALUES)
    for tensor, expected in zip((image, text), gradients, strict=True):
        assert np.linalg.norm(tensor.grad.numpy() - expected) <= 1e-4 * np.linalg.norm(expected)
