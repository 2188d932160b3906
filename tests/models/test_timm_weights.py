"""Training starts from the weights of an image tower alone, as timm saves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
import torch.nn.functional as F

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import WeightsError
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.models.starting_weights import load_starting_weights

VIT = {"embed_dim": 32, "depth": 2, "num_heads": 2}


def model_with(image_encoder: dict[str, Any]) -> DualEncoder:
    torch.manual_seed(0)
    text = {"type": "CLIPTextEncoder", "embedding_size": 16, "vocabulary_size": 800, "width": 16, "depth": 1}
    image = {"embedding_size": 16} | image_encoder
    tokenizer = {"type": "SmallTokenizer", "file": "synthpedes.json"}
    return build_retriever({"image_encoder": image, "text_encoder": text, "tokenizer": tokenizer}).eval()


def vit(**options: Any) -> dict[str, Any]:
    name, sizes = "vit_base_patch16_224", {"width": 32, "depth": 2, "num_heads": 2}
    return {"type": "VisionTransformerEncoder", "model_name": name, "image_size": (96, 32)} | sizes | options


def saved(tmp_path: Path, name: str = "vit_base_patch16_224", **options: Any) -> tuple[Any, Path]:
    """A model of timm's with random weights, and the file that they are in."""
    torch.manual_seed(1)
    network = timm.create_model(name, **options).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    path = tmp_path / "timm.safetensors"
    safetensors.torch.save_file({key: value.contiguous() for key, value in network.state_dict().items()}, path)
    return network, path


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_vision_transformer_of_timms_is_loaded_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str
) -> None:
    network, path = saved(tmp_path, img_size=64, **VIT)
    if suffix == ".pth":
        path = tmp_path / "timm.pth"
        torch.save({"state_dict": network.state_dict()}, path)
    model = model_with(vit())
    head = model.image_encoder.trunk.head.weight.clone()
    load_starting_weights(model, path)
    assert [record.getMessage() for record in caplog.records] == [
        f"timm weights {path}: the image tower has timm's weights; positions resized from 4 x 4 to 6 x 2;"
        " its classifier is left out: head.bias, head.weight; still random: image_encoder.trunk.head,"
        + "".join(f" {part}," for part in sorted_text_parts(model)).rstrip(",")
    ]
    assert torch.equal(model.image_encoder.trunk.head.weight, head)
    grid = network.pos_embed[0, 1:].detach().T.reshape(1, 32, 4, 4)
    resized = F.interpolate(grid, size=(6, 2), mode="bilinear").flatten(2)[0].T
    torch.testing.assert_close(model.image_encoder.trunk.pos_embed[0, 1:], resized)
    same = model_with(vit(image_size=(64, 64)))
    load_starting_weights(same, path)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = network.forward_head(network.forward_features(images), pre_logits=True)
        found = same.image_encoder.trunk.forward_head(
            same.image_encoder.trunk.forward_features(images), pre_logits=True
        )
    torch.testing.assert_close(found, expected)


def sorted_text_parts(model: DualEncoder) -> list[str]:
    parts = [name.rpartition(".")[0] for name in model.state_dict() if name.startswith("text_encoder.")]
    return list(dict.fromkeys(".".join("*" if part.isdigit() else part for part in name.split(".")) for name in parts))


@pytest.mark.parametrize("name", ["test_convnext", "test_resnet", "test_efficientnet", "resnet18"])
def test_any_tower_of_timms_computes_what_it_computed(tmp_path: Path, name: str) -> None:
    network, path = saved(tmp_path, name)
    model = model_with({"type": "TimmEncoder", "model_name": name, "image_size": (64, 64)})
    load_starting_weights(model, path)
    images = torch.randn(2, 3, 64, 64)
    network.reset_classifier(0)
    with torch.no_grad():
        torch.testing.assert_close(model.image_encoder.trunk(images), network(images))


def test_registers_keep_their_place_and_the_grid_is_resized(tmp_path: Path) -> None:
    network, path = saved(tmp_path, "vit_small_patch14_reg4_dinov2", img_size=56, **VIT)
    model = model_with(vit(model_name="vit_small_patch14_reg4_dinov2", image_size=(84, 28)))
    load_starting_weights(model, path)
    trunk = model.image_encoder.trunk
    assert torch.equal(trunk.reg_token, network.reg_token)
    assert trunk.pos_embed.shape[1] == 12
    torch.testing.assert_close(trunk.pos_embed.mean(), network.pos_embed.mean(), rtol=0.5, atol=0.05)


def test_a_resnet_of_clips_kind_has_the_positions_of_its_pooling_resized(tmp_path: Path) -> None:
    tower = {"type": "ModifiedResNetEncoder", "model_name": "resnet50_clip", "width": 8, "depths": (1,) * 4}
    source, model = (model_with(tower | {"image_size": size}) for size in ((64, 64), (128, 64)))
    with torch.no_grad():
        for parameter in source.parameters():
            parameter += torch.randn_like(parameter)
    state = source.image_encoder.trunk.state_dict()
    torch.save(state, tmp_path / "timm.pth")
    load_starting_weights(model, tmp_path / "timm.pth")
    own = model.image_encoder.trunk.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in state.items() if name != "head.pos_embed")
    grid = state["head.pos_embed"][1:].T.reshape(1, -1, 2, 2)
    resized = F.interpolate(grid, size=(4, 2), mode="bilinear").flatten(2)[0].T
    torch.testing.assert_close(own["head.pos_embed"], torch.cat([state["head.pos_embed"][:1], resized]))


@pytest.mark.parametrize(
    ("tower", "told"),
    [
        (vit(depth=3), r"do not fit the image tower, timm's vit_base_patch16_224: blocks\.2\.norm1\.weight is missing"),
        (vit(width=64), r"blocks\.0\.attn\.proj\.bias has shape \(32,\), the tower \(64,\)"),
        (vit(stem="convolution"), r"patch_embed\.proj\.weight is left over"),
        (
            {"type": "TimmEncoder", "model_name": "test_resnet", "image_size": (64, 64)},
            r"timm's test_resnet: blocks\.0\.attn\.proj\.bias is left over",
        ),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_loaded(tmp_path: Path, tower: dict[str, Any], told: str) -> None:
    _, path = saved(tmp_path, img_size=64, **VIT)
    model = model_with(tower)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(WeightsError, match=told):
        load_starting_weights(model, path)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
