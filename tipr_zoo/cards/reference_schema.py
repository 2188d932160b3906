"""The schema of a reference: published figures of a method for which the zoo has no code."""

from dataclasses import dataclass
from typing import Annotated

from tipr_zoo.cards.method_facts import MethodFacts
from tipr_zoo.cards.schema import NO_SOURCE, FiguresBlock, Link, SourcePlace, is_path
from tipr_zoo.schemas.declared import Declared
from tipr_zoo.schemas.marks import Check, FromList
from tipr_zoo.schemas.value_kinds import Text

PublishedPlace = Annotated[
    SourcePlace,
    Check(
        lambda url: not is_path(url),
        "a reference has no code to measure with: {key!r} must be a web address or null",
    ),
]


@dataclass(frozen=True, kw_only=True)
class PublishedSourceBlock(Declared):
    """``source:`` of a result of a reference: a publication. Its address may be unknown."""

    url: PublishedPlace | None = None
    name: Text


@dataclass(frozen=True, kw_only=True)
class PublishedResultBlock(FiguresBlock):
    """One of the ``results:`` of a reference."""

    source: Annotated[PublishedSourceBlock, NO_SOURCE]


@dataclass(frozen=True, kw_only=True)
class ReferenceFile(Declared):
    """A reference: published figures of a method for which the zoo has no code."""

    name: Text
    method: MethodFacts
    paper: Link | None = None
    code: Link | None = None
    results: Annotated[tuple[PublishedResultBlock, ...], FromList()]
