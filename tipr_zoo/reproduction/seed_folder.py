"""The folder of one training among several: what is trained in it, and whether it has ended.

``reproduction.json`` says both. What was begun with another recipe or other data is never gone on with, and never
overwritten.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tipr_zoo.errors import ConfigError
from tipr_zoo.machine.result_place import make_folder
from tipr_zoo.machine.whole_file import is_part, write_whole
from tipr_zoo.outside.files import NOTE_LIMIT, file_sha256, read_text
from tipr_zoo.outside.parsing import parse_json

STATE = "reproduction.json"


@dataclass(frozen=True)
class SeedFolder:
    """A folder for one training.

    Attributes:
        path: The folder, there or not.
        name: The model's name.
        described: All that decides the result of the training, as JSON has it; its ``recipe`` is the whole recipe.
    """

    path: Path
    name: str
    described: Mapping[str, Any]

    @property
    def weights(self) -> Path:
        """The file to which the training writes the weights of the chosen epoch."""
        return self.path / f"{self.name}.safetensors"

    @property
    def max_epochs(self) -> int:
        """How many epochs the recipe wants."""
        return int(self.described["recipe"]["training"]["max_epochs"])

    def begin(self) -> bool:
        """Note down what is trained here.

        Returns:
            Whether it was begun before.

        Raises:
            ConfigError: The folder holds another training, or something else.
        """
        if self._finished() is not None:
            return True
        self._write({"training": self.described, "finished": {}})
        return False

    def finish(self) -> None:
        """Note down that the training has ended, and with how many epochs."""
        epochs = max(int(file.stem.split("_")[1]) for file in self.path.glob("epoch_*.pth"))
        finished = {"epochs": epochs, "weights_sha256": file_sha256(self.weights)}
        self._write({"training": self.described, "finished": finished})

    def epochs(self) -> int:
        """Return how many epochs there were when the training ended; 0 where it has not ended, or its weights are gone.

        Raises:
            ConfigError: The folder holds another training, or something else.
        """
        finished = self._finished()
        if not finished or not self.weights.is_file() or file_sha256(self.weights) != finished["weights_sha256"]:
            return 0
        return int(finished["epochs"])

    def _finished(self) -> dict[str, Any] | None:
        """Read what is noted of the end; empty before it, None where nothing was begun here."""
        file, advice = self.path / STATE, "name another --work-dir, or delete this folder"
        if not file.exists():
            if self.path.exists() and (not self.path.is_dir() or not all(map(is_part, os.listdir(self.path)))):
                raise ConfigError(f"{self.path} holds something else than a training of `tipr-zoo reproduce`; {advice}")
            return None
        try:
            state = parse_json(read_text(file, NOTE_LIMIT))
            there, finished = _flat(state["training"]), dict(state["finished"])
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise ConfigError(f"{file} is broken ({type(error).__name__}: {error}); {advice}") from error
        asked = _flat(self.described)
        for key in sorted(there.keys() | asked.keys()):
            if there.get(key) != asked.get(key):
                raise ConfigError(
                    f"{self.path} holds a training with {key.removeprefix('recipe.')} {there.get(key)!r},"
                    f" not {asked.get(key)!r}; {advice}"
                )
        return finished

    def _write(self, state: Mapping[str, Any]) -> None:
        """Write the note whole or not at all."""
        file = self.path / STATE
        make_folder(self.path)
        write_whole(file, (json.dumps(state, indent=2) + "\n").encode())


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested dicts into one, by dotted name."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat
