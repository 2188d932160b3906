"""One opener for weights: what a file is, what of it are weights, and what is refused by name."""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from torch import Tensor, nn

from tipr_zoo.errors import WeightsError
from tipr_zoo.weights.opening import open_mapping, open_weights
from tipr_zoo.weights.recognition import WeightsKind
from tipr_zoo.weights.tensors import load_tensors, read_weights


def zoo_state(**changes: Any) -> dict[str, Any]:
    state = {"image_encoder.trunk.norm.weight": torch.rand(8), "text_encoder.trunk.weight": torch.rand(4, 2)}
    return state | changes


def save(state: Any, path: Path, legacy: bool = False) -> Path:
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    return path


# Numbers that are no weights

NAN = torch.tensor([1.0, torch.nan, torch.inf, 0, 0, 0, 0, 0])
NO_WEIGHTS: dict[str, tuple[Any, str]] = {
    "NaN": (NAN, "has 2 of 8 numbers that are not finite"),
    "NaN in half precision": (NAN.half(), "has 2 of 8 numbers that are not finite"),
    "infinities that cancel": (torch.tensor([torch.inf, -torch.inf]), "has 2 of 2 numbers that are not finite"),
    "complex": (torch.rand(8, dtype=torch.complex64), "is torch.complex64"),
    "8 bits that need a scale": (torch.rand(8).to(torch.float8_e4m3fn), "is torch.float8_e4m3fn"),
    "sparse": (torch.rand(8).to_sparse(), "is a sparse"),
    "meta": (torch.rand(8, device="meta"), "meta tensor"),
    "quantised": (None, "is a quantised tensor"),
}
IN_SAFETENSORS = ("NaN", "NaN in half precision", "infinities that cancel", "complex", "8 bits that need a scale")


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")  # of quantised tensors
@pytest.mark.parametrize("kind", NO_WEIGHTS)
def test_numbers_that_are_no_weights_are_refused_by_name(kind: str, tmp_path: Path) -> None:
    value, message = NO_WEIGHTS[kind]
    if kind == "quantised":
        value = torch.quantize_per_tensor(torch.rand(8), 0.1, 0, torch.qint8)
    state = zoo_state(**{"heads.id.scale": value})
    files = [save(state, tmp_path / "w.pth"), save(state, tmp_path / "old.pth", legacy=True)]
    if kind in IN_SAFETENSORS:
        files.append(save(state, tmp_path / "w.safetensors"))
    for file in files:
        with pytest.raises(WeightsError, match=rf"^weights {file}: heads\.id\.scale .*{message}"):
            open_weights(file)
    with pytest.raises(WeightsError, match=rf"^the weights: heads\.id\.scale .*{message}"):
        open_mapping(state, "the weights")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_large_finite_numbers_pass_although_their_sum_is_infinite(dtype: torch.dtype, tmp_path: Path) -> None:
    largest = min(torch.finfo(dtype).max, torch.finfo(torch.float32).max)  # as which they are loaded
    state = zoo_state(large=torch.full((1000,), largest, dtype=dtype))
    assert torch.equal(read_weights(save(state, tmp_path / "w.pth"))["large"], state["large"])


def test_numbers_that_float32_cannot_hold_are_refused(tmp_path: Path) -> None:
    path = save(zoo_state(large=torch.tensor([1e300, 1.0], dtype=torch.float64)), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"large has 1 of 2 numbers that are not finite .* as float32"):
        open_weights(path)


def test_a_quantised_model_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    path = save(zoo_state(whole=torch.ones(2, 3, dtype=torch.int8)), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"whole is torch\.int8; weights are floating-point numbers"):
        open_weights(path)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool])
def test_whole_numbers_in_the_place_of_weights_are_told(dtype: torch.dtype, tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    path = save({"weight": torch.ones(2, 3, dtype=dtype), "bias": torch.ones(2)}, tmp_path / "w.safetensors")
    before = model.weight.clone()
    with pytest.raises(WeightsError, match=rf"weight is {dtype}(, and|;) weights are floating-point numbers"):
        load_tensors(model, read_weights(path), path)
    assert torch.equal(model.weight, before)


def test_a_mask_may_be_infinite() -> None:
    mask = torch.full((3, 3), -torch.inf)
    assert open_mapping({"w": torch.ones(1), "attn_mask": mask}, "it")["attn_mask"] is mask


# Tiny files


def described(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


HUGE: dict[str, Callable[[], Any]] = {
    "one number in every place": lambda: {"image_encoder.w": torch.zeros(1).expand(60_000, 20_000)},
    "many names for one block": lambda: dict.fromkeys((f"image_encoder.{i}" for i in range(2000)), torch.zeros(50_000)),
    "numbers that overlap": lambda: {"image_encoder.w": torch.zeros(40_000).as_strided((30_000, 10_000), (1, 1))},
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kind", HUGE)
def test_a_tiny_file_of_huge_tensors_is_refused_before_anything_is_built(
    kind: str, legacy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(HUGE[kind](), tmp_path / "w.pth", legacy)
    built: list[int] = []
    monkeypatch.setattr(torch, "empty", lambda *sizes, **_: built.append(0))
    with pytest.raises(WeightsError, match="would take" if kind.startswith("many") else "places and only"):
        open_weights(path)
    assert not built


def test_a_tensor_beyond_its_numbers_is_refused(tmp_path: Path) -> None:
    path = save({"image_encoder.w": torch.zeros(4, 4)}, tmp_path / "w.pth")
    parts = described(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content[:-1] if name.endswith("data/0") else content)
    with pytest.raises(WeightsError, match=r"it is damaged: it has 63 bytes for image_encoder\.w, not 64"):
        open_weights(path)


def test_a_pickle_that_asks_for_memory_gets_none(tmp_path: Path) -> None:
    wants = b"\x80\x02N" + b"r" + struct.pack("<I", 2**25) + b"."  # remember None in place 33,554,432
    (tmp_path / "w.pth").write_bytes(wants)
    tracemalloc.start()
    with pytest.raises(WeightsError, match="cannot be read"):
        open_weights(tmp_path / "w.pth")
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "torch.load", "torch.hub.load", "pathlib.PosixPath"])
def test_only_names_of_the_list_are_known(name: str, tmp_path: Path) -> None:
    module, _, function = name.rpartition(".")
    call = f"c{module}\n{function}\n(S'x'\ntR.".encode()
    archive = tmp_path / "w.pth"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", call)
    with pytest.raises(WeightsError, match=f"beside tensors it holds {name}, which only code in the file"):
        open_weights(archive)


class ModelKind(Enum):
    """A setting."""

    LARGE = 1


class Settings(dict[str, object]):
    """Settings as many a code keeps them beside its weights."""


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        argparse.Namespace(lr=1e-5, path=Path("x")),
        Settings(lr=1e-5, inner=Settings()),
        datetime(2024, 1, 1),
        [Settings(), {3}],
        deque([Settings()]),
        ModelKind.LARGE,
    ],
    ids=lambda value: type(value).__name__,
)
def test_settings_beside_the_tensors_are_left_out(settings: object, legacy: bool, tmp_path: Path) -> None:
    path = save({"state_dict": zoo_state(), "args": settings, "epoch": 3}, tmp_path / "w.pth", legacy)
    assert read_weights(path).keys() == zoo_state().keys()


@pytest.mark.parametrize("content", [Settings(), nn.Linear(2, 2), {"model": nn.Linear(2, 2)}], ids=["a", "b", "c"])
def test_tensors_that_only_code_could_bring_back_are_named(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"it holds (?:tests\.|weights\.)*(?:test_opening\.Settings|torch\.nn\.)"):
        open_weights(tmp_path / "w.pth")


def test_nothing_of_the_reader_can_be_changed_by_a_pickle(tmp_path: Path) -> None:
    """BUILD sets attributes of whatever it is given, and a class of the list could be given."""

    def build(what: bytes) -> bytes:
        return b"\x80\x02c" + what + b"\n(N}X\x08\x00\x00\x00__init__Nstb."

    for what in (b"collections\nOrderedDict", b"numpy\ndtype", b"__torch__\nX", b"torch._utils\n_rebuild_tensor_v2"):
        with zipfile.ZipFile(tmp_path / "w.pth", "w") as file:
            file.writestr("archive/data.pkl", build(what))
        with pytest.raises(WeightsError):
            open_weights(tmp_path / "w.pth")
    fine = save({"model": zoo_state(), "best": np.float64(3)}, tmp_path / "fine.pth")
    assert read_weights(fine).keys() == zoo_state().keys()


def test_damage_anywhere_is_one_line(tmp_path: Path) -> None:
    """Bytes of the description are changed one after the other; whatever comes of it is read or a WeightsError."""
    path = save({"model": zoo_state(), "best": np.float64(3)}, tmp_path / "w.pth")
    parts = described(path)
    pickled = next(name for name in parts if name.endswith("data.pkl"))
    for index in range(len(parts[pickled])):
        content = bytearray(parts[pickled])
        content[index] ^= 0x15
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in parts.items():
                archive.writestr(name, bytes(content) if name == pickled else data)
        with suppress(WeightsError):
            read_weights(path)


# Headers


@pytest.mark.parametrize("entry", ["5", "null", "[]", "{", '{"seed": 0}', '"text"', "[" * 100_000], ids=range(7))
def test_a_header_of_another_kind_is_one_line(entry: str, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors.torch.save(zoo_state(), {"tipr_zoo": entry}))
    with pytest.raises(WeightsError, match="the entry 'tipr_zoo' of the header must be texts by name") as raised:
        open_weights(path)
    assert len(str(raised.value)) < 400


def test_headers_of_others_are_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors.torch.save(zoo_state(), {"format": "pt"}))
    assert open_weights(path).header == {}
    path.write_bytes(safetensors.torch.save(zoo_state(), {"tipr_zoo": json.dumps({"model": "mine"})}))
    assert open_weights(path).header == {"model": "mine"}


# What a file is


def test_a_tower_of_timm_is_named_before_what_is_missing(tmp_path: Path) -> None:
    names = {
        "vit_tiny_patch16_224": "a vision transformer",
        "vit_base_patch16_siglip_224": "a vision transformer without a class token",
        "resnet10t": "a ResNet",
        "convnext_atto": "a ConvNeXt",
        "swin_tiny_patch4_window7_224": "a Swin transformer",
    }
    for name, words in names.items():
        options = {"depth": 1, "embed_dim": 32, "num_heads": 1} if name.startswith("vit") else {}
        with torch.device("meta"):
            shapes = timm.create_model(name, **options).state_dict()
        state = {key: torch.zeros([1] * len(value.shape), dtype=value.dtype) for key, value in shapes.items()}
        opened = open_weights(save(state, tmp_path / "w.pth"))
        assert opened.recognised.kind is WeightsKind.TIMM, name
        assert opened.recognised.words == f"an image tower alone, {words} as timm names its tensors"
    with pytest.raises(WeightsError, match=r"are an image tower alone, .*: they have no text tower and do not fit"):
        load_tensors(nn.Linear(3, 2), opened.tensors, opened.path)


def test_what_twice_has_one_name_is_told(tmp_path: Path) -> None:
    path = save({"a.w": torch.ones(1), "_orig_mod.a.w": torch.ones(1)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"has parameters twice, with and without '_orig_mod\.' before their names"):
        open_weights(path)


def test_other_files_are_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("photo.jpg", b"")
    with pytest.raises(WeightsError, match="it is damaged: it is a zip archive without tensors"):
        open_weights(tmp_path / "w.pth")
    (tmp_path / "w.pth").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(WeightsError, match="it is damaged or no weights file"):
        open_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
            "it is a pointer of Git LFS to the file",
        ),
        ("\n<!DOCTYPE html><html>", "it is a page of the web; fetch the file"),
        ('{"architectures": ["CLIPModel"]}', "it is JSON, perhaps a configuration"),
        ("", "it is empty; fetch it again"),
        ("words", "it is damaged or no weights file"),
    ],
)
def test_what_people_have_instead_of_weights_is_named(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(WeightsError, match=message):
        open_weights(tmp_path / name)


KINDS = {
    "a SigLIP of transformers": ["vision_model.head.probe", "text_model.head.weight"],
    "a BLIP of transformers": ["vision_model.a", "text_decoder.bert.embeddings.word_embeddings.weight"],
    "a BERT of transformers, or one of its kind": ["bert.embeddings.word_embeddings.weight", "cls.predictions.bias"],
    "a language model of transformers": ["model.embed_tokens.weight", "lm_head.weight"],
    "an image tower of transformers alone": ["vit.embeddings.patch_embeddings.projection.weight", "vit.layernorm.bias"],
    "the image tower of a CLIPModel of transformers alone": [
        "vision_model.embeddings.class_embedding",
        "vision_model.embeddings.patch_embedding.weight",
    ],
    "the text tower of a CLIPModel of transformers alone": ["text_model.embeddings.token_embedding.weight"],
    "a CLIP of open_clip with an image tower of timm": ["visual.trunk.cls_token", "text.token_embedding.weight"],
    "a CLIP of open_clip with a text tower of transformers": [
        "visual.conv1.weight",
        "visual.proj",
        "text.transformer.embeddings.word_embeddings.weight",
    ],
    "a LoRA adapter, which is to be merged into its model first": [
        "base_model.model.visual.attn.out_proj.lora_A.weight",
        "base_model.model.visual.attn.out_proj.lora_B.weight",
    ],
    "the U-Net of a diffusion model": ["conv_in.weight", "down_blocks.0.w", "up_blocks.0.w"],
    "the autoencoder of a diffusion model": ["encoder.conv_in.weight", "decoder.conv_in.weight"],
    "a diffusion model": ["model.diffusion_model.w", "first_stage_model.w"],
    "a vision transformer of torchvision alone": ["class_token", "encoder.layers.encoder_layer_0.ln_1.weight"],
    "a detector of the YOLO kind": ["model.0.conv.weight", "model.22.cv2.0.conv.weight"],
    "a model of FastReID, for pictures alone": ["backbone.conv1.weight", "heads.bottleneck.0.weight"],
    "a TransReID, for pictures alone": ["base.patch_embed.proj.weight", "classifier.weight"],
}


@pytest.mark.parametrize("words", KINDS)
def test_weights_of_other_kinds_are_named_before_what_is_missing(words: str, tmp_path: Path) -> None:
    path = save({name: torch.zeros(1, 1, 1, 1) for name in KINDS[words]}, tmp_path / "w.pth")
    opened = open_weights(path)
    assert opened.recognised.kind is WeightsKind.OTHER
    assert opened.recognised.words == words
    with pytest.raises(WeightsError, match=f"are {re.escape(words)}, and do not fit the model"):
        load_tensors(nn.Linear(3, 2), opened.tensors, path)


def test_the_state_of_an_optimiser_alone_is_named(tmp_path: Path) -> None:
    path = save({"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 0.1}]}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="hold the state of an optimiser and no weights"):
        open_weights(path)


# Wrappers

AROUND: dict[str, Callable[[Any], Any]] = {
    "state_dict": lambda state: {"state_dict": state, "epoch": 3, "best": np.float64(0.7)},
    "model": lambda state: {"model": state, "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}}},
    "ema": lambda state: {"ema": state, "updates": np.int64(4)},
    "net": lambda state: {"net": state, "args": {"lr": np.float32(0.1), "name": "a"}},
    "any other name": lambda state: {"retrieval": state, "history": [1, 2]},
}
BEFORE: dict[str, Callable[[str], str]] = {
    "module.": lambda name: f"module.{name}",
    "_orig_mod.": lambda name: f"_orig_mod.{name}",
    "in every module": lambda name: name.replace("trunk.", "trunk._orig_mod."),
    "model.": lambda name: f"model.{name}",
    "_fsdp_wrapped_module.": lambda name: f"_fsdp_wrapped_module.{name}",
}


@pytest.mark.parametrize("inner", [None, *AROUND])
@pytest.mark.parametrize("outer", AROUND)
def test_any_nesting_of_wrappers_is_taken_away(outer: str, inner: str | None, tmp_path: Path) -> None:
    state = zoo_state()
    for first in BEFORE:
        for second in (None, *BEFORE):
            names = {name: BEFORE[first](name) for name in state}
            wrapped: Any = {BEFORE[second](name) if second else name: state[own] for own, name in names.items()}
            content = AROUND[outer](AROUND[inner](wrapped) if inner else wrapped)
            read = read_weights(save(content, tmp_path / "w.pth", legacy=second is None))
            assert read.keys() == state.keys(), (first, second)
            assert all(torch.equal(read[name], state[name]) for name in state)


def test_entries_that_hold_one_another_a_million_times_take_no_time() -> None:
    content: dict[str, Any] = {"lr": 0.1}
    for _ in range(12):
        content = {str(number): content for number in range(100)}
    start = time.process_time()
    assert open_mapping(content, "it").keys() == content.keys()
    assert time.process_time() - start < 2


def test_tensors_that_share_numbers_stay_as_they_are(tmp_path: Path) -> None:
    block = torch.arange(12.0).reshape(3, 4)
    state = {"image_encoder.a": block, "image_encoder.b": block.T, "image_encoder.c": block[1:, ::2]}
    for legacy in (False, True):
        read = read_weights(save(state, tmp_path / "w.pth", legacy))
        assert all(torch.equal(read[name], state[name]) for name in state)


def test_what_torch_load_reads_is_read_the_same(tmp_path: Path) -> None:
    dtypes = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64, torch.uint8, torch.bool)
    state: dict[str, Tensor] = {str(dtype): (torch.rand(2, 3) * 9).to(dtype) for dtype in dtypes}
    state |= {"empty": torch.zeros(0, 3), "one": torch.tensor(2.0), "buffer": nn.Parameter(torch.ones(2))}
    for legacy in (False, True):
        path = save({"state_dict": state}, tmp_path / "w.pth", legacy)
        expected = torch.load(path, weights_only=True)["state_dict"]
        read = read_weights(path)
        assert read.keys() == expected.keys()
        assert all(torch.equal(read[name], expected[name]) for name in expected)
        assert all(read[name].dtype == expected[name].dtype for name in expected)


def test_a_packed_archive_is_told(tmp_path: Path) -> None:
    parts = described(save(zoo_state(), tmp_path / "w.pth"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    (tmp_path / "w.pth").write_bytes(packed.getvalue())
    with pytest.raises(WeightsError, match="it was packed again, and PyTorch does not compress"):
        open_weights(tmp_path / "w.pth")


# Settings of a class that is not installed, as TBPS-CLIP's checkpoints have them


@pytest.fixture
def easydict(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A class ``easydict.EasyDict`` like the real one: a dict whose items are attributes, too."""
    module = ModuleType("easydict")

    class EasyDict(dict[str, Any]):
        def __init__(self, items: dict[str, Any] | None = None) -> None:
            for name, value in (items or {}).items():
                setattr(self, name, value)

        def __setattr__(self, name: str, value: Any) -> None:
            value = type(self)(value) if isinstance(value, dict) else value
            super().__setattr__(name, value)
            super().__setitem__(name, value)

        __setitem__ = __setattr__

    EasyDict.__module__, EasyDict.__qualname__ = "easydict", "EasyDict"
    module.EasyDict = EasyDict
    monkeypatch.setitem(sys.modules, "easydict", module)
    return EasyDict


@pytest.mark.parametrize("legacy", [False, True])
def test_an_easydict_beside_the_tensors_is_left_out(
    easydict: Callable[..., Any], legacy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = easydict({"model": {"ckpt": "x.pth", "sizes": [1, 2]}, "device": torch.device("cpu"), "lr": 1e-4})
    state = zoo_state()
    optimiser = {"state": {0: {"exp_avg": torch.ones(3), "step": torch.tensor(1.0)}}, "param_groups": [{"lr": 1e-4}]}
    path = save({"model": state, "optimizer": optimiser, "config": config}, tmp_path / "checkpoint_best.pth", legacy)
    with pytest.raises(pickle.UnpicklingError):  # what people meet with PyTorch's own loading
        torch.load(path, weights_only=True)
    monkeypatch.setitem(sys.modules, "easydict", None)  # an import of it would fail from here on
    opened = open_weights(path)
    assert opened.entry == ("model",)
    assert all(torch.equal(opened.tensors[name], tensor) for name, tensor in state.items())
    assert opened.tensors.keys() == state.keys()


def touch(path: Path) -> None:
    """What must not be called."""
    path.touch()


class Malicious:
    """What calls something when it is unpickled."""

    def __init__(self, call: Callable[..., Any], *arguments: Any) -> None:
        self.call = (call, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize("legacy", [False, True])
def test_what_calls_a_program_is_refused_and_what_calls_anything_else_is_inert(
    easydict: Callable[..., Any], legacy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "made"
    for call in (os.system, exec, subprocess.Popen):
        config = easydict({"lr": 1.0})
        dict.__setitem__(config, "bad", Malicious(call, f"open({str(made)!r}, 'w')"))
        path = save({"model": zoo_state(), "config": config}, tmp_path / "w.pth", legacy)
        with pytest.raises(WeightsError, match="which only code in the file could bring back, and none is run"):
            open_weights(path)
    touched = Malicious(touch, made)
    path = save({"model": zoo_state(), "config": [easydict(), touched]}, tmp_path / "w.pth", legacy)
    monkeypatch.setitem(sys.modules, "easydict", None)
    assert open_weights(path).tensors.keys() == zoo_state().keys()
    assert not made.exists()


def test_an_easydict_that_holds_the_tensors_is_refused(easydict: Callable[..., Any], tmp_path: Path) -> None:
    path = save(easydict({"model": zoo_state()}), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"beside tensors it holds easydict\.EasyDict"):
        open_weights(path)
