"""Image towers from timm pool as timm's own model does, and give patches only where these are known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

import tipr_zoo
from tipr_zoo.backbones import TimmEncoder, VisionTransformerEncoder
from tipr_zoo.errors import ConfigError


@pytest.mark.parametrize(
    ("model_name", "size", "prefix"),
    [
        ("vit_base_patch16_siglip_224", (64, 32), 0),
        ("vit_base_patch16_siglip_gap_224", (64, 32), 0),
        ("vit_small_patch14_reg4_dinov2", (56, 28), 5),
        ("vit_base_patch16_clip_quickgelu_224", (64, 32), 1),
    ],
)
def test_the_first_token_is_what_timm_pools_and_the_others_are_patches(
    model_name: str, size: tuple[int, int], prefix: int
) -> None:
    torch.manual_seed(0)
    tower = VisionTransformerEncoder(model_name, 8, size, width=32, depth=2, num_heads=2).eval()
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        tokens, pooled = tower(images), tower.trunk(images)
        patches = tower.trunk.forward_features(images)[:, prefix:]
        visible = torch.tensor([[3, 1], [0, 2]])
        some = tower.encode_visible(images, visible)
        every = tower.encode_visible(images, torch.arange(math.prod(tower.grid_size)).expand(2, -1))
    torch.testing.assert_close(tokens[:, 0], pooled, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(tower.encode_class(images), pooled, rtol=1e-5, atol=1e-5)
    assert tokens.shape == (2, 1 + math.prod(tower.grid_size), 8)
    torch.testing.assert_close(tokens[:, 1:], tower.trunk.head(tower.trunk.fc_norm(patches)), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(every, tokens, rtol=1e-5, atol=1e-5)
    assert some.shape == (2, 3, 8)


@pytest.mark.parametrize(
    ("model_name", "told"),
    [
        ("eva02_tiny_patch14_224", "is timm's Eva, no VisionTransformer"),
        ("swin_tiny_patch4_window7_224", "is timm's SwinTransformer, no VisionTransformer"),
        ("deit_tiny_distilled_patch16_224", "is timm's VisionTransformerDistilled, no VisionTransformer"),
        ("convnext_atto", "its name gives no patch size"),
    ],
)
def test_a_kind_whose_tokens_are_not_known_is_refused_with_the_reason(model_name: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        VisionTransformerEncoder(model_name, 8, (224, 112))
    assert told in str(raised.value)
    assert "type='TimmEncoder' takes" in str(raised.value)


@pytest.mark.parametrize("model_name", ["convnext_atto", "test_vit", "test_efficientnet", "eva02_tiny_patch14_224"])
def test_any_model_of_timms_pools_as_it_does(model_name: str) -> None:
    size = (56, 28) if "patch14" in model_name else (64, 32)
    tower = TimmEncoder(model_name, 8, size).eval()
    fixed = timm.get_pretrained_cfg(model_name).fixed_input_size  # type: ignore[union-attr]
    sized: dict[str, Any] = {"img_size": size} if fixed else {}
    plain = timm.create_model(model_name, num_classes=0, **sized).eval()
    plain.load_state_dict(tower.trunk.state_dict())
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        torch.testing.assert_close(tower(images), tower.head(plain(images)).unsqueeze(1))
    assert tower(images).shape == (2, 1, 8)


@pytest.mark.parametrize(
    ("model_name", "size", "told"),
    [
        ("convnext_ato", (64, 32), "timm has no model 'convnext_ato'"),
        ("convnext_atto", (8, 8), "timm's 'convnext_atto' takes no pictures of 8 x 8 pixels: "),
        ("eva02_tiny_patch14_224", (64, 28), "image height 64 is no multiple of the patch size 14; take [56, 70]"),
        ("convnext_atto", (64, 32, 3), "image_size must be (height, width)"),
    ],
)
def test_what_a_model_of_timms_does_not_take(model_name: str, size: tuple[int, ...], told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        TimmEncoder(model_name, 8, size)
    assert told in str(raised.value)


def test_objectives_that_need_patches_are_refused_where_there_are_none(tiny_zoo: Path) -> None:
    tower = {"type": "TimmEncoder", "model_name": "convnext_atto", "embedding_size": 64, "image_size": (64, 32)}
    overrides: dict[str, Any] = {"model.image_encoder": tower}
    with pytest.raises(ConfigError) as raised:
        tipr_zoo.build("a_tiny_model", overrides=overrides)
    assert str(raised.value).startswith(
        "model.image_encoder: TimmEncoder gives no tokens of patches, which ImplicitRelationReasoning (model.heads.irr)"
        " needs; take another tower, or leave it out (model.heads.irr=None)"
    )
    model = tipr_zoo.build("a_tiny_model", overrides=overrides | {"model.heads.irr": None})
    batch = {"images": torch.zeros(2, 3, 64, 32), "caption_ids": model.tokenize(["a man", "a woman"])}
    assert set(model.loss(batch | {"pids": torch.tensor([0, 1])})) == {"sdm", "id"}
