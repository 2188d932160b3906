"""RaSa's model: embeddings, scores of pairs by both ways, the momentum copy, and what is refused."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tipr_zoo_rasa import training_pass
from tipr_zoo_rasa.components import RaSa
from tipr_zoo_rasa.drawing import draw_among_pairs
from torch import Tensor, nn

import tipr_zoo
from tipr_zoo.errors import ConfigError, DataError, TiprZooError
from tipr_zoo.models.lookup import load_card
from tipr_zoo.models.recipe import load_recipe
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.protocols import PairScorer, TokenPairScorer
from tipr_zoo.registries import BACKBONES
from tipr_zoo.training.loop.parameter_groups import parameter_groups

NAME = "rasa_tiny_synth"
CAPTIONS = [
    "A woman in a green dress and a red hat.",
    "",
    "man",
    "!!! ! !!!!",
    " ".join(["a man in a red jacket and blue jeans"] * 9),
    "A man with a black bag.",
]


@pytest.fixture(scope="module")
def built() -> RaSa:
    torch.manual_seed(0)
    model = tipr_zoo.build(NAME)
    assert isinstance(model, RaSa)
    return model


@pytest.fixture
def model(built: RaSa) -> RaSa:
    return copy.deepcopy(built).eval()


def batch(model: RaSa, pids: tuple[int, ...] = (0, 0, 1, 1, 2, 2)) -> dict[str, Tensor]:
    count = len(pids)
    images = torch.randn(count, 3, *model.image_size, generator=torch.Generator().manual_seed(0))
    ids = model.tokenize((CAPTIONS * 2)[:count])
    labels = torch.zeros_like(ids)
    labels[0, 1:3] = ids[0, 1:3]
    masked = ids.masked_fill(labels > 0, model.tokenize.mask_id)
    return {"images": images, "caption_ids": ids, "pids": torch.tensor(pids), "mlm_ids": masked, "mlm_labels": labels}


class TestPairs:
    @pytest.fixture(autouse=True)
    def without_gradients(self) -> Iterator[None]:
        with torch.no_grad():
            yield

    def test_it_scores_pairs_as_the_zoo_asks_for_it(self, model: RaSa) -> None:
        assert isinstance(model, PairScorer)
        assert isinstance(model, TokenPairScorer)

    def test_both_ways_give_the_same_also_for_captions_without_words_and_too_long_ones(self, model: RaSa) -> None:
        given = batch(model)
        ids, images = given["caption_ids"], given["images"]
        tokens, words = model.encode_picture_tokens(images), model.encode_caption_tokens(ids)
        for picture, token in zip(images, tokens, strict=True):
            expected = model.score_pairs(ids, picture.expand(len(ids), -1, -1, -1))
            assert expected.isfinite().all()
            assert torch.allclose(model.score_captions(ids, words, token), expected, atol=1e-5)
        assert expected.std() > 0.01

    def test_padding_changes_nothing(self, model: RaSa) -> None:
        given = batch(model)
        ids, words, token = given["caption_ids"], None, model.encode_picture_tokens(given["images"][:1])[0]
        words = model.encode_caption_tokens(ids)
        whole = model.score_captions(ids, words, token)
        for row, count in enumerate((ids != 0).sum(1).tolist()):
            one = slice(row, row + 1)
            noise = words[one].clone()
            noise[:, count:] = 9.0
            assert torch.allclose(model.score_captions(ids[one], noise, token), whole[one], atol=1e-5)
            cut = model.score_captions(ids[one, :count], words[one, :count], token)
            assert torch.allclose(cut, whole[one], atol=1e-5)

    def test_words_see_those_after_them(self, model: RaSa) -> None:
        ids = model.tokenize(["a man in red shoes", "a man in red jeans"])
        tokens = model.encode_caption_tokens(ids)
        seen = model.seen(ids)
        picture = model.fusion_encoder.keys_values(model.encode_picture_tokens(batch(model)["images"][:1]))
        fused = model.fusion_encoder(torch.cat([tokens[:1], tokens[:1]]).clone(), seen, picture)
        tokens[0, 4] += 1.0
        changed = model.fusion_encoder(torch.cat([tokens[:1], tokens[:1]]), seen, picture)
        assert not torch.allclose(fused[0, 1], changed[0, 1])

    def test_as_many_pictures_as_captions(self, model: RaSa) -> None:
        given = batch(model)
        with pytest.raises(DataError, match="as many captions as pictures, not 6 and 2"):
            model.score_pairs(given["caption_ids"], given["images"][:2])


class TestTraining:
    def test_every_parameter_learns_and_the_copy_does_not(self, model: RaSa) -> None:
        model.train()
        losses = model.loss(batch(model))
        assert list(losses) == ["cl", "pitm", "mlm", "prd", "mrtd"]
        torch.stack(list(losses.values())).sum().backward()
        learning = {name for name, each in model.named_parameters() if each.grad is not None}
        assert learning == {name for name, _ in model.named_parameters() if not name.startswith("momentum.")}

    def test_a_loss_without_gradient_changes_nothing(self, model: RaSa) -> None:
        given = batch(model)
        model.loss(given)
        before = copy.deepcopy(model.state_dict())
        with torch.no_grad():
            model.loss(given)
        assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
        model.loss(given)
        assert int(model.heads["cl"].queue_ptr) == 12

    def test_the_queue_goes_on_at_its_beginning(self) -> None:
        model = tipr_zoo.build(NAME, overrides={"model.heads.cl.queue_size": 8})
        for first in (0, 10):
            model.loss(batch(model, tuple(first + pid for pid in (0, 0, 1, 1, 2, 2))))
        assert model.heads["cl"].idx_queue.tolist() == [[11, 11, 12, 12, 2, 2, 10, 10]]
        assert int(model.heads["cl"].queue_ptr) == 4

    def test_a_queue_shorter_than_a_batch(self) -> None:
        model = tipr_zoo.build(NAME, overrides={"model.heads.cl.queue_size": 5})
        with pytest.raises(ConfigError, match=r"the queue holds 5 embeddings and the batch has 6; raise model\.heads"):
            model.loss(batch(model))

    def test_one_person_alone_has_no_wrong_pair(self, model: RaSa) -> None:
        with pytest.raises(DataError, match="a batch shows one person alone, so there is no wrong pair to draw"):
            model.loss(batch(model, (4, 4, 4)))

    def test_wrong_pairs_are_of_other_people(self, model: RaSa) -> None:
        given = batch(model)
        for noise in (0.0, 0.5, 0.999):
            given["matching_noise"] = torch.full((6, 2), noise)
            features = model.features(given)
            assert features.pair_tokens.shape == (6, 3, 96)
        from tipr_zoo_rasa.training_pass import TrainingPass

        step = TrainingPass(model, given, False)
        for drawn in step._negatives(features):
            assert (given["pids"][drawn] != given["pids"]).all()

    def test_no_masked_word_is_no_loss(self, model: RaSa) -> None:
        given = batch(model)
        given["mlm_labels"] = torch.full_like(given["mlm_labels"], -100)
        assert model.loss(given)["mlm"].item() == 0

    def test_weak_pairs_are_drawn_from_the_second_captions(self, model: RaSa) -> None:
        given = batch(model)
        given["second_caption_ids"] = given["caption_ids"].roll(1, 0)
        model.weak_probability = 1.0
        features = model.features(given)
        assert features.weak.tolist() == [1] * 6
        given["second_caption_ids"] = given["caption_ids"]  # the same words: there was no other caption
        assert model.features(given).weak.tolist() == [0] * 6
        model.weak_probability = 0.0
        given["second_caption_ids"] = given["caption_ids"].roll(1, 0)
        assert model.features(given).weak.tolist() == [0] * 6

    def test_replaced_tokens_leave_the_first_and_padding_alone(self, model: RaSa) -> None:
        given = batch(model)
        features = model.features(given)
        ids = given["caption_ids"]
        assert torch.equal(features.replaced_ids[:, 0], ids[:, 0])
        assert (features.replaced_ids[ids == 0] == 0).all()
        assert (features.replaced_labels[ids == 0] == -100).all()
        assert set(features.replaced_labels.unique().tolist()) <= {-100, 0, 1}

    def test_the_momentum_copy_follows_slowly(self, model: RaSa) -> None:
        model.add_momentum()
        with torch.no_grad():
            model.matching_head.weight.add_(1.0)
            model.image_projection.weight.add_(1.0)
        before = model.momentum.image_projection.weight.clone()
        model.loss(batch(model))
        moved = model.momentum.image_projection.weight - before
        assert torch.allclose(moved, torch.full_like(moved, 0.01), atol=1e-5)


def test_wrong_pairs_may_be_drawn_evenly(model: RaSa, monkeypatch: pytest.MonkeyPatch) -> None:
    given = batch(model, (0, 0, 1, 1, 2, 3))
    noted: list[Tensor] = []

    def note(chances: Tensor, noise: Tensor | None) -> Tensor:
        noted.append(chances)
        return draw_among_pairs(chances, noise)

    monkeypatch.setattr(training_pass, "draw_among_pairs", note)
    for share in (0.0, 0.5, 1.0):
        model.evenly_drawn = share
        with torch.no_grad():
            model.loss(given)
    pids = given["pids"]
    others = pids.unsqueeze(1) != pids
    similar, half, even = noted[0], noted[2], noted[4]  # pictures for captions; captions for pictures lie between
    assert torch.allclose(even, others / others.sum(1, keepdim=True), atol=1e-6)
    assert torch.allclose(half, (similar + even) / 2, atol=1e-6)
    assert (similar - even).abs().max() > 0.01
    assert not similar[~others].any()


def test_another_score_head_scores_pairs_and_learns() -> None:
    @BACKBONES.register_module()
    class TwoLayers(nn.Sequential):
        def __init__(self, width: int) -> None:
            super().__init__(nn.Linear(width, 2 * width), nn.LayerNorm(2 * width), nn.GELU(), nn.Linear(2 * width, 2))

    try:
        model = tipr_zoo.build(NAME, overrides={"model.matching_head": {"type": "TwoLayers", "width": 96}})
    finally:
        BACKBONES.module_dict.pop("TwoLayers")
    given = batch(model)
    assert model.score_pairs(given["caption_ids"], given["images"]).shape == (6,)
    model.loss(given)["pitm"].backward()
    assert all(parameter.grad is not None for parameter in model.matching_head.parameters())


def test_some_losses_alone(model: RaSa) -> None:
    for left_out in ("cl", "pitm", "prd", "mrtd"):
        some = tipr_zoo.build(NAME, overrides={f"model.heads.{left_out}": None})
        losses = some.loss(batch(some))
        assert left_out not in losses
        assert len(losses) == 4
    only = tipr_zoo.build(NAME, overrides={f"model.heads.{key}": None for key in ("cl", "mlm", "mrtd")})
    assert list(only.loss(batch(only))) == ["pitm", "prd"]
    assert only.momentum is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model.heads.mlm": None}, "ReplacedTokenDetection lets the head MomentumMaskedWords write words"),
        ({"model.fusion_encoder.image_width": 96}, "set image_width=128 and width=96"),
        ({"model.evenly_drawn": -0.1}, r"evenly_drawn must be from 0 to 1, got -0\.1"),
        ({"model.momentum": 1.5}, r"momentum must be from 0 to 1, got 1\.5"),
        ({"model.heads.cl.queue_size": 0}, "queue_size of MomentumContrast must be a whole number above 0, got 0"),
        ({"model.heads.mlm.soft_over": "letters"}, "must be 'places' or 'words', got 'letters'"),
        ({"model.text_encoder.context_length": 70}, "context_length 70 of TokenBert is more than its positions, 60"),
        ({"model.tokenizer.vocabulary_size": 400}, "knows 347 token ids, the tokenizer has 400"),
        ({"model.embedding_size": 0}, "embedding_size must be a whole number above 0"),
        ({"model.fusion_encoder.num_heads": 7}, "width 96 is no multiple of num_heads 7"),
        (
            {"model.heads.prd.width": 64},
            r"model\.heads\.prd takes fused tokens of width 64.*set model\.heads\.prd\.width=96",
        ),
        ({"model.heads.mrtd.width": 95}, r"set model\.heads\.mrtd\.width=96"),
        ({"model.heads.mlm.width": 128}, r"set model\.heads\.mlm\.width=96"),
    ],
)
def test_what_makes_no_sense_is_told(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(TiprZooError, match=message):
        tipr_zoo.build(NAME, overrides=overrides)


def test_rates_and_decay_of_the_full_size_recipe_are_those_of_the_published_code() -> None:
    recipe = load_recipe(load_card("rasa_vitb16_cuhk"))
    with torch.device("meta"):
        model = build_retriever(recipe.model)
    groups = {
        group["name"]: (group["lr"], group["weight_decay"])
        for group in parameter_groups(model, 1e-5, 0.02, {}, recipe.training.parameter_patterns)
    }
    for name, parameter in model.named_parameters():
        rate = 1e-4 if name.startswith(("heads.prd", "heads.mrtd")) else 1e-5
        decay = 0.0 if parameter.ndim == 1 or name.endswith(".bias") else 0.02
        assert groups[name] == (pytest.approx(rate), decay), name
