"""torch's and timm's optimisers by name: what is told of wrong ones, and that each goes on with the same bits."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError, TiprZooError
from tipr_zoo.training.loop.optim_wrapper import TrainingOptimWrapper
from tipr_zoo.training.loop.optimiser import OF_TIMM, OF_TORCH, UNFIT, build_optimiser
from tipr_zoo.training.train import train
from tipr_zoo.weights.whole_checkpoint import read_checkpoint

TINY = "a_tiny_model"

Splits = tuple[PersonDataset, PersonDataset]

ELSEWHERE = [name for name in OF_TIMM if name.startswith(("bnb", "fused"))]
"""Those that another package has."""

COMPILED = [name for name in OF_TIMM if name.startswith("kron")]
"""Those that compile what they compute, which takes many seconds."""

USABLE = [name for name in (*OF_TORCH, *OF_TIMM) if name not in (*UNFIT, *ELSEWHERE, *COMPILED)]


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name == "Muon":  # torch's, which takes matrices alone
        return nn.Sequential(nn.Linear(16, 8, bias=False), nn.GELU(), nn.Linear(8, 4, bias=False))
    layers = (nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(16, 8), nn.LayerNorm(8), nn.Linear(8, 4))
    return nn.Sequential(nn.Unflatten(1, (1, 4)), *layers)


def wrapper_of(model: nn.Module, name: str) -> TrainingOptimWrapper:
    return TrainingOptimWrapper(build_optimiser(model, {"type": name, "lr": 1e-2}, {"bias": 2.0}))


def steps(model: nn.Module, wrapper: TrainingOptimWrapper, first: int, last: int) -> None:
    wrapper.start_epoch(0, 100)
    for step in range(first, last):
        for group in wrapper.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * (1 - step / 20)
        pictures = torch.randn(5, 16, generator=torch.Generator().manual_seed(step))
        wrapper.update_params(
            model(pictures if isinstance(model[0], nn.Linear) else pictures.view(5, 4, 4)).square().mean()
        )


@pytest.mark.parametrize("name", USABLE)
def test_an_optimiser_goes_on_from_a_checkpoint_with_the_same_bits(name: str, tmp_path: Path) -> None:
    straight, stopped, resumed = network(name), network(name), network(name)
    steps(straight, wrapper_of(straight, name), 0, 8)
    wrapper = wrapper_of(stopped, name)
    steps(stopped, wrapper, 0, 3)
    torch.save({"state_dict": stopped.state_dict(), "optimizer": wrapper.state_dict()}, tmp_path / "epoch_1.pth")
    kept = read_checkpoint(tmp_path / "epoch_1.pth")  # which takes tensors and plain values alone
    resumed.load_state_dict(kept["state_dict"])
    wrapper = wrapper_of(resumed, name)
    wrapper.load_state_dict(kept["optimizer"])
    steps(resumed, wrapper, 3, 8)
    for one, other, start in zip(straight.parameters(), resumed.parameters(), network(name).parameters(), strict=True):
        assert torch.equal(one, other)
        assert not torch.equal(one, start)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kron"])
def test_one_that_draws_goes_on_with_the_same_draws(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch._inductor")
    test_an_optimiser_goes_on_from_a_checkpoint_with_the_same_bits(name, tmp_path)


def test_a_usual_one_is_computed_as_torch_does() -> None:
    ours, theirs = network("NAdam"), network("NAdam")
    wrapper = TrainingOptimWrapper(build_optimiser(ours, {"type": "NAdam", "lr": 1e-2, "weight_decay": 0.1}, {}))
    optimiser = torch.optim.NAdam(theirs.parameters(), lr=1e-2, weight_decay=0.1)
    wrapper.start_epoch(0, 100)
    for step in range(4):
        pictures = torch.randn(5, 4, 4, generator=torch.Generator().manual_seed(step))
        wrapper.update_params(ours(pictures).square().mean())
        optimiser.zero_grad()
        theirs(pictures).square().mean().backward()
        optimiser.step()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"type": "Lionn"}, "unknown optimiser 'Lionn'; did you mean 'lion'"),
        ({"type": "adam_w"}, "did you mean 'adamw'"),
        ({"type": 5}, "unknown optimiser '5'"),
        ({"type": None}, "unknown optimiser 'None'"),
        ({"type": "LBFGS"}, "'LBFGS' cannot be used: it computes the losses several times a step"),
        ({"type": "SparseAdam"}, "'SparseAdam' cannot be used: it takes sparse gradients"),
        ({"type": "adahessian"}, "'adahessian' cannot be used: it needs gradients of gradients"),
        ({"type": "Muon"}, "Muon: Muon only supports 2D parameters"),
        (
            {"type": "lamb", "trust_clap": True},
            "unknown argument of the optimiser lamb (training.optimizer) 'trust_clap'",
        ),
        ({"type": "NAdam", "params": []}, "unknown argument of the optimiser NAdam (training.optimizer) 'params'"),
        ({"type": "SGD", "momentum": "high"}, "training.optimizer.momentum must be like 0 for SGD, got 'high'"),
        ({"type": "SGD", "momentum": float("nan")}, "training.optimizer.momentum must be like 0 for SGD, got nan"),
        ({"type": "SGD", "nesterov": 1}, "training.optimizer.nesterov must be like False for SGD, got 1"),
        ({"type": "SGD", "nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
        ({"type": "AdamW", "betas": (0.9, 0.99, 0.9)}, "training.optimizer.betas must be like (0.9, 0.999) for AdamW"),
        ({"type": "adan", "betas": (0.9, 0.99)}, "for adan, got (0.9, 0.99)"),
        ({"type": "AdamW", "foreach": True, "fused": True}, "`fused` and `foreach` cannot be `True` together"),
        ({"type": "AdamW", "fused": "yes"}, "training.optimizer.fused must be True or False or None, got 'yes'"),
        ({"type": "mars", "mars_type": 5}, "training.optimizer.mars_type must be like 'adamw' for mars, got 5"),
        ({"type": "adafactor", "clip_threshold": "x"}, "training.optimizer.clip_threshold must be like 1.0"),
    ],
    ids=lambda value: f"{value}" if isinstance(value, dict) else "",
)
def test_a_wrong_optimiser_is_told_in_one_line(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, entry: dict[str, Any], told: str
) -> None:
    with pytest.raises(TiprZooError) as raised:
        train(TINY, *splits, tmp_path, overrides={"training.optimizer": {"lr": 1e-3, **entry}})
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.rglob("*.pth"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="these packages may be installed where there is a GPU")
@pytest.mark.parametrize("name", ELSEWHERE)
def test_one_of_another_package_is_told(name: str) -> None:
    package = "bitsandbytes" if name.startswith("bnb") else "apex"
    with pytest.raises(ConfigError, match=rf"training\.optimizer\.type '{name}' needs {package} and a GPU"):
        build_optimiser(network(name), {"type": name, "lr": 1e-3}, {})


@pytest.mark.parametrize(
    ("before", "now", "refused"),
    [
        (
            {"type": "RMSprop"},
            {"type": "RMSprop", "momentum": 0.9},
            "momentum is left out, with which one whose is 0.9",
        ),
        ({"type": "RMSprop", "centered": False}, {"type": "RMSprop", "centered": True}, "centered is False"),
        ({"type": "lamb"}, {"type": "lion"}, "type is 'lamb', with which one whose is 'lion' cannot"),
        ({"type": "RMSprop", "momentum": 0.9}, {"type": "RMSprop", "momentum": 0.8}, None),
        ({"type": "RMSprop"}, {"type": "RMSprop", "eps": 1e-6, "centered": False}, None),
    ],
)
def test_what_changes_an_optimisers_state_cannot_change(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, before: Any, now: Any, refused: str | None
) -> None:
    entries = [{"training.optimizer": {"lr": 1e-4, **entry}} for entry in (before, now)]
    train(TINY, *splits, tmp_path, overrides=entries[0], max_minutes=0)
    if refused is None:
        train(TINY, *splits, tmp_path, resume=True, overrides=entries[1])
        return
    with pytest.raises(ConfigError) as raised:
        train(TINY, *splits, tmp_path, resume=True, overrides=entries[1])
    assert f"training.optimizer.{refused}" in str(raised.value)


@pytest.mark.parametrize("name", ["lion", "lamb", "Adafactor"])
@pytest.mark.parametrize("more", [{}, {"training.precision": "float16", "training.accumulate_steps": 2}])
def test_a_training_with_another_optimiser_is_resumed_with_the_same_bits(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, name: str, more: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    overrides = {"training.optimizer": {"type": name, "lr": 1e-3}, **more}
    straight = train(TINY, *splits, tmp_path / "straight", overrides=overrides)
    train(TINY, *splits, tmp_path / "run", overrides=overrides, max_minutes=0)
    resumed = train(TINY, *splits, tmp_path / "run", overrides=overrides, resume=True)
    one, other = (
        torch.load(folder / "epoch_2.pth", weights_only=True) for folder in (tmp_path / "straight", tmp_path / "run")
    )
    assert all(torch.equal(value, other["state_dict"][key]) for key, value in one["state_dict"].items())
    assert resumed.weights.read_bytes() == straight.weights.read_bytes()
