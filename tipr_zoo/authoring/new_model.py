"""Facts about a model that has no card yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class NewModel:
    """Facts about a model that has no card yet.

    Attributes:
        name: Its name.
        plugin: The plugin that brings its components. None where the core does.
        config: Its recipe, one of the plugin or of the core. None where `records` name a model with the same recipe.
        datasets: Names of the data sets that it was trained on.
        license: Identifier of the model's licence, as the Hub spells it.
        weights: Its weights, a safetensors file, or None.
        records: Evaluation records of ``tipr-zoo eval`` with these weights.
    """

    name: str
    plugin: str | None = None
    config: str | None = None
    datasets: tuple[str, ...] = ()
    license: str = "other"
    weights: Path | None = None
    records: tuple[Path, ...] = ()
