"""RaSa computes what its official code computes: embeddings, scores of pairs, losses, every gradient, and its queues.

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
from torch.nn import functional as F

import tipr_zoo
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.models.reader_lookup import reader_named

SHIPPED = Path(__file__).parent / "files"
FILES = Path(os.environ.get("TIPR_PARITY_DIR") or SHIPPED)
_SCRIPT = "parity_inputs.py"
INPUTS = SimpleNamespace(**runpy.run_path(str((FILES if (FILES / _SCRIPT).is_file() else SHIPPED) / _SCRIPT)))
CASES = sorted(FILES.glob("rasa_*.json"))
STEPS = [
    pytest.param((path, ratio), id=f"{path.stem}-{ratio}")
    for path in CASES
    for ratio in json.loads(path.read_text()).get("by_soft_label_ratio", {})
]
EMBEDDINGS, LOSS_VALUES, GRADIENT_NORMS = 1e-4, 1e-4, 1e-3  # relative errors allowed


@dataclass(frozen=True)
class Case:
    """What the official code gives for some weights and inputs, and the model that is to give the same."""

    model: Any
    official: dict[str, Tensor]
    batch: dict[str, Tensor]
    figures: dict[str, Any]
    arrays: dict[str, np.ndarray]


@pytest.fixture(autouse=True, scope="module")
def plugin() -> None:
    import_plugin("rasa")


def read(path: Path) -> Case:
    """One file of figures, and the model with the official weights, without dropout."""
    figures = json.loads(path.read_text())
    config, seed = figures["config"], figures["seed"]
    sizes = INPUTS.RASA_CONFIGS[config]
    arrays = {**INPUTS.state_dict(INPUTS.rasa_shapes(sizes), seed), **INPUTS.rasa_queues(config, seed)}
    official = {name: torch.from_numpy(np.asarray(value)) for name, value in arrays.items()}
    official["queue_ptr"] = torch.zeros(1, dtype=torch.int64)
    side = sizes["image_size"]
    model = tipr_zoo.from_official(official, "rasa", (side, side), training=True)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    batch = {name: torch.from_numpy(array) for name, array in INPUTS.rasa_batch(config, seed).items()}
    # The figures take the largest weight in the place of every draw.
    rows, length = batch["ids"].shape
    batch |= {"matching_noise": torch.zeros(rows, 2), "replacement_noise": torch.zeros(rows, length)}
    batch["caption_ids"] = batch.pop("ids")
    with np.load(path.with_suffix(".npz")) as arrays:
        return Case(model, official, batch, figures, dict(arrays))


@pytest.fixture(scope="module", params=CASES, ids=lambda path: path.stem)
def case(request: pytest.FixtureRequest) -> Case:
    return read(request.param)


def _relative_error(found: Tensor, expected: np.ndarray) -> float:
    """Largest difference, as a share of the largest expected value."""
    assert tuple(found.shape) == expected.shape
    return float(np.abs(found.detach().numpy() - expected).max() / np.abs(expected).max())


def test_there_is_something_to_compare_with() -> None:
    assert CASES, f"no rasa_*.json in {FILES}"
    assert STEPS, f"no rasa_*.json with losses in {FILES}"


def test_embeddings_tokens_and_their_similarity(case: Case) -> None:
    with torch.no_grad():
        image, text = case.model.encode_image(case.batch["images"]), case.model.encode_text(case.batch["eval_ids"])
        patches = case.model.encode_picture_tokens(case.batch["images"])
        words = case.model.encode_caption_tokens(case.batch["eval_ids"])
    image, text = F.normalize(image, dim=1), F.normalize(text, dim=1)
    found = {"image_embedding": image, "text_embedding": text, "similarity": text @ image.t()}
    found |= {"image_tokens": patches[..., :8], "text_tokens": words[..., :8]}
    for name, value in found.items():
        assert _relative_error(value, case.arrays[name]) < EMBEDDINGS, name


@torch.no_grad()
def test_scores_of_pairs_by_both_ways(case: Case) -> None:
    model, ids, images = case.model, case.batch["eval_ids"], case.batch["images"]
    rows = range(len(ids))
    together = torch.stack([model.score_pairs(ids, images[[picture] * len(ids)]) for picture in rows], 1)
    assert _relative_error(together, case.arrays["pair_scores"]) < EMBEDDINGS
    pictures, words = model.encode_picture_tokens(images), model.encode_caption_tokens(ids)
    apart = torch.stack([model.score_captions(ids, words, picture) for picture in pictures], 1)
    assert _relative_error(apart, case.arrays["pair_scores"]) < EMBEDDINGS
    for row in rows:  # without padding, as captions are kept
        length = int((ids[row] != 0).sum())
        cut = ids[row : row + 1, :length]
        scores = [model.score_captions(cut, words[row : row + 1, :length], picture) for picture in pictures]
        assert _relative_error(torch.cat(scores), case.arrays["pair_scores"][row]) < EMBEDDINGS


@pytest.mark.parametrize("step", STEPS)
def test_losses_and_gradients(step: tuple[Path, str]) -> None:
    case, ratio = read(step[0]), step[1]
    model, expected = case.model.train(), case.figures["by_soft_label_ratio"][ratio]
    model.soft_label_ratio = float(ratio)
    losses = model.loss(case.batch)
    total = torch.stack(list(losses.values())).sum()
    total.backward()

    found = {key: loss.item() for key, loss in losses.items()} | {"total": total.item()}
    assert found == pytest.approx(expected["losses"], rel=LOSS_VALUES)
    gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert all(gradient is not None for gradient in gradients.values())
    names = reader_named("rasa").places(case.official)
    norms = {name: float(gradients[names[name]].norm()) for name in expected["grad_norms"]}
    assert len(norms) == len(gradients)
    assert norms == pytest.approx(expected["grad_norms"], rel=GRADIENT_NORMS, abs=1e-6)


@pytest.mark.parametrize("step", STEPS)
def test_queues_momentum_and_replaced_tokens_after_a_step(step: tuple[Path, str]) -> None:
    case = read(step[0])
    model = case.model.train()
    features = model.features(case.batch)
    assert np.array_equal(features.replaced_ids, case.arrays["mrtd_replaced_ids"])
    assert np.array_equal(features.replaced_labels, case.arrays["mrtd_labels"])
    assert _relative_error(model.heads.cl.image_queue, case.arrays["image_queue_after"]) < EMBEDDINGS
    assert np.array_equal(model.heads.cl.idx_queue, case.arrays["idx_queue_after"])
    assert int(model.heads.cl.queue_ptr) == len(case.batch["pids"])
    assert _relative_error(model.momentum.image_projection.weight, case.arrays["vision_proj_m_after"]) < EMBEDDINGS
    before = case.official["vision_proj_m.weight"]
    assert not torch.equal(model.momentum.image_projection.weight, before)


def test_a_batch_under_the_published_names_and_the_largest_weight_by_a_patched_draw(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path, ratio = STEPS[0].values[0]
    case = read(path)
    case.model.train().soft_label_ratio = float(ratio)
    batch = {name: value for name, value in case.batch.items() if not name.endswith("_noise")}
    batch["ids"] = batch.pop("caption_ids")
    monkeypatch.setattr(torch, "multinomial", lambda weights, count: weights.argmax(-1, keepdim=True))
    found = {key: loss.item() for key, loss in case.model.loss(batch).items()}
    expected = case.figures["by_soft_label_ratio"][ratio]["losses"]
    assert found == pytest.approx({key: expected[key] for key in found}, rel=LOSS_VALUES)
