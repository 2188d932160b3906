"""Papers and repositories, as cards and references name them.

Types are evaluated here and not kept as text, see `tipr_zoo.cards.schema`.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from tipr_zoo.cards.web_address import WebAddress
from tipr_zoo.schemas.declared import Declared
from tipr_zoo.schemas.marks import Check, Limits, Told, must_be
from tipr_zoo.schemas.value_kinds import Text

VENUES = (
    "AAAI",
    "ACL",
    "ACM MM",
    "ACM TOMM",
    "arXiv",
    "BMVC",
    "CVPR",
    "ECCV",
    "EMNLP",
    "ICASSP",
    "ICCV",
    "ICLR",
    "ICME",
    "ICML",
    "ICMR",
    "IEEE TCSVT",
    "IEEE TIFS",
    "IEEE TIP",
    "IEEE TMM",
    "IEEE TPAMI",
    "IJCAI",
    "IJCV",
    "Multimedia Systems",
    "NeurIPS",
    "Neural Networks",
    "Neurocomputing",
    "Pattern Recognition",
    "SIGIR",
    "WACV",
    "WWW",
)
"""The conferences and journals in which papers of this field appear, and arXiv. Add one here before a card names it."""

_DOI = re.compile(r"10\.\d{4,9}/\S+")

Venue = Annotated[
    Text,
    Check(
        VENUES.__contains__,
        must_be(f"one of {', '.join(VENUES)} (a new one is added to tipr_zoo/cards/publication.py)"),
    ),
]
Year = Annotated[int, Limits(smallest=1990, largest=2100), Told(must_be("a year, e.g. 2023"))]
Doi = Annotated[Text, Check(_DOI.fullmatch, must_be("like 10.1145/3786798, without https://doi.org/"))]


@dataclass(frozen=True)
class Link(Declared):
    """Something published elsewhere.

    Attributes:
        title: Its title.
        url: Its address.
        license: Its licence. ``"none"`` where it has none, None where nobody looked.
    """

    title: Text
    url: WebAddress
    license: Text | None = None


@dataclass(frozen=True)
class Paper(Link):
    """The paper that describes a method.

    Attributes:
        venue: Where it appeared, one of `VENUES`. None where nobody looked.
        year: The year in which it appeared there.
        doi: Its DOI, without the address before it.
    """

    venue: Venue | None = None
    year: Year | None = None
    doi: Doi | None = None


@dataclass(frozen=True)
class Code(Link):
    """A repository.

    Attributes:
        license_note: What must be known of the licence, e.g. that the README alone names it.
    """

    license_note: Text | None = None
