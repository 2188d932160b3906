"""References: published figures of methods for which the zoo has no code. Each is one YAML file.

They lie in ``model_cards/references``. Their ``results``, ``method``, ``paper`` and ``code`` are written as in cards.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tipr_zoo.cards.front_matter import parse_mapping, problems_of_text
from tipr_zoo.cards.index import core_cards_folder
from tipr_zoo.cards.method_facts import MethodFacts
from tipr_zoo.cards.reference_schema import ReferenceFile
from tipr_zoo.cards.results import Result, ResultReader
from tipr_zoo.cards.schema import Link
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
    """

    name: str
    path: Path
    method: MethodFacts
    paper: Link | None
    code: Link | None
    results: tuple[Result, ...]


def read_reference(path: Path) -> Reference:
    """Read and check one reference.

    Raises:
        CardError: The file is malformed. The message names the file, the field and the fix.
    """
    try:
        text = read_text(path, CARD_LIMIT, "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"{path}: cannot be read: {error}") from error
    values = parse_mapping(text, path, "a reference")
    problems = Problems(problems_of_text(ReferenceFile, values, text))
    file = built(ReferenceFile, values, problems.fields())
    results = ResultReader(file.name, file.method, path, problems).of_reference(file.results)
    if problems:
        raise CardError(f"{path}: {problems[0]}")
    return Reference(file.name, path, file.method, file.paper, file.code, results)


def read_references(folder: Path | None = None) -> tuple[Reference, ...]:
    """Read every reference of a folder, in the order of their files' names.

    Args:
        folder: The folder. By default, that of the references that ship with the core.

    Raises:
        CardError: A reference is malformed.
    """
    return tuple(map(read_reference, sorted((folder or core_cards_folder() / FOLDER).glob("*.yaml"))))
