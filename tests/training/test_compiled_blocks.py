"""Blocks that are compiled, or run again in the backward pass: the training is the same."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import tipr_zoo
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError, TiprZooError
from tipr_zoo.machine import linear_products
from tipr_zoo.training.loop.compiled_blocks import compiler_failure
from tipr_zoo.training.loop.tower_blocks import checkpoint_gradients
from tipr_zoo.training.train import train

TINY = "a_tiny_model"

Splits = tuple[PersonDataset, PersonDataset]

FAST = {"training.compile": {"backend": "aot_eager"}, "training.trim_padding": False}
"""It goes through all that compiling does but the making of code, which takes long."""


@pytest.fixture
def usual_products() -> Iterator[None]:
    """PyTorch's own way of linear products: checkpointed blocks take no other."""
    before = linear_products.way()
    linear_products.take("torch")
    yield
    linear_products.take(None)
    assert linear_products.way() == before


def history(work_dir: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (work_dir / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def losses(work_dir: Path) -> list[float]:
    return [row["loss"] for row in history(work_dir) if "loss" in row]


# Gradient checkpointing


def gradients(model: nn.Module, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    model.zero_grad()
    torch.manual_seed(3)
    sum(model.loss(batch).values(), torch.zeros(())).backward()
    return {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}


IMAGE_TOWERS: dict[str, dict[str, Any]] = {
    "VisionTransformerEncoder": {},
    "ModifiedResNetEncoder": {
        "model_name": "resnet50_clip", "width": 8, "depths": (1, 1, 1, 1), "embedding_size": 64, "image_size": (64, 32),
    },
    "TimmEncoder": {"model_name": "convnext_atto", "embedding_size": 64, "image_size": (64, 32)},
}  # fmt: skip


@pytest.mark.parametrize("patches", [True, False], ids=["patches", "class token"])
@pytest.mark.parametrize("image_tower", IMAGE_TOWERS)
@pytest.mark.parametrize("text_tower", ["CLIPTextEncoder", "BertTextEncoder"])
def test_gradients_and_statistics_are_the_same_bits(
    tiny_zoo: Path, usual_products: None, image_tower: str, text_tower: str, patches: bool
) -> None:
    if image_tower == "TimmEncoder" and patches:
        pytest.skip("it has no patches")
    overrides: dict[str, Any] = {"model.heads.id.num_identities": 6}
    if IMAGE_TOWERS[image_tower]:
        overrides["model.image_encoder"] = {"type": image_tower, **IMAGE_TOWERS[image_tower]}
    if not patches:
        overrides["model.heads.irr"] = None
    model = tipr_zoo.build(TINY, overrides=overrides).train()
    if text_tower == "BertTextEncoder":
        from tipr_zoo.backbones import BertTextEncoder

        size = model.tokenize.vocabulary_size
        model.text_encoder = BertTextEncoder(
            64, vocabulary_size=size, width=32, depth=2, num_heads=2, dropout=0.3
        ).train()
    ids = model.tokenize(["A man in a red coat.", "A woman with a bag.", "A man.", "A woman in a dress."])
    batch = {"images": torch.randn(4, 3, *model.image_size), "caption_ids": ids, "pids": torch.tensor([0, 1, 2, 2])}
    batch |= {"mlm_ids": ids, "mlm_labels": torch.where(torch.arange(ids.shape[1]) == 2, ids, 0)}
    again = copy.deepcopy(model)
    checkpoint_gradients(again, True)
    expected, found = gradients(model, batch), gradients(again, batch)
    assert expected.keys() == found.keys()
    assert [name for name, value in expected.items() if not torch.equal(value, found[name])] == []
    for (name, one), other in zip(model.named_buffers(), again.buffers(), strict=True):
        assert torch.equal(one, other), name


def test_blocks_run_again_in_the_backward_pass_and_keep_less(tiny_zoo: Path) -> None:
    overrides = {"model.image_encoder.depth": 4, "model.text_encoder.depth": 4, "model.heads.id.num_identities": 6}
    for checkpointed in (False, True):
        model = tipr_zoo.build(TINY, overrides=overrides).train()
        checkpoint_gradients(model, checkpointed)
        calls: list[str] = []
        for tower in (model.image_encoder, model.text_encoder):
            tower.blocks[1].mlp.register_forward_pre_hook(lambda *_, calls=calls: calls.append(""))
        kept: list[int] = []

        def keep(tensor: torch.Tensor, kept: list[int] = kept) -> torch.Tensor:
            kept.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            tokens = model.image_encoder(torch.randn(2, 3, *model.image_size))
            words = model.text_encoder(model.tokenize(["A man.", "A woman."]))
        (tokens.mean() + words.mean()).backward()
        assert len(calls) == (4 if checkpointed else 2)
        if not checkpointed:
            before = sum(kept)
    assert sum(kept) < before / 2
    calls.clear()
    with torch.no_grad():
        model.image_encoder(torch.randn(2, 3, *model.image_size))
    model.eval()
    model.image_encoder(torch.randn(2, 3, *model.image_size)).mean().backward()
    assert len(calls) == 2


def test_a_tower_that_has_no_checkpointing_is_told(tiny_zoo: Path) -> None:
    model = tipr_zoo.build(TINY)
    model.text_encoder = nn.Linear(2, 2)
    with pytest.raises(ConfigError, match=r"needs set_gradient_checkpointing of the towers, which Linear \(text_enc"):
        checkpoint_gradients(model, True)
    tower = {"type": "TimmEncoder", "model_name": "resnet18", "embedding_size": 64, "image_size": (64, 32)}
    model = tipr_zoo.build(TINY, overrides={"model.image_encoder": tower, "model.heads.irr": None})
    with pytest.raises(
        ConfigError, match=r"timm's ResNet has batch normalisations \(bn1\), which would learn from each"
    ):
        checkpoint_gradients(model, True)


@pytest.mark.parametrize("more", [{}, {"training.precision": "float16", "training.accumulate_steps": 2}])
def test_a_checkpointed_training_ends_with_the_bits_of_a_usual_one(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    monkeypatch.setattr(linear_products, "_chosen", lambda: "torch")
    usual = train(TINY, *splits, tmp_path / "usual", overrides=more)
    again = train(TINY, *splits, tmp_path / "again", overrides={**more, "training.gradient_checkpointing": True})
    one, other = (tipr_zoo.build(TINY, weights=result.weights).state_dict() for result in (usual, again))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert history(tmp_path / "usual") == history(tmp_path / "again")


# Compiling


def test_a_compiled_training_is_the_usual_one_and_its_parameters_keep_their_names(
    tiny_zoo: Path, splits: Splits, tmp_path: Path
) -> None:
    start = tiny_zoo / "tiny.safetensors"
    train(TINY, *splits, tmp_path / "usual", weights=start, overrides={"training.trim_padding": False})
    train(TINY, *splits, tmp_path / "compiled", weights=start, overrides=FAST)
    one, other = (torch.load(tmp_path / name / "epoch_2.pth", weights_only=True) for name in ("usual", "compiled"))
    assert one["state_dict"].keys() == other["state_dict"].keys()
    assert losses(tmp_path / "compiled") == pytest.approx(losses(tmp_path / "usual"), rel=1e-3)


def test_blocks_are_compiled_in_training_alone(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tipr_zoo.training.loop import validation_loop

    inside: list[int] = []
    evaluate = validation_loop.evaluate

    def noted(*arguments: Any, **options: Any) -> Any:
        before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
        found = evaluate(*arguments, **options)
        inside.append(torch._dynamo.utils.counters["stats"]["unique_graphs"] - before)
        return found

    monkeypatch.setattr(validation_loop, "evaluate", noted)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    train(TINY, *splits, tmp_path, overrides={**FAST, "model.image_encoder.depth": 2})  # its last is no call there
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 2
    assert inside == [0, 0]
    assert not torch._dynamo.utils.counters["graph_break"]


@pytest.mark.parametrize(
    "more",
    [
        {"training.ema": {"decay": 0.9}},
        {"training.gradient_checkpointing": True, "training.accumulate_steps": 2},
        {"training.trim_padding": True},
        {"training.adapters": {"r": 2, "targets": ["attn.qkv", "q_proj"]}},
    ],
    ids=lambda more: next(iter(more)),
)
def test_a_compiled_training_is_resumed_with_the_same_bits(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, more: dict[str, Any]
) -> None:
    if "training.adapters" in more:
        pytest.importorskip("peft")
    overrides = {**FAST, **more}
    straight = train(TINY, *splits, tmp_path / "straight", overrides=overrides)
    train(TINY, *splits, tmp_path / "run", overrides=overrides, max_minutes=0)
    torch._dynamo.reset()
    resumed = train(TINY, *splits, tmp_path / "run", overrides=overrides, resume=True)
    assert resumed.weights.read_bytes() == straight.weights.read_bytes()


def test_captions_of_many_lengths_are_not_compiled_and_that_is_told(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(TINY, *splits, tmp_path, overrides={**FAST, "training.trim_padding": True}, max_minutes=0)
    assert "training.compile: only the image tower is compiled, since training.trim_padding gives" in caplog.text


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="the usual compiler needs one of C++")
def test_code_of_the_usual_compiler_gives_the_same_losses(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    start = tiny_zoo / "tiny.safetensors"
    overrides: dict[str, Any] = {"training.trim_padding": False}
    train(TINY, *splits, tmp_path / "usual", weights=start, overrides=overrides)
    train(TINY, *splits, tmp_path / "compiled", weights=start, overrides={**overrides, "training.compile": True})
    assert losses(tmp_path / "compiled") == pytest.approx(losses(tmp_path / "usual"), rel=1e-3)


@pytest.mark.slow
def test_where_there_is_no_compiler_one_line_says_so(tiny_zoo: Path, synthpedes: Path, tmp_path: Path) -> None:
    words = ["-m", "tipr_zoo", "train", TINY, "--data", str(synthpedes), "--work-dir", str(tmp_path / "run")]
    words += ["--device", "cpu", "--cfg-options", "training.compile=True"]
    site = os.pathsep.join([str(tiny_zoo.parents[1]), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": site, "CXX": str(tmp_path / "no_compiler"), "PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=env, timeout=200)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "training.compile is not possible here: InvalidCxxCompiler: No working C++ compiler found" in last
    assert "install a compiler (such as g++), or leave out training.compile" in last
    assert not list(tmp_path.rglob("*.pth"))


def test_a_block_that_cannot_be_compiled_in_a_step_is_told() -> None:
    from torch._dynamo.exc import BackendCompilerFailed

    error = BackendCompilerFailed(lambda: None, RuntimeError("no such instruction"), None)
    assert "a block of the model cannot be compiled" in str(compiler_failure(error))
    assert compiler_failure(RuntimeError("something else")) is None


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (5, "training.compile must be True, False or a dict of what torch.compile takes, got 5"),
        ("yes", "training.compile must be True, False or a dict of what torch.compile takes, got 'yes'"),
        ([True], "training.compile must be True, False or a dict of what torch.compile takes, got [True]"),
        ({"backend": "inducter"}, "unknown backend (training.compile) 'inducter'; did you mean 'inductor'"),
        ({"backend": 5}, "training.compile.backend must be a name, got 5"),
        ({"mode": "max-autotunes"}, "unknown mode (training.compile) 'max-autotunes'; did you mean 'max-autotune'"),
        ({"fullgraph": "x"}, "training.compile.fullgraph must be True or False, got 'x'"),
        ({"fulgraph": True}, "unknown entry of training.compile 'fulgraph'; did you mean 'fullgraph'"),
        ({"dynamic": True}, "unknown entry of training.compile 'dynamic'"),
        ({"options": {"no_such": 1}}, "training.compile: Unexpected optimization option no_such"),
        ({"mode": "default", "options": {"max_autotune": True}}, "training.compile: Either mode or options can be"),
        ({"options": 5}, "training.compile.options must be a dict, got 5"),
    ],
    ids=lambda value: f"{value}"[:20],
)
def test_an_entry_that_makes_no_sense_is_told(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, value: Any, told: str
) -> None:
    with pytest.raises(TiprZooError) as raised:
        train(TINY, *splits, tmp_path, overrides={"training.compile": value})
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.rglob("*.pth"))


@pytest.mark.parametrize("value", [1, "x", None])
def test_a_switch_of_checkpointing_that_is_none_is_told(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, value: Any
) -> None:
    with pytest.raises(ConfigError, match=r"training\.gradient_checkpointing must be True or False"):
        train(TINY, *splits, tmp_path, overrides={"training.gradient_checkpointing": value})
