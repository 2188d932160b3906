"""RDE's model: two embeddings, what is selected, the edges of captions, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tipr_zoo_rde.components import RobustDualEmbedding
from tipr_zoo_rde.token_selection import TokenSelection, chosen_patches, chosen_words
from torch import Tensor

import tipr_zoo
from tipr_zoo.errors import ConfigError, TiprZooError
from tipr_zoo.evaluation.embedding import embed_captions
from tipr_zoo.models.lookup import load_card
from tipr_zoo.models.recipe import load_recipe
from tipr_zoo.training.loop.optimiser import build_optimiser

NAME = "rde_tiny_synth"
CAPTIONS = [
    "A woman in a green dress and a red hat.",
    "",
    "man",
    "!!! ! !!!!",
    " ".join(["a man in a red jacket and blue jeans"] * 9),
    "A man with a black bag.",
]


@pytest.fixture(scope="module")
def built() -> RobustDualEmbedding:
    torch.manual_seed(0)
    model = tipr_zoo.build(NAME)
    assert isinstance(model, RobustDualEmbedding)
    return model


@pytest.fixture
def model(built: RobustDualEmbedding) -> Iterator[RobustDualEmbedding]:
    yield built.eval()
    built.eval()


def batch(model: RobustDualEmbedding, count: int = 6, seed: int = 0) -> dict[str, Tensor]:
    images = torch.randn(count, 3, *model.image_size, generator=torch.Generator().manual_seed(seed))
    return {"images": images, "caption_ids": model.tokenize(CAPTIONS)[:count], "pids": torch.arange(count) // 2}


class TestEmbeddings:
    @pytest.fixture(autouse=True)
    def without_gradients(self) -> Iterator[None]:
        with torch.no_grad():
            yield

    def test_both_are_laid_end_to_end(self, model: RobustDualEmbedding) -> None:
        given = batch(model)
        assert model.parts == {"bge": slice(0, 128), "tse": slice(128, 256)}
        assert model.encode_image(given["images"]).shape == (6, 256)
        assert model.encode_text(given["caption_ids"]).shape == (6, 256)

    def test_their_cosine_is_the_mean_of_both(self, model: RobustDualEmbedding) -> None:
        given = batch(model)
        image, text = model.encode_image(given["images"]), model.encode_text(given["caption_ids"])
        parts = [model.features(given).part(name) for name in ("bge", "tse")]
        both = [torch.cosine_similarity(t.unsqueeze(1), v.unsqueeze(0), dim=2) for v, t in parts]
        found = torch.cosine_similarity(text.unsqueeze(1), image.unsqueeze(0), dim=2)
        torch.testing.assert_close(found, (both[0] + both[1]) / 2, atol=1e-6, rtol=1e-5)
        assert (both[0] - both[1]).abs().max() > 0.01  # the two are not one

    @pytest.mark.parametrize("row", range(len(CAPTIONS)), ids=["usual", "none", "one word", "!", "80 words", "short"])
    def test_any_caption_is_finite_and_alone_what_it_is_among_others(
        self, model: RobustDualEmbedding, row: int
    ) -> None:
        ids = model.tokenize(CAPTIONS)
        together, alone = model.encode_text(ids), model.encode_text(ids[row : row + 1])
        assert together.isfinite().all()
        torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=1e-4)

    def test_padding_that_was_cut_off_changes_nothing(self, model: RobustDualEmbedding) -> None:
        ids = model.tokenize(CAPTIONS)
        whole = model.encode_text(ids)
        for row, length in enumerate((ids.argmax(dim=1) + 1).tolist()):
            cut = model.encode_text(ids[row : row + 1, :length])
            torch.testing.assert_close(cut[0], whole[row], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(embed_captions(model, CAPTIONS, batch_size=2), whole, atol=1e-5, rtol=1e-4)

    def test_nothing_is_embedded_into_nothing(self, model: RobustDualEmbedding) -> None:
        assert model.encode_text(model.tokenize([])).shape == (0, 256)
        assert model.encode_image(torch.empty(0, 3, *model.image_size)).shape == (0, 256)

    def test_an_id_of_zero_is_no_word(self, model: RobustDualEmbedding) -> None:
        """CLIP's id of an exclamation mark is that of padding: such a caption has no words, and is finite."""
        ids = model.tokenize(["man"])
        marks = ids.clone()
        start, end = int(ids[0, 0]), int(ids.max())
        marks[0, :5] = torch.tensor([start, 0, 0, 0, end])
        marks[0, 5:] = 0
        assert model.encode_text(marks).isfinite().all()


class TestTraining:
    @pytest.mark.parametrize("count", [1, 2, 6])
    def test_losses_and_gradients_are_finite(self, model: RobustDualEmbedding, count: int) -> None:
        model.train()
        model.zero_grad()
        losses = model.loss(batch(model, count))
        torch.stack(list(losses.values())).sum().backward()
        assert list(losses) == ["bge", "tse"]
        assert all(loss.isfinite() for loss in losses.values())
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())  # type: ignore[union-attr]
        assert count <= 2 or all(loss > 0 for loss in losses.values())

    def test_under_autocast(self, model: RobustDualEmbedding) -> None:
        model.train()
        model.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            losses = model.loss(batch(model))
        torch.stack([loss.float() for loss in losses.values()]).sum().backward()
        exact = model.loss(batch(model))
        for key, loss in losses.items():
            assert loss.item() == pytest.approx(exact[key].item(), rel=0.1)
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())  # type: ignore[union-attr]

    def test_the_recipe_learns(self) -> None:
        torch.manual_seed(0)
        model = tipr_zoo.build(NAME).train()
        training = load_recipe(load_card(NAME)).training
        optimiser = build_optimiser(model, training.optimizer, {})
        values = []
        for _ in range(8):
            optimiser.zero_grad()
            loss = torch.stack(list(model.loss(batch(model)).values())).sum()
            loss.backward()
            optimiser.step()
            values.append(loss.item())
        assert values[-1] < 0.5 * values[0]


def test_layers_of_token_selection_learn_at_a_rate_of_their_own(model: RobustDualEmbedding) -> None:
    training = load_recipe(load_card("rde_vitb16_cuhk")).training
    groups = build_optimiser(model, training.optimizer, training.parameter_groups).param_groups
    found = {group["name"]: (round(group["lr"], 12), group["weight_decay"]) for group in groups}
    assert len(found) == len(list(model.parameters()))
    for name, values in found.items():
        is_bias = "bias" in name
        rate = 1e-3 if name.startswith(("image_selection.", "text_selection.")) else 2e-5 if is_bias else 1e-5
        assert values == (rate, 0.0 if is_bias else 4e-5), name
    assert set(found.values()) == {(1e-3, 0.0), (1e-3, 4e-5), (2e-5, 0.0), (1e-5, 4e-5)}


class TestSelection:
    def test_patches(self) -> None:
        attention = torch.tensor([[0.1, 0.4, 0.2, 0.3, 0.0], [0.5, 0.1, 0.15, 0.0, 0.25]])
        assert chosen_patches(attention, 0.5).tolist() == [[1, 3], [0, 4]]

    def test_words(self) -> None:
        """Neither start nor end nor padding; no more than there are."""
        ids = torch.tensor([[98, 5, 6, 7, 8, 99, 0, 0], [98, 5, 99, 0, 0, 0, 0, 0], [98, 99, 0, 0, 0, 0, 0, 0]])
        attention = torch.tensor(
            [
                [0.5, 0.1, 0.15, 0.02, 0.03, 0.2, 0.0, 0.0],
                [0.5, 0.2, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0],
                [0.6, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            ]
        )
        chosen, counts = chosen_words(attention, ids, ids.argmax(dim=1), 0.5, 8)
        assert chosen.shape == (3, 3)
        assert counts.tolist() == [3, 1, 1]
        assert chosen[0].tolist() == [2, 1, 4]
        assert (chosen[1, 0], chosen[2, 0]) == (1, 1)  # the word, and the end where there is none
        cut, _ = chosen_words(attention[:, :6], ids[:, :6], ids.argmax(dim=1), 0.5, 8)
        assert cut[0].tolist() == [2, 1, 4]

    @pytest.mark.parametrize("learns", [True, False], ids=["training", "evaluation"])
    def test_embedding_is_its_formula(self, learns: bool) -> None:
        """Token by token; batch normalisation over all that were chosen."""
        torch.manual_seed(0)
        layers, tokens = TokenSelection(6, 10).train(learns), torch.randn(3, 7, 6)
        chosen, counts = torch.tensor([[1, 4, 2], [6, 0, 3], [5, 5, 1]]), torch.tensor([3, 2, 1])
        first, norm, _, last = layers.mlp
        rows = [tokens[i, j] / (tokens[i, j].norm() + 1e-8) for i in range(3) for j in chosen[i].tolist()]
        hidden = torch.stack([first(row) for row in rows])
        mean, variance = (hidden.mean(0), hidden.var(0, unbiased=False)) if learns else (0.0, torch.ones(6))
        hidden = ((hidden - mean) / (variance + norm.eps).sqrt()).relu()
        embedded = [layers.linear(row) + last(seen) for row, seen in zip(rows, hidden, strict=True)]
        expected = [torch.stack(embedded[3 * i : 3 * i + int(counts[i])]).amax(0) for i in range(3)]
        torch.testing.assert_close(layers(tokens, chosen, counts), torch.stack(expected), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model.selected_share": 0}, "selected_share must be above 0 and at most 1, got 0"),
        ({"model.selected_share": 1.5}, "selected_share must be above 0 and at most 1, got 1.5"),
        ({"model.selected_share": "x"}, "model.selected_share must be a finite number, got 'x'"),
        ({"model.selected_share": True}, "model.selected_share must be a finite number, got True"),
        ({"model.selected_size": 0}, "selected_size must be a whole number above 0, got 0"),
        ({"model.selected_size": 12.5}, "model.selected_size must be a whole number, got 12.5"),
        ({"model.neck": {"type": "BNNeck", "embedding_size": 128}}, "RobustDualEmbedding has no place for a neck"),
        ({"model.selected_shar": 0.3}, "did you mean 'selected_share'"),
        (
            {
                "model.image_encoder": {
                    "type": "TimmEncoder",
                    "model_name": "test_vit",
                    "embedding_size": 128,
                    "image_size": (64, 32),
                }
            },
            "TimmEncoder lacks .*encode_with_attention",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_built_is_refused(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(TiprZooError, match=message):
        tipr_zoo.build(NAME, overrides=overrides)


def test_a_share_too_small_for_one_token(model: RobustDualEmbedding) -> None:
    with pytest.raises(ConfigError, match=r"a share of 0\.01 of 4 patches is none; raise selected_share"):
        chosen_patches(torch.rand(2, 4), 0.01)
    with pytest.raises(ConfigError, match=r"a share of 0\.01 of 10 words is none; raise selected_share"):
        chosen_words(torch.rand(2, 12), torch.ones(2, 12, dtype=torch.int64), torch.full((2,), 11), 0.01, 12)
    small = tipr_zoo.build(NAME, overrides={"model.neck": None, "model.selected_share": 1.0})
    assert small.encode_text(small.tokenize(CAPTIONS)).isfinite().all()
