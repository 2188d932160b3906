"""Model cards: one Markdown file a model, with YAML front matter in the Hugging Face form.

A card is also a Hub README. It spells ``license``, ``datasets``, ``tags`` and ``model-index`` as the Hub does. Its
``tipr_zoo:`` block says how the zoo builds the model. A field that the zoo does not know is an error. A figure without
a source is an error, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tipr_zoo.cards.front_matter import parse_mapping, problems_of_text, split_card
from tipr_zoo.cards.hub_reference import is_hub_reference, parse_hub_reference
from tipr_zoo.cards.method_facts import MethodFacts
from tipr_zoo.cards.publication import Code, Paper
from tipr_zoo.cards.results import Result, ResultReader
from tipr_zoo.cards.runs import RunsBlock
from tipr_zoo.cards.schema import AnswersBlock, FrontMatter, SizeBlock, VocabularyBlock, WeightsBlock
from tipr_zoo.cards.speed import SpeedBlock
from tipr_zoo.errors import CardError, ConfigError
from tipr_zoo.schemas.declared import built
from tipr_zoo.schemas.problems import Problems

ZERO_SHOT = "zero-shot"
"""The tag of a model that is measured without any training."""

MODEL_NAME = re.compile(r"\w[\w.-]{0,95}", re.ASCII)  # the Hub takes no longer one
"""The names that a model may have. Its card's file has the same name."""


@dataclass(frozen=True)
class Weights:
    """The place of a model's pretrained weights, and how to recognise them.

    Attributes:
        location: Path of a local file (relative to the card's folder), an ``https://`` URL, or
            ``hub:owner/name@revision:file``.
        sha256: Hash of the file, 64 hexadecimal digits.
        size: Length of the file in bytes.
        format: ``"safetensors"`` or ``"pytorch"``.
        license: SPDX identifier of the licence of the weights.
        vocabulary: The file with the words that they were trained on, and its hash; None where the card names none.
    """

    location: str
    sha256: str
    size: int
    format: str
    license: str
    vocabulary: VocabularyBlock | None = None

    @property
    def is_remote(self) -> bool:
        """Whether the file has to be fetched."""
        return "://" in self.location or is_hub_reference(self.location)


@dataclass(frozen=True)
class ModelCard:
    """What is known of one model. Nothing of the model is imported.

    Attributes:
        name: The model's name: the file's name without ``.md``.
        path: The card's file.
        license: SPDX identifier of the model's licence, or ``"other"``.
        datasets: Names of the data sets it was trained on.
        tags: The Hub's tags.
        results: Published and measured figures, each with its source.
        plugin: Name of the plugin that brings its components, or None where the core does.
        method: Facts to know before its figures are compared with others.
        config: Recipe file, relative to the ``configs`` folder of the plugin or of the core.
        weights: The pretrained weights, or None where none are published.
        weights_note: Where weights can be had, or why there are none.
        paper: The paper that describes the method.
        code: The authors' repository and its licence.
        protocol: How the reported figures were obtained, in words. E.g. the split on which the best epoch was chosen.
        description: The card's Markdown body.
        size: How many parameters it has, and how large embeddings and pictures are. None where the card does not tell.
        answers: What was measured of single answers with its weights. None where the card does not tell.
        speed: How long a search takes, as a publication prints it. None where the card does not tell.
        runs: What its trainings cost and how far apart they come out. None where the card does not tell.
    """

    name: str
    path: Path
    license: str
    datasets: tuple[str, ...]
    tags: tuple[str, ...]
    results: tuple[Result, ...]
    plugin: str | None
    method: MethodFacts
    config: str
    weights: Weights | None
    weights_note: str | None
    paper: Paper | None
    code: Code | None
    protocol: str
    description: str = field(repr=False)
    size: SizeBlock | None = None
    answers: AnswersBlock | None = None
    speed: SpeedBlock | None = None
    runs: RunsBlock | None = None


def read_card(path: Path) -> ModelCard:
    """Read and check one card.

    Args:
        path: The Markdown file. Its name without ``.md`` is the model's name.

    Raises:
        CardError: The card is malformed. The message names the file, the field and the fix.
    """
    card, problems = examine_card(path)
    if problems:
        raise CardError(f"{path}: {problems[0]}")
    return card


def examine_card(path: Path) -> tuple[ModelCard, Problems]:
    """Read one card and collect all its problems.

    Args:
        path: The Markdown file. Its name without ``.md`` is the model's name.

    Returns:
        The card, and the problems. In the card, a part with a problem is empty or left out.

    Raises:
        CardError: The file has no front matter that can be read.
    """
    text, body = split_card(path)
    values = parse_mapping(text, path, "front matter")
    problems = Problems(problems_of_text(FrontMatter, values, text))
    front = built(FrontMatter, values, problems.fields())
    zoo, name = front.tipr_zoo, path.stem
    method = zoo.method or MethodFacts(name=name)
    of_index = ResultReader(name, method, path, problems).of_index(front.model_index or ())
    results = tuple(_as_known(result, front.datasets) for result in of_index)
    card = ModelCard(
        name=name,
        path=path,
        license=front.license,
        datasets=front.datasets,
        tags=front.tags,
        results=results,
        plugin=zoo.plugin,
        method=method,
        config=zoo.config,
        weights=_weights(zoo.weights, problems) if zoo.weights else None,
        weights_note=zoo.weights_note,
        paper=zoo.paper,
        code=zoo.code,
        protocol=zoo.protocol,
        description=body.strip(),
        size=zoo.size,
        answers=zoo.answers,
        speed=zoo.speed,
        runs=zoo.runs,
    )
    has_results = not problems.are_within("model-index")  # one that has a problem is left out
    if card.answers is not None and has_results and not problems.are_within("tipr_zoo.answers"):
        _check_answers(card.answers, results, problems)
    return card, problems


def _as_known(result: Result, datasets: Sequence[str]) -> Result:
    """Return a result without what the card says of its authors' figures, where others tried the model elsewhere."""
    is_elsewhere = result.origin == "reported" and datasets and result.dataset not in datasets
    return replace(result, selected_on=None) if is_elsewhere else result


def _check_answers(block: AnswersBlock, results: Sequence[Result], problems: Problems) -> None:
    """Add a problem where the ``answers:`` block is not what its record says."""
    records = {result.source_url: result.record for result in results if result.record is not None}
    record = records.get(block.source)
    if record is None:
        told = f"'source' must be a record that one of the results comes from, got {block.source!r}"
        problems.add("tipr_zoo.answers", "source", told)
    elif record.answers is None:
        problems.add("tipr_zoo.answers", "source", f"record {block.source} has no answers; measure with --presence")
    elif (record.answers.galleries, record.answers.short_captions) != (block.galleries, block.short_captions):
        told = f"the card says something else than its record {block.source}"
        problems.add("tipr_zoo.answers", None, told)


def _weights(block: WeightsBlock, problems: Problems) -> Weights | None:
    """Return what the ``weights:`` block says. Where it is wrong, add to `problems` and return None."""
    place, wrong = "tipr_zoo.weights", problems.fields()
    if not {(place, "file"), (place, "url")} & wrong and (block.file is None) == (block.url is None):
        problems.add(place, None, "needs either 'file' or 'url'")
    if is_hub_reference(block.url):
        try:
            parse_hub_reference(str(block.url))
        except ConfigError as error:
            problems.add(place, "url", f"'url': {error}")
    if problems.are_within(place):
        return None
    return Weights(
        block.file or str(block.url), block.sha256, block.size, block.format, block.license, block.vocabulary
    )
