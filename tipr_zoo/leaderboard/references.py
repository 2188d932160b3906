"""References: published figures of methods for which the zoo has no code. Each is one YAML file.

They lie in ``model_cards/references``. Their ``results``, ``method``, ``paper`` and ``code`` are written as in cards.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tipr_zoo.cards.front_matter import parse_mapping, problems_of_text
from tipr_zoo.cards.index import card_index, core_cards_folder
from tipr_zoo.cards.method_facts import MethodFacts
from tipr_zoo.cards.publication import Code, Paper
from tipr_zoo.cards.reference_schema import KnownSize, ReferenceFile
from tipr_zoo.cards.results import Result, ResultReader
from tipr_zoo.cards.speed import SpeedBlock
from tipr_zoo.errors import CardError
from tipr_zoo.outside.files import CARD_LIMIT, read_text
from tipr_zoo.schemas.declared import built
from tipr_zoo.schemas.problems import Problems

FOLDER = "references"


@dataclass(frozen=True)
class Reference:
    """Facts about one method that the zoo cannot build.

    Attributes:
        name: The name of its rows, e.g. ``"IRRA + NAM"``.
        path: Its file.
        method: Facts to know before its figures are compared with others.
        paper: The paper that describes it.
        code: The authors' repository and its licence.
        results: Its published figures, each with its source.
        size: Its parameters, embedding and pictures, as far as they are known.
        speed: How long a search takes, as a publication prints it. None where nobody looked.
    """

    name: str
    path: Path
    method: MethodFacts
    paper: Paper | None
    code: Code | None
    results: tuple[Result, ...]
    size: KnownSize | None = None
    speed: SpeedBlock | None = None


def read_reference(path: Path) -> Reference:
    """Read and check one reference.

    Raises:
        CardError: The file is malformed. The message names the file, the field and the fix.
    """
    reference, problems = examine_reference(path)
    if problems:
        raise CardError(f"{path}: {problems[0]}")
    return reference


def examine_reference(path: Path) -> tuple[Reference, Problems]:
    """Read one reference and collect all its problems.

    Returns:
        The reference, and the problems. In the reference, a part with a problem is empty or left out.

    Raises:
        CardError: The file cannot be read.
    """
    text = reference_text(path)
    values = parse_mapping(text, path, "a reference")
    problems = Problems(problems_of_text(ReferenceFile, values, text))
    file = built(ReferenceFile, values, problems.fields())
    results = ResultReader(file.name, file.method, path, problems).of_reference(file.results)
    if (card := card_index().cards.get(file.name)) is not None:
        problems.add("", "name", f"'name' is that of a model of the zoo; put its figures on the card {card.path}")
    return Reference(file.name, path, file.method, file.paper, file.code, results, file.size, file.speed), problems


def reference_text(path: Path) -> str:
    """Return the text of a reference.

    Raises:
        CardError: The file cannot be read.
    """
    try:
        return read_text(path, CARD_LIMIT, "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"{path}: cannot be read: {error}") from error


def reference_files(folder: Path | None = None) -> list[Path]:
    """Return the references of a folder, in the order of their names; by default those that ship with the core."""
    return sorted((folder or core_cards_folder() / FOLDER).glob("*.yaml"))


def read_references(folder: Path | None = None) -> tuple[Reference, ...]:
    """Read every reference of a folder, in the order of their files' names.

    Args:
        folder: The folder. By default, that of the references that ship with the core.

    Raises:
        CardError: A reference is malformed, or two have one name.
    """
    references = tuple(map(read_reference, reference_files(folder)))
    for path, first in repeated_names(references).items():
        raise CardError(f"{path}: {repeated_name_problem(first)}")
    return references


def repeated_names(references: Iterable[Reference]) -> dict[Path, Reference]:
    """Return the references whose name an earlier one has: their file, and the earlier one."""
    by_name: dict[str, Reference] = {}
    found = {}
    for reference in references:
        if (first := by_name.setdefault(reference.name, reference)) is not reference:
            found[reference.path] = first
    return found


def repeated_name_problem(first: Reference) -> str:
    """Return what is told of a reference whose name `first` has already."""
    return f"'name' {first.name!r} is that of {first.path}; join the two files"
