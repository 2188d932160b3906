"""Embeddings kept on disk by what they were made of, so that nothing is embedded twice.

An entry is found by the content of everything that went into it. That is the model (weights, recipe, code, kind of
device) and the captions, or the bytes of the pictures, in their order. File names and folders play no part.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, cast

import PIL
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.distributed import from_main_process, is_main_process
from tipr_zoo.machine.whole_file import remove_parts
from tipr_zoo.outside.files import PICTURE_LIMIT, read_bytes
from tipr_zoo.pictures.files import open_picture
from tipr_zoo.protocols import Retriever
from tipr_zoo.terminal.log import logger
from tipr_zoo.weights.header import read_metadata
from tipr_zoo.weights.tensors import write_weights

RELEASED = ("torch", "timm", "transformers")
"""Packages whose version says what their code computes. The code of others may change between two versions."""

_SOURCES = (".py", ".json")  # vocabularies are JSON


class EmbeddingCache:
    """A folder with one file for every set of captions or pictures that a model has embedded.

    Args:
        model_sha256: Of the model; see `model_sha256`.
        folder: Where the files lie; ``embeddings`` in the cache folder by default.
    """

    def __init__(self, model_sha256: str, folder: Path | None = None) -> None:
        self.model_sha256 = model_sha256
        self.folder = cache_folder() / "embeddings" if folder is None else folder

    def embed(self, kind: str, content_sha256: str, compute: Callable[[], Tensor]) -> tuple[Tensor, bool]:
        """Take embeddings from the cache, or compute and keep them.

        A damaged entry is told and made anew. Where an entry cannot be written, one log line says so.

        Args:
            kind: ``"captions"`` or ``"pictures"``.
            content_sha256: Hash of what is embedded.
            compute: Embeds it: (N, D) float32 on the CPU.

        Returns:
            The embeddings, bit for bit as they were computed, and whether they come from the cache.
        """
        key = _sha256(json.dumps([self.model_sha256, kind, content_sha256]).encode())
        path = self.folder / f"{key}.safetensors"
        # All processes must agree on whether to compute, which they do together.
        found = from_main_process(self._find(path, kind) if is_main_process() else None)
        if found is not None:
            return found, True
        embeddings = compute()
        if is_main_process():
            self._keep(path, kind, embeddings)
        return embeddings, False

    def _find(self, path: Path, kind: str) -> Tensor | None:
        """Return the embeddings in an entry; None where there is none, or where it is damaged, which is told."""
        if not path.is_file():
            return None
        found = _read(path)
        if found is None:
            logger.warning("%s: is damaged; the %s are embedded anew", path, kind)
        return found

    def _keep(self, path: Path, kind: str, embeddings: Tensor) -> None:
        """Write an entry; where that cannot be done, say so."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_parts(self.folder)
            about = {"sha256": _entry_sha256(path, embeddings), "kind": kind}
            write_weights({"embeddings": embeddings}, path, about, must_last=False)
        except OSError as error:
            logger.warning("%s: the embeddings of the %s cannot be kept (%s)", path, kind, error.strerror or error)


def model_sha256(model: Retriever, recipe: Mapping[str, Any], weights_sha256: str) -> str:
    """Hash everything about a model that its embeddings depend on.

    Args:
        model: The model, on its device.
        recipe: The ``model`` entry of its recipe.
        weights_sha256: Hash of the file that its weights come from.
    """
    module = cast(nn.Module, model)
    first = next(chain(module.parameters(), module.buffers()), torch.empty(0))  # by which a model tells where it lives
    device = torch.cuda.get_device_name(first.device) if first.is_cuda else first.device.type
    facts = {
        "weights": weights_sha256,
        "recipe": recipe,
        "code": {package: _package_version(package) for package in sorted(_packages(module, model.tokenize))},
        "Pillow": PIL.__version__,
        "device": device,
        "precision": [str(first.dtype), torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32],
    }
    vocabulary = getattr(model.tokenize, "vocabulary_sha256", None)  # of a file of the user's, which may change
    facts |= {} if vocabulary is None else {"vocabulary": vocabulary}
    return _sha256(json.dumps(facts, sort_keys=True, default=repr).encode())


def captions_sha256(captions: Sequence[str]) -> str:
    """Hash some texts in their order."""
    return _sha256(json.dumps(list(captions)).encode())


def pictures_sha256(paths: Sequence[Path]) -> str:
    """Hash the contents of some picture files: the SHA-256 of their SHA-256 digests in order.

    Raises:
        DataError: A file is missing or cannot be read.
    """
    with ThreadPoolExecutor(8) as pool:
        return _sha256(b"".join(pool.map(_file_digest, paths)))


def _file_digest(path: Path) -> bytes:
    try:
        content = read_bytes(path, PICTURE_LIMIT)
    except OSError:
        open_picture(path)  # says what is wrong and what to do
        raise
    return hashlib.sha256(content).digest()


def _packages(model: nn.Module, tokenizer: object) -> set[str]:
    """Return the packages that a model's classes and their bases come from, and those of its tokenizer."""
    parts = [*model.modules(), tokenizer]
    modules = {base.__module__ for part in parts for base in type(part).__mro__}
    modules.add(getattr(tokenizer, "__module__", None) or "builtins")  # a function or a method says it by itself
    return {module.partition(".")[0] for module in modules} - {"builtins"}


def _package_version(package: str) -> str:
    """Return the version of a released package. Others may be edited at any time: hash their source files."""
    module = sys.modules[package]
    if package in RELEASED:
        return str(module.__version__)
    folders = [Path(folder) for folder in getattr(module, "__path__", [])]
    files = [(file, folder) for folder in folders for file in folder.rglob("*") if file.suffix in _SOURCES]
    if not folders and (file := getattr(module, "__file__", None)):
        files = [(Path(file), Path(file).parent)]
    sources = sorted((file.relative_to(folder).as_posix(), file.read_bytes()) for file, folder in files)
    return _sha256(b"".join(_digest(name.encode()) + _digest(source) for name, source in sources))


def _read(path: Path) -> Tensor | None:
    """Read the embeddings in an entry; None where it is damaged."""
    try:
        embeddings = safetensors.torch.load_file(path)["embeddings"]
    except (OSError, KeyError, safetensors.SafetensorError):
        return None
    return embeddings if _entry_sha256(path, embeddings) == read_metadata(path).get("sha256") else None


def _entry_sha256(path: Path, embeddings: Tensor) -> str:
    """Hash embeddings together with what they are of, so that no entry can stand in the place of another."""
    about = f"{path.stem} {embeddings.dtype} {tuple(embeddings.shape)}"
    return _sha256(_digest(about.encode()) + embeddings.contiguous().numpy().tobytes())


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
