"""Each loss alone, and the parts of SEN's restoration, give the value and the gradients that the official code gives.

The cross-entropy over masked words (``mlm``) has no class of its own; it is compared as part of the models.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tipr_zoo.features import Features
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.registries import HEADS, LOSSES

FILES = Path(os.environ.get("TIPR_PARITY_DIR") or Path(__file__).parent / "files")
WANTED = {"fmfa": {"asdm", "efa", "id", "sdm"}, "sen": {"cmt", "id", "sdm", "tir_mse"}}
PATHS = sorted(path for method in WANTED for path in FILES.glob(f"losses_{method}*.json"))  # RDE's: see test_rde.py
COMPARED_ELSEWHERE = {"mlm", "tir_mse"}
CASES = [
    pytest.param(path, name, id=f"{path.stem}-{name}")
    for path in PATHS
    for name in json.loads(path.read_text())["values"]
    if name not in COMPARED_ELSEWHERE
]
SEN_PATHS = [path for path in PATHS if "tir_mse" in json.loads(path.read_text())["values"]]

GLOBAL = ("image_features", "text_features")
TOKENS = ("text_tokens", "image_tokens")
LOGITS = ("id_image_logits", "id_text_logits")


def _of_embeddings(config: dict[str, Any]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A loss of the two embeddings."""
    return lambda image, text, pids: LOSSES.build(config)(Features(image, text, image, text), {"pids": pids})


def _fine_grained(**margins: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """EFA of the text tokens and the patches, to which a class token is added since the loss leaves that out."""

    def loss(text: Tensor, patches: Tensor, pids: Tensor) -> Tensor:
        image = torch.cat([torch.randn_like(patches[:, :1]), patches], dim=1)
        return LOSSES.build({"type": "ExplicitFineGrainedAlignment", **margins})(
            Features(image, text, image[:, 0], text[:, 0]), {"pids": pids}
        )

    return loss


def _identity(image: Tensor, text: Tensor, pids: Tensor) -> Tensor:
    """The identity loss of logits: a classifier that changes nothing is put behind them."""
    size = image.shape[1]
    head = HEADS.build({"type": "IdentityClassification", "embedding_size": size, "num_identities": size})
    torch.nn.init.eye_(head.classifier.weight)
    return head(Features(image, text, image, text), {"pids": pids}, torch.nn.Identity())


def _loss(name: str) -> tuple[tuple[str, str], Callable[[Tensor, Tensor, Tensor], Tensor]]:
    """The names of the two inputs of a loss, and how it is computed from them and the identities."""
    if name == "id":
        return LOGITS, _identity
    if name.startswith("efa"):
        margins = [float(margin) for margin in name.split("_")[2:]]
        return TOKENS, _fine_grained(**dict(zip(("text_margin", "image_margin"), margins, strict=False)))
    types = {"sdm": "SDM", "itc": "ITC", "cmpm": "CMPM", "asdm": "AdaptiveSDM", "cmt": "CrossModalTriplet"}
    return GLOBAL, _of_embeddings({"type": types[name]})


@pytest.fixture(autouse=True)
def plugins() -> None:
    for name in ("fmfa", "sen"):
        import_plugin(name)


def _arrays(path: Path) -> dict[str, Tensor]:
    with np.load(path.with_suffix(".npz")) as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("method", ["fmfa", "sen"])
def test_there_is_something_to_compare_with(method: str) -> None:
    paths = list(FILES.glob(f"losses_{method}*.json"))
    assert paths, f"no losses_{method}*.json in {FILES}"
    for path in paths:
        missing = WANTED[method] - set(json.loads(path.read_text())["values"])
        assert not missing, f"{path} has no {', '.join(sorted(missing))}"


@pytest.mark.parametrize(("path", "name"), CASES)
def test_a_loss_alone(path: Path, name: str) -> None:
    arrays = _arrays(path)
    (first_name, second_name), compute = _loss(name)
    first, second = arrays[first_name].requires_grad_(), arrays[second_name].requires_grad_()

    loss = compute(first, second, arrays["pids"])
    loss.backward()

    assert loss.item() == pytest.approx(json.loads(path.read_text())["values"][name], rel=1e-4)
    assert _relative_error(first.grad, arrays[f"{name}_grad0"]) < 1e-4
    assert _relative_error(second.grad, arrays[f"{name}_grad1"]) < 1e-4


@pytest.mark.parametrize("path", [path for path in PATHS if "fmfa" in path.stem], ids=lambda path: path.stem)
def test_joint_embeddings(path: Path) -> None:
    from tipr_zoo_fmfa.explicit_fine_grained_alignment import joint_embeddings

    arrays = _arrays(path)
    found = joint_embeddings(arrays["text_tokens"], arrays["image_tokens"])
    assert _relative_error(found, arrays["efa_joint"]) < 1e-4


@pytest.mark.parametrize("path", SEN_PATHS, ids=lambda path: path.stem)
class TestRestoration:
    """The parts of SEN's restoration; the whole of it is compared as part of the models."""

    def test_masking(self, path: Path) -> None:
        from tipr_zoo_sen.patch_masking import mask_patches

        arrays = _arrays(path)
        tokens = arrays["masking_x"]
        masking = mask_patches(arrays["masking_noise"])
        seen = tokens[:, 1:].gather(1, masking.visible.unsqueeze(2).expand(-1, -1, tokens.shape[2]))
        torch.testing.assert_close(torch.cat([tokens[:, :1], seen], dim=1), arrays["masking_kept"])
        counted = torch.zeros_like(arrays["masking_mask"]).scatter_(1, masking.counted, 1.0)
        torch.testing.assert_close(counted, arrays["masking_mask"])
        torch.testing.assert_close(masking.restore, arrays["masking_restore"])

    def test_grey(self, path: Path) -> None:
        from tipr_zoo.grey import grey

        arrays = _arrays(path)
        torch.testing.assert_close(grey(arrays["tir_images"]), arrays["gray"])

    def test_positions(self, path: Path) -> None:
        from tipr_zoo_sen.sine_cosine_positions import sine_cosine_positions

        torch.testing.assert_close(sine_cosine_positions(24, 8, 64), _arrays(path)["sincos_24x8_64"])

    def test_error(self, path: Path) -> None:
        from tipr_zoo_sen.text_guided_restoration import patchify

        arrays = _arrays(path)
        patch_size = int((arrays["tir_pred"].shape[2] / 3) ** 0.5)
        patches = patchify(arrays["tir_images"], patch_size)
        counted = arrays["tir_mask"].bool()
        error = F.mse_loss(arrays["tir_pred"][counted], patches[counted])
        assert error.item() == pytest.approx(json.loads(path.read_text())["values"]["tir_mse"], rel=1e-4)
