"""`tipr-zoo average`: the average of weights, and what has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tipr_zoo
from tipr_zoo.authoring.averaging import AVERAGED_FROM, average_weights
from tipr_zoo.command_line import main
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.outside.files import file_sha256
from tipr_zoo.training.train import train
from tipr_zoo.weights.header import read_metadata
from tipr_zoo.weights.tensors import read_weights, write_weights

TINY = "a_tiny_model"
State = dict[str, Tensor]
A, B, C = "image_encoder.a", "image_encoder.b", "image_encoder.c"


def state(seed: int, **others: Tensor) -> State:
    generator = torch.Generator().manual_seed(seed)
    own = {f"image_encoder.{name}": torch.randn(4, 3, generator=generator) for name in ("a", "b")}
    return own | {"image_encoder.bn.num_batches_tracked": torch.tensor(3)} | others


def write(folder: Path, name: str, tensors: State, **header: str) -> Path:
    write_weights(tensors, folder / f"{name}.safetensors", {"model": "mine", "recipe": "mine.py", **header})
    return folder / f"{name}.safetensors"


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert main(["average", *map(str, words)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_floats_are_averaged_in_float64_and_written_as_they_were(tmp_path: Path) -> None:
    states = [state(seed) for seed in range(3)]
    files = [write(tmp_path, str(seed), each, seed=str(seed), dataset="SynthPEDES") for seed, each in enumerate(states)]
    average = average_weights(files, tmp_path / "out" / "mean.safetensors")
    found = read_weights(average.weights)
    for name in (A, B):
        expected = torch.stack([each[name].double() for each in states]).mean(0).float()
        torch.testing.assert_close(found[name], expected, rtol=0, atol=0)
    assert found["image_encoder.bn.num_batches_tracked"] == 3
    header = read_metadata(average.weights)
    assert (header["model"], header["recipe"], header["dataset"]) == ("mine", "mine.py", "SynthPEDES")
    assert "seed" not in header, "the files do not agree on it"
    made_of = json.loads(header[AVERAGED_FROM])
    assert [each["file"] for each in made_of] == ["0.safetensors", "1.safetensors", "2.safetensors"]
    assert [each["sha256"] for each in made_of] == [file_sha256(file) for file in files]
    assert sum(each["share"] for each in made_of) == pytest.approx(1)


@pytest.mark.parametrize("shares", [(3, 1), (0.75, 0.25), (300, 100)])
def test_shares_weigh_in_any_scale(tmp_path: Path, shares: tuple[float, float]) -> None:
    states = [state(seed) for seed in range(2)]
    files = [write(tmp_path, str(seed), each) for seed, each in enumerate(states)]
    found = read_weights(average_weights(files, tmp_path / "mean.safetensors", shares).weights)
    expected = 0.75 * states[0][A].double() + 0.25 * states[1][A].double()
    torch.testing.assert_close(found[A], expected.float(), rtol=0, atol=1e-7)


def test_half_precision_is_averaged_as_finely_as_any(tmp_path: Path) -> None:
    # In float16 the sum of these would be infinite, and 2049 does not exist.
    values = [torch.full((2,), 60000.0), torch.full((2,), 60032.0), torch.full((2,), 60000.0)]
    files = [
        write(
            tmp_path,
            str(n),
            state(0, **{C: value.half(), "image_encoder.d": torch.full((1,), float(n))}),
        )
        for n, value in enumerate(values)
    ]
    found = read_weights(average_weights(files, tmp_path / "mean.safetensors").weights)
    assert found[C].dtype == torch.float16
    assert found[C].isfinite().all()
    assert found["image_encoder.d"].item() == 1.0


def test_the_wider_type_is_written(tmp_path: Path) -> None:
    half = {name: value.half() if value.is_floating_point() else value for name, value in state(0).items()}
    files = [write(tmp_path, "half", half), write(tmp_path, "whole", state(1))]
    found = read_weights(average_weights(files, tmp_path / "mean.safetensors").weights)
    assert found[A].dtype == torch.float32


def test_what_is_to_be_known_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = {"image_encoder.bn.num_batches_tracked": torch.tensor(5), "image_encoder.bn.running_mean": torch.zeros(3)}
    one = write(tmp_path, "one", state(0, **{"image_encoder.bn.running_mean": torch.ones(3)}), dataset_sha256="a")
    other = tmp_path / "other.safetensors"
    write_weights(state(1, **odd), other, {"dataset_sha256": "b"})
    assert main(["average", str(one), str(other), "-o", str(tmp_path / "mean.safetensors")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "averaged: 50.00% one.safetensors, 50.00% other.safetensors" in lines
    told = "\n".join(lines)
    for part in (
        f"note: {other}: nothing says of which model; all have the same tensors",
        "note: the running figures of 1 batch normalisations are averaged",
        f"note: whole numbers differ and are those of {one}: image_encoder.bn.num_batches_tracked",
        "note: they were trained on different data",
    ):
        assert part in told
    found = read_weights(tmp_path / "mean.safetensors")
    assert found["image_encoder.bn.num_batches_tracked"] == 3
    assert found["image_encoder.bn.running_mean"].tolist() == [0.5] * 3


def beside(name: str, tensors: State) -> Callable[[Path], list[object]]:
    """The first file, and another one with these tensors."""
    return lambda folder: [folder / "0.safetensors", write(folder, name, tensors)]


WRONG: dict[str, tuple[Callable[[Path], list[object]], str]] = {
    "one file": (lambda folder: [folder / "0.safetensors"], "an average is of two files at least, got 1"),
    "the same file": (
        lambda folder: [folder / "0.safetensors", folder / "0.safetensors"],
        "are the same weights; name them once, and give them a larger share",
    ),
    "a copy": (
        beside("copy", state(0)),
        "are the same weights",
    ),
    "no file": (lambda folder: [folder / "0.safetensors", folder / "none.safetensors"], "do not exist; check the path"),
    "another model": (
        lambda folder: [folder / "0.safetensors", write(folder, "x", state(1), model="yours", recipe="yours.py")],
        "are of the models mine and yours; an average is of weights of one model",
    ),
    "another size": (
        beside("x", state(1, **{A: torch.ones(5, 3)})),
        "do not fit each other: image_encoder.a has shape (4, 3) and (5, 3)",
    ),
    "a tensor more": (
        beside("x", state(1, **{C: torch.ones(5)})),
        "image_encoder.c is missing in",
    ),
    "a tensor fewer": (
        lambda folder: [write(folder, "x", state(1, **{C: torch.ones(5)})), folder / "0.safetensors"],
        "image_encoder.c is missing in",
    ),
    "whole numbers": (
        beside("x", state(1, **{A: torch.ones(4, 3).int()})),
        "image_encoder.a is torch.float32 and torch.int32",
    ),
    "NaN": (
        beside("x", state(1, **{A: torch.full((4, 3), torch.nan)})),
        "image_encoder.a has 12 of 12 numbers that are not finite",
    ),
    "adapters": (
        beside("x", {"image_encoder.a.lora_A.default.weight": torch.ones(2, 2)}),
        "are a LoRA adapter, which is to be merged into its model first",
    ),
    "an official checkpoint": (
        beside("x", {"base_model.visual.proj": torch.ones(2, 2)}),
        "convert it first: tipr-zoo convert",
    ),
    "CLIP": (
        beside("x", {"visual.conv1.weight": torch.ones(2, 3, 4, 4)}),
        "an average is of weights of the zoo; leave it out",
    ),
    "shares for others": (
        lambda folder: [folder / "0.safetensors", folder / "1.safetensors", "--shares", 1, 2, 3],
        "there must be one share for each of the 2 files, got 3",
    ),
    "a share of 0": (
        lambda folder: [folder / "0.safetensors", folder / "1.safetensors", "--shares", 1, 0],
        "a share must be a number above 0, got 0.0",
    ),
    "a share that is none": (
        lambda folder: [folder / "0.safetensors", folder / "1.safetensors", "--shares", "nan", 1],
        "a share must be a number above 0, got nan",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("words", "says"), WRONG.values(), ids=WRONG)
def test_what_has_no_average_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: Callable[[Path], list[object]], says: str
) -> None:
    for seed in range(2):
        write(tmp_path, str(seed), state(seed))
    output = tmp_path / "mean.safetensors"
    files, *options = _split(words(tmp_path))
    assert says in refused(capsys, *files, "-o", output, *options)
    assert not output.exists()


def _split(words: list[object]) -> list[Any]:
    """Files, and what follows them."""
    place = next((n for n, word in enumerate(words) if word == "--shares"), len(words))
    return [words[:place], *words[place:]]


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("mean.pt", "--output must end in .safetensors"),
        ("0.safetensors", "is one of the files that are averaged; choose another --output"),
        ("there.safetensors", "exists; choose another --output, or overwrite it with --force"),
        ("0.safetensors/mean.safetensors", "0.safetensors"),
    ],
)
def test_where_nothing_can_be_written_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str, says: str
) -> None:
    files = [write(tmp_path, str(seed), state(seed)) for seed in range(2)]
    (tmp_path / "there.safetensors").write_bytes(b"old")
    before = files[0].read_bytes()
    assert says in refused(capsys, *files, "-o", tmp_path / output)
    assert (tmp_path / "there.safetensors").read_bytes() == b"old"
    assert files[0].read_bytes() == before
    assert main(["average", *map(str, files), "-o", str(tmp_path / "there.safetensors"), "--force"]) == 0


def test_epochs_of_a_training_are_averaged_and_measured(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], synthpedes: Path, tmp_path: Path, capsys: Any
) -> None:
    final = train(TINY, *splits, tmp_path / "run", overrides={"training.max_epochs": 1}).weights
    first = tmp_path / "epoch_1.pth"
    first.write_bytes((tmp_path / "run" / "epoch_1.pth").read_bytes())
    train(TINY, *splits, tmp_path / "run", resume=True, overrides={"training.max_epochs": 2})
    second = tmp_path / "run" / "epoch_2.pth"
    output = tmp_path / "mean.safetensors"
    assert main(["average", str(first), str(second), "-o", str(output)]) == 0
    assert "use it: tipr-zoo eval NAME" in capsys.readouterr().out
    averaged, own = read_weights(output), tipr_zoo.build(TINY, weights=output).state_dict()
    name = "text_encoder.trunk.text_projection.weight"
    expected = (read_weights(first)[name].double() + read_weights(second)[name].double()) / 2
    torch.testing.assert_close(averaged[name], expected.float(), rtol=0, atol=0)
    assert own.keys() == averaged.keys() == read_weights(final).keys()
    words = ["eval", TINY, "--data", str(synthpedes), "--weights", str(output), "--device", "cpu", "--json"]
    assert main(words) == 0
    assert 0 <= json.loads(capsys.readouterr().out)["metrics"]["R1"] <= 100
    assert main(["info", str(output)]) == 0
    assert "averaged_from" in capsys.readouterr().out
