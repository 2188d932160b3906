"""Files of weights with bytes changed anywhere: each is read soundly, or refused in one line."""

from __future__ import annotations

import random
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from tipr_zoo.errors import WeightsError, error_line
from tipr_zoo.weights.opening import open_weights
from tipr_zoo.weights.whole_checkpoint import check_checksums, describe_checkpoint, read_checkpoint

STATE = {"image_encoder.w": torch.rand(8), "text_encoder.w": torch.rand(4, 2).half(), "count": torch.tensor(3)}
OPTIMISER = {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.99)}]}


def archive(path: Path) -> None:
    torch.save({"state_dict": STATE, "best": np.float64(2)}, path)


def legacy(path: Path) -> None:
    torch.save({"state_dict": STATE, "best": np.float64(2)}, path, _use_new_zipfile_serialization=False)


def checkpoint(path: Path) -> None:
    torch.save({"state_dict": STATE, "optimizer": OPTIMISER, "meta": {"epoch": 1, "iter": 2}}, path)


def script(path: Path) -> None:
    torch.jit.save(torch.jit.script(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))), str(path))


def header_first(path: Path) -> None:
    safetensors.torch.save_file(STATE, path, {"tipr_zoo": '{"model": "mine", "seed": "0"}'})


NUMBERS = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", bytes(4), b"\0\0\0\x40", b"\xff" * 8, b"\xff" * 7 + b"\x7f")
"""Sizes and places that damage would like to be."""


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return a file with up to a few places changed, taken out, put in, said twice, or cut off."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
        start = chance.randrange(len(changed) or 1)
        kind = chance.randrange(7)
        if kind < 2:
            changed[start : start + 1] = chance.randbytes(1)
        elif kind == 2:
            del changed[start:]
        elif kind == 3:
            del changed[start : start + chance.randrange(1, 40)]
        elif kind == 4:
            changed[start:start] = chance.randbytes(chance.randrange(1, 10))
        elif kind == 5:
            other = chance.randrange(len(changed) + 1)
            changed[start:start] = changed[other : other + chance.randrange(1, 200)]
        else:
            number = chance.choice(NUMBERS)
            changed[start : start + len(number)] = number
    return bytes(changed)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("write", [archive, legacy, checkpoint, script, header_first])
def test_damage_anywhere_in_a_file_is_told_in_one_line(
    write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ("w.safetensors" if write is header_first else "w.pth")
    write(path)
    content, chance, taken, outcomes = path.read_bytes(), random.Random(0), [0], set()
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *sizes, **options: noted(empty(*sizes, **options), taken))
    readers = (read_checkpoint, describe_checkpoint, check_checksums) if write is checkpoint else (open_weights,)
    for _ in range(200):
        path.write_bytes(damaged(content, chance))
        for read in readers:
            start, taken[0], line = time.process_time(), 0, ""
            try:
                read(path)
            except WeightsError as error:
                line = error_line(error)
            outcomes.add("refused" if line else "read")
            assert len(line) < 600
            assert time.process_time() - start < 5
            assert taken[0] <= 2 * path.stat().st_size + 100
    assert outcomes == {"read", "refused"}


def noted(tensor: torch.Tensor, taken: list[int]) -> torch.Tensor:
    taken[0] += tensor.nbytes
    return tensor


# Files made to take time or memory


def packed(path: Path, name: str, content: bytes) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name, content, zipfile.ZIP_DEFLATED)
        if not name.endswith("data.pkl"):
            file.writestr("archive/data.pkl", b"N.")


@pytest.mark.parametrize("name", ["data.pkl", "byteorder"])
def test_what_is_packed_is_not_unpacked(name: str, tmp_path: Path) -> None:
    packed(tmp_path / "w.pth", f"archive/{name}", bytes(50_000_000))
    with pytest.raises(WeightsError, match="it was packed again, and PyTorch does not compress"):
        open_weights(tmp_path / "w.pth")


def test_a_long_pickle_of_something_else_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"\x80\x02" + b"]" * 20_000_000 + b".")
    start = time.process_time()
    with pytest.raises(WeightsError, match="it is damaged or no weights file"):
        open_weights(tmp_path / "w.pth")
    assert time.process_time() - start < 2


def test_a_file_beyond_any_size_is_refused_at_once(tmp_path: Path) -> None:
    for name in ("w.pth", "w.safetensors"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(1 << 42)
        with pytest.raises(WeightsError, match=r"are not read: it has 4,398,046,511,104 bytes, and no such file may"):
            open_weights(tmp_path / name)


# Checkpoints of trainings


def test_a_checkpoint_is_read_as_torch_load_reads_it(tmp_path: Path) -> None:
    checkpoint(tmp_path / "c.pth")
    read, expected = read_checkpoint(tmp_path / "c.pth"), torch.load(tmp_path / "c.pth", weights_only=True)
    assert read.keys() == expected.keys()
    assert read["meta"] == expected["meta"]
    assert read["optimizer"]["param_groups"] == expected["optimizer"]["param_groups"]
    assert torch.equal(read["optimizer"]["state"][0]["step"], torch.tensor(1.0))
    assert all(torch.equal(read["state_dict"][name], STATE[name]) for name in STATE)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.float64(2), "meta.x is neither a tensor nor a plain value"),
        (torch.tensor([1.0, torch.nan]), "meta.x has 1 of 2 numbers that are not finite"),
        (torch.zeros(1).expand(10_000, 10_000), "meta.x of shape"),
        (Path("a"), "it holds pathlib"),
    ],
)
def test_what_is_neither_a_tensor_nor_plain_is_refused_by_name(value: object, message: str, tmp_path: Path) -> None:
    torch.save({"meta": {"x": value}}, tmp_path / "c.pth")
    with pytest.raises(WeightsError, match=message):
        read_checkpoint(tmp_path / "c.pth")
