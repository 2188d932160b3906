"""Linear products in the faster way: equal results, every layer still called, and one setting that switches it off."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tipr_zoo.errors import UnknownNameError
from tipr_zoo.machine import linear_products
from tipr_zoo.machine.linear_products import LEAST_PRODUCT, take, way

needs_onednn = pytest.mark.skipif(
    not linear_products._has_onednn(), reason="this PyTorch has no products of oneDNN, so there is no other way"
)
CPU = torch.device("cpu")


@pytest.fixture(params=[pytest.param("onednn", marks=needs_onednn)])
def taken(request: pytest.FixtureRequest) -> Iterator[str]:
    take(request.param)
    yield request.param
    take(None)


class Counted(nn.Linear):
    """A layer that is no plain ``nn.Linear``, and counts its calls."""

    calls = 0

    def forward(self, input: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(input)


def products(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Note the shapes of what oneDNN multiplies."""
    seen: list[tuple[int, ...]] = []
    product = linear_products._onednn

    def noted(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        seen.append((*inputs.shape, *weight.shape))
        return product(inputs, weight, bias)

    monkeypatch.setattr(linear_products, "_onednn", noted)
    return seen


def gradients(layer: nn.Module, inputs: Tensor, context: bool) -> tuple[Tensor, ...]:
    inputs = inputs.detach().requires_grad_()
    if context:
        with linear_products.linear_products(CPU):
            output = layer(inputs)
    else:
        output = layer(inputs)
    output.square().mean().backward()
    found = (output.detach(), inputs.grad, *(parameter.grad.clone() for parameter in layer.parameters()))
    layer.zero_grad()
    return found


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(512, 96), (4, 128, 96), (2, 3, 100, 96)])
def test_results_and_gradients_are_equal(
    taken: str, shape: tuple[int, ...], bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    layer, inputs = nn.Linear(96, 64, bias=bias), torch.randn(shape)
    expected = gradients(layer, inputs, context=False)
    seen = products(monkeypatch)
    for found, value in zip(gradients(layer, inputs, context=True), expected, strict=True):
        assert (found - value).abs().max() <= 1e-5 * value.abs().max()
    assert len(seen) == 3  # forward, and the gradients of inputs and weight


def test_inputs_that_are_not_contiguous(taken: str) -> None:
    torch.manual_seed(0)
    layer, inputs = nn.Linear(96, 64), torch.randn(96, 512).t()
    with linear_products.linear_products(CPU):
        assert torch.allclose(layer(inputs), F.linear(inputs, layer.weight, layer.bias), atol=1e-5)


def test_layers_are_called_with_their_hooks_and_adapters(taken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = products(monkeypatch)
    layer, called = Counted(128, 128), []
    layer.register_forward_hook(lambda module, inputs, output: called.append("hook") or output + 1)
    with torch.no_grad(), linear_products.linear_products(CPU):
        output = layer(torch.zeros(256, 128))
    assert (layer.calls, called, len(seen)) == (1, ["hook"], 1)
    assert torch.equal(output, (layer.bias + 1).expand(256, 128))


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: layer.double(),
        lambda layer: layer.bfloat16(),
        lambda layer: torch.ao.quantization.quantize_dynamic(nn.Sequential(layer)),
        lambda layer: torch.func.vmap(layer),
    ],
    ids=["double", "bfloat16", "int8", "vmap"],
)
def test_anything_else_is_left_to_pytorch(taken: str, change, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    seen = products(monkeypatch)
    layer = change(nn.Linear(128, 128))
    dtype = next((p.dtype for p in getattr(layer, "parameters", lambda: [])()), torch.float32)
    with torch.no_grad(), linear_products.linear_products(CPU):
        layer(torch.zeros(2, 256, 128, dtype=dtype))
    assert seen == []


def test_small_products_and_those_under_autocast_are_left_to_pytorch(
    taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = products(monkeypatch)
    layer = nn.Linear(128, 128)
    with torch.no_grad(), linear_products.linear_products(CPU):
        layer(torch.zeros(LEAST_PRODUCT // 128**2 - 1, 128))
        with torch.autocast("cpu", torch.bfloat16):
            assert layer(torch.zeros(256, 128)).dtype == torch.bfloat16
        assert seen == []
        layer(torch.zeros(LEAST_PRODUCT // 128**2, 128))
    assert len(seen) == 1


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_activation_checkpointing_gives_the_same_gradients(taken: str, use_reentrant: bool) -> None:
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(128, 128), nn.GELU(), nn.Linear(128, 128))
    inputs = torch.randn(256, 128)
    expected = gradients(layer, inputs, context=False)
    checkpointed = copy.deepcopy(layer)
    inner = checkpointed.forward
    checkpointed.forward = lambda inputs: checkpoint(inner, inputs, use_reentrant=use_reentrant)  # type: ignore[method-assign]
    for found, value in zip(gradients(checkpointed, inputs, context=True), expected, strict=True):
        assert (found - value).abs().max() <= 1e-5 * value.abs().max()


def test_gradients_of_gradients(taken: str) -> None:
    torch.manual_seed(0)
    layer, inputs = nn.Linear(128, 128), torch.randn(256, 128, requires_grad=True)
    found = []
    for device in (CPU, torch.device("meta")):  # what is not on a processor is left to PyTorch
        with linear_products.linear_products(device):
            output = layer(inputs).pow(3).sum()
        (first,) = torch.autograd.grad(output, inputs, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), layer.weight)[0])
    assert (found[0] - found[1]).abs().max() <= 1e-5 * found[1].abs().max()


def test_the_setting_switches_it_off() -> None:
    code = "from tipr_zoo.machine.linear_products import way; print(way())"

    def said(value: str) -> subprocess.CompletedProcess[str]:
        environment = {"TIPR_ZOO_LINEAR": value, "PATH": ""}
        return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)

    assert said("torch").stdout == "torch\n"
    assert said("onednn").stdout == ("onednn\n" if linear_products._has_onednn() else "torch\n")
    assert "did you mean 'torch'" in said("troch").stderr
    assert said("").stdout.strip() in linear_products.WAYS


@needs_onednn
def test_the_timing_draws_no_random_numbers() -> None:
    before = torch.get_rng_state()
    assert linear_products._gain() > 0
    assert torch.equal(torch.get_rng_state(), before)


def test_unknown_ways_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="onednn"):
        take("one_dnn")


def test_without_onednn_pytorch_computes(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(linear_products, "_has_onednn", lambda: False)
    take("onednn")
    try:
        assert way() == "torch"
        assert "the last bits differ" in caplog.text
    finally:
        take(None)
