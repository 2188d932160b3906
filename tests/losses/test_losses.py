"""Objectives: every registered loss and head is finite, trains, and does not look at the order of a batch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tipr_zoo.features import Features
from tipr_zoo.registries import HEADS, LOSSES

WIDTH, WORDS, PATCHES, VOCABULARY = 64, 7, 5, 30

HEAD_ARGUMENTS: dict[str, dict[str, Any]] = {
    "IdentityClassification": {"embedding_size": WIDTH, "num_identities": 9},
    "ImplicitRelationReasoning": {"embedding_size": WIDTH, "vocabulary_size": VOCABULARY, "depth": 1},
}
"""The arguments of each head of the core; a head that is missing here fails a test."""

PIDS = {"one pair": [4], "one identity": [2, 2, 2], "all different": [0, 1, 2, 3], "some the same": [0, 1, 0, 5, 1]}


class TextTower(nn.Module):
    """All that a head asks of the retriever: its text tower."""

    def __init__(self) -> None:
        super().__init__()
        self.text_encoder = nn.Embedding(VOCABULARY, WIDTH)


def make_features(size: int, scale: float = 1.0) -> Features:
    generator = torch.Generator().manual_seed(0)
    image = scale * torch.randn(size, 1 + PATCHES, WIDTH, generator=generator)
    text = scale * torch.randn(size, WORDS, WIDTH, generator=generator)
    image.requires_grad_()
    text.requires_grad_()
    return Features(image, text, image[:, 0], text[:, -1])


def make_batch(pids: list[int]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(1, VOCABULARY, (len(pids), WORDS), generator=generator)
    return {"pids": torch.tensor(pids), "mlm_ids": ids, "mlm_labels": torch.where(ids % 2 == 0, ids, 0)}


def core_names(registry: Any) -> list[str]:
    """What the core registers; plugins have tests of their own."""
    return [name for name in registry.names() if registry.get(name).__module__.startswith("tipr_zoo.")]


@pytest.fixture(params=[*core_names(LOSSES), *core_names(HEADS)])
def objective(request: pytest.FixtureRequest) -> Callable[[Features, dict[str, Tensor]], Tensor]:
    """Each registered objective as a function of features and a batch."""
    torch.manual_seed(0)
    if request.param in LOSSES:
        return LOSSES.build({"type": request.param})
    head, retriever = HEADS.build({"type": request.param, **HEAD_ARGUMENTS[request.param]}), TextTower()
    return lambda features, batch: head(features, batch, retriever)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("pids", PIDS.values(), ids=PIDS)
def test_is_a_finite_scalar_with_a_finite_gradient(objective: Callable, pids: list[int], scale: float) -> None:
    features = make_features(len(pids), scale)
    loss = objective(features, make_batch(pids))
    assert loss.shape == ()
    assert loss.isfinite()
    loss.backward()
    gradients = [tokens.grad for tokens in (features.image_tokens, features.text_tokens) if tokens.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_gradient_reaches_the_picture(objective: Callable) -> None:
    features = make_features(4)
    objective(features, make_batch([0, 1, 1, 2])).backward()
    assert features.image_tokens.grad.abs().sum() > 0


def test_order_within_a_batch_does_not_matter(objective: Callable) -> None:
    order = torch.tensor([3, 0, 4, 2, 1])
    features, batch = make_features(5), make_batch([0, 1, 0, 5, 1])
    shuffled = Features(
        *(getattr(features, name)[order] for name in ("image_tokens", "text_tokens", "image_embedding")),
        features.text_embedding[order],
    )
    torch.testing.assert_close(
        objective(shuffled, {key: value[order] for key, value in batch.items()}), objective(features, batch)
    )


@pytest.mark.parametrize("name", core_names(LOSSES))
def test_pairs_that_fit_cost_less_than_pairs_that_do_not(name: str) -> None:
    images = F.normalize(torch.randn(6, WIDTH, generator=torch.Generator().manual_seed(0)), dim=-1)
    batch, loss = {"pids": torch.arange(6)}, LOSSES.build({"type": name})

    def cost(texts: Tensor) -> float:
        return loss(Features(images.unsqueeze(1), texts.unsqueeze(1), images, texts), batch).item()

    assert cost(images) < cost(images.roll(1, dims=0))


# Against plain loops


def softmax(values: list[float]) -> list[float]:
    largest = max(values)
    exponentials = [math.exp(value - largest) for value in values]
    return [value / sum(exponentials) for value in exponentials]


def embeddings(size: int) -> tuple[list[list[float]], list[list[float]], Features]:
    features = make_features(size)
    return features.image_embedding.tolist(), features.text_embedding.tolist(), features


def norm(vector: list[float]) -> float:
    return math.sqrt(sum(value * value for value in vector))


def dot(first: list[float], second: list[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def kl_to_matches(rows: list[list[float]], pids: list[int], power: float) -> float:
    """Mean over rows of sum p (log p - log(q + 1e-8)), where q are the matches over their `power`-norm."""
    total = 0.0
    for row, pid in zip(rows, pids, strict=True):
        matches = sum(other == pid for other in pids) ** (1 / power)
        for p, other in zip(softmax(row), pids, strict=True):
            total += p * (math.log(p) - math.log((other == pid) / matches + 1e-8))
    return total / len(rows)


@pytest.mark.parametrize("pids", PIDS.values(), ids=PIDS)
def test_sdm_is_the_divergence_of_scaled_cosines_from_the_identities_both_ways(pids: list[int]) -> None:
    images, texts, features = embeddings(len(pids))
    cosines = [[50 * dot(i, t) / (norm(i) * norm(t)) for t in texts] for i in images]
    expected = kl_to_matches(cosines, pids, 1) + kl_to_matches(
        [list(row) for row in zip(*cosines, strict=True)], pids, 1
    )
    loss = LOSSES.build({"type": "SDM"})(features, {"pids": torch.tensor(pids)})
    assert loss.item() == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("pids", PIDS.values(), ids=PIDS)
def test_cmpm_projects_on_the_normalised_other_side(pids: list[int]) -> None:
    images, texts, features = embeddings(len(pids))
    expected = kl_to_matches([[dot(i, t) / norm(t) for t in texts] for i in images], pids, 2)
    expected += kl_to_matches([[dot(i, t) / norm(i) for i in images] for t in texts], pids, 2)
    loss = LOSSES.build({"type": "CMPM"})(features, {"pids": torch.tensor(pids)})
    assert loss.item() == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("size", [1, 4])
def test_itc_is_the_mean_of_both_cross_entropies_whatever_the_identities(size: int) -> None:
    images, texts, features = embeddings(size)
    cosines = [[50 * dot(i, t) / (norm(i) * norm(t)) for t in texts] for i in images]
    ways = (cosines, [list(row) for row in zip(*cosines, strict=True)])
    expected = sum(-math.log(softmax(row)[k]) for way in ways for k, row in enumerate(way)) / (2 * size)
    for pids in (torch.arange(size), torch.zeros(size, dtype=torch.int64)):
        loss = LOSSES.build({"type": "ITC"})(features, {"pids": pids})
        assert loss.item() == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_the_identity_classifier_starts_undecided_and_is_shared_by_both_sides() -> None:
    head = HEADS.build({"type": "IdentityClassification", "embedding_size": WIDTH, "num_identities": 9})
    features, batch = make_features(4), make_batch([0, 1, 1, 8])
    assert head(features, batch, nn.Module()).item() == pytest.approx(math.log(9), abs=0.05)
    swapped = Features(features.text_tokens, features.image_tokens, features.text_embedding, features.image_embedding)
    torch.testing.assert_close(head(swapped, batch, nn.Module()), head(features, batch, nn.Module()))


def test_only_masked_words_are_predicted() -> None:
    torch.manual_seed(0)
    head = HEADS.build({"type": "ImplicitRelationReasoning", **HEAD_ARGUMENTS["ImplicitRelationReasoning"]})
    features, batch, retriever = make_features(3), make_batch([0, 1, 2]), TextTower()
    labels = torch.zeros(3, WORDS, dtype=torch.int64)
    labels[1, 4] = 7
    with torch.no_grad():
        head.mlm_head.fc.weight.zero_()
        head.mlm_head.fc.bias.zero_()
        head.mlm_head.fc.bias[7] = 100.0
        right = head(features, batch | {"mlm_labels": labels}, retriever)
        wrong = head(features, batch | {"mlm_labels": labels // 7 * 8}, retriever)
    assert float(right) == pytest.approx(0.0, abs=1e-4)
    assert float(wrong) == pytest.approx(100.0, abs=1e-3)


@pytest.mark.parametrize("name", core_names(LOSSES))
def test_a_loss_that_says_so_needs_no_patch(name: str) -> None:
    loss, features, batch = LOSSES.build({"type": name}), make_features(4), make_batch([0, 1, 0, 2])
    assert loss.needs_patch_tokens is False
    without = dataclasses.replace(features, image_tokens=features.image_tokens[:, :1])
    assert loss(without, batch) == loss(features, batch)
