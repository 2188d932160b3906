"""Post-processing of the first stage by name: a closed list of steps, each with typed settings."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError, UnknownNameError
from tipr_zoo.evaluation.dual_softmax import DualSoftmax
from tipr_zoo.evaluation.first_stage import FirstStage, PostprocessStep
from tipr_zoo.evaluation.flip_averaging import FlipAveraging
from tipr_zoo.evaluation.k_reciprocal import KReciprocal
from tipr_zoo.evaluation.query_expansion import QueryExpansion
from tipr_zoo.schemas.problems import UNKNOWN, problems_of

STEPS: dict[str, type[PostprocessStep]] = {
    step.NAME: step for step in (FlipAveraging, QueryExpansion, KReciprocal, DualSoftmax)
}
"""The steps by name."""


def parse_steps(words: Sequence[str]) -> tuple[PostprocessStep, ...]:
    """Make steps from words such as ``"k_reciprocal:k1=20,weight=0.3"``. Settings that are left out are the usual ones.

    Args:
        words: One for each step, in their order.

    Raises:
        UnknownNameError: There is no such step or setting.
        ConfigError: A setting makes no sense, or the steps cannot come in this order.
    """
    steps = tuple(_step(word) for word in words)
    for first, second in pairwise(steps):
        if second.COMES_FIRST:
            raise ConfigError(
                f"{second.NAME} works on the embeddings that the model gives, and {first.NAME} before it has changed"
                f" them; put {second.NAME} first, once"
            )
        if second.NEEDS_EMBEDDINGS and not first.LEAVES_EMBEDDINGS:
            raise ConfigError(
                f"{second.NAME} works on embeddings, and {first.NAME} before it leaves similarities alone; put"
                f" {second.NAME} first, or leave out one of them"
            )
    return steps


def postprocessed(stage: FirstStage, steps: Sequence[PostprocessStep]) -> FirstStage:
    """Do some steps one after the other.

    Args:
        stage: The first stage of a ranking.
        steps: As `parse_steps` gives them.

    Raises:
        ConfigError: A setting does not fit the sizes of the split.
    """
    for step in steps:
        stage = step(stage)
    return stage


def _step(word: str) -> PostprocessStep:
    name, _, settings = word.partition(":")
    if name not in STEPS:
        raise unknown_name("step of post-processing", name, STEPS)
    values: dict[str, Any] = {}
    for setting in filter(None, settings.split(",")):
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not key or not value:
            raise ConfigError(f"settings of {name} are written KEY=VALUE, with commas between them, got {setting!r}")
        if key in values:
            raise ConfigError(f"{name}: {key!r} is given twice, as {values[key]!r} and {value}; leave out one of them")
        values[key] = _value(value)
    for problem in problems_of(STEPS[name], values, f"setting of {name}"):
        if problem.kind == UNKNOWN:
            raise UnknownNameError(problem.message)
        raise ConfigError(f"{name}: {problem.message}")
    # A whole number may stand for a fraction; a record has one way of writing both.
    usual = vars(STEPS[name]())
    return STEPS[name](**{key: type(usual[key])(value) for key, value in values.items()})


def _value(text: str) -> Any:
    """Return a value as Python writes it, or the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # whatever text makes of Python's parser
        return text
