"""The marks beside a model's name on the leaderboard, and the meanings of its marks and words."""

from __future__ import annotations

from collections.abc import Sequence

from tipr_zoo.cards.record import TIED
from tipr_zoo.leaderboard.rows import LeaderboardRow

ON_TEST, NOT_KNOWN, DISPUTED, OTHER_DATA, OTHER_WEIGHTS, UNKNOWN_DATA = "†", "?", "≠", "‡", "§", "°"

MEANINGS = {
    ON_TEST: "the epoch of these weights was chosen on the test split: the record or the authors say so, or it is what"
    " the authors' code does by default",
    NOT_KNOWN: "on what the epoch was chosen is not known",
    OTHER_WEIGHTS: "measured with the weights of another model, which the record names",
    DISPUTED: "sources report different figures of this model; each of them has a row",
    OTHER_DATA: "measured on other annotations or pictures than the records beside it, by their hashes",
    UNKNOWN_DATA: "measured on pictures that the record does not tell by a hash; measure again to compare",
}

ORIGIN_MEANINGS = {
    "reported": "printed in the publication that is named, which need not be the authors' own",
    "reproduced": "printed in the publication that is named, by somebody who trained the method again",
    "measured": "by the zoo, with a record of how",
}


UNITS = "figures are in percent, text-to-image where a title says nothing else"


def marks_of(row: LeaderboardRow) -> list[str]:
    """Return the marks of a row, in the order of `MEANINGS`."""
    is_shown = {
        ON_TEST: row.selected_on == "test",
        NOT_KNOWN: row.selected_on is None,
        OTHER_WEIGHTS: row.weights_of is not None,
        DISPUTED: bool(row.disagrees_on),
        OTHER_DATA: row.is_of_other_data,
        UNKNOWN_DATA: row.is_of_unknown_data,
    }
    return [mark for mark in MEANINGS if is_shown[mark]]


def marked_model(row: LeaderboardRow) -> str:
    """Return the model's name and its marks."""
    return " ".join([row.model, *marks_of(row)])


def notes(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Return the meanings of these rows' marks and origins, and the units of the figures."""
    marks = {mark for row in rows for mark in marks_of(row)}
    origins = {row.origin for row in rows}
    return [
        *(f"{mark} {meaning}" for mark, meaning in MEANINGS.items() if mark in marks),
        *(f"{origin}: {meaning}" for origin, meaning in ORIGIN_MEANINGS.items() if origin in origins),
        UNITS,
    ]


def extra_data(row: LeaderboardRow) -> str:
    """Return the extra person data of a row: a name, ``"none"``, or `NOT_KNOWN`."""
    return row.method.pretraining or NOT_KNOWN


def ranks_by(row: LeaderboardRow) -> str:
    """Say how a row ranks: ``"1 vector"``, ``"2 vectors"``, ``"1 vector, re-ranks 128"``, or `NOT_KNOWN`."""
    vectors = [] if row.vectors is None else [f"{row.vectors} vector{'s' * (row.vectors > 1)}"]
    rest = ", others tied" * (row.rerank_rest == TIED)
    again = [f"re-ranks {row.rerank}{rest}"] if row.rerank else []
    return ", ".join([*vectors, *again]) or NOT_KNOWN


def encoder(row: LeaderboardRow) -> str:
    """Return the image encoder's name, or `NOT_KNOWN`."""
    return row.method.image_encoder or NOT_KNOWN


def weights(row: LeaderboardRow) -> str:
    """Tell whether the weights are published: ``"yes"``, ``"no"`` or `NOT_KNOWN`."""
    published = row.method.weights_published
    return NOT_KNOWN if published is None else "yes" if published else "no"


def code_license(row: LeaderboardRow) -> str:
    """Return the licence of the authors' code: ``"none"`` where it has none, `NOT_KNOWN` where nobody looked."""
    return (row.code.license if row.code else None) or NOT_KNOWN


def is_web_address(url: str | None) -> bool:
    """Tell whether a link may lead to an address. A card can come from anybody and may name ``javascript://``.

    >>> is_web_address("https://arxiv.org/abs/2307.09059"), is_web_address("javascript://alert"), is_web_address(None)
    (True, False, False)
    """
    return url is not None and url.startswith(("https://", "http://"))
