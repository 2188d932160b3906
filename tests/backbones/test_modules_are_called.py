"""What is put around or on a module of a tower changes the embeddings as it changes the tower's whole output."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tipr_zoo.backbones import CLIPTextEncoder, ModifiedResNetEncoder, TimmEncoder, VisionTransformerEncoder
from tipr_zoo.backbones.bn_neck import BNNeck
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.pictures.preprocessing import ImageNormalisation
from tipr_zoo.tokenizers import SmallTokenizer

SIZE, WIDTH = (64, 32), 8


def transformer(model_name: str, **options: Any) -> VisionTransformerEncoder:
    given = {"image_size": SIZE, "width": 32, "depth": 2, "num_heads": 2} | options
    return VisionTransformerEncoder(model_name, WIDTH, **given)


TOWERS: dict[str, Callable[[], nn.Module]] = {
    "clip": lambda: transformer("vit_base_patch16_clip_quickgelu_224"),
    "stem": lambda: transformer("vit_tiny_patch16_224", stem="convolution"),
    "siglip": lambda: transformer("vit_base_patch16_siglip_224"),
    "registers": lambda: transformer("vit_small_patch14_reg4_dinov2", image_size=(56, 28)),
    "mean": lambda: transformer("vit_base_patch16_siglip_gap_224"),
    "resnet": lambda: ModifiedResNetEncoder("resnet50_clip", WIDTH, SIZE, width=8, depths=(1, 1, 1, 1)),
    "timm": lambda: TimmEncoder("test_convnext", WIDTH, SIZE),
    "eva": lambda: TimmEncoder("eva02_tiny_patch14_224", WIDTH, (28, 14)),
    "text": lambda: CLIPTextEncoder(WIDTH, vocabulary_size=800, context_length=20, width=32, depth=2, num_heads=2),
}


class Adapter(nn.Module):
    """A layer beside another one, which looks at all tokens, as a low-rank adapter does not."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        self.beside = nn.Linear(layer.in_features, layer.out_features)
        nn.init.normal_(self.beside.weight)

    def forward(self, values: Tensor) -> Tensor:
        over = values.mean(dim=1, keepdim=True) if values.ndim == 3 else values
        return self.layer(values) + self.beside(values) + self.beside(over)


class LowRankLinear(nn.Linear):
    """A linear layer with more than its weight, as adapters that replace a layer have it."""

    def forward(self, values: Tensor) -> Tensor:
        return 3 * super().forward(values) + values[..., :1]


def parent_of(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    parent, _, last = name.rpartition(".")
    return model.get_submodule(parent), last


def wrapped(model: nn.Module, name: str) -> None:
    parent, last = parent_of(model, name)
    setattr(parent, last, Adapter(getattr(parent, last)))


def replaced(model: nn.Module, name: str) -> None:
    parent, last = parent_of(model, name)
    layer = getattr(parent, last)
    other = LowRankLinear(layer.in_features, layer.out_features, layer.bias is not None)
    other.load_state_dict(layer.state_dict())
    setattr(parent, last, other)


def hooked(model: nn.Module, name: str) -> None:
    def hook(module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:
        over = arguments[0].flatten(1).mean(dim=1).view(-1, *[1] * (output.ndim - 1))
        return output * (1.5 + over) + torch.linspace(-1, 1, output.shape[-1])

    model.get_submodule(name).register_forward_hook(hook)


def hooked_before(model: nn.Module, name: str) -> None:
    def hook(module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (arguments[0] * 1.5 + arguments[0].flatten(1).mean(),)

    model.get_submodule(name).register_forward_pre_hook(hook)


def patched(model: nn.Module, name: str) -> None:
    layer: Any = model.get_submodule(name)
    called = layer.forward
    layer.forward = lambda values: 3 * called(values) + values[..., :1]


def parametrised(model: nn.Module, name: str) -> None:
    class Tripled(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return 3 * weight

    torch.nn.utils.parametrize.register_parametrization(model.get_submodule(name), "weight", Tripled())


def dual_encoder(key: str) -> DualEncoder:
    """A model with this tower; the tower of the other modality is a small one of the zoo's."""
    return deepcopy(_made(key))


@cache
def _made(key: str) -> DualEncoder:
    torch.manual_seed(0)
    tower = TOWERS[key]()
    image, text = (TOWERS["clip"](), tower) if key == "text" else (tower, TOWERS["text"]())
    for module in tower.modules():  # away from zero, so that what acts on them is seen
        if getattr(module, "gamma", None) is not None:
            nn.init.normal_(module.gamma)
    return DualEncoder(
        image_encoder=image,  # type: ignore[arg-type]
        text_encoder=text,
        tokenizer=SmallTokenizer("synthpedes.json"),
        losses={},
        heads={},
        loss_weights={},
        normalisation=ImageNormalisation(),
    ).eval()


def encoded(model: DualEncoder, key: str) -> Tensor:
    """The embeddings of three inputs."""
    with torch.no_grad():
        return model.encode_text(caption_ids()) if key == "text" else model.encode_image(images_for(model))


def among_all(model: DualEncoder, key: str) -> Tensor:
    """What the whole output of the tower has in the place of `encoded`."""
    with torch.no_grad():
        if key == "text":
            return model.end_tokens(model.text_encoder(caption_ids()), caption_ids())
        return model.image_encoder(images_for(model))[:, 0]


def caption_ids() -> Tensor:
    ids = torch.randint(1, 700, (3, 9), generator=torch.Generator().manual_seed(1))
    ids[torch.arange(3), torch.tensor([8, 3, 5])] = 799
    return ids


def images_for(model: DualEncoder) -> Tensor:
    return torch.randn(3, 3, *model.image_size, generator=torch.Generator().manual_seed(1))


def tower_of(model: DualEncoder, key: str) -> nn.Module:
    return model.get_submodule("text_encoder" if key == "text" else "image_encoder")


@pytest.mark.parametrize(
    ("key", "put_on"),
    [
        *((key, put_on) for key in TOWERS for put_on in (wrapped, hooked)),
        *((key, put_on) for key in ("clip", "text") for put_on in (replaced, hooked_before, patched, parametrised)),
    ],
)
def test_what_is_put_on_a_linear_layer_takes_effect(key: str, put_on: Callable[[nn.Module, str], None]) -> None:
    plain = dual_encoder(key)
    before = encoded(plain, key)
    layers = [name for name, module in tower_of(plain, key).named_modules() if type(module) is nn.Linear]
    assert layers
    for name in layers:
        model = dual_encoder(key)
        put_on(tower_of(model, key), name)
        found = encoded(model, key)
        assert not torch.allclose(found, before, rtol=1e-3, atol=1e-5), name
        assert torch.allclose(found, among_all(model, key), rtol=1e-5, atol=1e-5), name


@pytest.mark.parametrize("key", TOWERS)
def test_a_hook_is_called_wherever_the_whole_tower_calls_it(key: str) -> None:
    model = dual_encoder(key)
    seen = 0
    for name, module in tower_of(model, key).named_modules():
        calls: list[str] = []
        handle = module.register_forward_hook(lambda *_, called=calls: called.append("hook"))  # type: ignore[misc]
        among_all(model, key)
        expected = len(calls)
        encoded(model, key)
        handle.remove()
        assert len(calls) == 2 * expected, name
        seen += expected > 0
    assert seen > 10


@pytest.mark.parametrize("key", TOWERS)
def test_int8_layers_are_called(key: str) -> None:
    model = dual_encoder(key)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch names a successor, and keeps this
        quantised = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, torch.qint8)
        found, expected = encoded(quantised, key), among_all(quantised, key)
    assert any("quantized" in type(module).__module__ for module in quantised.modules())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert not torch.equal(found, encoded(model, key))


@pytest.fixture
def global_hook() -> Iterator[list[str]]:
    called: list[str] = []
    handle = torch.nn.modules.module.register_module_forward_hook(
        lambda module, *_: called.append(type(module).__name__)
    )
    yield called
    handle.remove()


def test_a_hook_on_all_modules_of_pytorch_is_called(global_hook: list[str]) -> None:
    model = dual_encoder("clip")
    with torch.no_grad():
        model.encode_image(torch.zeros(1, 3, *SIZE))
    assert global_hook.count("Attention") == 2


def test_a_hook_on_a_tower_of_somebody_elses_is_called() -> None:
    class Tower(nn.Module):
        image_size = SIZE

        def forward(self, images: Tensor) -> Tensor:
            return images.mean(dim=(2, 3)).unsqueeze(1)

        def encode_class(self, images: Tensor) -> Tensor:
            return self.forward(images)[:, 0]

    model = dual_encoder("clip")
    model.image_encoder = Tower()  # type: ignore[assignment]
    images = torch.ones(1, 3, *SIZE)
    assert torch.equal(model.encode_image(images), torch.ones(1, 3))
    model.image_encoder.register_forward_hook(lambda module, arguments, tokens: tokens + 1)  # type: ignore[attr-defined]
    assert torch.equal(model.encode_image(images), torch.full((1, 3), 2.0))


def test_a_hook_on_a_neck_is_called_in_evaluation() -> None:
    neck = BNNeck(4).eval()
    neck.image.register_forward_hook(lambda module, arguments, output: output + 1)
    pictures, captions = neck(torch.zeros(2, 4), torch.zeros(2, 4))
    assert torch.equal(pictures, captions + 1)


def test_hooks_on_the_stem_are_called_for_hidden_patches_in_training_and_nothing_is_learnt_there() -> None:
    tower = transformer("vit_tiny_patch16_224", stem="convolution").train()
    norm = next(module for module in tower.modules() if isinstance(module, nn.BatchNorm2d))
    called: list[bool] = []
    norm.register_forward_hook(lambda module, *_: called.append(module.training))
    before = norm.running_mean.clone()  # type: ignore[union-attr]
    tower.encode_visible(torch.randn(2, 3, *SIZE), torch.tensor([[0, 1], [2, 3]]))
    assert called == [False]
    assert norm.training
    assert torch.equal(norm.running_mean, before)  # type: ignore[arg-type]
