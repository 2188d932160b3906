"""SEN's loss and head at the edges, and that they are found by name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tipr_zoo_sen.components import CrossModalTriplet, TextGuidedRestoration
from tipr_zoo_sen.patch_masking import mask_patches, place_visible

from tipr_zoo.backbones import VisionTransformerEncoder
from tipr_zoo.errors import ConfigError, DataError
from tipr_zoo.features import Features
from tipr_zoo.models.lookup import load_card
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.models.recipe import load_recipe
from tipr_zoo.registries import BACKBONES, HEADS, LOSSES


class Retriever(torch.nn.Module):
    """All that the head needs of a retriever."""

    def __init__(self, stride: int = 16) -> None:
        super().__init__()
        self.image_encoder = VisionTransformerEncoder(
            "vit_tiny_patch16_224", 64, (64, 32), stride, width=32, depth=1, num_heads=2
        )


def restoration(**options: float) -> TextGuidedRestoration:
    torch.manual_seed(0)
    return TextGuidedRestoration(64, image_size=(64, 32), depth=1, **options)


def loss_of(head: TextGuidedRestoration, retriever: Retriever, **batch: torch.Tensor) -> torch.Tensor:
    text = torch.ones(2, 5, 64)
    images = torch.linspace(-1, 1, 2 * 3 * 64 * 32).reshape(2, 3, 64, 32)
    return head(Features(text, text, text[:, 0], text[:, 0]), {"images": images, **batch}, retriever)


@pytest.mark.parametrize("data", ["cuhk", "icfg", "rstp"])
@pytest.mark.parametrize("size", ["vitb16", "vitl14"])
def test_recipes(size: str, data: str) -> None:
    import_plugin("sen")
    recipe = load_recipe(load_card(f"sen_{size}_{data}"))
    assert recipe.model.losses.cmt.pop("weight") == recipe.model.heads.tir.weight == 10
    assert LOSSES.build(recipe.model.losses.cmt).margin == 0.05
    assert recipe.training.sampler == {"type": "idrannum"}
    assert recipe.training.caption_augmentation == {"type": "PruningAugmentation", "probability": 0.2}


@pytest.mark.parametrize("data", ["cuhk", "icfg", "rstp"])
def test_sen_xl_differs_from_sen_in_its_size_alone(data: str) -> None:
    small, large = (load_recipe(load_card(f"sen_{size}_{data}")) for size in ("vitb16", "vitl14"))
    assert large.training == small.training
    sizes = ("model_name", "embedding_size", "image_size", "stride", "width", "patch_size")
    for model in (small.model, large.model):
        for part in (model.image_encoder, model.text_encoder, model.heads.id, model.heads.tir):
            for size in sizes:
                part.pop(size, None)
    assert large.model == small.model


def test_the_parts_of_sen_xl_fit_each_other() -> None:
    model = load_recipe(load_card("sen_vitl14_cuhk")).model
    parts = (model.image_encoder, model.text_encoder, model.heads.id, model.heads.tir)
    assert {part.embedding_size for part in parts} == {model.text_encoder.width} == {768}
    model.heads.tir.pop("weight")
    image_encoder, head = (
        BACKBONES.build(model.image_encoder | {"depth": 1}),
        HEADS.build(model.heads.tir | {"depth": 1}),
    )
    assert image_encoder.trunk.blocks[0].attn.num_heads == 16
    assert image_encoder.grid_size == head.grid_size == (27, 9)
    text, images = torch.ones(1, 5, 768), torch.ones(1, 3, 378, 126)
    with torch.no_grad():
        features = Features(image_encoder(images), text, text[:, 0], text[:, 0])
        assert head(features, {"images": images}, SimpleNamespace(image_encoder=image_encoder)).isfinite()


def test_a_batch_of_one_identity_has_no_triplets() -> None:
    embeddings = torch.randn(3, 8, requires_grad=True)
    loss = CrossModalTriplet()(Features(embeddings, embeddings, embeddings, embeddings), {"pids": torch.ones(3)})
    loss.backward()
    assert loss.item() == 0
    assert not embeddings.grad.any()


def test_one_hidden_patch_is_not_counted_as_in_the_published_code() -> None:
    masking = mask_patches(torch.rand(2, 193))
    assert masking.visible.shape == (2, 56)
    assert masking.counted.shape == (2, 192 - 57)
    for visible, counted in zip(masking.visible.tolist(), masking.counted.tolist(), strict=True):
        assert len({*visible, *counted}) == 192 - 1


def test_wanted_patches_are_predicted_as_among_all() -> None:
    head, masking = restoration(), mask_patches(torch.rand(2, 9))
    inputs = (torch.randn(2, 2, 64), masking.restore, torch.randn(2, 5, 64))
    every = head.restore(*inputs)
    wanted = head.restore(*inputs, masking.counted)
    torch.testing.assert_close(wanted, torch.stack([every[row, masking.counted[row]] for row in range(2)]))


def test_visible_tokens_return_to_their_places() -> None:
    tokens = torch.arange(9.0).reshape(1, 9, 1)
    masking = mask_patches(torch.rand(1, 9), hidden_share=0.5)
    placed = place_visible(
        torch.cat([tokens[:, :1], tokens[:, 1:][:, masking.visible[0]]], dim=1), -torch.ones(1, 1, 1), masking.restore
    )
    seen = placed[0, :, 0] >= 0
    assert seen.sum() == 1 + masking.visible.shape[1]
    assert torch.equal(placed[0, seen], tokens[0, seen])


def test_noise_is_drawn_where_the_batch_has_none() -> None:
    head, retriever = restoration(), Retriever()
    given = torch.rand(2, 9)
    assert loss_of(head, retriever, mask_noise=given) == loss_of(head, retriever, mask_noise=given)
    loss_of(head, retriever).backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (torch.rand(2, 8), r"has shape \(2, 8\); this model needs \(2, 9\)"),
        (torch.full((2, 9), torch.nan), "has NaN in it"),
        (torch.zeros(2, 9, dtype=torch.int64), "must be a tensor of floating-point numbers, got torch.int64"),
        ([0.5] * 9, "must be a tensor of floating-point numbers, got list"),
    ],
)
def test_noise_that_makes_no_sense(noise: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"'mask_noise' {message}"):
        loss_of(restoration(), Retriever(), mask_noise=noise)
    with pytest.raises(DataError, match=f"'mask_noise' {message}"):
        restoration().restore_pictures(torch.zeros(2, 3, 64, 32), torch.ones(2, 5), Retriever(), noise)


@pytest.mark.parametrize("share", [0, 1, 1.0, -0.1, 1.5, float("nan"), float("inf"), True])
def test_a_share_that_makes_no_sense(share: float) -> None:
    with pytest.raises(ConfigError, match="hidden_share of TextGuidedRestoration must be between 0 and 1, got"):
        restoration(hidden_share=share)


def test_a_decoder_of_another_size_than_the_tower() -> None:
    torch.manual_seed(0)
    head = TextGuidedRestoration(128, image_size=(64, 32), depth=1)
    with pytest.raises(
        ConfigError, match="embedding_size of TextGuidedRestoration is 128, that of the image encoder 64"
    ):
        loss_of(head, Retriever())
    with pytest.raises(ConfigError, match=r"embedding_size 100 .* is no multiple of 64"):
        TextGuidedRestoration(100, image_size=(64, 32))


def test_overlapping_patches_cannot_be_restored() -> None:
    with pytest.raises(ConfigError, match="a stride equal to the patch size"):
        loss_of(restoration(), Retriever(stride=12))


def test_a_share_must_leave_something() -> None:
    with pytest.raises(ConfigError, match=r"hidden_share 0\.95"):
        restoration(hidden_share=0.95)
