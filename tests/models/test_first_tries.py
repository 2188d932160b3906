"""What a user tries first with a model: the wrong thing is told in one line with the right one, empty and half work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import tipr_zoo
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, DataError, TiprZooError, UnknownNameError

PICTURE = Image.new("RGB", (20, 50), (200, 10, 10))


def shown(value: object) -> str:
    """A name of a value that is the same in every process."""
    return value if isinstance(value, str) else type(value).__name__


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("a.jpg", "tensor of pictures, not a str; write model.encode_image(model.preprocess(picture)"),
        (Path("a.jpg"), "not a PosixPath; write model.encode_image(model.preprocess(picture)"),
        (PICTURE, "not a Image; write model.encode_image(model.preprocess(picture)"),
        (np.zeros((1, 3, 64, 32)), "not a ndarray; write"),
        ([torch.zeros(3, 64, 32)], "not a list; write"),
        (torch.zeros(3, 64, 32), "write model.encode_image(picture.unsqueeze(0))"),
        (torch.zeros(64, 32), "takes pictures of shape (B, 3, 64, 32), not (64, 32); model.preprocess makes them"),
        (torch.zeros(1, 4, 64, 32), "not (1, 4, 64, 32)"),
        (torch.zeros(1, 3, 32, 64), "not (1, 3, 32, 64)"),
        (torch.zeros(0, 3, 32, 64), "not (0, 3, 32, 64)"),
        (torch.zeros(1, 3, 64, 32, dtype=torch.uint8), "floating-point pictures, not torch.uint8; model.preprocess"),
        (torch.zeros(1, 3, 64, 32, dtype=torch.complex64), "not torch.complex64"),
    ],
    ids=shown,
)
def test_what_is_no_batch_of_pictures(tiny_model: DualEncoder, given: Any, told: str) -> None:
    with pytest.raises(DataError) as raised:
        tiny_model.encode_image(given)
    assert str(raised.value).startswith("encode_image takes ")
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("a man", "not a str; model.tokenize makes them"),
        (["a man"], "not a list; model.tokenize makes them"),
        (torch.zeros(1, 7), "int64 token ids, not torch.float32; model.tokenize"),
        (torch.zeros(1, 7, dtype=torch.bool), "not torch.bool"),
        (torch.zeros(7, dtype=torch.int64), "of shape (B, L), not (7,)"),
        (torch.zeros(1, 0, dtype=torch.int64), "of shape (B, L), not (1, 0)"),
        (torch.zeros(1, 99, dtype=torch.int64), "at most 77 token ids a caption, not 99"),
        (torch.full((1, 7), 800), "the model knows the token ids 0 to 799, not 800"),
        (torch.full((1, 7), -1), "the model knows the token ids 0 to 799, not -1"),
    ],
    ids=shown,
)
def test_what_is_no_batch_of_token_ids(tiny_model: DualEncoder, given: Any, told: str) -> None:
    with pytest.raises(DataError) as raised:
        tiny_model.encode_text(given)
    assert told in str(raised.value)
    assert "model.tokenize makes them" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("given", ["a.jpg", Path("a.jpg"), np.zeros((5, 5, 3)), torch.zeros(3, 5, 5), None], ids=shown)
def test_what_is_no_picture(tiny_model: DualEncoder, given: Any) -> None:
    with pytest.raises(
        DataError, match=r"^preprocess takes a picture of PIL's, not a \w+; PIL\.Image\.open\(path\) opens"
    ):
        tiny_model.preprocess(given)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (5, "a caption or a list of captions, not a int"),
        (None, "not a NoneType"),
        (["a man", 5], "number 1 is a int, no text"),
        ([["a man"]], "number 0 is a list, no text"),
    ],
    ids=shown,
)
def test_what_is_no_caption(tiny_model: DualEncoder, given: Any, told: str) -> None:
    with pytest.raises(DataError) as raised:
        tiny_model.tokenize(given)
    assert told in str(raised.value)


@pytest.mark.parametrize("device", ["cuda:99", "gpu", torch.device("cuda:99"), 99], ids=shown)
def test_a_device_that_is_not_here_is_told_before_anything_is_built(tiny_zoo: Path, device: Any) -> None:
    with pytest.raises(ConfigError, match=r'^device \S+ cannot be used here: .*; try device="cpu"$'):
        tipr_zoo.build("a_tiny_model", device=device)


def test_pictures_and_captions_on_another_device_are_told(tiny_model: DualEncoder) -> None:
    class Elsewhere(torch.Tensor):
        device = torch.device("cuda:0")

    with pytest.raises(
        DataError, match=r"pictures are on the device cuda:0, the model on cpu; write images.to\('cpu'\)"
    ):
        tiny_model.encode_image(torch.zeros(1, 3, 64, 32).as_subclass(Elsewhere))
    with pytest.raises(DataError, match=r"token ids are on the device cuda:0, the model on cpu; write ids.to\('cpu'\)"):
        tiny_model.encode_text(torch.zeros(1, 7, dtype=torch.int64).as_subclass(Elsewhere))


@pytest.mark.parametrize("training", [False, True])
def test_nothing_is_embedded_into_nothing_of_the_right_size(tiny_model: DualEncoder, training: bool) -> None:
    tiny_model.train(training)
    tiny_model.text_encoder.eval()  # type: ignore[attr-defined]
    modes = [module.training for module in tiny_model.modules()]
    before = {name: value.clone() for name, value in tiny_model.state_dict().items()}
    assert tiny_model.encode_image(torch.zeros(0, 3, 64, 32)).shape == (0, 64)
    assert tiny_model.encode_text(tiny_model.tokenize([])).shape == (0, 64)
    assert [module.training for module in tiny_model.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in tiny_model.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_model_of_another_precision_takes_what_preprocess_gives(tiny_model: DualEncoder, dtype: torch.dtype) -> None:
    images, ids = tiny_model.preprocess(PICTURE).unsqueeze(0), tiny_model.tokenize("a man in red")
    expected = tiny_model.encode_image(images), tiny_model.encode_text(ids)
    model = tiny_model.to(dtype)
    for found, exact in zip((model.encode_image(images), model.encode_text(ids)), expected, strict=True):
        assert found.dtype == dtype
        assert nn.functional.cosine_similarity(found.double(), exact.double()).item() > 0.99


@pytest.mark.parametrize("name", [5, None, Path("irra_tiny_synth"), ["irra_tiny_synth"]], ids=shown)
def test_what_is_no_name_of_a_model(name: Any) -> None:
    for look_up in (tipr_zoo.build, tipr_zoo.load_card):
        with pytest.raises(UnknownNameError, match=r"^a model is named by text, e\.g\. 'irra_tiny_synth', not by a"):
            look_up(name)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"weights": 5}, "weights are named by a path or by hub:"),
        ({"weights": b"x.pt"}, "not by a bytes"),
        ({"weights": {"a": 1}}, "not by a dict"),
        ({"overrides": "training.seed=1"}, "overrides must be a dict of entries by dotted name"),
        ({"overrides": {5: 1}}, "overrides must be a dict of entries by dotted name"),
        ({"pretrained": "yes"}, "pretrained must be True or False, got 'yes'"),
    ],
    ids=str,
)
def test_arguments_of_build_of_another_kind(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(TiprZooError) as raised:
        tipr_zoo.build("irra_tiny_synth", **arguments)
    assert told in str(raised.value)


@pytest.mark.parametrize("arguments", [{"pattern": 5}, {"dataset": 5}, {"plugin": 5}, {"pretrained": "x"}], ids=str)
def test_filters_of_another_kind(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"^{next(iter(arguments))} must be "):
        tipr_zoo.list_models(**arguments)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (None, "a batch is a dict of tensors, not a NoneType"),
        ({"pids": [0, 1]}, "the batch's 'pids' must be a tensor with one row a pair, not a list"),
        ({"pids": torch.zeros(2)}, "the batch's 'pids' must be int64, not torch.float32"),
        ({"images": torch.zeros(1, 3, 64, 32)}, "images 1, caption_ids 2"),
        ({"images": torch.zeros(0, 3, 64, 32), "caption_ids": torch.zeros(0, 7, dtype=torch.int64)}, "at least one"),
    ],
)
def test_what_is_no_batch_to_learn_from(tiny_model: DualEncoder, changed: dict[str, Any] | None, told: str) -> None:
    batch = {"images": torch.zeros(2, 3, 64, 32), "caption_ids": tiny_model.tokenize(["a", "b"])}
    with pytest.raises(DataError) as raised:
        tiny_model.loss(None if changed is None else batch | {"pids": torch.tensor([0, 1])} | changed)  # type: ignore[arg-type]
    assert told in str(raised.value)


def test_a_model_is_not_called_itself(tiny_model: DualEncoder) -> None:
    with pytest.raises(DataError, match=r"write encode_image\(images\), encode_text\(ids\) or loss\(batch\)"):
        tiny_model(torch.zeros(1, 3, 64, 32))


def test_tensors_without_values_and_sparse_ones_are_told(tiny_model: DualEncoder) -> None:
    images, ids = torch.zeros(1, 3, 64, 32), tiny_model.tokenize("a man")
    for given in (images.to("meta"), images.to_sparse()):
        with pytest.raises(DataError, match=r"device meta|dense pictures"):
            tiny_model.encode_image(given)
    for given in (ids.to("meta"), ids.to_sparse()):
        with pytest.raises(DataError, match=r"device meta|dense token ids"):
            tiny_model.encode_text(given)


def test_a_picture_without_pixels_is_told(tiny_model: DualEncoder) -> None:
    with pytest.raises(DataError, match="the picture has no pixels: it is 0 x 5"):
        tiny_model.preprocess(Image.new("RGB", (0, 5)))
