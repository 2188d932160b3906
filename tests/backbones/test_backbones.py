"""Towers: what a picture or a caption becomes, and which sizes make no sense.

That the towers compute what CLIP's compute is tested in ``test_clip_weights.py``.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tipr_zoo.backbones import CLIPTextEncoder, ModifiedResNetEncoder, VisionTransformerEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.protocols import MaskableImageTower, PatchImageTower, missing_names
from tipr_zoo.registries import BACKBONES


def resnet(**options: Any) -> ModifiedResNetEncoder:
    """A small ModifiedResNet."""
    torch.manual_seed(0)
    small = {"model_name": "resnet50_clip", "embedding_size": 24, "image_size": (96, 64), "width": 8}
    return ModifiedResNetEncoder(**(small | {"depths": (1, 1, 1, 1)} | options)).eval()


def test_a_modified_resnet_gives_the_embedding_and_a_token_for_every_square_of_32_pixels() -> None:
    tower = BACKBONES.build(
        {"type": "ModifiedResNetEncoder", "model_name": "resnet50_clip", "embedding_size": 24, "width": 8}
    )
    assert (tower.image_size, tower.grid_size) == ((384, 128), (12, 4))
    assert tower.eval()(torch.zeros(2, 3, 384, 128)).shape == (2, 1 + 12 * 4, 24)


def test_training_a_modified_resnet_reaches_every_parameter() -> None:
    tower = resnet().train()
    tower(torch.randn(2, 3, 96, 64)).square().sum().backward()
    assert [name for name, parameter in tower.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize(("model_name", "depths"), [("resnet50_clip", (3, 4, 6, 3)), ("resnet101_clip", (3, 4, 23, 3))])
def test_a_modified_resnet_has_the_depths_of_its_name(model_name: str, depths: tuple[int, ...]) -> None:
    tower = resnet(model_name=model_name, depths=None)
    assert tuple(len(stage) for stage in tower.trunk.stages) == depths


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_name": "resnet51_clip"}, "timm has no CLIP ResNet 'resnet51_clip'"),
        ({"model_name": "resnet50"}, "timm has no CLIP ResNet 'resnet50'"),
        ({"model_name": "resnet50_clip_gap"}, "'resnet50_clip_gap' is no ResNet with CLIP's attention pooling"),
        ({"model_name": "vit_base_patch16_clip_224"}, "timm has no CLIP ResNet 'vit_base_patch16_clip_224'"),
        ({"image_size": (100, 64)}, "image height 100 is no multiple of the 32 pixels of a square; take 96"),
        ({"image_size": (96, 16)}, "image width 16 is no multiple of the 32 pixels of a square; take 32"),
        ({"width": 20}, "must be a multiple of 8, got 20"),
        ({"depths": (1, 1, 1)}, "four numbers of blocks above 0"),
    ],
)
def test_sizes_that_make_no_sense_are_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        resnet(**options)
    assert message in str(raised.value)


def test_a_modified_resnet_cannot_leave_out_patches() -> None:
    tower = resnet()
    assert isinstance(tower, PatchImageTower)
    assert missing_names(tower, MaskableImageTower) == ["encode_visible"]


@pytest.mark.parametrize("length", [2, 7, 20])
def test_a_text_tower_gives_the_end_token_alone_as_it_gives_it_among_all(length: int) -> None:
    torch.manual_seed(0)
    tower = CLIPTextEncoder(embedding_size=16, vocabulary_size=50, context_length=20, width=64, depth=3)
    ids = torch.randint(1, 48, (4, length))
    ends = torch.tensor([length - 1, 1, length // 2, length - 1])
    ids[torch.arange(4), ends] = 49
    ids[torch.arange(length) > ends.unsqueeze(1)] = 0
    expected = tower(ids)[torch.arange(4), ends]
    torch.testing.assert_close(tower.encode_end(ids), expected, rtol=0, atol=1e-6)
    tower.trunk.text_model.encoder.layers[-1].self_attn.v_proj.bias.data += 1
    assert not torch.allclose(tower.encode_end(ids), expected, atol=1e-3)


@pytest.mark.parametrize("stem", ["patch", "convolution"])
def test_a_tower_that_sees_some_patches_sees_no_pixel_of_the_others(stem: str) -> None:
    torch.manual_seed(0)
    tower = VisionTransformerEncoder(
        "vit_tiny_patch16_224", embedding_size=8, image_size=(64, 32), width=32, depth=1, num_heads=2, stem=stem
    )
    images = torch.randn(2, 3, 64, 32, requires_grad=True)
    statistics = {name: value.clone() for name, value in tower.named_buffers()}
    tokens = tower.encode_visible(images, torch.tensor([[5, 0], [2, 3]]))  # of 4 rows of 2
    assert tokens.shape == (2, 3, 8)
    tokens.square().sum().backward()
    assert images.grad is not None
    patches = images.grad.abs().sum(dim=1).unflatten(1, (4, 16)).unflatten(3, (2, 16)).sum(dim=(2, 4)).flatten(1)
    assert [row.nonzero().squeeze(1).tolist() for row in patches] == [[0, 5], [2, 3]]
    assert all(torch.equal(statistics[name], value) for name, value in tower.named_buffers())


def test_a_tower_that_sees_all_patches_in_another_order_gives_the_same_tokens_in_that_order() -> None:
    torch.manual_seed(0)
    tower = VisionTransformerEncoder(
        "vit_tiny_patch16_224",
        embedding_size=8,
        image_size=(64, 32),
        width=32,
        depth=1,
        num_heads=2,
        stem="convolution",
    ).eval()
    images = torch.randn(2, 3, 64, 32)
    order = torch.stack([torch.randperm(8), torch.randperm(8)])
    tokens = tower.encode_visible(images, order)
    expected = tower(images)[:, 1:].gather(1, order.unsqueeze(2).expand(-1, -1, 8))
    torch.testing.assert_close(tokens[:, 1:], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"model_name": "vit_tiny_patch16_224", "stem": "convolution"}, {"stride": 12}])
def test_an_image_tower_gives_the_class_token_alone_as_it_gives_it_among_all(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    given = {"model_name": "vit_base_patch16_clip_quickgelu_224", "width": 64, "depth": 2, "num_heads": 2} | options
    tower = VisionTransformerEncoder(embedding_size=8, image_size=(64, 32), **given).double().train()
    images = torch.randn(2, 3, 64, 32, dtype=torch.float64)  # so that the order of sums is no matter
    loss = tower(images)[:, 0].square().sum()
    expected = torch.autograd.grad(loss, list(tower.parameters()))
    found = torch.autograd.grad(tower.encode_class(images).square().sum(), list(tower.parameters()))
    torch.testing.assert_close(tower.encode_class(images), tower(images)[:, 0], rtol=0, atol=1e-10)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


def test_a_tower_with_another_kind_of_block_runs_it_whole() -> None:
    torch.manual_seed(0)
    tower = VisionTransformerEncoder(
        "vit_base_patch16_clip_224", embedding_size=8, image_size=(64, 32), width=32, depth=2, num_heads=2
    )
    tower.trunk.blocks[-1] = torch.nn.TransformerEncoderLayer(32, 2, 64, dropout=0.0, batch_first=True)
    images = torch.randn(2, 3, 64, 32)
    torch.testing.assert_close(tower.encode_class(images), tower(images)[:, 0])
