"""Evaluation records: one evaluation as a JSON file. ``tipr-zoo eval`` writes it, and a card names it as a source.

A record says what was measured, on which data, with which weights, by which command and when. So a figure can be
traced back and measured again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from tipr_zoo.cards.answers import MeasuredAnswers
from tipr_zoo.cards.parsed_yaml_cache import parsed_yaml_cache
from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import RecordError
from tipr_zoo.machine.result_place import make_folder
from tipr_zoo.machine.whole_file import write_whole
from tipr_zoo.outside.files import CARD_LIMIT, read_text
from tipr_zoo.outside.parsing import parse_json
from tipr_zoo.schemas.declared import Declared, built
from tipr_zoo.schemas.marks import Check, FromList, Limits, Told, must_be
from tipr_zoo.schemas.problems import MISSING, UNKNOWN, problems_of
from tipr_zoo.schemas.value_kinds import IS_FILLED, SHA256

METRICS = ("R1", "R5", "R10", "mAP", "mINP")
"""The retrieval metrics, all in percent, in the order in which they are shown."""

TEXT_TO_IMAGE, IMAGE_TO_TEXT = "text-to-image", "image-to-text"

DIRECTIONS = (TEXT_TO_IMAGE, IMAGE_TO_TEXT)
"""The directions of search: pictures with a caption, the usual task, or captions with a picture."""

SELECTED_ON = ("val", "test", "none")
"""Splits on which the epoch of weights can be chosen. ``"none"`` means that the last epoch was taken."""

EMBEDDED = ("captions", "pictures")
"""The things that an evaluation embeds."""

FIRST_STAGE, TIED = "first_stage", "tied"

RERANK_RESTS = (FIRST_STAGE, TIED)
"""The order of the pictures that are not ranked again: that of the first stage, or none, as they share one score."""


def _is_date(value: str) -> bool:
    try:
        datetime.fromisoformat(value.removesuffix("Z"))
    except ValueError:
        return False
    return True


_Text = Annotated[str, IS_FILLED, Told(must_be("text"))]
_Object = Annotated[dict[str, Any], Told(must_be("an object"))]
_Percentage = Annotated[float, Limits(smallest=0, largest=100), Told("metric {key!r} is a percentage, got {value!r}")]
_Count = Annotated[int, Limits(above=0), Told(must_be("a whole number above 0"))]
_Seed = Annotated[int, Told(must_be("a whole number or null"))]
_Sha256 = Annotated[str, Check(SHA256.fullmatch)]
_Direction = Annotated[str, Check(DIRECTIONS.__contains__), Told(must_be(" or ".join(map(repr, DIRECTIONS))))]
_SelectedOn = Annotated[
    str, Check(SELECTED_ON.__contains__), Told(must_be(", ".join(map(repr, SELECTED_ON)) + " or null"))
]
_Date = Annotated[str, Check(_is_date), Told(must_be("a date like 2025-01-31 or 2025-01-31T12:00:00"))]
_Seconds = Annotated[float, Limits(smallest=0), Told(must_be("a number of seconds"))]
_FromCache = Annotated[
    tuple[str, ...],
    FromList(),
    Check(set(EMBEDDED).issuperset),
    Told(must_be(f"a list with {' and '.join(map(repr, EMBEDDED))}, or an empty one")),
]
_Vectors = Annotated[int, Limits(above=0), Told(must_be("how many vectors a side has, a whole number above 0"))]
_Reranked = Annotated[int, Limits(above=0), Told(must_be("how many pictures are ranked again, from 1"))]
_Rest = Annotated[str, Check(RERANK_RESTS.__contains__), Told(must_be(" or ".join(map(repr, RERANK_RESTS))))]
_Steps = Annotated[tuple[str, ...], FromList(), Check(bool), Told(must_be("a list of steps with one at least"))]
_Truth = Annotated[bool, Told(must_be("true or false"))]


_LEFT_OUT = (
    "weights_of",
    "part",
    "vectors",
    "rerank",
    "rerank_rest",
    "postprocess",
    "transductive",
    "queries_sha256",
    "answers",
)
"""The entries that a file does not have where they are None."""


@dataclass(frozen=True)
class Record(Declared):
    """One evaluation.

    Attributes:
        model: Name of the model's card.
        dataset: Name of the data set, e.g. ``"SynthPEDES"``.
        split: The split, e.g. ``"test"``.
        dataset_arguments: Further arguments that identify the data, e.g. ``{"seed": 0}``. Empty where there are none.
        direction: One of `DIRECTIONS`.
        metrics: All of `METRICS`, in percent.
        queries: Number of captions. In the direction ``"image-to-text"``, number of pictures.
        gallery: Number of pictures. In the direction ``"image-to-text"``, number of captions.
        identities: Number of persons.
        overrides: Entries of the recipe that were changed, by dotted name.
        weights_sha256: Hash of the weights, 64 hexadecimal digits.
        training_seed: Seed of the training that made the weights. None where it is not known.
        selected_on: The split on which their epoch was chosen, one of `SELECTED_ON`. None where it is not known.
        dataset_sha256: Hash of the annotations, 64 hexadecimal digits.
        pictures_sha256: Hash of the split's picture files, or None where it was not taken; see
            `tipr_zoo.evaluation.embedding_cache.pictures_sha256`.
        tipr_zoo_version: Version of tipr-zoo that measured. From a git checkout, it has the commit, too.
        command: The command line that measures it again.
        seed: Seed of the evaluation, or None where nothing in it is random.
        date: Date of the evaluation, ISO 8601.
        duration_seconds: Wall-clock time of the evaluation.
        from_cache: Those of `EMBEDDED` that came from the cache of embeddings and were not computed.
        device: The device in words, e.g. ``"cpu, 2 threads"``.
        protocol: The protocol in words: ties, which split chose the weights, what was left out.
        weights_of: The model that the weights are of, where it is another than `model`. The file has this entry only
            then.
        part: The part of the model's similarity that was measured, where it was one alone. The file has this entry only
            then.
        vectors: How many vectors a picture and a caption are compared by: their similarity is the mean of as many
            cosines. Records of older versions do not say it.
        rerank: How many of each caption's best pictures were ranked again by the score of the pair. The file has this
            entry and the next one only where some were.
        rerank_rest: The order of the other pictures, below these; one of `RERANK_RESTS`.
        postprocess: What was done to the embeddings and similarities of the first stage, each step as ``--postprocess``
            of ``tipr-zoo eval`` takes it, with all its settings. The file has this entry and the next one only then.
        transductive: Whether one of these steps looks at other queries, or at the whole gallery.
        queries_sha256: Hash of the file beside it with what was found of every query, see
            `tipr_zoo.evaluation.kept_queries`. Records of older versions have none, and no such entry.
        answers: What was measured of single answers. The file has this entry only where ``--presence`` asked for it.
    """

    model: _Text
    dataset: _Text
    split: _Text
    dataset_arguments: _Object
    direction: _Direction
    metrics: Annotated[dict[str, _Percentage], Told(must_be("an object"), is_one=False)]
    queries: _Count
    gallery: _Count
    identities: _Count
    overrides: _Object
    weights_sha256: Annotated[_Sha256, Told(must_be("64 lower-case hexadecimal digits"))]
    training_seed: _Seed | None
    selected_on: _SelectedOn | None
    dataset_sha256: Annotated[_Sha256, Told(must_be("64 lower-case hexadecimal digits"))]
    pictures_sha256: Annotated[_Sha256, Told(must_be("64 lower-case hexadecimal digits or null"))] | None
    tipr_zoo_version: _Text
    command: _Text
    seed: _Seed | None
    date: _Date
    duration_seconds: _Seconds
    from_cache: _FromCache
    device: _Text
    protocol: _Text
    weights_of: _Text | None = None
    part: _Text | None = None
    vectors: _Vectors | None = None
    rerank: _Reranked | None = None
    rerank_rest: _Rest | None = None
    postprocess: _Steps | None = None
    transductive: _Truth | None = None
    queries_sha256: Annotated[_Sha256, Told(must_be("64 lower-case hexadecimal digits"))] | None = None
    answers: MeasuredAnswers | None = None

    def values(self) -> dict[str, Any]:
        """Return the entries as the file has them."""
        return {k: v for k, v in asdict(self).items() if v is not None or k not in _LEFT_OUT}


def read_record(path: Path, *, of_card: bool = False) -> Record:
    """Read and check an evaluation record.

    Args:
        path: The file.
        of_card: Whether a card names it. Such records are read by every listing, so the cache keeps that they are
            right. Nothing is kept of a user's own records.

    Raises:
        RecordError: The file cannot be read or is not JSON, or a key is missing, unknown or wrong. The message names
            the file and the key.
    """
    try:
        text = read_text(path, CARD_LIMIT)
        values = parse_json(text)
        json.dumps(values, allow_nan=False)  # Python reads NaN and 1e999, although they are no JSON
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{path}: cannot be read as a record: {error}; write it with `tipr-zoo eval`") from error
    if isinstance(values, dict):
        values = {"pictures_sha256": None, **values}  # the first records had no such entry
    cache = parsed_yaml_cache()
    if cache.is_right(text, Record.__name__):
        return _made(values)
    try:
        record = make_record(values)
    except RecordError as error:
        raise RecordError(f"{path}: {error}") from error
    if of_card:
        cache.add(text, values, path)
        cache.keep_right(text, Record.__name__)
    return record


def ranking_words(record: Record) -> list[str]:
    """Say in words how a record ranks, where that is not by the plain first stage, e.g. ``["re-ranks 128"]``."""
    rest = ", the others tied" if record.rerank_rest == TIED else ""
    words = [] if record.rerank is None else [f"re-ranks {record.rerank}{rest}"]
    if record.postprocess is not None:
        kind = ", transductive" if record.transductive else ""
        words.append(f"post-processed by {' then '.join(record.postprocess)}{kind}")
    return words


def write_record(record: Record, path: Path) -> None:
    """Write `record` to `path` as JSON. Make its folder where it is missing.

    Raises:
        RecordError: An entry is wrong.
        WriteError: The file cannot be written. What was there before is unchanged.
    """
    text = record_text(record)
    make_folder(path.parent)
    write_whole(path, text.encode())


def record_text(record: Record) -> str:
    """Return what the file of a record holds.

    Raises:
        RecordError: An entry is wrong.
    """
    values = record.values()
    make_record(values)
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def make_record(values: Any) -> Record:
    """Check the entries of an evaluation record and make it.

    Args:
        values: What the JSON file holds.

    Raises:
        RecordError: A key is missing, unknown or wrong. The message names it.
    """
    if not isinstance(values, dict):
        raise RecordError(f"a record is a JSON object, got {type(values).__name__}")
    problems = problems_of(Record, values, "key")
    if problems and problems[0].kind == UNKNOWN:
        raise RecordError(problems[0].message)
    if missing := [str(problem.key) for problem in problems if problem.kind == MISSING]:
        raise RecordError(f"missing: {', '.join(missing)}")
    for problem in problems:
        if problem.place != "metrics":
            raise RecordError(problem.message)
    _check_metrics(values["metrics"])
    for problem in problems:
        raise RecordError(problem.message)
    for one, other in (("rerank", "rerank_rest"), ("postprocess", "transductive")):
        if (values.get(one) is None) != (values.get(other) is None):
            raise RecordError(f"{one!r} and {other!r} belong together; give both, or neither")
    return _made(values)


def _check_metrics(metrics: dict[str, Any]) -> None:
    """Raise RecordError where a metric is missing or unknown."""
    for name in metrics:
        if name not in METRICS:
            raise RecordError(str(unknown_name("metric", name, METRICS)))
    for name in METRICS:
        if name not in metrics:
            raise RecordError(f"metric {name!r} is missing")


def _made(values: dict[str, Any]) -> Record:
    """Make the evaluation record from entries that are right."""
    metrics = {name: float(values["metrics"][name]) for name in METRICS}
    lists = {name: tuple(values[name]) for name in ("from_cache", "postprocess") if values.get(name) is not None}
    answers = {"answers": built(MeasuredAnswers, values["answers"])} if values.get("answers") is not None else {}
    return Record(**{**values, "metrics": metrics, **lists, **answers})
