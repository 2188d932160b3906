"""All that a checkpoint of a training holds, and not its weights alone. It is read as they are: nothing is run."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from tipr_zoo.errors import WeightsError
from tipr_zoo.outside.files import WEIGHTS_LIMIT, opened
from tipr_zoo.weights.closed_unpickler import TensorRecord
from tipr_zoo.weights.finite_numbers import check_numbers
from tipr_zoo.weights.pytorch_file import ImpossibleFileError, PyTorchFile, look_into

_DEEPEST = 32
_PLAIN = (str, int, float, bool, type(None))


def describe_checkpoint(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds, with a description in the place of each tensor. No number of a tensor is read.

    Args:
        path: A file of ``torch.save`` that holds tensors and plain values.

    Raises:
        WeightsError: It cannot be read, or holds something else.
    """
    return _answered(path, lambda: _filled(_look(path), lambda _, record: record))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds, with its tensors on the CPU.

    Args:
        path: See `describe_checkpoint`.

    Raises:
        WeightsError: It cannot be read, holds something else, or a number that is not finite.
    """

    def read() -> dict[str, Any]:
        file, records = _look(path), dict[str, TensorRecord]()
        _filled(file, lambda name, record: records.setdefault(name, record))
        tensors = file.tensors(records)
        # What the hooks of a training remember are no weights, and NaN may be their word for nothing yet.
        counted = {name: tensor for name, tensor in tensors.items() if not name.startswith("hooks.")}
        check_numbers(counted, f"checkpoint {path}")
        return _filled(file, lambda name, _: tensors[name])

    return _answered(path, read)


def check_checksums(path: Path) -> None:
    """Compare every part of a checkpoint with its checksum, as nothing that reads tensors does.

    Raises:
        WeightsError: One differs.
    """

    def read() -> None:
        with opened(path, WEIGHTS_LIMIT) as file, zipfile.ZipFile(file) as archive:
            if damaged := archive.testzip():
                raise ImpossibleFileError(f"{damaged} in it has another checksum")

    _answered(path, read)


def _answered(path: Path, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except WeightsError:
        raise
    except Exception as error:  # whatever a damaged file provokes
        raise WeightsError(f"{path} is damaged or no checkpoint: {type(error).__name__}: {error}") from error


def _look(path: Path) -> PyTorchFile:
    file = look_into(path)
    if not isinstance(file.content, dict) or file.is_script:
        raise ImpossibleFileError("it holds no dict of entries")
    return file


def _filled(file: PyTorchFile, tensor_of: Callable[[str, TensorRecord], Tensor | TensorRecord]) -> dict[str, Any]:
    """Return a copy of what a file holds with another value in the place of each tensor, which has its dotted name."""

    def copied(value: Any, name: str, depth: int) -> Any:
        if isinstance(value, _PLAIN):
            return value
        if depth > _DEEPEST:
            raise ImpossibleFileError(f"its entries are more than {_DEEPEST} levels deep")
        if isinstance(value, TensorRecord):
            return tensor_of(name.removeprefix("."), value)
        if isinstance(value, dict):
            return {key: copied(each, f"{name}.{key}", depth + 1) for key, each in value.items()}
        if type(value) in (list, tuple):
            return type(value)(copied(each, f"{name}.{index}", depth + 1) for index, each in enumerate(value))
        raise ImpossibleFileError(f"{name.removeprefix('.')} is neither a tensor nor a plain value")

    content: dict[str, Any] = copied(file.content, "", 0)
    return content
