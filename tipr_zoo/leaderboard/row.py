"""One row of the leaderboard, and which rows may be compared."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from tipr_zoo.cards.method_facts import MethodFacts
from tipr_zoo.cards.publication import Code, Paper
from tipr_zoo.cards.record import TEXT_TO_IMAGE
from tipr_zoo.cards.reference_schema import KnownSize
from tipr_zoo.cards.schema import SizeBlock

MAIN_DATASETS = ("CUHK-PEDES", "ICFG-PEDES", "RSTPReid")
"""The data sets that nearly every paper of this field measures on. They are shown first."""

_LARGE = re.compile(r"\b(?:ViT|Swin|BERT|VLM)-?(?:L|H|g|G)\b")

_LEFT_OUT = (
    *("weights_of", "part", "rerank_rest", "postprocess", "transductive"),
    *("trained_on", "remark", "seconds", "seconds_on", "seconds_url", "budget", "seeds", "spread"),
)
"""The fields that a row does not have where they are None."""


@dataclass(frozen=True)
class LeaderboardRow:
    """Figures of one model on one split of one data set, from one source.

    Attributes:
        model: Name of the model. Name of the reference where the zoo has no code of it.
        name: The name as papers write it, e.g. ``"FMFA + HAM"``. Of a record without a card, the model's name.
        dataset: Name of the data set.
        split: The split.
        dataset_arguments: Further arguments that identify the data, e.g. ``{"seed": 0}``.
        direction: ``"text-to-image"`` or ``"image-to-text"``.
        metrics: Figures in percent by metric, without metrics that the source does not give.
        origin: ``"reported"`` where the authors' publication prints the figures, ``"reproduced"`` where a publication
            prints those of its own training, ``"measured"`` where there is an evaluation record.
        source: The source in words: a publication, or the command that measured.
        source_url: A web address, or the path of the evaluation record. None where nobody noted it.
        date: Date of the measurement, ISO 8601. None for published figures.
        selected_on: The split on which the epoch of the weights was chosen. The evaluation record says it. For reported
            figures it is what the authors' published code does by default. None where it is not known.
        method: Facts to know before the figures are compared with others.
        has_card: Whether the zoo can build the model.
        paper: The paper that describes the method.
        code: The authors' repository and its licence.
        disagrees_on: Metrics of which another source prints a figure of the same model that is further away than
            `tipr_zoo.leaderboard.folding.SAME`, or another record of the same weights and data has another one.
        is_of_other_data: Whether the hashes of annotations or pictures are not those of a card's record of this data.
        is_of_unknown_data: Whether the record does not say which pictures it is of, as the first records did not.
        weights_of: The model that the weights are of, where the evaluation record says that it is another.
        part: The part of the model's similarity that was measured alone; None for the whole.
        vectors: How many vectors a picture and a caption are compared by; None where it is not known.
        rerank: How many of each caption's best pictures are ranked again by a score of the pair, 0 for none; None where
            it is not known.
        rerank_rest: The order of the others, where a record says it.
        postprocess: What was done to the embeddings and similarities of the first stage, see
            `tipr_zoo.cards.record.Record`; None for nothing.
        transductive: Whether that looks at other queries, or at the whole gallery.
        trained_on: The data set that the model was trained on, where it is another than the one it is tried on.
        secondary: Whether the figures come from a third party's page, which says that it read them in the source.
        remark: What must be known to read the figures.
        size: Parameters, embedding and pictures, as far as they are known.
        seconds: How long ranking this test split takes, as a publication prints it.
        seconds_on: The machine, and the publication in words.
        seconds_url: Its address.
        weights_loaded: Whether the zoo loads the weights of these figures by the model's name.
        budget: What the training was given, of measured figures.
        seeds: Over how many trainings `spread` was taken.
        spread: Standard deviation over seeds of training in points, by metric. None where it is not known.
        is_further: Whether the row is another source of the model in the row above.
    """

    model: str
    name: str
    dataset: str
    split: str
    dataset_arguments: dict[str, Any]
    direction: str
    metrics: dict[str, float]
    origin: str
    source: str
    source_url: str | None
    date: str | None
    selected_on: str | None
    method: MethodFacts
    has_card: bool
    paper: Paper | None
    code: Code | None
    disagrees_on: tuple[str, ...] = ()
    is_of_other_data: bool = False
    is_of_unknown_data: bool = False
    weights_of: str | None = None
    part: str | None = None
    vectors: int | None = None
    rerank: int | None = None
    rerank_rest: str | None = None
    postprocess: tuple[str, ...] | None = None
    transductive: bool | None = None
    trained_on: str | None = None
    secondary: bool = False
    remark: str | None = None
    size: SizeBlock | KnownSize | None = None
    seconds: float | None = None
    seconds_on: str | None = None
    seconds_url: str | None = None
    weights_loaded: bool = False
    budget: str | None = None
    seeds: int | None = None
    spread: dict[str, float] | None = None
    is_further: bool = False

    @property
    def is_measured(self) -> bool:
        """Whether an evaluation record stands behind the figures."""
        return self.date is not None

    def values(self) -> dict[str, Any]:
        """Return the fields by name; some of them only where they say something."""
        return {k: v for k, v in asdict(self).items() if v is not None or k not in _LEFT_OUT}


class Kind(NamedTuple):
    """What figures must share, beside the data, before the best of them is named.

    What is not known counts as not there.

    Attributes:
        has_extra_data: Whether person data beside the training split are named.
        asks_more: Whether the method needs another model or the test set when it is asked.
        is_large: Whether the image encoder is named as one above base size.
    """

    has_extra_data: bool
    asks_more: bool
    is_large: bool

    def words(self) -> list[str]:
        """Return the kind in words. Without extra data, further models and large encoders there are none."""
        known = {
            "with extra person data": self.has_extra_data,
            "with more than its encoders at test time": self.asks_more,
            "with a large encoder": self.is_large,
        }
        return [words for words, holds in known.items() if holds]


def kind_of(row: LeaderboardRow) -> Kind:
    """Return the kind of a row."""
    is_large = bool(_LARGE.search(row.method.image_encoder or ""))
    return Kind(row.method.has_extra_data, row.method.at_test_time is not None, is_large)


def arguments_text(row: LeaderboardRow) -> str:
    """Return the further arguments that identify the data, in words."""
    return ", ".join(f"{name} {value}" for name, value in sorted(row.dataset_arguments.items()))


def data_key(row: LeaderboardRow) -> tuple[str, str, str, str]:
    """Return in words what a row was measured on: data set, split, further arguments, direction with part.

    What the model was trained on is named with the arguments, where it is another data set. For text-to-image, the
    direction is an empty text, so that such rows come first. A part of a model that was measured alone is named with
    the direction, so that its figures are compared with those of parts of that name alone. So is what was done to the
    embeddings and similarities of the first stage.
    """
    trained_on = f"trained on {row.trained_on}" if row.trained_on else ""
    direction = [row.direction] if row.direction != TEXT_TO_IMAGE else []
    part = [f"part {row.part} alone"] if row.part is not None else []
    steps = [] if row.postprocess is None else [f"post-processed by {' then '.join(row.postprocess)}"]
    kind = ["transductive"] if row.transductive else []
    arguments = ", ".join(filter(None, [arguments_text(row), trained_on]))
    return row.dataset, row.split, arguments, ", ".join([*direction, *part, *steps, *kind])


def comparison_group(row: LeaderboardRow) -> tuple[str, str, str, str, Kind]:
    """Return what rows share whose figures may be compared: `data_key` and `kind_of`."""
    return *data_key(row), kind_of(row)


def section_order(row: LeaderboardRow) -> tuple[Any, ...]:
    """Return what the groups are sorted by: data on which models were trained, `MAIN_DATASETS`, then by name."""
    is_main = row.dataset in MAIN_DATASETS
    place = MAIN_DATASETS.index(row.dataset) if is_main else len(MAIN_DATASETS)
    return row.trained_on is not None, place, *comparison_group(row)
