"""Implicit relation reasoning computes only what masked words need, and gives what computing everything gives."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.backbones.quick_gelu import QuickGELU
from tipr_zoo.features import Features
from tipr_zoo.heads.cross_modal_transformer import CrossModalTransformer
from tipr_zoo.heads.implicit_relation_reasoning import ImplicitRelationReasoning

WIDTH, WORDS, PATCHES, VOCABULARY = 64, 6, 5, 20

LABELS = {
    "one word of each caption": [[0, 3, 0, 0, 0, 0], [0, 0, 0, 4, 0, 0]],
    "more in one caption": [[0, 3, 7, 0, 5, 0], [0, 0, 0, 0, 4, 0]],
    "none in one caption": [[0, 0, 0, 0, 0, 0], [9, 0, 0, 4, 0, 8]],
    "every word": [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]],
}


class GivenText(nn.Module):
    """A retriever whose text tower has already run."""

    def __init__(self, tokens: Tensor) -> None:
        super().__init__()
        self.text_encoder = lambda ids: tokens


@pytest.fixture
def head() -> ImplicitRelationReasoning:
    torch.manual_seed(0)
    return ImplicitRelationReasoning(WIDTH, VOCABULARY, depth=2).double()


def tokens(count: int = 2) -> tuple[Tensor, Tensor]:
    """Text and image tokens."""
    generator = torch.Generator().manual_seed(0)
    text, image = (torch.randn(count, length, WIDTH, generator=generator) for length in (WORDS, 1 + PATCHES))
    return text.double().requires_grad_(), image.double().requires_grad_()


def loss_of(head: ImplicitRelationReasoning, text: Tensor, image: Tensor, labels: Tensor) -> Tensor:
    features = Features(image, text, image[:, 0], text[:, 0])
    return head(features, {"mlm_ids": labels, "mlm_labels": labels}, GivenText(text))


def loss_with_all_logits(head: ImplicitRelationReasoning, text: Tensor, image: Tensor, labels: Tensor) -> Tensor:
    image = head.ln_pre_i(image)
    hidden = head.cross_attn(head.ln_pre_t(text), image, image, need_weights=False)[0]
    logits = head.mlm_head(head.ln_post(head.cross_modal_transformer(hidden)))
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=0)


def gradients(head: ImplicitRelationReasoning, loss: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, (*inputs, *head.parameters()))


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_equals_logits_for_every_position(head: ImplicitRelationReasoning, labels: list[list[int]]) -> None:
    (text, image), masked = tokens(), torch.tensor(labels)
    loss, expected = (compute(head, text, image, masked) for compute in (loss_of, loss_with_all_logits))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradients(head, loss, text, image), gradients(head, expected, text, image))


def test_no_masked_word_costs_nothing(head: ImplicitRelationReasoning) -> None:
    text, image = tokens()
    loss = loss_of(head, text, image, torch.zeros(2, WORDS, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0
    assert not text.grad.any()


def test_only_masked_words_go_through_the_last_block_and_the_classifier(head: ImplicitRelationReasoning) -> None:
    seen = {}
    for name in ("cross_modal_transformer.resblocks.0.ln_2", "cross_modal_transformer.resblocks.1.ln_2", "mlm_head"):
        head.get_submodule(name).register_forward_pre_hook(
            lambda module, inputs, name=name: seen.update({name: inputs[0].shape[:-1].numel()})
        )
    loss_of(head, *tokens(), torch.tensor(LABELS["more in one caption"]))
    assert list(seen.values()) == [2 * WORDS, 2 * 3, 4]


@pytest.mark.parametrize("depth", [1, 3])
def test_wanted_tokens_are_those_of_all(depth: int) -> None:
    torch.manual_seed(0)
    transformer, (text, _) = CrossModalTransformer(WIDTH, depth).double(), tokens()
    positions = torch.tensor([[4, 0, 4], [1, 2, 5]])
    wanted = transformer(text, positions)
    torch.testing.assert_close(wanted, torch.stack([transformer(text)[row, positions[row]] for row in range(2)]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_quick_gelu(dtype: torch.dtype) -> None:
    values = torch.linspace(-200, 200, 401).to(dtype)
    exact = values.double() * torch.sigmoid(1.702 * values.double())
    found = QuickGELU()(values)
    assert found.dtype == dtype
    torch.testing.assert_close(found, exact.to(dtype))


def test_gradient_of_quick_gelu() -> None:
    assert torch.autograd.gradcheck(QuickGELU(), torch.linspace(-9, 9, 19, dtype=torch.float64).requires_grad_())
