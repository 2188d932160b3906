"""The attention of the last block on request: equal to that of all blocks' weights, and at no cost otherwise."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tipr_zoo.backbones import (
    BertTextEncoder,
    CLIPTextEncoder,
    ModifiedResNetEncoder,
    TimmEncoder,
    VisionTransformerEncoder,
)
from tipr_zoo.errors import ConfigError
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.protocols import AttendingImageTower, AttendingTextTower, missing_names

TEXT: dict[str, Any] = {"embedding_size": 16, "vocabulary_size": 50, "context_length": 12}
TEXT |= {"width": 32, "depth": 2, "num_heads": 2}


def image_tower(**options: Any) -> VisionTransformerEncoder:
    torch.manual_seed(0)
    sizes = {"embedding_size": 16, "image_size": (64, 32), "width": 32, "depth": 3, "num_heads": 2}
    return VisionTransformerEncoder("vit_base_patch16_clip_quickgelu_224", **sizes | options).eval()


def text_tower(kind: type = CLIPTextEncoder) -> Any:
    torch.manual_seed(0)
    tower = kind(**TEXT).eval()
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return tower


def caption_ids() -> Tensor:
    rows = torch.zeros(3, 12, dtype=torch.int64)
    for row, length in enumerate((5, 9, 2)):
        rows[row, :length] = torch.tensor([48, *range(1, length - 1), 49])
    return rows


def hand_attention(tower: VisionTransformerEncoder, images: Tensor) -> Tensor:
    """The attention of the last of all blocks, each run with explicit weights: (B, 1 + N)."""
    trunk = tower.trunk
    tokens = trunk.norm_pre(trunk._pos_embed(trunk.patch_embed(images)))
    for block in trunk.blocks:
        attention, normed = block.attn, block.norm1(tokens)
        query, key, value = (
            part.unflatten(2, (attention.num_heads, -1)).transpose(1, 2)
            for part in attention.qkv(normed).chunk(3, dim=2)
        )
        weights = (query @ key.mT / query.shape[-1] ** 0.5).softmax(dim=-1)
        tokens = tokens + attention.proj((weights @ value).transpose(1, 2).flatten(2))
        tokens = tokens + block.mlp(block.norm2(tokens))
    return weights.mean(dim=1)[:, 0]


@pytest.mark.parametrize("options", [{}, {"stride": 12}])
def test_an_image_towers_attention_is_that_of_weights_computed_by_hand(options: dict[str, Any]) -> None:
    tower, images = image_tower(**options), torch.randn(2, 3, 64, 32)
    tokens, attention = tower.encode_with_attention(images)
    with torch.no_grad():
        torch.testing.assert_close(attention, hand_attention(tower, images)[:, 1:])
        torch.testing.assert_close(tokens, tower(images), rtol=0, atol=0)
    assert tokens.requires_grad
    assert not attention.requires_grad


@pytest.mark.parametrize("kind", [CLIPTextEncoder, BertTextEncoder])
def test_a_text_towers_attention_is_that_of_transformers_eager_weights(kind: type) -> None:
    tower, ids = text_tower(kind), caption_ids()
    tokens, attention = tower.encode_with_attention(ids)
    eager = copy.deepcopy(tower.trunk)
    eager.set_attn_implementation("eager")
    mask = None if tower.is_causal else (ids != 0).long()
    with torch.no_grad():
        every = eager(input_ids=ids, attention_mask=mask, output_attentions=True).attentions
        asked = (0, 0, 0) if kind is BertTextEncoder else (4, 8, 1)
        expected = torch.stack([every[-1][row, :, place].mean(dim=0) for row, place in enumerate(asked)])
        torch.testing.assert_close(attention, expected)
        torch.testing.assert_close(tokens, tower(ids), rtol=0, atol=0)
    assert attention[0, 5:].eq(0).all()


@pytest.mark.parametrize("kind", [CLIPTextEncoder, BertTextEncoder])
def test_padding_that_is_cut_changes_no_attention(kind: type) -> None:
    tower, ids = text_tower(kind), caption_ids()
    whole, trimmed = (tower.encode_with_attention(rows)[1] for rows in (ids, ids[:, :9]))
    torch.testing.assert_close(whole[:, :9], trimmed)


def _noted(calls: list[str], side: str, *arguments: Any) -> Tensor:
    calls.append(side)
    return torch.zeros(1, 1)


def test_without_asking_nothing_is_added_to_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for side, module in (("image", "vision_transformer"), ("text", "clip_text_encoder")):
        monkeypatch.setattr(f"tipr_zoo.backbones.{module}.attention_weights", partial(_noted, calls, side))
    image, text = image_tower(), text_tower()
    image(torch.randn(1, 3, 64, 32))
    image.encode_class(torch.randn(1, 3, 64, 32))
    text(caption_ids())
    text.encode_end(caption_ids())
    assert calls == []
    image.encode_with_attention(torch.randn(1, 3, 64, 32))
    text.encode_with_attention(caption_ids())
    assert calls == ["image", "text"]
    for tower in (image, text):
        assert not any(module._forward_pre_hooks for module in tower.modules())


class Shifted(nn.Module):
    """An adapter around a linear layer."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.layer, self.shift = layer, nn.Linear(layer.in_features, layer.out_features)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.layer(tokens) + self.shift(tokens)


def test_an_adapter_on_the_last_block_takes_effect() -> None:
    tower, images = image_tower(), torch.randn(2, 3, 64, 32)
    before = tower.encode_with_attention(images)[1]
    last = tower.trunk.blocks[-1].attn
    last.qkv = Shifted(last.qkv)
    after = tower.encode_with_attention(images)[1]
    with torch.no_grad():
        torch.testing.assert_close(after, hand_attention(tower, images)[:, 1:])
    assert (after - before).abs().max() > 1e-3


def test_hooks_that_change_what_the_last_block_is_given_take_effect() -> None:
    text, ids = text_tower(), caption_ids()
    block = text.trunk.text_model.encoder.layers[-1]
    before = text.encode_with_attention(ids)[1]

    def scaled(module: nn.Module, arguments: Any, named: Any) -> Any:
        shift = torch.linspace(-3, 3, 32)
        return (arguments[0] + shift, *arguments[1:]), named

    with block.register_forward_pre_hook(scaled, with_kwargs=True):
        tokens, after = text.encode_with_attention(ids)
        torch.testing.assert_close(tokens, text(ids), rtol=0, atol=0)
    assert (after - before).abs().max() > 1e-3


def test_a_hook_on_the_tower_itself_is_called() -> None:
    tower, images = image_tower(), torch.randn(2, 3, 64, 32)
    with tower.register_forward_hook(lambda module, arguments, tokens: tokens + 1):
        changed = tower.encode_with_attention(images)[0]
    torch.testing.assert_close(changed, tower(images) + 1)


@pytest.mark.parametrize("kind", [VisionTransformerEncoder, CLIPTextEncoder, BertTextEncoder])
def test_half_precision_and_autocast_stay_near_float32(kind: type) -> None:
    tower = image_tower() if kind is VisionTransformerEncoder else text_tower(kind)
    given = torch.randn(2, 3, 64, 32) if kind is VisionTransformerEncoder else caption_ids()
    expected = tower.encode_with_attention(given)[1]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = tower.encode_with_attention(given)[1]
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.02)
    half = copy.deepcopy(tower).to(torch.bfloat16)
    given = given.to(torch.bfloat16) if given.is_floating_point() else given
    torch.testing.assert_close(half.encode_with_attention(given)[1].float(), expected, rtol=0.15, atol=0.03)


def test_towers_without_it_say_so_by_lacking_it() -> None:
    timm_tower = TimmEncoder("test_vit", 16, (64, 32))
    resnet = ModifiedResNetEncoder("resnet50_clip", 16, (64, 32), width=8, depths=(1,) * 4)
    assert "encode_with_attention" in missing_names(timm_tower, AttendingImageTower)
    assert missing_names(resnet, AttendingImageTower) == ["encode_with_attention"]
    assert missing_names(image_tower(), AttendingImageTower) == []
    assert missing_names(text_tower(BertTextEncoder), AttendingTextTower) == []


@pytest.mark.parametrize(
    "image",
    [
        {"type": "TimmEncoder", "model_name": "test_vit"},
        {"type": "ModifiedResNetEncoder", "model_name": "resnet50_clip", "width": 8, "depths": (1,) * 4},
    ],
)
def test_a_model_that_needs_it_says_which_tower_lacks_it(image: dict[str, Any]) -> None:
    import_plugin("rde")
    text = {"type": "CLIPTextEncoder"} | TEXT | {"vocabulary_size": 800, "context_length": 77}
    entry = {"type": "RobustDualEmbedding", "text_encoder": text}
    entry["image_encoder"] = image | {"embedding_size": 16, "image_size": (64, 32)}
    entry["tokenizer"] = {"type": "SmallTokenizer", "file": "synthpedes.json"}
    with pytest.raises(
        ConfigError, match=rf"{image['type']} lacks .*encode_with_attention.*, which token selection needs"
    ):
        build_retriever(entry)
