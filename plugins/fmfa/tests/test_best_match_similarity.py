"""The best match and its sparse backward pass are what dense PyTorch gives with all products at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tipr_zoo_fmfa.best_match_similarity import best_match_similarity
from torch import Tensor

SIZES = {  # A, K, B, L
    "one pair": (1, 4, 1, 5),
    "one token each": (3, 1, 2, 1),
    "more sets than others": (4, 3, 2, 5),
    "fewer sets than others": (2, 3, 5, 4),
}


def dense(tokens: Tensor, others: Tensor) -> Tensor:
    return torch.einsum("akd,bld->akbl", tokens, others).max(dim=3).values


def whole_numbers(*shape: int) -> Tensor:
    """Small ones, so that products are exact and many of them equal."""
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randint(-1, 2, shape, generator=generator, dtype=torch.float64)


def gaussian(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def outcome(compute: Callable, tokens: Tensor, others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The value, and the gradients of a weighted sum of it."""
    tokens, others = tokens.clone().requires_grad_(), others.clone().requires_grad_()
    best = compute(tokens, others)
    (best * torch.arange(1, best.numel() + 1).view_as(best)).sum().backward()
    return best.detach(), tokens.grad, others.grad


@pytest.mark.parametrize("chunk_elements", [1, 30, 2**22])
@pytest.mark.parametrize("draw", [gaussian, whole_numbers])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_equals_dense_autograd(
    size: tuple[int, ...], draw: Callable, chunk_elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tipr_zoo_fmfa.best_match_similarity.CHUNK_ELEMENTS", chunk_elements)
    first, second, third, fourth = size
    tokens, others = draw(first, second, 6), draw(third, fourth, 6)
    for found, expected in zip(
        outcome(best_match_similarity, tokens, others), outcome(dense, tokens, others), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_gradients_agree_with_differences() -> None:
    tokens, others = gaussian(3, 4, 8).requires_grad_(), gaussian(2, 5, 8).requires_grad_()
    assert torch.autograd.gradcheck(best_match_similarity, (tokens, others))


@pytest.mark.parametrize("wanted", ["tokens", "others"])
def test_only_one_gradient_is_wanted(wanted: str) -> None:
    inputs = {"tokens": gaussian(3, 4, 8), "others": gaussian(2, 5, 8)}
    inputs[wanted].requires_grad_()
    best_match_similarity(**inputs).sum().backward()
    assert {name for name, tensor in inputs.items() if tensor.grad is not None} == {wanted}


def test_one_of_equal_products_gets_the_whole_gradient() -> None:
    tokens, others = torch.ones(1, 1, 2), torch.ones(1, 3, 2).requires_grad_()
    best_match_similarity(tokens, others).sum().backward()
    assert others.grad.sum(dim=2).squeeze(0).sort().values.tolist() == [0, 0, 2]
