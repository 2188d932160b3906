"""References: published figures of methods that the zoo has no code of, one YAML file each.

They lie in ``model_cards/references`` and spell ``results``, ``method``, ``paper`` and ``code`` as cards do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tipr_zoo.cards.card import Link, read_link
from tipr_zoo.cards.fields import Fields, parse_mapping
from tipr_zoo.cards.index import core_cards_folder
from tipr_zoo.cards.method_facts import MethodFacts, read_method_facts
from tipr_zoo.cards.results import Result, read_published_results
from tipr_zoo.errors import CardError

FOLDER = "references"


@dataclass(frozen=True)
class Reference:
    """What is known of one method that cannot be built here.

    Attributes:
        name: What its rows are called, e.g. ``"IRRA + NAM"``.
        path: Its file.
        method: What must be known before its figures are compared with others'.
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
        CardError: The file is malformed; the message names the file, the field and the fix.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"{path}: cannot be read: {error}") from error
    fields = Fields(parse_mapping(text, path, "a reference"), path)
    fields.allow({"name", "method", "paper", "code", "results"})
    name, method = fields.text("name"), read_method_facts(fields.block("method"))
    results = read_published_results(fields, name, method)
    return Reference(name, path, method, read_link(fields, "paper"), read_link(fields, "code"), results)


def read_references(folder: Path | None = None) -> tuple[Reference, ...]:
    """Every reference, by the names of their files.

    Args:
        folder: Where they lie; by default those that ship with the core.

    Raises:
        CardError: One is malformed.
    """
    return tuple(map(read_reference, sorted((folder or core_cards_folder() / FOLDER).glob("*.yaml"))))
