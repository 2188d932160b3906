"""The marks beside a model's name on the leaderboard, and the meanings of its marks and words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tipr_zoo.cards.record import TIED
from tipr_zoo.display.model_size import millions, pixels
from tipr_zoo.leaderboard.folding import SAME
from tipr_zoo.leaderboard.row import LeaderboardRow

ON_TEST, NOT_KNOWN, DISPUTED, SECONDARY = "†", "?", "≠", "¶"
OTHER_DATA, OTHER_WEIGHTS, UNKNOWN_DATA, LICENSE_NOTE = "‡", "§", "°", "¹"

MEANINGS = {
    ON_TEST: "the epoch of these weights was chosen on the test split: the record or the authors say so, or it is what"
    " the authors' code does by default",
    NOT_KNOWN: "on what the epoch was chosen is not known",
    OTHER_WEIGHTS: "measured with the weights of another model, which the record names",
    DISPUTED: f"sources print figures of this model that are more than {SAME} points apart, or two records of the same"
    " weights and data differ; what contradicts a published row stands below it",
    SECONDARY: "read by a third party, whose page says that these figures stand in the source",
    OTHER_DATA: "measured on other annotations or pictures than the records beside it, by their hashes",
    UNKNOWN_DATA: "measured on pictures that the record does not tell by a hash; measure again to compare",
}

ELSEWHERE = f"{DISPUTED} another source"
"""The first cell of a row whose figures contradict those of the model above it."""

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
        SECONDARY: row.secondary,
        OTHER_DATA: row.is_of_other_data,
        UNKNOWN_DATA: row.is_of_unknown_data,
    }
    return [mark for mark in MEANINGS if is_shown[mark]]


def marked_model(row: LeaderboardRow) -> str:
    """Return the name that papers write, and its marks."""
    return " ".join([row.name, *marks_of(row)])


def zoo_name(row: LeaderboardRow) -> str:
    """Return the name by which the zoo builds the model. Empty where it has another or none."""
    return row.model if row.model != row.name and (row.has_card or row.is_measured) else ""


def notes(rows: Sequence[LeaderboardRow], brief: bool = False) -> list[str]:
    """Return the meanings of these rows' marks and origins, and the units of the figures.

    Args:
        rows: The rows.
        brief: Whether to leave out what is said of single models.
    """
    marks = {mark for row in rows for mark in marks_of(row)}
    origins = {row.origin for row in rows}
    return [
        *(f"{mark} {meaning}" for mark, meaning in MEANINGS.items() if mark in marks),
        *(f"{origin}: {meaning}" for origin, meaning in ORIGIN_MEANINGS.items() if origin in origins),
        UNITS,
        *(f"trained with {words}" for words in _said(rows, lambda row: row.budget, lambda row: row.model)),
        *([] if brief else remarks(rows)),
    ]


def remarks(rows: Sequence[LeaderboardRow]) -> list[str]:
    """Return what is said of single models: of their figures, their code's licence, and their seconds."""
    timed = {(row.seconds_on, row.seconds_url) for row in rows if row.seconds is not None}
    licences = _said(rows, lambda row: row.code.license_note if row.code else None)
    return [
        *_said(rows, lambda row: row.remark, lambda row: f"{row.name} on {row.dataset}"),
        *(f"{LICENSE_NOTE} {words}" for words in licences),
        *(f"seconds: to rank the whole test split on {machine}, {url}" for machine, url in sorted(timed, key=str)),
    ]


def _said(
    rows: Iterable[LeaderboardRow],
    said: Callable[[LeaderboardRow], str | None],
    name: Callable[[LeaderboardRow], str] = lambda row: row.name,
) -> list[str]:
    """Return every different remark once, with the names of the rows that have it."""
    names: dict[str, dict[str, None]] = {}
    for row in rows:
        if words := said(row):
            names.setdefault(words, {})[name(row)] = None
    return [f"{words} ({', '.join(of)})" for words, of in names.items()]


def extra_data(row: LeaderboardRow) -> str:
    """Return the extra person data of a row: a name, ``"none"``, or `NOT_KNOWN`."""
    return row.method.pretraining or NOT_KNOWN


def ranks_by(row: LeaderboardRow) -> str:
    """Say how a row ranks: ``"1 vector"``, ``"2 vectors"``, ``"1 vector, re-ranks 128"``, or `NOT_KNOWN`."""
    vectors = [] if row.vectors is None else [f"{row.vectors} vector{'s' * (row.vectors > 1)}"]
    rest = ", others tied" * (row.rerank_rest == TIED)
    again = [f"re-ranks {row.rerank}{rest}"] if row.rerank else []
    more = [row.method.at_test_time] if row.method.at_test_time else []
    return ", ".join([*vectors, *again, *more]) or NOT_KNOWN


def encoder(row: LeaderboardRow) -> str:
    """Return the image encoder's name, or `NOT_KNOWN`."""
    return row.method.image_encoder or NOT_KNOWN


def epoch(row: LeaderboardRow) -> str:
    """Say on what the epoch was chosen: what the code does, and what the paper says where that is something else."""
    code, paper = row.selected_on, row.method.selected_on_in_paper
    if row.origin != "reported" or row.trained_on or paper in (None, code):
        return code or NOT_KNOWN
    return f"{code} (paper: {paper})" if code else f"{paper} (paper)"


def weights(row: LeaderboardRow) -> str:
    """Tell which weights can be had: ``"by name"`` where the zoo loads them, ``"yes"``, what part, or ``"no"``."""
    if row.weights_loaded:
        return "by name"
    published = row.method.weights_published
    return "yes" if published else row.method.weights_part or (NOT_KNOWN if published is None else "no")


def code_license(row: LeaderboardRow) -> str:
    """Return the licence of the authors' code: ``"none"`` where it has none, `NOT_KNOWN` where nobody looked."""
    known = row.code.license if row.code else None
    return " ".join(filter(None, [known, LICENSE_NOTE if row.code and row.code.license_note else ""])) or NOT_KNOWN


def published(row: LeaderboardRow) -> str:
    """Return where and when the paper appeared, e.g. ``"CVPR 2023"``. Empty where nobody looked."""
    paper = row.paper
    return " ".join(str(word) for word in (paper.venue, paper.year) if word) if paper else ""


def parameters(row: LeaderboardRow) -> str:
    """Return how many numbers the model learns, in millions. Empty where it is not known."""
    return millions(row.size.parameters) if row.size and row.size.parameters else ""


def embedding(row: LeaderboardRow) -> str:
    """Return how many numbers a picture becomes. Empty where it is not known."""
    return str(row.size.embedding) if row.size and row.size.embedding else ""


def pictures(row: LeaderboardRow) -> str:
    """Return the height and width of the pictures that the model takes. Empty where it is not known."""
    return pixels(row.size.input) if row.size and row.size.input else ""


def seconds(row: LeaderboardRow) -> str:
    """Return how long ranking the test split takes. Empty where it is not known."""
    return f"{row.seconds:g}" if row.seconds is not None else ""


def budget(row: LeaderboardRow) -> str:
    """Return what a measured row's training was given, and the deviation over seeds. Empty for published rows."""
    if not row.is_measured:
        return ""
    deviations = ", ".join(f"{metric} ±{points:.2f}" for metric, points in (row.spread or {}).items())
    spread = f"{deviations} over {row.seeds} seeds" if deviations else "deviation over seeds not known"
    return f"{row.budget}; {spread}" if row.budget else spread if deviations else NOT_KNOWN
