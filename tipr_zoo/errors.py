"""The errors of tipr-zoo: one line each, naming the thing, the place and the fix.

The command line prints the message alone and exits with code 2; `--debug` shows the traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from pathlib import Path

from tipr_zoo.terminal.escaping import escaped

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_FOLDER = (errno.ENOENT, errno.ENOTDIR)


class TiprZooError(Exception):
    """Base of every error that tipr-zoo raises on purpose."""


class UnknownNameError(TiprZooError, LookupError):
    """A model, component, data set, plugin or option of this name does not exist."""


class DuplicateNameError(TiprZooError):
    """Two things claim one name; the message names both places."""


class CardError(TiprZooError, ValueError):
    """A model card is malformed, has an unknown field or a figure without a source."""


class RecordError(TiprZooError, ValueError):
    """An evaluation record is malformed, or lacks something."""


class PluginError(TiprZooError):
    """A plugin is missing, or raised while it was imported."""


class ConfigError(TiprZooError, ValueError):
    """A recipe, a component's arguments or a command-line option make no sense."""


class DataError(TiprZooError):
    """A data set, annotation or picture is missing or cannot be read."""


class TrainingError(TiprZooError):
    """A training cannot go on: a loss is not finite, a process died, or the disk or the memory is full."""


class WeightsError(TiprZooError):
    """Weights are missing, truncated, of another hash, or do not fit the model."""


class GalleryError(TiprZooError):
    """A gallery is missing, damaged, of another model, or cannot do what was asked of it."""


class WriteError(TiprZooError, OSError):
    """A file or a folder cannot be written; what was there is as it was.

    Attributes:
        errno: The number of the system's error, or None.
        strerror: What the system says.
        filename: The file or folder.
    """

    def __str__(self) -> str:
        folder, fix = Path(str(self.filename)).parent, "name another place"
        if self.errno in _NO_ROOM:
            fix = f"make room, or {fix}"
        elif self.errno == errno.EFBIG:
            fix = f"raise the limit of a file's size (ulimit -f), or {fix}"
        elif self.errno in _NOT_ALLOWED:
            fix = f"make it and its folder {folder} writable, or {fix}"
        elif self.errno in _NO_FOLDER:
            fix = f"make the folder {folder}, or {fix}"
        return f"{self.filename}: cannot be written: {self.strerror}; {fix}"


class HubError(TiprZooError):
    """The Hub cannot be reached, does not have what was asked for, or does not allow it."""


class MissingHubFileError(HubError):
    """The repository is there and has no such file."""


class BrokenPromiseError(TiprZooError, AssertionError):
    """A component does not do what the plugin contract promises of it; see `tipr_zoo.testing`."""


class NotFiniteError(ArithmeticError):
    """A loss or a gradient is not finite; training turns it into a `TrainingError` that names the culprit.

    Attributes:
        losses: All losses by key, where one of them is the cause.
        gradients: The parameters whose gradients are not finite, where no loss is the cause; none where only the norm
            of all gradients is not finite.
    """

    def __init__(self, losses: Mapping[str, float], gradients: Sequence[str] = ()) -> None:
        super().__init__("a loss or a gradient is not finite")
        self.losses, self.gradients = dict(losses), list(gradients)


class UnusableAnnotationError(Exception):
    """An entry of a file is no usable annotation. Who reads the file turns it into a `DataError`, or lists it.

    Args:
        kind: What is wrong in a few words.
        message: A sentence that continues the entry's place.
        concerns_every_split: Whether it is unclear which split the entry belongs to.
    """

    def __init__(self, kind: str, message: str, concerns_every_split: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.concerns_every_split = concerns_every_split


class RefusedFileError(OSError):
    """A file is there and is not read: it is no regular file, or larger than any of its kind.

    Its text says what it is and what to do, without the file's name, as `OSError.strerror` does.
    """

    def __str__(self) -> str:
        return str(self.strerror)


class Interrupted(KeyboardInterrupt):
    """Something was stopped from outside, by a signal.

    Attributes:
        exit_code: What the process ends with: 128 and the number of the signal.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


class TrainingInterrupted(Interrupted):
    """A training was stopped from outside."""


def error_line(error: BaseException) -> str:
    """Return what an error says in one line that can be printed anywhere; its kind's name where it says nothing."""
    try:
        text = str(error)
        if isinstance(error, RefusedFileError) and error.filename:
            text = f"{error.filename}: {text}"
    except Exception as unsaid:  # an error of a plugin's own, as its __str__ is
        text = f"(its message cannot be told: {type(unsaid).__name__})"
    return escaped(" ".join(text.split())) or type(error).__name__
