"""Dropout of attention weights in CLIP's text tower: in training alone, and by the seed."""

from __future__ import annotations

import pytest
import torch

from tipr_zoo.backbones import CLIPTextEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.registries import BACKBONES
from tipr_zoo.testing import check_text_tower
from tipr_zoo.tokenizers.small import SmallTokenizer

SIZES = {"embedding_size": 64, "vocabulary_size": 800, "width": 32, "depth": 2, "num_heads": 2}


def tower(dropout: float) -> CLIPTextEncoder:
    torch.manual_seed(0)
    return CLIPTextEncoder(**SIZES, dropout=dropout)


@pytest.fixture
def ids() -> torch.Tensor:
    return SmallTokenizer("synthpedes.json")(["a man in a red jacket", "a woman with a bag and white shoes"])[:, :24]


def pair(dropout: float) -> tuple[CLIPTextEncoder, CLIPTextEncoder]:
    """A tower with dropout, and one without and with the same weights."""
    dropping, plain = tower(dropout), tower(0.0)
    plain.load_state_dict(dropping.state_dict(), strict=True)
    return dropping, plain


def test_it_changes_nothing_in_evaluation(ids: torch.Tensor) -> None:
    dropping, plain = (each.eval() for each in pair(0.5))
    assert torch.equal(dropping(ids), plain(ids))
    assert torch.equal(dropping.encode_end(ids), plain.encode_end(ids))


def test_it_draws_in_training_by_the_seed_alone(ids: torch.Tensor) -> None:
    dropping, plain = (each.train() for each in pair(0.3))
    torch.manual_seed(1)
    first = dropping(ids)
    second = dropping(ids)
    torch.manual_seed(1)
    assert torch.equal(dropping(ids), first)
    assert not torch.allclose(first, second)
    assert not torch.allclose(first, plain(ids))
    torch.manual_seed(1)
    ends = first[torch.arange(2), ids.argmax(dim=1)]
    assert torch.equal(dropping.encode_end(ids), ends)


def test_almost_none_is_as_none(ids: torch.Tensor) -> None:
    """The way that drops weights computes what transformers' own attention does."""
    dropping, plain = (each.train() for each in pair(1e-12))
    torch.testing.assert_close(dropping(ids), plain(ids), rtol=1e-4, atol=1e-5)


def test_no_token_sees_a_later_one(ids: torch.Tensor) -> None:
    dropping = tower(0.3).train()
    other = ids.clone()
    other[:, 4:] = 5
    torch.manual_seed(1)
    first = dropping(ids)
    torch.manual_seed(1)
    torch.testing.assert_close(dropping(other)[:, :4], first[:, :4])


def test_weights_are_dropped_with_this_probability_and_the_others_are_scaled() -> None:
    from transformers import CLIPTextConfig

    from tipr_zoo.backbones.dropped_attention import DroppedAttention

    config = CLIPTextConfig(hidden_size=16, num_attention_heads=1, attention_dropout=0.25)
    attention = DroppedAttention(config).train()
    for layer in (attention.v_proj, attention.out_proj):
        torch.nn.init.eye_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    first_token = torch.ones(20_000, 1, 16)  # which sees itself alone, with a weight of 1
    torch.manual_seed(0)
    found = attention(first_token)[0][:, 0, 0]
    assert found.unique().tolist() == [0.0, pytest.approx(1 / 0.75)]
    assert float((found == 0).float().mean()) == pytest.approx(0.25, abs=0.02)


def test_gradient_checkpointing_draws_the_same_again(ids: torch.Tensor) -> None:
    gradients = []
    for again in (False, True):
        dropping = tower(0.3).train()
        dropping.set_gradient_checkpointing(again)
        torch.manual_seed(1)
        dropping(ids).square().sum().backward()
        gradients.append([parameter.grad for parameter in dropping.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_the_promises_of_a_text_tower() -> None:
    check_text_tower(tower(0.2), SmallTokenizer("synthpedes.json"))


@pytest.mark.parametrize("dropout", [1.0, -0.1, 1.5])
def test_what_is_no_probability_is_refused(dropout: float) -> None:
    with pytest.raises(ConfigError, match=r"dropout of CLIPTextEncoder must be from 0 to below 1, got"):
        BACKBONES.build({"type": "CLIPTextEncoder", **SIZES, "dropout": dropout})
