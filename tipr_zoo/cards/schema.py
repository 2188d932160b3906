"""The schema of a card's front matter.

The Hub's fields have the Hub's spelling. So a card is also a Hub README.

Types are evaluated here and not kept as text: every listing would compile them again.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from tipr_zoo.cards.answers import Answers
from tipr_zoo.cards.hub_reference import is_hub_reference
from tipr_zoo.cards.method_facts import MethodFacts
from tipr_zoo.cards.publication import Code, Paper
from tipr_zoo.cards.record import METRICS
from tipr_zoo.cards.runs import RunsBlock
from tipr_zoo.cards.speed import SpeedBlock
from tipr_zoo.cards.web_address import WEB_RULES
from tipr_zoo.schemas.declared import Declared
from tipr_zoo.schemas.marks import Check, FromList, Limits, Rules, Told, must_be
from tipr_zoo.schemas.value_kinds import AnyMapping, Number, Sha256, Text, Texts

TASK = "text-to-image-person-retrieval"

WEIGHTS_FORMATS = ("safetensors", "pytorch")


def is_path(place: str) -> bool:
    """Tell whether a place is a path and not an address.

    >>> is_path("records/test.json"), is_path("https://arxiv.org/abs/2307.09059")
    (True, False)
    """
    return "://" not in place


def _is_path_of_a_file(place: str) -> bool:
    return is_path(place) and not is_hub_reference(place)


def _is_address_of_weights(url: str) -> bool:
    return url.startswith(("https://", "hub:"))


def _of_source(is_right: Callable[[str], bool]) -> Callable[[str], bool]:
    """Return a rule for web addresses, which lets the path of a record pass."""
    return lambda place: is_path(place) or is_right(place)


def _is_json(values: dict[Any, Any]) -> bool:
    try:
        return bool(json.loads(json.dumps(values, allow_nan=False)) == values)
    except (TypeError, ValueError, RecursionError):  # a date, a number that is not finite, or endless nesting
        return False


FilePath = Annotated[
    Text,
    Check(_is_path_of_a_file, must_be("a path as seen from the card") + "; an address is a 'url'"),
]
WeightsAddress = Annotated[
    Text,
    Check(
        _is_address_of_weights,
        "{key!r} must begin with https:// or hub:, got {value!r}; a file beside the card is a 'file'",
    ),
]
SourcePlace = Annotated[
    Text,
    Check(_of_source(WEB_RULES[0][0]), must_be("a web address or the path of a record beside the card")),
    Rules(tuple((_of_source(is_right), message) for is_right, message in WEB_RULES[1:])),
]
FileSize = Annotated[int, Limits(above=0), Told(must_be("the file's length in bytes"))]
Count = Annotated[int, Limits(above=0), Told(must_be("a whole number above 0"))]
PartSizes = Annotated[
    dict[str, Count], Told(must_be("how many numbers each part of the similarity compares, by its name"))
]
Pixels = Annotated[
    tuple[Count, ...],
    FromList(),
    Check(lambda sides: len(sides) == 2, must_be("the height and width in pixels, e.g. [384, 128]")),
    Told("field " + must_be("the height and width in pixels, e.g. [384, 128]")),
]
WeightsFormat = Annotated[Text, Check(WEIGHTS_FORMATS.__contains__, must_be(" or ".join(WEIGHTS_FORMATS)))]
Task = Annotated[Text, Check(TASK.__eq__, must_be(TASK))]
Metric = Annotated[Text, Check(METRICS.__contains__, must_be(f"one of {', '.join(METRICS)}"))]
Arguments = Annotated[AnyMapping, Check(_is_json, must_be("numbers and texts by name") + "; put others into quotes")]


@dataclass(frozen=True, kw_only=True)
class VocabularyBlock(Declared):
    """``vocabulary:`` of a card's weights: a file with the words of the captions that they were trained on."""

    file: FilePath
    sha256: Sha256


@dataclass(frozen=True, kw_only=True)
class WeightsBlock(Declared):
    """``weights:`` of a card: where the pretrained weights are (`file` or `url`), and how to recognise them."""

    file: FilePath | None = None
    url: WeightsAddress | None = None
    sha256: Sha256
    format: WeightsFormat
    size: FileSize
    license: Text
    vocabulary: VocabularyBlock | None = None


@dataclass(frozen=True, kw_only=True)
class SizeBlock(Declared):
    """``size:`` of a card: what the model is when it is built. ``tipr-zoo cards check --write-sizes`` writes it.

    Attributes:
        parameters: How many numbers the model learns, heads included.
        embedding: How many numbers a picture or a caption becomes.
        input: Height and width in pixels of the pictures that it takes.
        parts: Where the similarity joins several embeddings: how many of those numbers each is, by its name.
    """

    parameters: Count
    embedding: Count
    input: Pixels
    parts: PartSizes = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TaskBlock(Declared):
    """``task:`` of a result."""

    type: Task
    name: Any = None


@dataclass(frozen=True, kw_only=True)
class DatasetBlock(Declared):
    """``dataset:`` of a result. `args` holds further arguments that identify the data."""

    type: Text
    name: Text
    split: Text
    config: Any = None
    revision: Any = None
    args: Arguments | None = None


@dataclass(frozen=True, kw_only=True)
class MetricBlock(Declared):
    """One of the ``metrics:`` of a result."""

    type: Metric
    value: Number
    name: Any = None


@dataclass(frozen=True, kw_only=True)
class SourceBlock(Declared):
    """``source:`` of a result of a card: a publication, or an evaluation record beside the card."""

    url: SourcePlace
    name: Text


NO_SOURCE = Told(
    "field " + must_be("a mapping"),
    absent="a figure needs a 'source' with 'name' and 'url'; without one it cannot be shown",
    is_one=False,
)


@dataclass(frozen=True, kw_only=True)
class FiguresBlock(Declared):
    """The fields that ``results:`` of a card and of a reference share."""

    task: TaskBlock
    dataset: DatasetBlock
    metrics: Annotated[tuple[MetricBlock, ...], FromList()]


@dataclass(frozen=True, kw_only=True)
class ResultBlock(FiguresBlock):
    """One of the ``results:`` of a card."""

    source: Annotated[SourceBlock, NO_SOURCE]


@dataclass(frozen=True, kw_only=True)
class IndexEntry(Declared):
    """One entry of ``model-index:``, the results of one model."""

    name: Text
    results: Annotated[tuple[ResultBlock, ...], FromList()]


@dataclass(frozen=True, kw_only=True)
class AnswersBlock(Answers):
    """``answers:`` of a card: what was measured of single answers.

    Attributes:
        source: The record that has the same, one of those that the card's results come from.
    """

    source: FilePath


@dataclass(frozen=True, kw_only=True)
class ZooBlock(Declared):
    """``tipr_zoo:`` of a card: how the zoo builds the model, and facts about it."""

    method: MethodFacts | None = None
    plugin: Text | None = None
    config: Text
    size: SizeBlock | None = None
    weights: WeightsBlock | None = None
    weights_note: Text | None = None
    answers: AnswersBlock | None = None
    paper: Paper | None = None
    code: Code | None = None
    speed: SpeedBlock | None = None
    runs: RunsBlock | None = None
    protocol: Text


@dataclass(frozen=True, kw_only=True)
class FrontMatter(Declared):
    """The front matter of a card. The Hub's other fields may hold anything."""

    KEYS: ClassVar[Mapping[str, str]] = {"model_index": "model-index"}

    license: Text
    datasets: Texts
    tags: Texts
    model_index: Annotated[tuple[IndexEntry, ...], FromList()] | None = None
    language: Any = None
    library_name: Any = None
    pipeline_tag: Any = None
    base_model: Any = None
    tipr_zoo: ZooBlock
