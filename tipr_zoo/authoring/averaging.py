"""Averaging the weights of several trainings, or of several epochs of one, tensor by tensor."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from tipr_zoo.errors import ConfigError, WeightsError
from tipr_zoo.machine.result_place import check_folder, make_folder
from tipr_zoo.models.weights_origin import CONVERTED_AS
from tipr_zoo.outside.files import file_sha256
from tipr_zoo.version import __version__
from tipr_zoo.weights.opening import OpenedWeights, open_weights
from tipr_zoo.weights.recognition import WeightsKind
from tipr_zoo.weights.tensors import first_of, write_weights
from tipr_zoo.weights.training_vocabulary import VOCABULARY

AVERAGED_FROM = "averaged_from"
"""The text in a header that says of which files weights are the average, as JSON: name, hash and share of each."""

_SHARED_TEXTS = (
    *("model", "plugin", "recipe", "recipe_sha256", "code_version", "seed"),
    *("selected_on", "dataset", "dataset_sha256", CONVERTED_AS, VOCABULARY),
)
"""The texts of a header that stay where all files agree on them."""


@dataclass(frozen=True)
class Average:
    """The result of averaging.

    Attributes:
        weights: The file.
        tensors: Number of tensors.
        shares: The share of each file, in their order; they sum to 1.
        notes: What is to be known of it, one text each; empty where there is nothing.
    """

    weights: Path
    tensors: int
    shares: tuple[float, ...]
    notes: tuple[str, ...]


def average_weights(
    files: Sequence[Path], output: Path, shares: Sequence[float] | None = None, overwrite: bool = False
) -> Average:
    """Write the average of several files of weights of one model.

    Floating-point numbers are averaged in float64 and written in the type that they have in the files, the wider one
    where these differ. Whole numbers, such as the counters of batch normalisations, are those of the first file.

    Args:
        files: Weights of the zoo, or checkpoints of its trainings; two at least.
        output: The safetensors file to write.
        shares: How much each file counts, in any scale; None for all alike.
        overwrite: Whether `output` may be overwritten.

    Raises:
        ConfigError: The files, the shares or the output make no sense.
        WeightsError: A file cannot be read, holds no weights of a model of the zoo, or those of another model or size.
        WriteError: The output cannot be written.
    """
    parts = _checked_shares(files, shares)
    _check_output(output, files, overwrite)
    sum_ = _Sum.of(_opened(files[0]), parts[0])
    for file, share in zip(files[1:], parts[1:], strict=True):
        sum_.add(_opened(file), share)
    hashes = [file_sha256(file) for file in files]
    if twice := next((found for found in hashes if hashes.count(found) > 1), None):
        same = [str(file) for file, found in zip(files, hashes, strict=True) if found == twice]
        raise ConfigError(f"{' and '.join(same)} are the same weights; name them once, and give them a larger share")
    about = _header(files, hashes, parts, [opened.header for opened in sum_.files])
    make_folder(output.parent)
    write_weights(sum_.tensors(), output, about)
    return Average(output, len(sum_.total), parts, tuple(_notes(sum_)))


@dataclass
class _Sum:
    """What was summed up so far.

    Attributes:
        files: The files, without their tensors but for the first.
        total: The weighted sum by name, in float64; whole numbers as the first file has them.
        kinds: The type of each tensor in the result.
        differing: Names of whole numbers that are others in a later file.
    """

    files: list[OpenedWeights]
    total: dict[str, Tensor]
    kinds: dict[str, torch.dtype]
    differing: set[str]

    @classmethod
    def of(cls, first: OpenedWeights, share: float) -> _Sum:
        """Begin with the first file."""
        total = {name: _weighted(tensor, share) for name, tensor in first.tensors.items()}
        return cls([first], total, {name: tensor.dtype for name, tensor in first.tensors.items()}, set())

    def add(self, opened: OpenedWeights, share: float) -> None:
        """Add a file, if it is of the same model.

        Raises:
            WeightsError: It is of another one, or of another size.
        """
        _check_alike(self.files[0], opened)
        for name, tensor in opened.tensors.items():
            if tensor.is_floating_point():
                self.total[name] += _weighted(tensor, share)
                self.kinds[name] = torch.promote_types(self.kinds[name], tensor.dtype)
            elif not torch.equal(tensor, self.total[name]):
                self.differing.add(name)
        self.files.append(replace(opened, tensors={}))

    def tensors(self) -> dict[str, Tensor]:
        """Return the sums in the types of the files."""
        return {name: tensor.to(self.kinds[name]) for name, tensor in self.total.items()}


def _weighted(tensor: Tensor, share: float) -> Tensor:
    """Return a share of floating-point numbers in float64; whole numbers as they are."""
    return tensor.to(torch.float64) * share if tensor.is_floating_point() else tensor.clone()


def _checked_shares(files: Sequence[Path], shares: Sequence[float] | None) -> tuple[float, ...]:
    """Return the share of each file; they sum to 1.

    Raises:
        ConfigError: There are fewer than two files, or the shares make no sense.
    """
    if len(files) < 2:
        raise ConfigError(f"an average is of two files at least, got {len(files)}")
    if shares is None:
        return (1 / len(files),) * len(files)
    if len(shares) != len(files):
        raise ConfigError(f"there must be one share for each of the {len(files)} files, got {len(shares)}")
    for share in shares:
        if isinstance(share, bool) or not isinstance(share, (int, float)) or not math.isfinite(share) or share <= 0:
            raise ConfigError(f"a share must be a number above 0, got {share!r}")
    return tuple(share / math.fsum(shares) for share in shares)


def _check_output(output: Path, files: Sequence[Path], overwrite: bool) -> None:
    """Check that the average can be written there, before the work.

    Raises:
        ConfigError: It cannot.
    """
    if output.suffix != ".safetensors":
        raise ConfigError(f"--output must end in .safetensors, got {str(output)!r}")
    check_folder(output.parent)
    if output.exists() and any(file.exists() and output.samefile(file) for file in files):
        raise ConfigError(f"{output} is one of the files that are averaged; choose another --output")
    if output.exists() and not overwrite:
        raise ConfigError(f"{output} exists; choose another --output, or overwrite it with --force")


def _opened(file: Path) -> OpenedWeights:
    """Read weights of a model of the zoo.

    Raises:
        WeightsError: They cannot be read, or are something else.
    """
    opened = open_weights(file)
    is_zoo = opened.recognised.kind is WeightsKind.ZOO
    if not is_zoo and (opened.recognised.is_known or not opened.tensors):
        fix = "convert it first: tipr-zoo convert" if opened.recognised.kind is WeightsKind.OFFICIAL else "leave it out"
        raise WeightsError(
            f"weights {file} are {opened.recognised.words}, and an average is of weights of the zoo; {fix}"
        )
    return opened


def _check_alike(first: OpenedWeights, other: OpenedWeights) -> None:
    """Check that two files are of one model and one size.

    Raises:
        WeightsError: They are not.
    """
    files, headers = f"{first.path} and {other.path}", (first.header, other.header)
    recipes = [(header.get("plugin"), header.get("recipe")) for header in headers if "recipe" in header]
    models = [header["model"] for header in headers if "model" in header]
    differ = recipes[0] != recipes[1] if len(recipes) == 2 else len(set(models)) > 1
    if differ:
        raise WeightsError(f"{files} are of the models {' and '.join(models)}; an average is of weights of one model")
    own, given = first.tensors, other.tensors
    problems = [f"{name} is missing in {other.path}" for name in own if name not in given]
    problems += [f"{name} is missing in {first.path}" for name in given if name not in own]
    problems += [
        f"{name} has shape {tuple(own[name].shape)} and {tuple(given[name].shape)}"
        for name in own
        if name in given and own[name].shape != given[name].shape
    ]
    problems += [
        f"{name} is {own[name].dtype} and {given[name].dtype}"
        for name in own
        if name in given and own[name].is_floating_point() != given[name].is_floating_point()
    ]
    if problems:
        raise WeightsError(f"{files} do not fit each other: {first_of(problems)}")


def _header(
    files: Sequence[Path], hashes: Sequence[str], shares: Sequence[float], headers: Sequence[Mapping[str, str]]
) -> dict[str, str]:
    """Return what the header says: what all files agree on, and what the weights were made of."""
    texts = {
        name: headers[0][name]
        for name in _SHARED_TEXTS
        if len({header.get(name) for header in headers}) == 1 and name in headers[0]
    }
    made_of = [
        {"file": file.name, "sha256": found, "share": share}
        for file, found, share in zip(files, hashes, shares, strict=True)
    ]
    return {"tipr_zoo_version": __version__, **texts, AVERAGED_FROM: json.dumps(made_of, ensure_ascii=False)}


def _notes(sum_: _Sum) -> Iterator[str]:
    """Yield what is to be known of an average."""
    unnamed = [str(opened.path) for opened in sum_.files if "model" not in opened.header]
    if unnamed:
        yield f"{', '.join(unnamed)}: nothing says of which model; all have the same tensors"
    if count := sum(name.endswith("running_mean") for name in sum_.total):
        yield (
            f"the running figures of {count} batch normalisations are averaged, which is near what they would be, and"
            " not the same"
        )
    if sum_.differing:
        told = first_of(sorted(sum_.differing))
        yield f"whole numbers differ and are those of {sum_.files[0].path}: {told}"
    data = {opened.header.get("dataset_sha256") for opened in sum_.files} - {None}
    if len(data) > 1:
        yield "they were trained on different data"
