"""Building a model by its name: what comes out, what a recipe may say, and how mistakes are told."""

from __future__ import annotations

import logging
import re
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

import tipr_zoo
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, DataError, TiprZooError, UnknownNameError, WeightsError

TINY, TINY_PRETRAINED = "a_tiny_model", "a_tiny_pretrained_model"


def make_batch(model: DualEncoder, pids: list[int]) -> dict[str, Tensor]:
    """A batch of noise with a caption for each identity, one word of each masked."""
    ids = model.tokenize([f"a man with bag number {pid}" for pid in pids])
    labels = torch.zeros_like(ids)
    labels[:, 2] = ids[:, 2]
    masked = ids.clone()
    masked[:, 2] = model.tokenize.mask_id
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(len(pids), 3, *model.image_size, generator=generator)
    return {
        "images": images,
        "caption_ids": ids,
        "pids": torch.tensor(pids),
        "mlm_ids": masked,
        "mlm_labels": labels,
    }


# What comes out


def test_a_model_is_built_in_eval_mode_with_random_weights_and_says_so(
    tiny_zoo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="tipr_zoo"):
        model = tipr_zoo.build(TINY)
    assert not any(module.training for module in model.modules())
    assert [record.getMessage() for record in caplog.records] == [
        f"{TINY}: weights are random; pass pretrained=True or weights=FILE to load some"
    ]


def test_pretrained_weights_are_the_same_every_time_and_need_no_remark(
    tiny_zoo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (tipr_zoo.build(TINY_PRETRAINED, pretrained=True).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not caplog.records


def test_pictures_and_captions_become_embeddings_of_one_space(tiny_model: DualEncoder) -> None:
    pixels = tiny_model.preprocess(Image.new("RGB", (40, 100), (200, 30, 30)))
    ids = tiny_model.tokenize(["a man in a red jacket", "a woman"])
    with torch.inference_mode():
        image = tiny_model.encode_image(pixels.unsqueeze(0))
        text = tiny_model.encode_text(ids)
    assert (tuple(pixels.shape), pixels.dtype) == ((3, *tiny_model.image_size), torch.float32)
    assert (tuple(ids.shape), ids.dtype) == ((2, 77), torch.int64)
    assert (tuple(image.shape), image.dtype) == ((1, 64), torch.float32)
    assert (tuple(text.shape), text.dtype) == ((2, 64), torch.float32)


def test_one_caption_may_be_given_as_a_plain_string(tiny_model: DualEncoder) -> None:
    assert torch.equal(tiny_model.tokenize("a man"), tiny_model.tokenize(["a man"]))


def test_padding_changes_no_embedding(tiny_model: DualEncoder) -> None:
    ids = tiny_model.tokenize(["a man in a red jacket"])
    length = int(ids.argmax()) + 1
    with torch.inference_mode():
        whole, cut = tiny_model.encode_text(ids), tiny_model.encode_text(ids[:, :length])
    torch.testing.assert_close(whole, cut)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("L", (8, 8), 77), 77),
        (Image.frombytes("I;16", (8, 8), (0x8000).to_bytes(2, "little") * 64), 128),
        (Image.new("RGBA", (8, 8), (0, 0, 0, 0)), 255),
    ],
    ids=["grey", "16-bit grey", "transparent"],
)
def test_pictures_of_other_modes_look_as_they_do_in_a_viewer(
    tiny_model: DualEncoder, picture: Image.Image, expected: int
) -> None:
    rgb = Image.new("RGB", (8, 8), (expected,) * 3)
    torch.testing.assert_close(tiny_model.preprocess(picture), tiny_model.preprocess(rgb))


# Losses


def test_losses_come_by_key_and_multiplied_by_their_weight(tiny_zoo: Path) -> None:
    torch.manual_seed(0)
    model = tipr_zoo.build(TINY)
    torch.manual_seed(0)
    weighted = tipr_zoo.build(TINY, overrides={"model.losses.sdm.weight": 0.5, "model.heads.irr.weight": 3})
    batch = make_batch(model, [0, 1, 1, 2])
    plain, others = model.loss(batch), weighted.loss(batch)
    assert list(plain) == ["sdm", "id", "irr"]
    for key, weight in {"sdm": 0.5, "id": 1.0, "irr": 3.0}.items():
        torch.testing.assert_close(others[key], weight * plain[key])


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("pids", [[0], [3, 3, 3], [0, 1, 2, 3]], ids=["one pair", "one identity", "four identities"])
def test_losses_are_finite_and_reach_every_parameter(tiny_model: DualEncoder, pids: list[int], mode: str) -> None:
    tiny_model.train(mode == "train")
    losses = tiny_model.loss(make_batch(tiny_model, pids))
    assert all(loss.isfinite() and loss.shape == () for loss in losses.values())
    sum(losses.values()).backward()
    missing = [name for name, parameter in tiny_model.named_parameters() if parameter.grad is None]
    assert missing == []
    assert all(parameter.grad.isfinite().all() for parameter in tiny_model.parameters())


def test_a_batch_without_any_masked_word_has_nothing_to_predict(tiny_model: DualEncoder) -> None:
    batch = make_batch(tiny_model, [0, 1])
    loss = tiny_model.loss(batch | {"mlm_labels": torch.zeros_like(batch["mlm_labels"])})["irr"]
    loss.backward()
    assert loss == 0


@pytest.mark.parametrize("entry", ["images", "caption_ids", "pids", "mlm_ids", "mlm_labels"])
def test_a_batch_that_lacks_an_entry_is_told(tiny_model: DualEncoder, entry: str) -> None:
    batch = make_batch(tiny_model, [0, 1])
    del batch[entry]
    with pytest.raises(DataError, match=f"the batch has no '{entry}', which this model's losses need; it has: "):
        tiny_model.loss(batch)


@pytest.mark.parametrize("pids", [[0, 6], [-1, 0]])
def test_identities_beyond_the_classifier_are_told(tiny_model: DualEncoder, pids: list[int]) -> None:
    with pytest.raises(DataError, match=r"'pids' reach from .* classifier has 6 identities; set .*num_identities"):
        tiny_model.loss(make_batch(tiny_model, pids))


# Mistakes


@pytest.mark.parametrize(
    ("name", "close"), [("a_tinny_model", "'a_tiny_model'"), ("irra_vitb16_cukh", "'irra_vitb16_cuhk'")]
)
def test_an_unknown_model_is_told_with_close_names(tiny_zoo: Path, name: str, close: str) -> None:
    with pytest.raises(UnknownNameError, match=f"unknown model '{name}'; did you mean .*{close}"):
        tipr_zoo.build(name)


def test_pretrained_without_weights_says_what_to_do(tiny_zoo: Path) -> None:
    with pytest.raises(WeightsError) as raised:
        tipr_zoo.build(TINY, pretrained=True)
    for part in (TINY, "It is there for tests alone.", f"tipr-zoo train {TINY}", "weights=FILE"):
        assert part in str(raised.value)


def test_pretrained_and_a_file_at_once_contradict_each_other(tiny_zoo: Path) -> None:
    with pytest.raises(ConfigError, match="not both"):
        tipr_zoo.build(TINY_PRETRAINED, pretrained=True, weights="other.safetensors")


def test_overrides_change_the_recipe(tiny_zoo: Path) -> None:
    model = tipr_zoo.build(TINY, overrides={"model.heads.id.num_identities": 11, "model.mean": [0.5, 0.5, 0.5]})
    assert model.heads["id"].classifier.out_features == 11
    assert model.normalisation.mean == (0.5, 0.5, 0.5)
    assert tipr_zoo.build(TINY).heads["id"].classifier.out_features == 6


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model.loses.sdm.weight": 2}, "unknown recipe entry 'model.loses'; did you mean 'model.losses'"),
        ({"modle.heads": {}}, "unknown recipe entry 'modle'; did you mean 'model'"),
        ({"model.head": {}}, "unknown recipe entry 'model.head'; did you mean 'model.heads'"),
        ({"training.batchsize": 2}, "unknown recipe entry 'training.batchsize'; did you mean 'training.batch_size'"),
        ({"model.losses.sdm.type": "SMD"}, "unknown loss 'SMD'; did you mean 'SDM'"),
        ({"model.heads.id.type": "IdentityClasification"}, "unknown head 'IdentityClasification'; did you mean"),
        ({"model.tokenizer.type": "CLIPTokeniser"}, "unknown tokenizer 'CLIPTokeniser'; did you mean 'CLIPTokenizer'"),
        ({"model.text_encoder.type": "CLIPTextEncodr"}, "unknown backbone 'CLIPTextEncodr'; did you mean"),
        ({"model.heads.id.num_identites": 5}, "'num_identites'; did you mean 'num_identities'"),
        ({"model.losses.sdm.type.deeper": 5}, "override 'model.losses.sdm.type.deeper': model.losses.sdm.type is no"),
        ({"model.losses.sdm": 5}, "a loss is configured by a dict with a 'type', got 5"),
        ({"model.losses.sdm.weight": "high"}, "weight of 'sdm' must be a number, got 'high'"),
        ({"model.losses": None}, "model.losses must be a dict, got None"),
        ({"model.losses.id": {"type": "SDM"}}, "losses and heads share the key 'id'"),
        ({"model.image_encoder.image_size": (64, 30)}, "image width 30 is no multiple of the patch size 16"),
        ({"model.text_encoder.vocabulary_size": 100}, "text_encoder knows 100 token ids, the tokenizer has "),
        ({"model.mean": "abc"}, "model.mean must be three numbers, one for each of red, green and blue"),
        ({"model.mean": [0.5, 0.5]}, "model.mean must be three numbers"),
        ({"model.mean": None}, "model.mean must be three numbers"),
        ({"model.std": [0.5, 0.5, 0]}, "model.std must be three numbers above 0"),
        ({"model.std": [float("nan")] * 3}, "model.std must be three numbers above 0"),
        ({"model.losses.sdm.weight": float("nan")}, "model.losses.sdm.weight"),
        ({"model.losses.sdm.scale": "abc"}, "model.losses.sdm.scale must be a finite number, got 'abc'"),
        ({"model.heads.id.num_identities": 3.5}, "model.heads.id.num_identities must be a whole number, got 3.5"),
        ({"model.image_encoder.embedding_size": "abc"}, "model.image_encoder.embedding_size must be a whole number"),
        (
            {"model.image_encoder.embedding_size": -1},
            "model.image_encoder: embedding_size must be a whole number above",
        ),
        ({"model.image_encoder.depth": 0}, "model.image_encoder: depth must be a whole number above 0, got 0"),
        ({"model.image_encoder.image_size": (64, 32, 3)}, "model.image_encoder: image_size must be (height, width)"),
        ({"model.image_encoder.image_size": "abc"}, "model.image_encoder.image_size must be a list of whole numbers"),
        ({"model.text_encoder.vocabulary_size": "abc"}, "model.text_encoder.vocabulary_size must be a whole number"),
        ({"model.text_encoder.depth": 0}, "model.text_encoder: depth must be a whole number above 0, got 0"),
        ({"model.text_encoder.activation": 5}, "model.text_encoder.activation must be text, got 5"),
        ({"model.tokenizer.file": 5}, "model.tokenizer.file must be text, got 5"),
        ({"model.neck.embedding_size": None}, "model.neck.embedding_size must be a whole number, got None"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_recipe_is_told(tiny_zoo: Path, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(TiprZooError) as raised:
        tipr_zoo.build(TINY, overrides=overrides)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model.heads": "abc"}, "model.heads must be a dict, got 'abc'"),
        ({"model.heads": ["id"]}, "model.heads must be a dict, got ['id']"),
        ({"model.heads": None}, "model.heads must be a dict, got None"),
        ({"model.heads.id": 5}, "model.heads.id"),
        ({"model.heads.id": "abc"}, "model.heads.id"),
    ],
)
def test_wrong_heads_are_told_where_weights_are_loaded(tiny_zoo: Path, overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        tipr_zoo.build(TINY_PRETRAINED, pretrained=True, overrides=overrides)


def test_an_objective_that_is_none_is_left_out(tiny_zoo: Path) -> None:
    model = tipr_zoo.build(TINY, overrides={"model.losses.sdm": None, "model.heads.irr": None})
    assert (list(model.losses), list(model.heads)) == ([], ["id"])


@pytest.mark.parametrize("place", ["model.losses.sdm", "model.heads.id", "model.tokenizer", "model.image_encoder"])
def test_a_recipe_runs_nothing_that_was_not_registered(tiny_zoo: Path, tmp_path: Path, place: str) -> None:
    witness = tmp_path / "ran"
    with pytest.raises(UnknownNameError, match=r"unknown .* 'os.system'"):
        tipr_zoo.build(TINY, overrides={place: {"type": "os.system", "command": f"touch {witness}"}})
    assert not witness.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model = dict(", "cannot be read: SyntaxError"),
        ("training = dict()", "has no 'model'"),
        ("model = dict(losses=dict())\ntraining = dict()", "has no 'model.image_encoder'"),
    ],
)
def test_a_broken_recipe_file_is_told(tiny_zoo: Path, text: str, message: str) -> None:
    recipe = tiny_zoo.parent / "configs" / "tiny.py"
    before = recipe.read_text()
    recipe.write_text(text)
    try:
        with pytest.raises(ConfigError, match=message) as raised:
            tipr_zoo.build(TINY)
    finally:
        recipe.write_text(before)
    assert str(recipe) in str(raised.value) or TINY in str(raised.value)


# Full size


def test_irra_vitb16_builds_at_full_size_without_any_download(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("something tried the network")

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    model = tipr_zoo.build("irra_vitb16_cuhk")
    with torch.inference_mode():
        losses = model.loss(make_batch(model, [0, 1]))
    assert model.image_size == (384, 128)
    assert model.image_encoder.grid_size == (24, 8)
    assert sum(parameter.numel() for parameter in model.parameters()) > 150_000_000
    assert list(losses) == ["sdm", "id", "irr"]
    assert all(loss.isfinite() for loss in losses.values())
