"""What embeds pictures alone gives what the whole model gives, and imports nothing of what it does not need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import tipr_zoo
from tipr_zoo.backbones import VisionTransformerEncoder
from tipr_zoo.backbones.plain_vision_transformer import plain_image_tower
from tipr_zoo.models.image_side import load_image_side
from tipr_zoo.models.resolved_model import resolve
from tipr_zoo.weights.fetching import fetch_weights

TINY, OTHERS = ["irra", "fmfa", "sen"], ["tbps_clip", "rde", "rasa"]

CLOSE = 1e-6

CPU = torch.device("cpu")


def weights_of(name: str) -> Path:
    return fetch_weights(resolve(name).card)


@pytest.mark.parametrize("method", TINY)
def test_a_picture_is_embedded_as_by_the_whole_model(method: str) -> None:
    name = f"{method}_tiny_synth"
    side, whole = load_image_side(resolve(name), weights_of(name), CPU), tipr_zoo.build(name, pretrained=True)
    assert side is not None
    assert (side.image_size, side.normalisation) == (whole.image_size, whole.normalisation)
    pictures = torch.randn(3, 3, *whole.image_size)
    with torch.inference_mode():
        for some in (pictures, pictures[:1]):
            own, given = (torch.nn.functional.normalize(model.encode_image(some)) for model in (side, whole))
            assert (own - given).abs().max() <= CLOSE


@pytest.mark.parametrize("method", OTHERS)
def test_a_model_that_embeds_in_its_own_way_is_loaded_as_a_whole(method: str) -> None:
    name = f"{method}_tiny_synth"
    assert load_image_side(resolve(name), weights_of(name), CPU) is None


CLIP = "vit_base_patch16_clip_quickgelu_224"


@pytest.mark.parametrize(
    "sizes",
    [
        {"model_name": CLIP, "embedding_size": 512},
        {"model_name": CLIP, "embedding_size": 8, "image_size": (64, 32), "stride": 12, "depth": 2},
        {"model_name": "vit_tiny_patch16_224", "embedding_size": 8, "image_size": (64, 32), "depth": 2},
    ],
)
def test_plain_layers_compute_what_those_of_timm_do(sizes: dict[str, Any]) -> None:
    usual = VisionTransformerEncoder(**sizes).eval()
    plain = plain_image_tower({"type": "VisionTransformerEncoder", **sizes})
    assert plain is not None
    plain.eval().load_state_dict(usual.state_dict())
    pictures = torch.randn(2, 3, *usual.image_size)
    with torch.inference_mode():
        own, given = (torch.nn.functional.normalize(tower.encode_class(pictures)) for tower in (plain, usual))
    assert (own - given).abs().max() <= CLOSE


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "TimmEncoder", "model_name": "vit_tiny_patch16_224"},
        {"type": "VisionTransformerEncoder", "model_name": "vit_small_patch16_224"},
        {"type": "VisionTransformerEncoder", "model_name": "vit_tiny_patch16_224", "something": 1},
    ],
)
def test_what_is_not_known_has_no_plain_tower(entry: dict[str, Any]) -> None:
    assert plain_image_tower({"embedding_size": 8, **entry}) is None


def test_one_picture_more_needs_neither_transformers_nor_timm(tmp_path: Path, synthpedes: Path) -> None:
    code = (
        "import sys; from tipr_zoo import Gallery\n"
        "with Gallery.open(sys.argv[1]) as gallery:\n"
        "    assert gallery.add(sys.argv[2]).embedded\n"
        "    assert gallery.search('a man')\n"
        "print(*sorted({'timm', 'transformers', 'torchvision', 'scipy'} & set(sys.modules)))\n"
    )
    gallery = tmp_path / "crops.gallery"
    tipr_zoo.Gallery.create(gallery, "irra_tiny_synth").close()
    command = [sys.executable, "-c", code, str(gallery), str(synthpedes)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert not told.stdout.split()
