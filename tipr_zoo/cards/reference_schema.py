"""The schema of a reference: published figures of a method for which the zoo has no code."""

from dataclasses import dataclass
from typing import Annotated

from tipr_zoo.cards.method_facts import MethodFacts
from tipr_zoo.cards.publication import Code, Paper
from tipr_zoo.cards.schema import NO_SOURCE, Count, FiguresBlock, Pixels, is_path
from tipr_zoo.cards.speed import SpeedBlock
from tipr_zoo.cards.web_address import WEB_RULES
from tipr_zoo.schemas.declared import Declared
from tipr_zoo.schemas.marks import Check, FromList, Rules, Told, must_be
from tipr_zoo.schemas.value_kinds import IS_FILLED, Text, Truth

PublishedPlace = Annotated[
    str,
    IS_FILLED,
    Told(must_be("text"), absent="a figure needs the address of its source; without one it cannot be shown: {key!r}"),
    Check(
        lambda url: not is_path(url),
        "a reference has no code to measure with: {key!r} must be a web address, got {value!r}",
    ),
    Rules(WEB_RULES),
]


@dataclass(frozen=True, kw_only=True)
class PublishedSourceBlock(Declared):
    """``source:`` of a result of a reference: a publication.

    Attributes:
        url: Its address.
        name: What it is in words: a paper's table, a README.
        secondary: Whether nobody has read the figures there: they come from a third party's page, which says that it
            read them there.
        remark: What must be known of these figures, e.g. that another source shows them to be a slip.
    """

    url: PublishedPlace
    name: Text
    secondary: Truth = False
    remark: Text | None = None


@dataclass(frozen=True, kw_only=True)
class PublishedResultBlock(FiguresBlock):
    """One of the ``results:`` of a reference."""

    source: Annotated[PublishedSourceBlock, NO_SOURCE]


@dataclass(frozen=True, kw_only=True)
class KnownSize(Declared):
    """``size:`` of a reference, as far as it is known; see ``size:`` of a card."""

    parameters: Count | None = None
    embedding: Count | None = None
    input: Pixels | None = None


@dataclass(frozen=True, kw_only=True)
class ReferenceFile(Declared):
    """A reference: published figures of a method for which the zoo has no code."""

    name: Text
    method: MethodFacts
    paper: Paper | None = None
    code: Code | None = None
    size: KnownSize | None = None
    speed: SpeedBlock | None = None
    results: Annotated[tuple[PublishedResultBlock, ...], FromList()]
