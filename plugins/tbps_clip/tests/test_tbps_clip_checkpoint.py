"""Checkpoints as TBPS-CLIP's authors publish them become models of the zoo, whatever is pickled beside the tensors."""

from __future__ import annotations

import runpy
import sys
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

import tipr_zoo
from tipr_zoo.command_line import main
from tipr_zoo.errors import TiprZooError, WeightsError
from tipr_zoo.models.official_checkpoint import read_official
from tipr_zoo.models.starting_weights import load_starting_weights
from tipr_zoo.weights.tensors import read_weights

PARITY = Path(__file__).parents[3] / "tests" / "parity" / "files" / "parity_inputs.py"
INPUTS = SimpleNamespace(**runpy.run_path(str(PARITY)))
SIZES = INPUTS.CONFIGS["tiny_square"] | dict.fromkeys(("embed_dim", "vision_width", "text_width"), 64)
SIZES |= {"vision_layers": 1, "text_layers": 1}
SIZE = SIZES["image_size"]


@cache
def _state() -> dict[str, Tensor]:
    weights = INPUTS.state_dict(INPUTS.model_shapes("tbps_clip", SIZES), 0)
    return {name: torch.as_tensor(weight) for name, weight in weights.items()}


def state(simplified: bool = False, **changes: Any) -> dict[str, Any]:
    """A small official checkpoint."""
    return {name: value for name, value in _state().items() if not (simplified and name.startswith("simclr"))} | changes


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file as it is published, with an easydict, whose package is not there."""
    module = ModuleType("easydict")
    kind = type("EasyDict", (dict,), {"__module__": "easydict"})
    module.EasyDict = kind  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "easydict", module)
        config = kind({"model": kind({"use_gather": True}), "experiment": kind({"ss": True})})
        file = tmp_path / "checkpoint_best.pth"
        torch.save({"model": state(), "optimizer": {"state": {}, "param_groups": []}, "config": config}, file)
    monkeypatch.setitem(sys.modules, "easydict", None)
    return file


def test_a_published_file_becomes_a_model_with_every_tensor(published: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = tipr_zoo.from_official(published, "tbps_clip", SIZE)
    assert type(model).__name__ == "LearnedScaleDualEncoder"
    assert list(model.objectives) == ["citc", "nitc", "ritc", "ss"]
    assert not caplog.messages  # nothing is left over
    assert torch.equal(model.logit_scale, state()["logit_scale"])
    assert torch.equal(model.heads["ss"].mlp[2].weight, state()["simclr_mlp.2.weight"])
    assert model.text_encoder.dropout == 0.05  # of the method's recipe
    assert model.normalisation.mean == (0.485, 0.456, 0.406)
    assert torch.equal(model.tokenize("A man!!! (in red)"), model.tokenize("a man in red"))


def test_its_pictures_are_224_pixels_high_and_wide_where_nothing_is_said() -> None:
    sizes = SIZES | {"image_size": (224, 224)}
    weights = INPUTS.state_dict(INPUTS.model_shapes("tbps_clip", sizes), 0)
    model = tipr_zoo.from_official({name: torch.as_tensor(each) for name, each in weights.items()}, method="tbps_clip")
    assert model.image_size == (224, 224)


@pytest.mark.parametrize(
    ("method", "simplified", "objectives", "told"),
    [
        (
            "tbps_clip",
            True,
            ["citc", "nitc", "ritc"],
            "model.heads.ss is left out: the checkpoint has no weights of it",
        ),
        ("tbps_clip_simplified", True, ["nitc", "ritc"], ""),
    ],
)
def test_a_simplified_one_has_no_projector(
    method: str, simplified: bool, objectives: list[str], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = tipr_zoo.from_official(state(simplified), method, SIZE)
    assert list(model.objectives) == objectives
    assert [message.endswith(told) for message in caplog.messages] == [True] * bool(told)


def test_a_full_one_is_none_of_the_simplified_method() -> None:
    with pytest.raises(
        WeightsError, match=r"is no checkpoint of tbps_clip_simplified: it looks like one of TBPS-CLIP;"
    ):
        tipr_zoo.from_official(state(), "tbps_clip_simplified", SIZE)


def test_the_commands_know_it(published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(published)]) == 0
    shown = capsys.readouterr().out
    assert "a checkpoint of the official code of TBPS-CLIP" in shown
    assert f"tipr-zoo convert {published} --method tbps_clip -o" in shown
    output = tmp_path / "mine.safetensors"
    words = ["convert", str(published), "--method", "tbps_clip", "--image-size", *map(str, SIZE), "-o", str(output)]
    assert main(words) == 0
    model = tipr_zoo.from_official(published, "tbps_clip", SIZE)
    assert read_weights(output).keys() == model.state_dict().keys()


def test_a_simplified_one_is_told_as_what_it_may_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"model": state(simplified=True)}, tmp_path / "simple.pth")
    assert main(["info", str(tmp_path / "simple.pth")]) == 0
    printed = " ".join(capsys.readouterr().out.split())  # whatever the width
    assert "TBPS-CLIP or TBPS-CLIP (simplified)" in printed, printed


def test_a_training_starts_from_it(published: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = tipr_zoo.from_official(state(), "tbps_clip", SIZE)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    load_starting_weights(model, published)
    found, expected = model.state_dict(), tipr_zoo.from_official(state(), "tbps_clip", SIZE).state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert "both towers have the checkpoint's weights" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"visual.proj": None}, r"is incomplete: its image tower lacks visual\.proj$"),
        ({"encode_text.ln_final.bias": None}, r"is incomplete: its text tower lacks encode_text\.ln_final\.bias$"),
        ({"logit_scale": None}, r"is incomplete: no tensor of it becomes logit_scale of tbps_clip's model"),
        ({"logit_scale": torch.tensor(torch.nan)}, r"logit_scale has 1 of 1 numbers that are not finite"),
        ({"logit_scale": torch.ones(3)}, r"contradicts itself: logit_scale has shape \(3,\)"),
        ({"visual.conv1.weight": torch.ones(64, 3)}, r"visual\.conv1\.weight must have 4 dimensions"),
        ({"encode_text.positional_embedding": torch.ones(7, 64, 1)}, r"encode_text\.positional_embedding must have 2"),
        ({"visual.transformer.resblocks.0.attn.in_proj_weight": torch.ones(64, 64)}, r"cannot be cut into query, key"),
        ({"visual.ln_post.weight": torch.ones(64, dtype=torch.int64)}, r"is torch\.int64; weights are floating-point"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_damaged_one_is_told_by_the_names_in_it(changes: dict[str, Any], message: str) -> None:
    damaged = {name: tensor for name, tensor in state(**changes).items() if tensor is not None}
    with pytest.raises(WeightsError, match=message) as raised:
        tipr_zoo.from_official(damaged, "tbps_clip", SIZE)
    assert "base_model" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_unknown_in_it_is_told_by_its_name() -> None:
    official = read_official(
        state(**{"visual.extra": torch.ones(2), "mlm_head.weight": torch.ones(2)}), "tbps_clip", SIZE
    )
    assert official.unknown == ("visual.extra", "mlm_head.weight")


def test_pictures_of_another_size_are_told() -> None:
    with pytest.raises(WeightsError, match=r"has positions for 9 patches, but image_size=\(224, 224\) and stride=16"):
        tipr_zoo.from_official(state(), "tbps_clip")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "it is empty"),
        (
            {"a": torch.ones(2)},
            "it has no tower behind 'encode_text.', and no names begin with 'base_model.': it holds a",
        ),
        (
            {name.removeprefix("encode_text."): tensor for name, tensor in _state().items() if "simclr" not in name},
            "it looks like plain CLIP weights",
        ),
        (5, "a checkpoint is a file or a mapping, got int"),
    ],
    ids=["nothing", "something", "CLIP", "a number"],
)
def test_what_is_none_is_told(content: Any, message: str) -> None:
    with pytest.raises(TiprZooError) as raised:
        tipr_zoo.from_official(content, "tbps_clip", SIZE)
    assert message in str(raised.value)


def test_a_damaged_file_is_told(published: Path) -> None:
    content = published.read_bytes()
    published.write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match=r"checkpoint_best\.pth cannot be read .*it is damaged"):
        tipr_zoo.from_official(published, "tbps_clip", SIZE)


def test_one_of_another_method_is_told() -> None:
    sizes = INPUTS.CONFIGS["tiny"] | dict.fromkeys(("embed_dim", "vision_width", "text_width"), 64)
    weights = INPUTS.state_dict(INPUTS.model_shapes("irra", sizes | {"vision_layers": 1, "text_layers": 1}), 0)
    irra = {name: torch.from_numpy(weight) for name, weight in weights.items()}
    with pytest.raises(WeightsError, match="is no checkpoint of tbps_clip: it looks like one of IRRA"):
        tipr_zoo.from_official(irra, "tbps_clip", sizes["image_size"])
