"""Commands that a message suggests. They are pasted into a shell, so every word of them is quoted."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import PurePath

from tipr_zoo.terminal.escaping import escaped

_ODD_BLANKS = r"^\s|\s$|\s\s|[^\S ]"


def suggested_command(*words: str | os.PathLike[str]) -> str:
    """Return a command line that a shell reads as these words.

    >>> suggested_command("tipr-zoo", "data", "check", "my data")
    "tipr-zoo data check 'my data'"

    Args:
        words: The words. A path that begins with a hyphen gets ``./`` before it, so that it is no option.
    """
    return " ".join(map(quoted, words))


def quoted(word: str | os.PathLike[str]) -> str:
    r"""Return one word of a command line.

    >>> print(quoted("evil'; touch PWN; '.pt"))
    'evil'"'"'; touch PWN; '"'"'.pt'

    Args:
        word: The word. A character that cannot be printed becomes an escape inside ``$'...'``, which bash, zsh and ksh
            read. So do blanks that a message would not keep.
    """
    text = os.fspath(word)
    if isinstance(word, PurePath) and text.startswith("-"):
        text = f"./{text}"
    if escaped(text) == text and not re.search(_ODD_BLANKS, text):
        return shlex.quote(text)
    return "$'" + "".join(map(_ansi_c, text)) + "'"


def _ansi_c(letter: str) -> str:
    if letter in "\\'":
        return f"\\{letter}"
    if escaped(letter) == letter and not letter.isspace():
        return letter
    return "".join(f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape"))
