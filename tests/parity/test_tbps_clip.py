"""TBPS-CLIP computes what its official code computes: embeddings, each loss, and every gradient, full and simplified.

Every file of such figures in the folder is compared, ``tests/parity/files`` or what ``TIPR_PARITY_DIR`` names, with
each ratio of soft labels in it. The figures are without dropout, so the models are in evaluation mode.
"""

from __future__ import annotations

import json
import os
import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import tipr_zoo
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.models.reader_lookup import reader_named
from tipr_zoo.weights.official_names import to_official, usual_names

SHIPPED = Path(__file__).parent / "files"
FILES = Path(os.environ.get("TIPR_PARITY_DIR") or SHIPPED)
_SCRIPT = "parity_inputs.py"
INPUTS = SimpleNamespace(**runpy.run_path(str((FILES if (FILES / _SCRIPT).is_file() else SHIPPED) / _SCRIPT)))
CASES = [
    path for path in sorted(FILES.glob("tbps_clip_*.json")) if "by_soft_label_ratio" in json.loads(path.read_text())
]
RATIOS = [
    pytest.param((path, ratio), id=f"{path.stem}-{ratio}")
    for path in CASES
    for ratio in json.loads(path.read_text())["by_soft_label_ratio"]
]
EMBEDDINGS, LOSSES, GRADIENT_NORMS = 1e-4, 1e-4, 1e-3  # relative errors allowed


@dataclass(frozen=True)
class Step:
    """What the official code gives for one training step, and the model and batch that are to give the same."""

    method: str
    model: Any
    batch: dict[str, Tensor]
    figures: dict[str, Any]
    arrays: dict[str, np.ndarray]
    names: list[str]


def _step(path: Path) -> Step:
    figures = json.loads(path.read_text())
    config, seed = figures["config"], figures["seed"]
    sizes = INPUTS.CONFIGS[config]
    state = INPUTS.state_dict(INPUTS.model_shapes("tbps_clip", sizes), seed)
    official = {name: torch.from_numpy(np.asarray(value)) for name, value in state.items()}
    method = "tbps_clip"
    if figures["simplified"]:  # its network has no projector
        method = "tbps_clip_simplified"
        official = {name: value for name, value in official.items() if not name.startswith("simclr_mlp.")}
    model = tipr_zoo.from_official(official, method, sizes["image_size"], sizes["stride"])
    arrays = {**INPUTS.batch(config, seed), **INPUTS.views(config, seed)}
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
    with np.load(path.with_suffix(".npz")) as expected:
        return Step(method, model, batch, figures, dict(expected), list(official))


@pytest.fixture(autouse=True, scope="module")
def plugin() -> None:
    import_plugin("tbps_clip")


@pytest.fixture(scope="module")
def made() -> Iterator[dict[Path, Step]]:
    """The last model that was made: those of full size are large."""
    kept: dict[Path, Step] = {}
    yield kept
    kept.clear()


def _of(path: Path, made: dict[Path, Step]) -> Step:
    if path not in made:
        made.clear()
        made[path] = _step(path)
    return made[path]


def _relative_error(found: Tensor, expected: np.ndarray) -> float:
    """Largest difference, as a share of the largest expected value."""
    assert tuple(found.shape) == expected.shape
    return float(np.abs(found.detach().numpy() - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("simplified", [False, True])
def test_there_is_something_to_compare_with(simplified: bool) -> None:
    found = [path for path in CASES if json.loads(path.read_text())["simplified"] == simplified]
    assert found, f"no tbps_clip_*.json with by_soft_label_ratio and simplified {simplified} in {FILES}"


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_embeddings(path: Path, made: dict[Path, Step]) -> None:
    step = _of(path, made)
    with torch.no_grad():
        image = step.model.encode_image(step.batch["images"])
        text = step.model.encode_text(step.batch["caption_ids"])
    assert _relative_error(image, step.arrays["image_embedding"]) < EMBEDDINGS
    assert _relative_error(text, step.arrays["text_embedding"]) < EMBEDDINGS


@pytest.mark.parametrize("case", RATIOS)
def test_losses_and_gradients(case: tuple[Path, str], made: dict[Path, Step]) -> None:
    path, ratio = case
    step = _of(path, made)
    expected = step.figures["by_soft_label_ratio"][ratio]
    step.model.zero_grad(set_to_none=True)
    ratios = torch.full((len(step.batch["pids"]),), float(ratio))
    losses = step.model.loss({**step.batch, "soft_label_ratio": ratios})
    total = torch.stack(list(losses.values())).sum()
    total.backward()

    found = {key: loss.item() for key, loss in losses.items()} | {"total": total.item()}
    assert found == pytest.approx(expected["losses"], rel=LOSSES)
    gradients = {name: parameter.grad for name, parameter in step.model.named_parameters()}
    assert all(gradient is not None for gradient in gradients.values())
    usual, rules = usual_names(step.names), reader_named(step.method).rules
    learning = [name for name in expected["grad_norms"] if name not in step.figures["frozen"]]
    norms = {name: float(to_official(usual[name], gradients, rules).norm()) for name in learning}
    assert norms == pytest.approx(
        {name: expected["grad_norms"][name] for name in learning}, rel=GRADIENT_NORMS, abs=1e-6
    )
    assert len(norms) == len(step.names) - len(step.figures["frozen"])
