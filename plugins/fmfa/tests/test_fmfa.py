"""FMFA's losses at the edges, and that they are found by name."""

from __future__ import annotations

import pytest
import torch
from tipr_zoo_fmfa.components import AdaptiveSDM, ExplicitFineGrainedAlignment
from tipr_zoo_fmfa.explicit_fine_grained_alignment import joint_embeddings

from tipr_zoo.errors import ConfigError
from tipr_zoo.features import Features
from tipr_zoo.models.lookup import load_card
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.models.recipe import load_recipe
from tipr_zoo.registries import LOSSES


def features(count: int, patches: int = 4, words: int = 5) -> Features:
    torch.manual_seed(0)
    image, text = torch.randn(count, 1 + patches, 8), torch.randn(count, words, 8)
    image.requires_grad_(), text.requires_grad_()
    return Features(image, text, image[:, 0], text[:, 0])


@pytest.mark.parametrize(("data", "epochs"), [("cuhk", 60), ("icfg", 100), ("rstp", 60)])
def test_recipes(data: str, epochs: int) -> None:
    import_plugin("fmfa")
    recipe = load_recipe(load_card(f"fmfa_vitb16_{data}"))
    assert recipe.training.max_epochs == epochs
    assert "parameter_groups" not in recipe.training
    assert all(LOSSES.build(loss) for loss in recipe.model.losses.values())


@pytest.mark.parametrize("loss", [AdaptiveSDM, ExplicitFineGrainedAlignment])
@pytest.mark.parametrize("variant", ["code", "paper"])
@pytest.mark.parametrize("pids", [[4], [2, 2, 2], [0, 1, 2]], ids=["one pair", "one identity", "all different"])
def test_finite_with_gradients(loss: type[torch.nn.Module], variant: str, pids: list[int]) -> None:
    batch = features(len(pids))
    value = loss(variant=variant)(batch, {"pids": torch.tensor(pids)})
    value.backward()
    assert value.isfinite()
    assert batch.image_tokens.grad.isfinite().all()
    assert batch.text_tokens.grad.isfinite().all()


@pytest.mark.parametrize("loss", [AdaptiveSDM, ExplicitFineGrainedAlignment])
def test_an_unknown_variant(loss: type[torch.nn.Module]) -> None:
    with pytest.raises(ConfigError, match="must be 'code' or 'paper', got 'papr'"):
        loss(variant="papr")


@pytest.mark.parametrize("variant", ["code", "paper"])
@pytest.mark.parametrize("count", [1, 3])
def test_patches_that_are_all_alike_leave_the_alignment_finite(variant: str, count: int) -> None:
    alike = features(count)
    with torch.no_grad():
        alike.image_tokens[0, 1:] = alike.image_tokens[0, 1]
        alike.text_tokens[:, 2] = 0.0
    loss = ExplicitFineGrainedAlignment(variant=variant)(alike, {})
    loss.backward()
    assert loss.isfinite()
    assert alike.image_tokens.grad.isfinite().all()
    assert alike.text_tokens.grad.isfinite().all()


def test_equally_similar_patches_weigh_the_same() -> None:
    patches = torch.randn(2, 1, 8).repeat(1, 3, 1).requires_grad_()
    text = torch.randn(2, 5, 8).requires_grad_()
    joint = joint_embeddings(text, patches)
    torch.testing.assert_close(joint, patches[:, :1].expand(-1, 5, -1))
    joint.sum().backward()
    assert patches.grad.isfinite().all()
    assert text.grad.isfinite().all()
