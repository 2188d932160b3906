"""Checkpoints of the official code: read whatever their size, told where they do not fit, and converted.

The checkpoints are made by ``parity_inputs.py``, and what the models give is compared with what the official code gives
on them. Nothing is told to `from_official` but the method, the size of the pictures and the stride.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import logging
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import open_clip
import pytest
import safetensors.torch
import torch
from small_disk import contents, files_of_at_most
from torch import Tensor

import tipr_zoo
from tipr_zoo.cards.card import read_card
from tipr_zoo.cards.index import card_index
from tipr_zoo.checkpoint_readers import IRRACheckpoint
from tipr_zoo.command_line import main
from tipr_zoo.errors import CardError, ConfigError, PluginError, TiprZooError, UnknownNameError, WeightsError
from tipr_zoo.models.official_checkpoint import read_official
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.models.starting_weights import load_starting_weights
from tipr_zoo.plugins.discovery import installed_plugins
from tipr_zoo.weights.official_names import to_official, zoo_names

SHIPPED = Path(__file__).parents[1] / "parity" / "files"
FILES = Path(os.environ.get("TIPR_PARITY_DIR") or SHIPPED)
METHODS = ("irra", "sen", "fmfa")
UNUSED_BY_SEN = {"cross_attn_TextImage", "cross_attn_Image", "norm_3", "norm_5"}


def _parity_inputs() -> ModuleType:
    """The script that makes official checkpoints and the inputs to compare them on."""
    name = "parity_inputs.py"
    file = FILES / name if (FILES / name).is_file() else SHIPPED / name
    specification = importlib.util.spec_from_file_location("parity_inputs", file)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


INPUTS = _parity_inputs()
WIDTHS = ("embed_dim", "vision_width", "text_width")
DEPTHS = ("vision_layers", "text_layers", "cmt_depth")
SMALL = INPUTS.CONFIGS["tiny"] | dict.fromkeys(WIDTHS, 64) | dict.fromkeys(DEPTHS, 1)
SIZE, STRIDE = SMALL["image_size"], SMALL["stride"]

CASES = [
    pytest.param(path, id=path.stem)
    for path in sorted(path for method in METHODS for path in FILES.glob(f"{method}_*.json"))
    if "grad_norms" in json.loads(path.read_text())
    and INPUTS.CONFIGS[json.loads(path.read_text())["config"]]["vision_layers"] <= 2
]


def official(method: str, sizes: dict[str, Any], seed: int = 0) -> dict[str, Tensor]:
    """The official checkpoint of these sizes."""
    weights = INPUTS.state_dict(INPUTS.model_shapes(method, sizes), seed)
    return {name: torch.from_numpy(weight) for name, weight in weights.items()}


@cache
def _small(method: str) -> dict[str, Tensor]:
    return official(method, SMALL)


def checkpoint(method: str = "irra", *, without: str = "", **changes: Any) -> dict[str, Any]:
    """A small official checkpoint without the entries whose names begin so, and with others."""
    state = {name: tensor for name, tensor in _small(method).items() if not without or not name.startswith(without)}
    return state | changes


def batch(config: str = "tiny", seed: int = 0) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in INPUTS.batch(config, seed).items()}


def embeddings(model: torch.nn.Module) -> Tensor:
    """The embeddings of a batch, pictures above captions."""
    inputs = batch()
    with torch.no_grad():
        return torch.cat([model.encode_image(inputs["images"]), model.encode_text(inputs["caption_ids"])])


def assert_is_small_irra(model: torch.nn.Module) -> None:
    """Every tower parameter is that of the checkpoint."""
    state = model.state_dict()
    for name, tensor in _small("irra").items():
        if name.startswith("base_model."):
            assert torch.equal(to_official(name, state), tensor), name


# The same embeddings and losses as the official code


def test_a_checkpoint_with_a_resnet_gives_the_embeddings_of_its_clip(caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    vision = {"layers": (1, 2, 1, 1), "image_size": 128, "width": 16}
    text = {"width": 64, "heads": 1, "layers": 1, "context_length": SMALL["context_length"]}
    clip = open_clip.CLIP(64, vision, text, quick_gelu=True).eval()
    state = {f"module.base_model.{name}": tensor for name, tensor in clip.state_dict().items() if name != "attn_mask"}
    heads = {name: tensor for name, tensor in _small("irra").items() if not name.startswith("base_model.")}
    model = tipr_zoo.from_official({"model": {**state, **heads}}, "irra", image_size=(128, 128))
    assert set(model.heads) == {"id", "irr"}
    assert caplog.messages == ["the checkpoint: left over, unknown to irra: base_model.logit_scale"]
    images, ids = torch.randn(2, 3, 128, 128), batch()["caption_ids"]
    with torch.no_grad():
        torch.testing.assert_close(model.encode_image(images), clip.encode_image(images), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model.encode_text(ids), clip.encode_text(ids), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("path", CASES)
def test_embeddings_and_losses_are_those_of_the_official_code(path: Path) -> None:
    figures = json.loads(path.read_text())
    method, config, seed = figures["method"], figures["config"], figures["seed"]
    sizes = INPUTS.CONFIGS[config]
    model = tipr_zoo.from_official(official(method, sizes, seed), method, sizes["image_size"], sizes["stride"])
    assert not model.training
    inputs = batch(config, seed)
    with np.load(path.with_suffix(".npz")) as arrays, torch.no_grad():
        for found, name in (
            (model.encode_image(inputs["images"]), "image_embedding"),
            (model.encode_text(inputs["caption_ids"]), "text_embedding"),
        ):
            assert np.abs(found.numpy() - arrays[name]).max() < 1e-4 * np.abs(arrays[name]).max()
        losses = {key: loss.item() for key, loss in model.train().loss(inputs).items()}
    assert losses | {"total": sum(losses.values())} == pytest.approx(figures["losses"], rel=1e-4)


def test_every_method_is_compared() -> None:
    assert {path.stem.partition("_")[0] for (path,) in (case.values for case in CASES)} == set(METHODS)


ODD = SMALL | {"vision_width": 192, "vision_layers": 3, "text_width": 128, "text_layers": 2, "num_classes": 7}


@pytest.mark.parametrize(
    ("sizes", "stride"),
    [
        (ODD | {"context_length": 40}, 16),
        (ODD | {"patch": 32, "stride": 32, "image_size": (96, 64)}, 32),
        (ODD | {"patch": 32, "stride": 32, "image_size": (96, 64)}, None),
        (ODD | {"patch": 32, "stride": 16, "image_size": (96, 64)}, 16),
        (ODD | {"patch": 14, "stride": 14, "image_size": (56, 28)}, None),
        (ODD | {"patch": 14, "stride": 16}, 16),
    ],
    ids=["patch 16", "patch 32", "patch 32, None", "patch 32, stride 16", "patch 14, None", "patch 14, stride 16"],
)
def test_every_size_is_read_off_the_tensors(sizes: dict[str, Any], stride: int | None) -> None:
    state = official("irra", sizes)
    model = tipr_zoo.from_official(state, "irra", sizes["image_size"], stride)
    own = model.state_dict()
    assert sum(len(zoo_names(name, IRRACheckpoint.rules)) for name in state) == len(own)
    assert all(torch.equal(to_official(name, own, IRRACheckpoint.rules), tensor) for name, tensor in state.items())
    assert model.tokenize("a man in a red jacket").shape == (1, sizes["context_length"])
    assert model.encode_image(torch.zeros(1, 3, *sizes["image_size"])).shape == (1, sizes["embed_dim"])
    assert {module.num_heads for module in model.modules() if hasattr(module, "num_heads")} == {1, 2, 3}


def test_patches_of_14_pixels_every_16_are_the_default() -> None:
    sizes = SMALL | {"patch": 14, "image_size": (384, 128), "vision_layers": 1}
    shapes = INPUTS.clip_shapes(sizes, prefix="base_model.")
    assert shapes["base_model.visual.positional_embedding"][0] == 1 + 24 * 8
    state = {name: torch.zeros(shape) for name, shape in shapes.items()}
    assert tipr_zoo.from_official(state, "irra").image_encoder.grid_size == (24, 8)


# How checkpoints are wrapped


def _with_module(state: dict[str, Any]) -> dict[str, Any]:
    return {f"module.{name}": tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"model": state, "epoch": 3, "optimizer": {"state": {}}},
        lambda state: {"state_dict": state},
        lambda state: {"model": {"state_dict": state}},
        _with_module,
        lambda state: {"model": _with_module(state)},
    ],
    ids=["model", "state_dict", "both", "module.", "model and module."],
)
def test_what_is_around_the_tensors_makes_no_difference(wrap: Callable[[Any], Any]) -> None:
    assert_is_small_irra(tipr_zoo.from_official(wrap(checkpoint()), "irra", SIZE, STRIDE))


@pytest.mark.parametrize("name", ["best.pth", "best.safetensors"])
@pytest.mark.parametrize("as_path", [Path, str])
def test_files(name: str, as_path: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(_with_module(checkpoint()), path)
    else:
        torch.save({"model": checkpoint(), "optimizer": {"param_groups": [{"lr": 1e-5}]}, "epoch": 59}, path)
    assert_is_small_irra(tipr_zoo.from_official(as_path(path), "irra", SIZE, STRIDE))


def test_a_checkpoint_in_half_precision_gives_a_model_in_full_precision() -> None:
    halves = {name: tensor.half() for name, tensor in checkpoint().items()}
    model = tipr_zoo.from_official(halves, "irra", SIZE, STRIDE)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert torch.equal(model.heads.id.classifier.weight, halves["classifier.weight"].float())


# What is left over or missing


@pytest.fixture
def report(caplog: pytest.LogCaptureFixture) -> Callable[..., str]:
    """Reads a small checkpoint and gives what the log says of it."""

    def read(state: dict[str, Any], method: str = "irra", **options: Any) -> str:
        caplog.clear()
        model = tipr_zoo.from_official(state, method, SIZE, STRIDE, **options)
        assert {record.levelno for record in caplog.records} <= {logging.WARNING}
        assert {record.name for record in caplog.records} <= {"tipr_zoo"}
        assert len(caplog.records) <= 1
        if method != "sen":
            assert_is_small_irra(model)
        return "".join(f"{sorted(model.heads)} {record.getMessage()}" for record in caplog.records)

    return read


@pytest.mark.parametrize("method", ["irra", "nam", "ham", "ga_dms"])
def test_a_whole_checkpoint_is_no_news(method: str, report: Callable[..., str]) -> None:
    assert report(checkpoint(), method, training=True) == ""


def test_what_sen_does_not_use_is_told_and_not_in_the_model(report: Callable[..., str]) -> None:
    state = checkpoint("sen", decoder_pos_embed=torch.zeros(1, 9, 64))
    text = report(state, "sen", training=True)
    start, _, listed = text.removesuffix(" (13 tensors)").partition("left over, not needed by sen: ")
    assert start == "['id', 'tir'] the checkpoint: "
    assert set(listed.split(", ")) == UNUSED_BY_SEN | {"decoder_pos_embed"}


@pytest.mark.parametrize(
    "name", ["logit_scale", "base_model.logit_scale", "base_model.ln_final.scale", "classifier.scale", "norm_3.weight"]
)
def test_what_is_unknown_is_told(name: str, report: Callable[..., str]) -> None:
    text = report(checkpoint(**{name: torch.ones(1)}), training=True)
    assert text == f"['id', 'irr'] the checkpoint: left over, unknown to irra: {name}"


@pytest.mark.parametrize(
    ("state", "options", "key", "message"),
    [
        (lambda: checkpoint(without="classifier"), {}, "id", "the checkpoint has no weights of it"),
        (lambda: checkpoint(), {"num_identities": 20}, "id", "the checkpoint has 16 identities, not 20"),
        (lambda: checkpoint(without="classifier.weight"), {}, "id", "the checkpoint lacks classifier.weight"),
        (
            lambda: checkpoint(without="mlm_head.ln"),
            {},
            "irr",
            "the checkpoint lacks mlm_head.ln.weight, mlm_head.ln.bias",
        ),
        (
            lambda: checkpoint(without="mlm_head.fc"),
            {},
            "irr",
            "the checkpoint lacks mlm_head.fc.weight, mlm_head.fc.bias",
        ),
        (
            lambda: checkpoint(**{"ln_post.bias": torch.zeros(9)}),
            {},
            "irr",
            "ln_post.bias has shape (9,), but the other tensors make it (64,)",
        ),
    ],
    ids=["missing", "other identities", "half a classifier", "incomplete", "no words", "misshapen"],
)
def test_a_head_that_does_not_fit_is_left_out_or_refused_for_training(
    state: Callable[[], Any], options: dict[str, Any], key: str, message: str, report: Callable[..., str]
) -> None:
    (other,) = {"id", "irr"} - {key}
    assert report(state(), **options) == f"['{other}'] the checkpoint: model.heads.{key} is left out: {message}"
    with pytest.raises(WeightsError) as raised:
        report(state(), training=True, **options)
    assert f"cannot be trained on as irra, for its head '{key}': {message}" in str(raised.value)


def test_towers_alone_are_enough_to_search_with(report: Callable[..., str]) -> None:
    towers = {name: tensor for name, tensor in checkpoint().items() if name.startswith("base_model.")}
    assert report(towers, "ham").startswith("[] the checkpoint: model.heads.id is left out")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"patch": 14, "stride": 16}, "it needs patches that touch, and those of the checkpoint are 16 pixels apart"),
        ({"stride": 12}, "it needs patches that touch, and those of the checkpoint are 12 pixels apart"),
    ],
)
def test_restoration_is_left_out_where_patches_do_not_touch(
    sizes: dict[str, int], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    sizes = SMALL | sizes
    state = official("sen", sizes)
    model = tipr_zoo.from_official(state, "sen", SIZE, sizes["stride"])
    assert list(model.heads) == ["id"]
    assert f"model.heads.tir is left out: {message}" in caplog.text
    with pytest.raises(WeightsError, match=f"cannot be trained on as sen, for its head 'tir': {message}"):
        tipr_zoo.from_official(state, "sen", SIZE, sizes["stride"], training=True)


# Bad input


def _resnet() -> dict[str, Any]:
    return checkpoint(without="base_model.visual") | {"base_model.visual.layer1.0.conv1.weight": torch.zeros(1)}


WRONG = {
    "another method": (
        lambda: checkpoint("sen"),
        {},
        "is no checkpoint of irra: it looks like one of SEN; name that method",
    ),
    "another method, sen": (
        lambda: checkpoint(),
        {"method": "sen"},
        "it looks like one of IRRA, GA-DMS, HAM, NAM or FMFA",
    ),
    "zoo names": (lambda: {"image_encoder.trunk.pos_embed": torch.zeros(1)}, {}, "it has the zoo's own names already"),
    "a joint projection without dimensions": (
        lambda: checkpoint(**{"base_model.transformer.resblocks.0.attn.in_proj_weight": torch.tensor(1.0)}),
        {},
        "in_proj_weight has shape (), which cannot be cut into query, key and value",
    ),
    "a joint projection of two rows": (
        lambda: checkpoint(**{"base_model.transformer.resblocks.0.attn.in_proj_weight": torch.zeros(2, 64)}),
        {},
        "in_proj_weight has shape (2, 64), which cannot be cut",
    ),
    "a tensor without numbers": (
        lambda: checkpoint(**{"base_model.text_projection": torch.empty(64, 64, device="meta")}),
        {},
        "base_model.text_projection is a sparse or a meta tensor",
    ),
    "a block of a huge number": (
        lambda: checkpoint(**{"base_model.visual.transformer.resblocks.30000000.ln_1.weight": torch.zeros(64)}),
        {},
        "its image tower lacks",
    ),
    "a method that is no name": (lambda: checkpoint(), {"method": ["irra"]}, "unknown method"),
    "plain CLIP": (lambda: {"visual.conv1.weight": torch.zeros(1)}, {}, "it looks like plain CLIP weights"),
    "something else": (lambda: {"fc.weight": torch.zeros(1)}, {}, "names begin with 'base_model.': it holds fc.weight"),
    "empty": (lambda: {}, {}, "it is empty"),
    "ResNet": (_resnet, {}, "is incomplete: its image tower lacks base_model.visual.conv1.weight"),
    "a block is incomplete": (
        lambda: checkpoint(without="base_model.visual.transformer.resblocks.0.attn.in"),
        {},
        "is incomplete: its image tower lacks base_model.visual.transformer.resblocks.0.attn.in_proj_weight, "
        "base_model.visual.transformer.resblocks.0.attn.in_proj_bias",
    ),
    "no text tower": (
        lambda: checkpoint(without="base_model.transformer"),
        {},
        "is incomplete: its text tower lacks base_model.transformer.resblocks.0.attn.in_proj_weight",
    ),
    "no patches": (
        lambda: checkpoint(without="base_model.visual.conv1"),
        {},
        "its image tower lacks base_model.visual.conv1.weight",
    ),
    "another grid": (
        lambda: checkpoint(),
        {"image_size": (128, 32)},
        "has positions for 8 patches, but image_size=(128, 32) and stride=16 give 8 x 2 = 16 patches of 16 pixels;"
        " image_size=(64, 32) would fit",
    ),
    "another stride": (
        lambda: checkpoint(),
        {"stride": 12},
        "give 5 x 2 = 10 patches of 16 pixels; stride=16 or image_size=",
    ),
    "default size": (
        lambda: checkpoint(),
        {"image_size": (384, 128)},
        "image_size=(384, 128) and stride=16 give 24 x 8 = 192",
    ),
    "a picture smaller than a patch": (lambda: checkpoint(), {"image_size": (8, 8)}, "give 0 x 0 = 0 patches"),
    "one side": (lambda: checkpoint(), {"image_size": 64}, "image_size must be the height and width in pixels"),
    "three sides": (
        lambda: checkpoint(),
        {"image_size": (64, 32, 3)},
        "image_size must be the height and width in pixels",
    ),
    "no stride": (
        lambda: checkpoint(),
        {"stride": 0},
        "stride must be a whole number of pixels above 0, or None, got 0",
    ),
    "unknown method": (lambda: checkpoint(), {"method": "ira"}, "unknown method 'ira'; did you mean 'irra'"),
    "no mapping": (lambda: [1, 2], {}, "a checkpoint is a file or a mapping, got list"),
    "no tensors": (lambda: checkpoint(epoch=3), {}, "the checkpoint is no dict of tensors: 'epoch' is of type int"),
    "NumPy arrays": (lambda: {"base_model.x": np.zeros(1)}, {}, "'base_model.x' is of type ndarray"),
    "whole numbers": (
        lambda: checkpoint(**{"base_model.ln_final.bias": torch.zeros(64, dtype=torch.int64)}),
        {},
        "base_model.ln_final.bias is torch.int64; weights are floating-point numbers",
    ),
    "dimensions": (
        lambda: checkpoint(**{"base_model.visual.proj": torch.zeros(64)}),
        {},
        "base_model.visual.proj must have 2 dimensions, got the shape (64,)",
    ),
    "contradiction": (
        lambda: checkpoint(**{"base_model.ln_final.bias": torch.zeros(32)}),
        {},
        "contradicts itself: text_encoder.trunk.text_model.final_layer_norm.bias has shape (32,)",
    ),
    "two spaces": (
        lambda: checkpoint(**{"base_model.text_projection": torch.zeros(64, 128)}),
        {},
        "projects pictures to 64 numbers and captions to 128",
    ),
    "another vocabulary": (
        lambda: checkpoint(**{"base_model.token_embedding.weight": torch.zeros(1000, 64)}),
        {},
        "knows 1000 token ids, CLIP's tokenizer has 49408",
    ),
    "odd patches": (
        lambda: checkpoint(**{"base_model.visual.conv1.weight": torch.zeros(64, 3, 8, 8)}),
        {},
        "has patches of 8 pixels; CLIP's towers have 14, 16, 32",
    ),
    "odd width": (
        lambda: checkpoint(**{"base_model.visual.conv1.weight": torch.zeros(100, 3, 16, 16)}),
        {},
        "the width 100 of its image tower is no multiple of 64",
    ),
    "names twice": (
        lambda: checkpoint(**{"module.classifier.bias": torch.zeros(16)}),
        {},
        "has parameters twice, with and without 'module.'",
    ),
}


@pytest.mark.parametrize(("state", "options", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_checkpoint_is_told_in_one_line(
    state: Callable[[], Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(TiprZooError) as raised:
        tipr_zoo.from_official(state(), **({"method": "irra", "image_size": SIZE, "stride": STRIDE} | options))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    kinds = {"image_size": ConfigError, "stride must": ConfigError, "unknown method": UnknownNameError}
    kind = next((kinds[start] for start in kinds if str(raised.value).startswith(start)), WeightsError)
    assert type(raised.value) is kind


class RunsCode:
    """Unpickling this makes a folder."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.witness),)


@pytest.mark.parametrize("inside", [True, False], ids=["among tensors", "plain pickle"])
def test_a_file_that_would_run_code_does_not(inside: bool, tmp_path: Path) -> None:
    path, witness = tmp_path / "best.pth", tmp_path / "ran"
    if inside:
        torch.save({"model": {"base_model.text_projection": torch.zeros(2, 2)}, "epoch": RunsCode(witness)}, path)
    else:
        path.write_bytes(pickle.dumps(RunsCode(witness), protocol=2))
    with pytest.raises(WeightsError, match=rf"weights {path} cannot be read"):
        tipr_zoo.from_official(path, "irra")
    assert not witness.exists()


@pytest.mark.parametrize("name", ["best.pth", "best.safetensors"])
@pytest.mark.parametrize(
    ("content", "message"),
    [(b"<html>404</html>", "cannot be read"), (slice(-50), "cannot be read"), (None, "do not exist")],
    ids=["a web page", "truncated", "missing"],
)
def test_a_file_that_is_no_checkpoint_is_told(name: str, content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    save = safetensors.torch.save_file if path.suffix == ".safetensors" else torch.save
    save({"base_model.text_projection": torch.zeros(2, 2)}, path)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[content] if isinstance(content, slice) else content)
    with pytest.raises(WeightsError, match=f"weights {path} {message}"):
        tipr_zoo.from_official(path, "irra")


@pytest.mark.parametrize(("saved_as", "named"), [("pth", "safetensors"), ("safetensors", "pth")])
def test_a_file_of_the_other_format_is_told_with_its_right_name(saved_as: str, named: str, tmp_path: Path) -> None:
    path = tmp_path / f"best.{named}"
    save = safetensors.torch.save_file if saved_as == "safetensors" else torch.save
    save({"base_model.text_projection": torch.zeros(2, 2)}, path)
    with pytest.raises(WeightsError, match=f"rename it to end in .{saved_as}$"):
        tipr_zoo.from_official(path, "irra")


def test_settings_beside_a_checkpoint_are_left_out(tmp_path: Path) -> None:
    torch.save({"model": checkpoint(), "args": argparse.Namespace(lr=1e-5)}, tmp_path / "best.pth")
    found, alone = (read_official(source, "irra", SIZE, STRIDE) for source in (tmp_path / "best.pth", checkpoint()))
    assert found.state.keys() == alone.state.keys()


@pytest.mark.parametrize("method", ["sen", "fmfa"])
def test_a_missing_plugin_is_told_with_the_command_that_brings_it(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tipr_zoo.plugins.discovery.installed_plugins", dict)
    with pytest.raises(PluginError, match=f"install it with: pip install tipr-zoo-{method}"):
        tipr_zoo.from_official(checkpoint(), method, SIZE, STRIDE)


# tipr-zoo convert


@pytest.fixture
def convert(tmp_path: Path) -> Callable[..., int]:
    """Runs the command on a small checkpoint; returns its exit code."""

    def run(state: dict[str, Any], method: str, *options: str, output: str = "tiny.safetensors") -> int:
        torch.save({"model": state, "epoch": 59}, tmp_path / "best.pth")
        files = [str(tmp_path / "best.pth"), "-o", str(tmp_path / output)]
        return main(["convert", *files, "--method", method, "--image-size", "64", "32", *options])

    return run


def _complete(card: Path, **changes: str) -> None:
    """Fill in what a person has to."""
    text = card.read_text()
    for field, value in {"license": "mit", "datasets": "[CUHK-PEDES]", "protocol": "none", **changes}.items():
        lines = [line for line in text.splitlines() if line.strip().startswith(f"{field}:")]
        for line in lines:
            text = text.replace(line + "\n", f"{line.partition(':')[0]}: {value}\n")
    card.write_text(text)


def _converted(folder: Path) -> dict[str, bytes]:
    """What lies beside the checkpoint."""
    return {name: content for name, content in contents(folder).items() if name != "best.pth"}


def test_a_full_disk_leaves_weights_card_and_recipe_as_they_were(
    convert: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(checkpoint(), "irra") == 0
    before = _converted(tmp_path)
    torch.save({"model": checkpoint()}, tmp_path / "best.pth")
    words = ["convert", str(tmp_path / "best.pth"), "-o", str(tmp_path / "tiny.safetensors"), "--method", "irra"]
    words += ["--image-size", "64", "32", "--force"]
    with files_of_at_most(len(before["tiny.safetensors"]) - 10):
        assert main(words) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: {tmp_path / 'tiny.safetensors'}: cannot be written: File too large; ")
    assert _converted(tmp_path) == before


@pytest.mark.parametrize("full", ["tiny.md", "tiny.py"])
def test_weights_stay_where_what_lies_beside_them_cannot_be_written(
    full: str, convert: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(checkpoint(), "irra") == 0
    (tmp_path / full).unlink()
    (tmp_path / full).symlink_to("/dev/full")
    before = _converted(tmp_path)
    changed = checkpoint(**{"base_model.ln_final.bias": torch.ones(64)})
    assert convert(changed, "irra", "--force") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == (
        f"error: {tmp_path / full}: cannot be written: No space left on device; make room, or name another place"
    )
    assert _converted(tmp_path) == before


@pytest.mark.parametrize("method", METHODS)
def test_convert_writes_weights_a_card_and_a_recipe(
    method: str, convert: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(checkpoint(method, extra=torch.zeros(1)), method) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    for line in (
        f"weights: {tmp_path / 'tiny.safetensors'} (",
        "image tower: 1 blocks of width 64; 64 x 32 pixels, 4 x 2 patches every 16 pixels",
        "text tower: 1 blocks of width 64; 77 tokens of 49,408 ids",
        "heads: id (16 identities), ",
        f"left over, unknown to {method}: extra",
    ):
        assert line in printed.out
    assert (f"left over, not needed by {method}: " in printed.out) == (method == "sen")
    with pytest.raises(CardError, match="field 'license' is missing"):
        read_card(tmp_path / "tiny.md")
    _complete(tmp_path / "tiny.md")
    card = read_card(tmp_path / "tiny.md")
    assert (card.plugin, card.config) == (None if method == "irra" else method, "tiny.py")
    assert card.weights.size == (tmp_path / "tiny.safetensors").stat().st_size
    assert "Converted from best.pth" in card.weights_note


def test_pretrained_weights_of_others_carry_no_paper_or_licence_of_irra(
    convert: Callable[..., int], tmp_path: Path
) -> None:
    assert convert(checkpoint(without="classifier"), "nam") == 0
    _complete(tmp_path / "tiny.md")
    card = read_card(tmp_path / "tiny.md")
    assert card.paper is card.code is None


@pytest.fixture
def plugin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package of a plugin ``mine`` without models, as pip would install it."""
    site = tmp_path / "site"
    package, info = site / "mine_package", site / "tipr_zoo_mine-1.0.dist-info"
    for folder in (package / "model_cards", package / "configs", info):
        folder.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "components.py").touch()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tipr-zoo-mine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tipr_zoo.plugins]\nmine = mine_package.components\n")
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    forget = (card_index.cache_clear, installed_plugins.cache_clear, importlib.invalidate_caches)
    for call in forget:
        call()
    yield package
    monkeypatch.undo()
    for call in forget:
        call()
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine_package"]:
        del sys.modules[name]


def test_what_was_converted_is_a_model_of_the_zoo(
    convert: Callable[..., int],
    plugin_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert convert(checkpoint(), "irra", output="irra_mine.safetensors") == 0
    assert "use it:" not in capsys.readouterr().out
    _complete(tmp_path / "irra_mine.md", plugin="mine")
    for name, folder in {
        "irra_mine.md": "model_cards",
        "irra_mine.safetensors": "model_cards",
        "irra_mine.py": "configs",
    }.items():
        (tmp_path / name).rename(plugin_folder / folder / name)
    card_index.cache_clear()
    built = tipr_zoo.build("irra_mine", pretrained=True)
    expected = tipr_zoo.from_official(checkpoint(), "irra", SIZE, STRIDE)
    assert torch.equal(embeddings(built), embeddings(expected))
    assert built.state_dict().keys() == expected.state_dict().keys()

    # A checkpoint that fits a model of the zoo is told which.
    monkeypatch.setattr(IRRACheckpoint, "model", "irra_mine")
    assert convert(checkpoint(), "irra", output="again.safetensors") == 0
    weights = tmp_path / "again.safetensors"
    assert f"use it: tipr-zoo eval irra_mine --data DIR --weights {weights}" in capsys.readouterr().out
    assert torch.equal(embeddings(tipr_zoo.build("irra_mine", weights=weights)), embeddings(expected))

    # Heads may be absent, and the classifier may be of other identities: a search needs none of it.
    towers = {name: tensor for name, tensor in checkpoint().items() if name.startswith("base_model.")}
    others = {"classifier.weight": torch.zeros(40, 64), "classifier.bias": torch.zeros(40)}
    for number, state in enumerate((towers, checkpoint(without="classifier"), checkpoint(**others))):
        assert convert(state, "irra", output=f"other{number}.safetensors") == 0
        weights = tmp_path / f"other{number}.safetensors"
        assert f"use it: tipr-zoo eval irra_mine --data DIR --weights {weights}" in capsys.readouterr().out
        assert torch.equal(embeddings(tipr_zoo.build("irra_mine", weights=weights)), embeddings(expected))
    assert convert(official("irra", SMALL | {"text_layers": 2}), "irra", output="deeper.safetensors") == 0
    assert "use it:" not in capsys.readouterr().out


@pytest.mark.parametrize("existing", ["tiny.safetensors", "tiny.md", "tiny.py"])
def test_convert_overwrites_nothing_unasked(
    existing: str, convert: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / existing).write_text("precious")
    assert convert(checkpoint(), "irra") == 2
    error = capsys.readouterr().err
    assert error == f"error: {tmp_path / existing} exists; choose another --output, or overwrite it with --force\n"
    assert {path.name for path in tmp_path.iterdir()} == {"best.pth", existing}
    assert (tmp_path / existing).read_text() == "precious"
    assert convert(checkpoint(), "irra", "--force") == 0
    assert (tmp_path / existing).read_bytes() != b"precious"


@pytest.mark.parametrize("there", [["tiny.py"], ["tiny.py", "tiny.md"]])
def test_convert_goes_on_where_one_was_killed(there: list[str], convert: Callable[..., int], tmp_path: Path) -> None:
    assert convert(checkpoint(), "irra") == 0
    whole = contents(tmp_path)
    for name in whole.keys() - {"best.pth", *there}:
        (tmp_path / name).unlink()
    assert convert(checkpoint(), "irra") == 0
    assert contents(tmp_path) == whole


@pytest.mark.parametrize(
    ("method", "options", "output", "message"),
    [
        ("irra", [], "tiny.pth", "--output must end in .safetensors, got "),
        ("ira", [], "tiny.safetensors", "unknown method 'ira'; did you mean 'irra'"),
        ("sen", [], "tiny.safetensors", "it looks like one of IRRA, GA-DMS, HAM, NAM or FMFA; name that method"),
        ("irra", ["--stride", "12"], "tiny.safetensors", "stride=16 or image_size="),
    ],
)
def test_a_failed_conversion_writes_nothing(
    method: str,
    options: list[str],
    output: str,
    message: str,
    convert: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert convert(checkpoint(), method, *options, output=output) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["best.pth"]


def test_a_checkpoint_is_not_overwritten_by_its_own_conversion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "best.safetensors"
    safetensors.torch.save_file(checkpoint(), path)
    before = path.read_bytes()
    assert main(["convert", str(path), "--method", "irra", "-o", str(path), "--force"]) == 2
    assert "is the checkpoint itself; choose another --output" in capsys.readouterr().err
    assert path.read_bytes() == before


# A training that starts from such a checkpoint, as FMFA's does from NAM's and HAM's

OWN_HEADS = {"fmfa": "heads.irr.", "sen": "heads.tir."}


def new_model(method: str, num_identities: int = 7) -> torch.nn.Module:
    """A model of the checkpoint's sizes but for the identities, with weights of its own."""
    config = read_official(checkpoint(method), method, SIZE, STRIDE).model
    config["heads"]["id"]["num_identities"] = num_identities
    torch.manual_seed(0)
    return build_retriever(config)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    def save(state: dict[str, Any]) -> Path:
        torch.save(state, tmp_path / "best.pth")
        return tmp_path / "best.pth"

    return save


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"model": {"module." + k: v for k, v in s.items()}}])
@pytest.mark.parametrize(("method", "source"), [("fmfa", "irra"), ("fmfa", "fmfa"), ("sen", "sen"), ("sen", "irra")])
def test_towers_and_shared_heads_are_the_checkpoints_and_the_classifier_is_new(
    method: str, source: str, wrap: Callable[[Any], Any], saved: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    model, state = new_model(method), checkpoint(source)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    load_starting_weights(model, saved(wrap(state)))
    after = model.state_dict()
    for name, tensor in state.items():
        if name.startswith(("base_model.", "cross_modal_transformer.")) and (method, source) != ("sen", "irra"):
            assert torch.equal(to_official(name, after, IRRACheckpoint.rules), tensor), name
    kept = [
        name for name in after if torch.equal(after[name], before[name]) and not name.endswith("num_batches_tracked")
    ]
    assert "heads.id.classifier.weight" in kept
    assert any(name.startswith(OWN_HEADS[method]) for name in kept) == (method == "sen" and source == "irra")
    assert "identity classifier is of other identities" in caplog.text


def test_what_stays_random_and_what_is_left_over_is_told(
    saved: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        load_starting_weights(new_model("sen"), saved(checkpoint("irra", temperature=torch.ones(1))))
    line = caplog.messages[-1]
    assert "both towers have the checkpoint's weights; still random: heads.tir; " in line
    assert "left over: " in line
    assert "heads.irr." in line or "temperature" in line


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (checkpoint("irra", without="base_model.transformer.resblocks.0.ln_1"), "its text tower lacks"),
        (checkpoint("irra", without="base_model.visual.proj"), "its image tower lacks base_model.visual.proj"),
        (
            checkpoint("irra", **{"base_model.visual.positional_embedding": torch.zeros(6, 64)}),
            "5 positions are neither those of a square grid of patches nor of the model's 4 x 2",
        ),
    ],
)
def test_towers_that_do_not_fit_are_refused_and_change_nothing(
    state: dict[str, Any], message: str, saved: Callable[..., Path]
) -> None:
    model = new_model("fmfa")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(WeightsError) as raised:
        load_starting_weights(model, saved(state))
    assert message in str(raised.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_what_was_loaded_computes_what_the_checkpoint_computes(saved: Callable[..., Path]) -> None:
    model = new_model("fmfa")
    expected = embeddings(tipr_zoo.from_official(checkpoint("fmfa"), "fmfa", SIZE, STRIDE))
    assert not torch.allclose(embeddings(model.eval()), expected)
    load_starting_weights(model, saved(checkpoint("fmfa")))
    assert torch.equal(embeddings(model.eval()), expected)


HALVES = {
    "half a classifier": ({"without": "classifier.bias"}, "heads.id.classifier.bias is missing"),
    "half a word classifier": ({"without": "mlm_head.fc"}, "heads.irr.mlm_head.fc.weight is missing"),
    "a head of integers": (
        {"ln_post.weight": torch.ones(64, dtype=torch.int32)},
        "heads.irr.ln_post.weight is torch.int32",
    ),
    "a tower of integers": (
        {"base_model.visual.proj": torch.ones(64, 64, dtype=torch.int32)},
        "visual.proj is torch.int32",
    ),
    "a tower of another width": (
        {"base_model.visual.proj": torch.ones(64, 32)},
        "has shape (64, 32)",
    ),
}


@pytest.mark.parametrize(("changes", "message"), HALVES.values(), ids=HALVES)
def test_a_checkpoint_that_does_not_fit_is_refused_for_training(
    changes: dict[str, Any], message: str, saved: Callable[..., Path]
) -> None:
    model = new_model("fmfa", INPUTS.CONFIGS["tiny"]["num_classes"])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(WeightsError) as raised:
        load_starting_weights(model, saved(checkpoint("fmfa", **changes)))
    assert message in str(raised.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_weights_of_the_official_code_are_not_a_models_own_and_the_error_names_convert(
    saved: Callable[..., Path],
) -> None:
    path = saved(checkpoint())
    with pytest.raises(WeightsError, match=rf"convert it first: tipr-zoo convert {path} --method METHOD"):
        tipr_zoo.build("irra_vitb16_cuhk", weights=path)
