"""What a pickle of tensors says, read without running any of it and without making a tensor.

PyTorch's files and TorchScript archives describe their tensors by a pickle. A pickle is a program that may call
whatever Python can import. This reader knows a closed list of names, and each of them stands for plain data.
"""

from __future__ import annotations

import collections
import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, ClassVar

import torch


class RefusedGlobalError(pickle.UnpicklingError):
    """A pickle names something that only code could bring back.

    Attributes:
        name: Its dotted name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"it holds {name}")
        self.name = name


@dataclass(frozen=True)
class StorageRecord:
    """Where the numbers of tensors lie.

    Attributes:
        key: Its name in the file.
        dtype: Type of its numbers.
        count: How many there are.
    """

    key: str
    dtype: torch.dtype
    count: int

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.count * self.dtype.itemsize


@dataclass(frozen=True)
class TensorRecord:
    """A tensor that was described and not made.

    Attributes:
        storage: Where its numbers lie.
        dtype: Their type.
        offset: The first of them, in numbers from the start of the storage.
        shape: Its shape.
        stride: From a number to the next along each dimension.
    """

    storage: StorageRecord
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True)
class OddTensor:
    """A tensor that has not one number in each place.

    Attributes:
        kind: What it is, with its article, e.g. ``"a sparse tensor"``.
    """

    kind: str


@dataclass
class ScriptModule:
    """A module of a TorchScript archive: its attributes, and none of its code.

    Attributes:
        attributes: Tensors, modules and plain values by name.
    """

    attributes: dict[str, Any] = field(default_factory=dict)


class LeftOut:
    """What stands beside tensors and is not needed: numbers and arrays of numpy, types, devices, settings.

    It takes whatever a pickle gives it, and keeps nothing.
    """

    def __init__(self, *arguments: object) -> None:
        """Keep nothing."""

    def __setitem__(self, key: object, value: object) -> None:
        """Keep nothing."""

    def append(self, item: object) -> None:
        """Keep nothing."""

    def extend(self, items: object) -> None:
        """Keep nothing."""

    def add(self, item: object) -> None:
        """Keep nothing."""


def read_pickle(file: BinaryIO | bytes, storages: dict[str, StorageRecord] | None = None) -> Any:
    """Read one pickle. Tensors come back as `TensorRecord`.

    Args:
        file: The pickle, or an open file at its start.
        storages: Takes up every storage that the pickle names, by key.

    Raises:
        Exception: Whatever a damaged pickle provokes. A `RefusedGlobalError` where it names what runs programs, or
            holds something else than tensors and plain data and no tensor that can be reached without it. Settings
            beside tensors, as ``argparse.Namespace``, are left out.
    """
    unpickler = _Unpickler(io.BytesIO(file) if isinstance(file, bytes) else file)
    unpickler.storages = {} if storages is None else storages
    unpickler.strangers = []
    content = unpickler.load()
    if unpickler.strangers and not _holds_tensors(content):
        raise RefusedGlobalError(unpickler.strangers[0])
    return content


def _holds_tensors(content: object) -> bool:
    """Tell whether any tensor stands in dicts, lists and modules of TorchScript."""
    seen: set[int] = set()
    left = [content]
    while left:
        value = left.pop()
        if isinstance(value, (TensorRecord, OddTensor)):
            return True
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, ScriptModule):
            left.append(value.attributes)
        elif isinstance(value, dict):
            left.extend(value.values())
        elif isinstance(value, (list, tuple)):
            left.extend(value)
    return False


_DTYPES = {
    "Float": torch.float32,
    "Double": torch.float64,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
    "ComplexFloat": torch.complex64,
    "ComplexDouble": torch.complex128,
    "QInt8": torch.int8,
    "QUInt8": torch.uint8,
    "QInt32": torch.int32,
    "Untyped": torch.uint8,
}


def _tensor(storage: StorageRecord, offset: int, shape: Any, stride: Any, *_: object) -> TensorRecord:
    return _described(storage, storage.dtype, offset, shape, stride)


def _typed_tensor(
    storage: StorageRecord, offset: int, shape: Any, stride: Any, _grad: object, _hooks: object, dtype: Any, *_: object
) -> TensorRecord:
    return _described(storage, dtype, offset, shape, stride)


def _described(storage: StorageRecord, dtype: Any, offset: Any, shape: Any, stride: Any) -> TensorRecord:
    shape, stride = tuple(shape), tuple(stride)
    whole = all(type(number) is int and number >= 0 for number in (offset, *shape, *stride))
    if not (whole and len(shape) == len(stride) and isinstance(storage, StorageRecord)):
        raise pickle.UnpicklingError("it describes a tensor that cannot be")
    if not isinstance(dtype, torch.dtype):
        raise pickle.UnpicklingError("it describes a tensor without a type")
    return TensorRecord(storage, dtype, offset, shape, stride)


def _parameter(data: object, *_: object) -> object:
    return data


def _of_type(rebuild: object, _type: object, arguments: Any, *_: object) -> object:
    if rebuild is not _tensor and rebuild is not _typed_tensor:
        return OddTensor("a tensor of a class of its own")
    return rebuild(*arguments)


def _odd(kind: str) -> Callable[..., OddTensor]:
    return lambda *_: OddTensor(kind)


_REBUILT: dict[str, Callable[..., object]] = {
    "_rebuild_tensor": _tensor,
    "_rebuild_tensor_v2": _tensor,
    "_rebuild_tensor_v3": _typed_tensor,
    "_rebuild_parameter": _parameter,
    "_rebuild_parameter_with_state": _parameter,
    "_rebuild_sparse_tensor": _odd("a sparse tensor"),
    "_rebuild_meta_tensor_no_storage": _odd("a meta tensor"),
    "_rebuild_qtensor": _odd("a quantised tensor"),
    "_rebuild_nested_tensor": _odd("a nested tensor"),
    "_rebuild_wrapper_subclass": _odd("a tensor of a class of its own"),
    "_rebuild_device_tensor_from_numpy": _odd("a tensor of another kind of device"),
    "_rebuild_device_tensor_from_cpu_tensor": _odd("a tensor of another kind of device"),
}

_NAMED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "defaultdict"): lambda *_: {},
    ("collections", "Counter"): lambda *_: {},
    ("torch", "Size"): lambda *sides: tuple(*sides),
    ("torch.serialization", "_get_layout"): LeftOut,
    ("_codecs", "encode"): LeftOut,
    **{("torch._utils", name): rebuild for name, rebuild in _REBUILT.items()},
    ("torch._tensor", "_rebuild_from_type_v2"): _of_type,
    **{("torch", name): LeftOut for name in ("device", "Tensor", "nn.parameter.Parameter")},
    **{("torch.nn.parameter", name): LeftOut for name in ("Parameter", "Buffer")},
    **{("torch.jit._pickle", name): _parameter for name in ("build_tensorlist", "build_intlist", "restore_type_tag")},
    **{("torch.jit._pickle", name): _parameter for name in ("build_doublelist", "build_boollist")},
    **{
        (module, name): LeftOut
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
        for name in ("scalar", "_reconstruct")
    },
    **{("numpy", name): LeftOut for name in ("dtype", "ndarray")},
    **{(module, name): LeftOut for module in ("builtins", "__builtin__") for name in ("bytearray", "complex")},
    **{
        (module, name): _parameter
        for module in ("builtins", "__builtin__")
        for name in ("int", "float", "bool", "str", "list", "dict", "tuple", "set", "frozenset")
    },
}


_RUNS_PROGRAMS = (
    *("builtins", "__builtin__", "os", "posix", "nt", "sys", "subprocess", "shutil", "socket", "importlib", "runpy"),
    *("pty", "code", "ctypes", "webbrowser", "pickle", "marshal", "multiprocessing", "torch"),
    "commands",  # under which older pickles name what subprocess has
)
"""Modules that nobody's settings are made of. Whoever names them has something else in mind."""


# The one written in Python: that in C sets memory aside for whatever place a pickle names to remember a value in.
class _Unpickler(pickle._Unpickler):
    """Knows `_NAMED`, types of numbers and of storages, and TorchScript's modules. Every other name is left out."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]
    storages: dict[str, StorageRecord]
    strangers: list[str]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _NAMED:
            return _NAMED[module, name]
        if module in ("torch", "torch.storage") and name.removesuffix("Storage") in _DTYPES:
            return _DTYPES[name.removesuffix("Storage")]
        if module == "torch" and isinstance(found := getattr(torch, name, None), torch.dtype):
            return found
        if module == "torch" and name.startswith("per_"):  # how a quantised tensor is quantised
            return LeftOut
        if module == "numpy.dtypes" and name.endswith("DType"):
            return LeftOut
        if module.split(".")[0] == "__torch__":
            return ScriptModule
        if module.split(".")[0] in _RUNS_PROGRAMS and not module.startswith("torch.nn"):
            raise RefusedGlobalError(f"{module}.{name}")
        self.strangers.append(f"{module}.{name}")
        return LeftOut

    def persistent_load(self, pid: Any) -> StorageRecord:
        kind, dtype, key, _, count, *view = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or type(count) is not int or count < 0 or any(view):
            raise pickle.UnpicklingError("it names a storage that cannot be")
        return self.storages.setdefault(str(key), StorageRecord(str(key), dtype, count))

    def load_build(self) -> None:
        """Give a TorchScript module its attributes. Nothing else is changed by what a pickle says."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], ScriptModule) and isinstance(state, dict):
            self.stack[-1].attributes = state

    dispatch[pickle.BUILD[0]] = load_build
