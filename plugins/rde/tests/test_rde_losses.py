"""RDE's losses: their formulas, the verdicts, the edges, and what is refused."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import pytest
import torch
from tipr_zoo_rde.components import GatedITC, GatedSDM, TripletAlignment
from torch import Tensor

from tipr_zoo.errors import ConfigError, UnknownNameError
from tipr_zoo.features import Features
from tipr_zoo.losses.itc import ITC
from tipr_zoo.losses.sdm import SDM

ALL: list[Any] = [
    pytest.param(TripletAlignment(), id="TAL"),
    pytest.param(TripletAlignment(hardest=True), id="TRL"),
    pytest.param(GatedITC(), id="InfoNCE"),
    pytest.param(GatedSDM(), id="SDM"),
]


def features(count: int, dtype: torch.dtype = torch.float32) -> Features:
    """Random embeddings, and others as the second part."""
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(count, 8, generator=generator).to(dtype).requires_grad_() for _ in range(4)]
    image, text, other_image, other_text = drawn
    parts = {"bge": (image, text), "tse": (other_image, other_text)}
    return Features(image.unsqueeze(1), text.unsqueeze(1), image, text, parts)


def alignment_line_by_line(image: Tensor, text: Tensor, pids: list[int], hardest: bool = False) -> list[float]:
    """TAL or TRL of each pair, number by number from the formula."""
    tau, margin, count = 0.015, 0.1, len(pids)
    cosines = torch.cosine_similarity(text.unsqueeze(1), image.unsqueeze(0), dim=2).double().tolist()
    losses = []
    for row in range(count):
        loss = 0.0
        for similarity in (cosines[row], [cosines[other][row] for other in range(count)]):
            right = [similarity[other] for other in range(count) if pids[other] == pids[row]]
            wrong = [similarity[other] for other in range(count) if pids[other] != pids[row]]
            if not wrong:
                continue
            total = sum(math.exp(value / tau) for value in right)
            aligned = sum(math.exp(value / tau) / total * value for value in right)
            far = max(wrong) if hardest else tau * math.log(min(sum(math.exp(value / tau) for value in wrong), 1e36))
            loss += max(margin - aligned + far, 0.0)
        losses.append(loss)
    return losses


@pytest.mark.parametrize("hardest", [False, True], ids=["TAL", "TRL"])
@pytest.mark.parametrize("pids", [[0, 1, 2, 3, 4], [0, 0, 1, 1, 2], [0, 0, 0, 0, 1]], ids=str)
def test_alignment_is_its_formula(hardest: bool, pids: list[int]) -> None:
    given, verdict = features(5), torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0])
    each = alignment_line_by_line(given.image_embedding, given.text_embedding, pids, hardest)
    loss = TripletAlignment(hardest=hardest)
    assert loss(given, {"pids": torch.tensor(pids)}).item() == pytest.approx(sum(each), rel=1e-5)
    gated = loss(given, {"pids": torch.tensor(pids), "label_hat": verdict})
    assert gated.item() == pytest.approx(each[0] + each[2] + each[3], rel=1e-5)


def test_no_gradient_goes_through_the_weights_of_the_right_matches() -> None:
    """With weights held fast, the gradient is that of the formula whose weights are constants."""
    given, pids = features(4), torch.tensor([0, 0, 1, 1])
    TripletAlignment()(given, {"pids": pids}).backward()
    image, text = (each.detach().clone().requires_grad_() for each in (given.image_embedding, given.text_embedding))
    cosines = torch.cosine_similarity(text.unsqueeze(1), image.unsqueeze(0), dim=2)
    same, total = pids.unsqueeze(0) == pids.unsqueeze(1), torch.zeros(())
    for way in (cosines, cosines.t()):
        weights = (way.detach() / 0.015).masked_fill(~same, -torch.inf).softmax(dim=1)
        wrong = 0.015 * (way / 0.015).masked_fill(same, -torch.inf).logsumexp(dim=1)
        total = total + (0.1 - (weights * way).sum(dim=1) + wrong).relu().sum()
    total.backward()
    torch.testing.assert_close(given.image_embedding.grad, image.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(given.text_embedding.grad, text.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("gated", "plain"), [(GatedITC(), ITC()), (GatedSDM(), SDM())], ids=["ITC", "SDM"])
def test_without_verdicts_the_mean_is_that_of_the_core_s_loss(gated: Any, plain: Any) -> None:
    given, batch = features(5), {"pids": torch.tensor([0, 1, 2, 3, 4])}
    assert gated(given, batch).item() == pytest.approx(plain(given, batch).item(), rel=1e-5)


@pytest.mark.parametrize("loss", ALL)
class TestVerdicts:
    pids = torch.tensor([0, 0, 1, 2])

    def test_all_are_clean_where_there_are_none(self, loss: Any) -> None:
        given = features(4)
        told = loss(given, {"pids": self.pids, "label_hat": torch.ones(4)})
        assert loss(given, {"pids": self.pids}).item() == told.item() > 0

    def test_noisy_pairs_add_nothing(self, loss: Any) -> None:
        given = features(4)
        batch = {"pids": self.pids, "label_hat": torch.zeros(4)}
        value = loss(given, batch)
        value.backward()
        assert value.item() == 0
        assert not given.image_embedding.grad.any()
        assert not given.text_embedding.grad.any()

    def test_whole_numbers_and_truths_serve_as_verdicts(self, loss: Any) -> None:
        given, verdict = features(4), torch.tensor([1, 0, 1, 1])
        values = [
            loss(given, {"pids": self.pids, "label_hat": kind}).item()
            for kind in (verdict, verdict.bool(), verdict.double())
        ]
        assert len(set(values)) == 1

    @pytest.mark.parametrize("wrong", [float("nan"), 2.0, -1.0, float("inf")])
    def test_verdicts_that_are_none_are_refused(self, loss: Any, wrong: float) -> None:
        verdict = torch.tensor([1.0, 0.5, wrong, 0.0])
        with pytest.raises(ConfigError, match=r"label_hat of a batch must be numbers from 0, noisy, to 1, clean, got"):
            loss(features(4), {"pids": self.pids, "label_hat": verdict})

    @pytest.mark.parametrize("shape", [(4, 1), (1, 4), (3,), (1,), ()])
    def test_verdicts_of_another_shape_are_refused(self, loss: Any, shape: tuple[int, ...]) -> None:
        with pytest.raises(ConfigError, match=r"label_hat of a batch must be one verdict a pair, of shape \(4,\)"):
            loss(features(4), {"pids": self.pids, "label_hat": torch.ones(shape)})


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("pids", [[4], [2, 2, 2], [0, 1, 2]], ids=["one pair", "one identity", "all different"])
def test_finite_with_gradients(loss: Any, pids: list[int]) -> None:
    given = features(len(pids))
    value = loss(given, {"pids": torch.tensor(pids)})
    value.backward()
    assert value.isfinite()
    assert given.image_embedding.grad.isfinite().all()
    assert given.text_embedding.grad.isfinite().all()


@pytest.mark.parametrize("hardest", [False, True], ids=["TAL", "TRL"])
def test_one_identity_in_a_batch_is_no_loss(hardest: bool) -> None:
    given = features(3)
    value = TripletAlignment(hardest=hardest)(given, {"pids": torch.tensor([7, 7, 7])})
    value.backward()
    assert value.item() == 0
    assert not given.image_embedding.grad.any()


@pytest.mark.parametrize("temperature", [0.0075, 0.001, 1e-4])
def test_exponentials_that_float32_does_not_hold_are_cut_off(temperature: float) -> None:
    image = torch.ones(3, 8).requires_grad_()
    given = Features(image.unsqueeze(1), image.unsqueeze(1), image, image)
    value = TripletAlignment(temperature=temperature)(given, {"pids": torch.tensor([0, 1, 2])})
    value.backward()
    assert value.isfinite()
    assert image.grad.isfinite().all()
    expected = 6 * max(0.1 - 1 + temperature * min(1 / temperature + math.log(2), math.log(1e36)), 0)
    assert value.item() == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("loss", ALL)
def test_under_autocast(loss: Any) -> None:
    given, batch = features(6, torch.bfloat16), {"pids": torch.tensor([0, 0, 1, 1, 2, 3])}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(given, batch)
    value.backward()
    exact = loss(given.mapped(Tensor.float), batch)
    assert value.item() == pytest.approx(exact.item(), rel=0.02)
    assert given.image_embedding.grad.isfinite().all()


@pytest.mark.parametrize("kind", [TripletAlignment, GatedITC, GatedSDM])
class TestParts:
    batch: ClassVar[dict[str, Tensor]] = {"pids": torch.tensor([0, 1, 2])}

    def test_a_part_is_compared_alone(self, kind: Any) -> None:
        given = features(3)
        alone = Features(given.image_tokens, given.text_tokens, *given.part("tse"))
        assert kind(part="tse")(given, self.batch).item() == kind()(alone, self.batch).item()
        assert kind(part="bge")(given, self.batch).item() == kind()(given, self.batch).item()

    def test_one_that_is_not_there_is_told_with_close_matches(self, kind: Any) -> None:
        with pytest.raises(UnknownNameError, match="unknown part of the similarity 'tsee'; did you mean 'tse'"):
            kind(part="tsee")(features(3), self.batch)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0}, "temperature of TripletAlignment must be a number above 0, got 0"),
        ({"temperature": -0.1}, "temperature of TripletAlignment must be a number above 0, got -0.1"),
        ({"temperature": math.nan}, "temperature of TripletAlignment must be a number above 0, got nan"),
        ({"temperature": "hot"}, "temperature of TripletAlignment must be a number above 0, got 'hot'"),
        ({"temperature": None}, "temperature of TripletAlignment must be a number above 0, got None"),
        ({"margin": math.inf}, "margin of TripletAlignment must be a number, got inf"),
        ({"margin": "wide"}, "margin of TripletAlignment must be a number, got 'wide'"),
        ({"margin": True}, "margin of TripletAlignment must be a number, got True"),
        ({"hardest": "no"}, "hardest of TripletAlignment must be True or False, got 'no'"),
        ({"part": 3}, "part of TripletAlignment must be the name of a part or None, got 3"),
    ],
    ids=str,
)
def test_wrong_numbers_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        TripletAlignment(**change)
