"""Names of files on the Hugging Face Hub: ``hub:owner/name[@revision][:file]``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from tipr_zoo.errors import ConfigError

PREFIX = "hub:"

CARD_FILE = "README.md"
"""What the Hub calls a model card."""

# Patterns are texts, which `re` compiles once they are used: listing uses none of them.
_COMMIT = r"[0-9a-f]{40}"

_REPOSITORY = r"(?a)[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?/[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?"

_REVISION = r"\w(?:[\w./+=-]*[\w+=-])?"

_REFERENCE = r"hub:(?P<repository>[^@:\s]+)(?:@(?P<revision>[^@:\s]+))?(?::(?P<file>[^:]+))?"


@dataclass(frozen=True)
class HubReference:
    """A repository on the Hub. It may name a revision and a file.

    Attributes:
        repository: ``"owner/name"``.
        revision: Branch, tag or commit; None for the default branch.
        file: Path inside the repository, or None where none is named.
    """

    repository: str
    revision: str | None = None
    file: str | None = None

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit. A commit never changes, a branch or a tag may."""
        return self.revision is not None and re.fullmatch(_COMMIT, self.revision) is not None

    def at(self, revision: str) -> HubReference:
        """Return the same reference at another revision."""
        return replace(self, revision=revision)

    def with_file(self, file: str | None) -> HubReference:
        """Return a reference to another file of the same revision.

        Raises:
            ConfigError: The path leads out of the repository.
        """
        return replace(self, file=_checked_file(file, str(self)) if file is not None else None)

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"{PREFIX}{self.repository}{revision}" + (f":{self.file}" if self.file else "")


def is_hub_reference(text: object) -> bool:
    """Tell whether a name or a path means something on the Hub.

    >>> is_hub_reference("hub:owner/name@main:weights.safetensors"), is_hub_reference("weights.safetensors")
    (True, False)
    """
    return str(text).startswith(PREFIX)


def parse_hub_reference(text: object) -> HubReference:
    """Read ``hub:owner/name[@revision][:file]``.

    >>> parse_hub_reference("hub:owner/name@main:weights.safetensors")
    HubReference(repository='owner/name', revision='main', file='weights.safetensors')

    Raises:
        ConfigError: The text has another form.
    """
    match = re.fullmatch(_REFERENCE, str(text))
    if match is None:
        raise ConfigError(f"{str(text)!r} is not of the form hub:owner/name[@revision][:file]")
    file, revision = match["file"], match["revision"]
    return HubReference(
        checked_repository(match["repository"]),
        checked_revision(revision) if revision is not None else None,
        _checked_file(file, str(text)) if file is not None else None,
    )


def checked_repository(name: str) -> str:
    """Return the name of a repository as it was given, or raise.

    Raises:
        ConfigError: It is not ``owner/name``, or has a character that the Hub does not allow.
    """
    if (
        re.fullmatch(_REPOSITORY, name) is None
        or "--" in name
        or ".." in name
        or len(name) > 96
        or name.endswith(".git")
    ):
        raise ConfigError(
            f"a repository on the Hub is named owner/name, in letters, digits and - _ . (not doubled), got {name!r}"
        )
    return name


def checked_revision(revision: str) -> str:
    """Return the name of a branch, a tag or a commit as it was given, or raise.

    Raises:
        ConfigError: Git allows no such name.
    """
    if re.fullmatch(_REVISION, revision) is None or any(part in revision for part in ("..", "//", "/.")):
        raise ConfigError(f"a branch, tag or commit is named in letters, digits and - _ . /, got {revision!r}")
    return revision


def _checked_file(file: str, place: str) -> str:
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or "\\" in file or not path.parts:
        raise ConfigError(f"{place}: the file must be a path inside the repository, got {file!r}")
    return str(path)
