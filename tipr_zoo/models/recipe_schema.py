"""What a recipe may say, and what its ``training`` must say to be trained by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from tipr_zoo.cards.record import FIRST_STAGE, RERANK_RESTS
from tipr_zoo.schemas.declared import Declared
from tipr_zoo.schemas.marks import Check, FromList, Limits, Told, must_be
from tipr_zoo.schemas.value_kinds import NumberFromZero

WEIGHTS_DTYPES = ("float32", "float16")
"""How the final weights can be stored."""

LARGEST_SEED = 2**32 - 1
"""NumPy takes no larger one."""


def _must_be(what: str) -> str:
    return "the recipe's training.{where} must be " + what + ", got {value!r}"


def _are_shares(values: object) -> bool:
    """Tell whether these are two numbers from 0 to below 1, or three, which a few optimisers take."""
    return (
        isinstance(values, (list, tuple))
        and len(values) in (2, 3)
        and all(isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1 for value in values)
    )


def _are_from_zero(value: object) -> bool:
    """Tell whether this is a number from 0, or two of which one may be left out, as an Adafactor takes them."""
    if isinstance(value, (list, tuple)) and len(value) == 2:
        return all(each is None or _are_from_zero(each) for each in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf")


Count = Annotated[int, Limits(above=0), Told(_must_be("a whole number above 0"))]
FromZero = Annotated[int, Limits(smallest=0), Told(_must_be("a whole number from 0"))]
FromOne = Annotated[int, Limits(smallest=1), Told(_must_be("a whole number from 1"))]
Seed = Annotated[FromZero, Check(lambda seed: seed <= LARGEST_SEED, _must_be(f"at most {LARGEST_SEED}"))]
Switch = Annotated[bool, Told(_must_be("True or False"))]
Rate = Annotated[NumberFromZero, Told(_must_be("a number from 0"))]
AboveZero = Annotated[float, Limits(above=0), Told(_must_be("a number above 0"))]
RerankCount = Annotated[int, Limits(smallest=0), Told(must_be("a whole number from 0"))]
RerankRest = Annotated[str, Check(RERANK_RESTS.__contains__), Told(must_be(" or ".join(map(repr, RERANK_RESTS))))]
WeightsDtype = Annotated[str, Check(WEIGHTS_DTYPES.__contains__), Told(_must_be(f"one of {', '.join(WEIGHTS_DTYPES)}"))]


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings(Declared):
    """``evaluation`` of a recipe: how its figures are measured where nobody says something else.

    Attributes:
        rerank: How many of each caption's best pictures are ranked again by the score of the pair; 0 for none.
        rerank_rest: The order of the others, one of `tipr_zoo.cards.record.RERANK_RESTS`.
    """

    rerank: RerankCount = 0
    rerank_rest: RerankRest = FIRST_STAGE


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings(Declared):
    """``training.optimizer``: the rates. All else is what the optimiser of this type takes."""

    __pydantic_config__ = {**Declared.__pydantic_config__, "extra": "ignore"}  # noqa: RUF012  # as in `Declared`

    type: Any = None
    lr: Rate = 0.0
    weight_decay: Rate = 0.0
    eps: Annotated[Any, Check(_are_from_zero, _must_be("a number from 0"))] = 0.0
    betas: Annotated[Any, Check(_are_shares, _must_be("two numbers from 0 to below 1"))] = (0.9, 0.999)


@dataclass(frozen=True, kw_only=True)
class ParameterPattern(Declared):
    """An item of ``training.parameter_patterns``: what holds for the parameters whose names a pattern matches.

    Attributes:
        pattern: The whole name of a parameter, with ``*`` for any letters.
        rate: Factor of the base rate; None to leave the rate as it is.
        weight_decay: Weight decay; None to leave it as it is.
        frozen: Whether these parameters do not learn.
    """

    pattern: Annotated[str, Check(str.strip), Told(_must_be("a pattern of names, such as 'image_encoder.*'"))]
    rate: Rate | None = None
    weight_decay: Rate | None = None
    frozen: Switch = False


@dataclass(frozen=True, kw_only=True)
class DrawnPeople(Declared):
    """``training.dataset_arguments``: which SynthPEDES is drawn where no data set is given."""

    seed: Seed = 0
    train: Count = 1000
    val: Count = 100
    test: Count = 200
    pictures: Count = 4


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(Declared):
    """``training`` of a recipe. What is ``Any`` here is checked where it is used."""

    dataset: Annotated[str | None, Told(_must_be("the name of a data set"))] = None
    dataset_arguments: Annotated[DrawnPeople, Told(_must_be("a dict"), is_one=False)] = field(
        default_factory=lambda: DrawnPeople()
    )
    batch_size: Count
    max_epochs: Count
    seed: Seed = 0
    num_workers: FromZero = 0
    validate_every: FromOne = 1
    rerank: FromZero = 0
    accumulate_steps: FromOne = 1
    clip_gradient_norm: AboveZero | None = None
    weights_dtype: WeightsDtype = "float32"
    find_unused_parameters: Switch = False
    masking: Switch = False
    trim_padding: Switch = False
    adapters: Any = None
    optimizer: Annotated[
        OptimizerSettings,
        Told("the recipe has no training.optimizer, e.g. dict(type='AdamW', lr=1e-3)", is_one=False),
    ]
    parameter_groups: Annotated[dict[str, Rate], Told(_must_be("a dict"), is_one=False)] = field(default_factory=dict)
    parameter_patterns: Annotated[
        tuple[ParameterPattern, ...],
        FromList(),
        Told(_must_be("a list of dicts, such as [dict(pattern='image_encoder.*', rate=0.1)]"), is_one=False),
    ] = ()
    layer_decay: Annotated[
        AboveZero | None, Check(lambda decay: decay is None or decay <= 1, _must_be("a number above 0, at most 1"))
    ] = None
    gradient_checkpointing: Switch = False
    compile: Any = False
    ema: Any = None
    schedule: Any = None
    augmentation: Any = None
    caption_augmentation: Any = None
    sampler: Any = None
    views: Any = None
    noise: Any = None
    hooks: Any = None
    precision: Any = None


@dataclass(frozen=True, kw_only=True)
class ModelSettings(Declared):
    """``model`` of a recipe: its components, each a dict with a ``type``, and the normalisation of pictures."""

    type: Any = None
    image_encoder: Any
    text_encoder: Any
    tokenizer: Any
    neck: Any = None
    losses: Any = None
    heads: Any = None
    mean: Any = None
    std: Any = None


@dataclass(frozen=True, kw_only=True)
class RecipeFile(Declared):
    """A recipe: the model, how it is trained and measured, and plugins that parts come from besides the model's own."""

    plugins: Any = ()
    model: ModelSettings
    training: TrainingSettings
    evaluation: Any = None
