"""TBPS-CLIP's losses are their formulas, each alone on any dual encoder, and say what they need."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tipr_zoo_tbps_clip.components import (
    CyclicITC,
    LearnedScaleDualEncoder,
    MultiViewITC,
    NormalisedITC,
    ReversedITC,
)
from tipr_zoo_tbps_clip.second_pass import draws
from torch import Tensor

import tipr_zoo
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, DataError, TiprZooError
from tipr_zoo.registries import HEADS

NAME = "tbps_clip_tiny_synth"
CAPTIONS = ["A woman in a green dress.", "", "man", "!!! ! !!!!", "a man in a red jacket " * 9, "A man with a bag."]
SCALE = 1 / 0.07


@pytest.fixture(scope="module")
def built() -> DualEncoder:
    torch.manual_seed(0)
    return tipr_zoo.build(NAME)


@pytest.fixture
def model(built: DualEncoder) -> Iterator[DualEncoder]:
    yield built.eval()
    built.eval()
    built.zero_grad()


def batch(model: DualEncoder, count: int = 6) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    names = ("images", "augmented", "self_supervised_1", "self_supervised_2")
    pictures = {name: torch.randn(count, 3, *model.image_size, generator=generator) for name in names}
    return {**pictures, "caption_ids": model.tokenize(CAPTIONS)[:count], "pids": torch.arange(count) // 2}


def plain_nitc(image: Tensor, text: Tensor, pids: Tensor, ratio: float, scale: float) -> float:
    """N-ITC row by row."""
    cosines = F.normalize(text) @ F.normalize(image).t()
    total = 0.0
    for logits in (scale * cosines, scale * cosines.t()):
        for row, pid in zip(logits, pids, strict=True):
            same = (pids == pid).float()
            target = ratio * row.detach().softmax(0) + (1 - ratio) * same / same.sum()
            total -= float((target * row.log_softmax(0)).sum()) / (2 * len(pids))
    return total


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_nitc_and_its_second_view_are_their_formulas(model: DualEncoder, ratio: float) -> None:
    given = batch(model)
    features, own = model.features(given), float(model.similarity_scale)
    image, text, pids = features.image_embedding, features.text_embedding, given["pids"]
    expected = plain_nitc(image, text, pids, ratio, own)
    assert NormalisedITC(ratio)(features, given, model).item() == pytest.approx(expected, rel=1e-5)
    given["soft_label_ratio"] = torch.full((6,), ratio)
    assert NormalisedITC(0.7)(features, given, model).item() == pytest.approx(expected, rel=1e-5)
    other = plain_nitc(model.encode_image(given["augmented"]), text, pids, ratio, own)
    assert MultiViewITC(0.7)(features, given, model).item() == pytest.approx((expected + other) / 2, rel=1e-5)


def test_each_pair_may_have_a_ratio_of_its_own(model: DualEncoder) -> None:
    given = batch(model)
    features = model.features(given)
    ratios = torch.linspace(0, 1, 6)
    values = [NormalisedITC(0.0)(features, given | {"soft_label_ratio": r.expand(6)}, model) for r in ratios]
    mixed = NormalisedITC(0.0)(features, given | {"soft_label_ratio": ratios}, model)
    assert min(values) < mixed < max(values)


def test_ritc_and_citc_are_their_formulas(model: DualEncoder) -> None:
    given = batch(model)
    features, own = model.features(given), float(model.similarity_scale)
    image, text = F.normalize(features.image_embedding), F.normalize(features.text_embedding)
    same = (given["pids"].unsqueeze(0) == given["pids"].unsqueeze(1)).float()
    target, ways = same / same.sum(1, keepdim=True), (own * text @ image.t(), own * image @ text.t())
    ritc = sum((p * (p.log() - (target + 0.01).log())).sum(1).mean() for p in (way.softmax(1) for way in ways)) / 2
    assert ReversedITC()(features, given, model).item() == pytest.approx(float(ritc), rel=1e-4, abs=1e-6)
    within, across = image @ image.t() - text @ text.t(), image @ text.t() - text @ image.t()
    citc = 0.25 * within.square().mean() + 0.25 * across.square().mean()
    assert CyclicITC()(features, given).item() == pytest.approx(float(citc), rel=1e-4)


def test_self_supervision_is_its_formula(model: DualEncoder) -> None:
    given, head = batch(model), model.heads["ss"]
    views = [F.normalize(head.mlp(model.encode_image(given[f"self_supervised_{i}"]))) for i in (1, 2)]
    total = 0.0
    for a, b in (views, views[::-1]):
        for row in range(6):
            others = [a[row] @ each for each in b] + [a[row] @ a[i] for i in range(6) if i != row]
            total -= float((torch.stack(others) / 0.1).log_softmax(0)[row]) / 12
    assert head(model.features(given), given, model).item() == pytest.approx(total, rel=1e-5)


def test_the_scale_is_learned_and_at_most_100_with_the_gradient_that_it_would_have(model: DualEncoder) -> None:
    before = model.logit_scale.detach().clone()
    try:
        for start, value in ((SCALE, SCALE), (150.0, 100.0)):
            model.logit_scale.data.fill_(math.log(start))
            model.logit_scale.grad = None
            model.similarity_scale.backward()
            assert model.similarity_scale.item() == pytest.approx(value, rel=1e-5)
            assert model.logit_scale.grad.item() == pytest.approx(start, rel=1e-5)
    finally:
        model.logit_scale.data.copy_(before)
    assert before.exp().item() == pytest.approx(SCALE)


@pytest.mark.parametrize("scale", [0, -1, 101, float("nan")])
def test_a_scale_that_is_none_is_refused(scale: float) -> None:
    with pytest.raises(TiprZooError, match="scale must be"):
        tipr_zoo.build(NAME, overrides={"model.scale": scale})


@pytest.mark.parametrize("kind", ["NormalisedITC", "MultiViewITC", "ReversedITC", "SelfSupervisedContrast"])
def test_each_is_of_use_alone_on_another_dual_encoder(kind: str) -> None:
    config: dict[str, Any] = {"type": kind} | ({"embedding_size": 128} if kind == "SelfSupervisedContrast" else {})
    overrides = {"model.heads": {"own": config}, "model.losses": {}}
    other = tipr_zoo.build("irra_tiny_synth", overrides=overrides | {"plugins": ["tbps_clip"]}).train()  # with a neck
    assert not isinstance(other, LearnedScaleDualEncoder)
    losses = other.loss(batch(other))
    losses["own"].backward()
    assert losses["own"].isfinite()
    assert any(parameter.grad is not None for parameter in other.image_encoder.parameters())


# The second pass


def test_a_tower_runs_again_only_where_it_draws(model: DualEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    given, calls = batch(model), []
    for name in ("image_encoder", "text_encoder"):
        tower = model.get_submodule(name)
        monkeypatch.setattr(tower, "forward", lambda *a, n=name, run=tower.forward: calls.append(n) or run(*a))
    for learns, expected in ((False, 0), (True, 1)):
        model.train(learns)
        features = model.features(given)
        calls.clear()
        NormalisedITC()(features, given, model)
        assert calls == ["text_encoder"] * expected
    assert draws(model.text_encoder)
    assert not draws(model.image_encoder)


def test_soft_labels_are_those_of_another_draw(model: DualEncoder) -> None:
    given = batch(model)
    model.train()
    torch.manual_seed(0)
    features = model.features(given)
    softened, hard = (NormalisedITC(ratio)(features, given, model).item() for ratio in (1.0, 0.0))
    own = plain_nitc(
        features.image_embedding, features.text_embedding, given["pids"], 1.0, float(model.similarity_scale)
    )
    assert softened != pytest.approx(own, rel=1e-6)
    assert softened == pytest.approx(own, rel=0.2)
    assert hard == pytest.approx(
        plain_nitc(
            features.image_embedding, features.text_embedding, given["pids"], 0.0, float(model.similarity_scale)
        ),
        rel=1e-5,
    )


def test_no_gradient_flows_through_soft_labels(model: DualEncoder) -> None:
    given = batch(model)
    features, scale = model.features(given), float(model.similarity_scale)
    embeddings = features.image_embedding.detach().requires_grad_(), features.text_embedding.detach()
    cosines = scale * F.normalize(embeddings[0]) @ F.normalize(embeddings[1]).t()
    targets = [way.detach().softmax(1) for way in (cosines, cosines.t())]
    expected = sum(
        -(t * way.log_softmax(1)).sum(1).mean() / 2 for t, way in zip(targets, (cosines, cosines.t()), strict=True)
    )
    (wanted,) = torch.autograd.grad(expected, embeddings[0])
    fixed = replace(features, image_embedding=embeddings[0], text_embedding=embeddings[1])
    (found,) = torch.autograd.grad(NormalisedITC(1.0)(fixed, given, model), embeddings[0])
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (torch.nn.Dropout(0.1), True),
        (torch.nn.Dropout(0.0), False),
        (torch.nn.MultiheadAttention(8, 1, dropout=0.1), True),
        (torch.nn.Linear(2, 2), False),
        (None, False),
    ],
    ids=str,
)
def test_what_draws_is_known(module: Any, expected: bool) -> None:
    assert draws(module) == expected
    if module is not None:
        assert not draws(module.eval())


# Edges


@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize("count", [1, 2, 6])
def test_losses_and_gradients_are_finite(model: DualEncoder, count: int, learns: bool) -> None:
    if count == 1 and learns:  # batch normalisation has no statistics of one pair
        model = tipr_zoo.build(NAME, overrides={"model.neck": None})
    model.train(learns)
    given = batch(model, count)
    for pids in (given["pids"], torch.zeros(count, dtype=torch.int64)):  # one identity alone, too
        model.zero_grad()
        losses = model.loss({**given, "pids": pids})
        torch.stack(list(losses.values())).sum().backward()
        assert list(losses) == ["citc", "nitc", "ritc", "ss"]
        assert all(loss.isfinite() for loss in losses.values())
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("head", "view"), [("nitc", "augmented"), ("ss", "self_supervised_1"), ("ss", "self_supervised_2")]
)
def test_a_view_that_is_missing_is_told_with_what_brings_it(model: DualEncoder, head: str, view: str) -> None:
    given = batch(model)
    del given[view]
    with pytest.raises(DataError) as raised:
        model.loss(given)
    kind = type(model.heads[head]).__name__
    assert str(raised.value).startswith(f"{kind} needs the batch entry {view!r}, a further view of each picture")
    assert str(raised.value).endswith(f"training.views=dict({view}=...) brings it")


@pytest.mark.parametrize(
    ("ratio", "told"),
    [
        (torch.tensor(0.5), r"must be one number a pair, of shape \(6,\), got \(\)"),
        (torch.full((5,), 0.5), r"must be one number a pair, of shape \(6,\), got \(5,\)"),
        (torch.full((6,), 1.5), "must be numbers from 0 to 1"),
        (torch.full((6,), float("nan")), "must be numbers from 0 to 1"),
    ],
    ids=str,
)
def test_a_ratio_that_is_none_is_told(model: DualEncoder, ratio: Tensor, told: str) -> None:
    with pytest.raises(DataError, match=told):
        model.loss(batch(model) | {"soft_label_ratio": ratio})


def test_a_view_of_another_size_is_told(model: DualEncoder) -> None:
    with pytest.raises(
        DataError, match=r"MultiViewITC: the batch's 'augmented' must be pictures of shape .* got \(6, 3, 10, 10\)"
    ):
        model.loss(batch(model) | {"augmented": torch.randn(6, 3, 10, 10)})


@pytest.mark.parametrize(
    "config",
    [
        {"type": "NormalisedITC", "ratio": 1.5},
        {"type": "MultiViewITC", "ratio": -0.1},
        {"type": "NormalisedITC", "scale": 0},
        {"type": "ReversedITC", "scale": -1},
        {"type": "SelfSupervisedContrast", "embedding_size": 8, "temperature": 0},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"of {config['type']} must be"):
        HEADS.build(config)
