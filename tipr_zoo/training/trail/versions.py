"""The versions of what a training runs on."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tipr_zoo.cards.card import ModelCard
from tipr_zoo.machine.code_version import code_version
from tipr_zoo.plugins.discovery import installed_plugins

PACKAGES = ("torch", "torchvision", "timm", "transformers", "mmengine", "numpy", "pillow", "safetensors", "peft")
"""Those that are not installed are left out."""


def versions(card: ModelCard, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the version of Python, of the zoo, of the plugins that a recipe needs, and of `PACKAGES`.

    Args:
        card: The model's card, which names its plugin.
        recipe: Its recipe, which may name others.
    """
    found: dict[str, Any] = {"python": platform.python_version(), "tipr_zoo": code_version(), "plugins": {}}
    for name in dict.fromkeys([*([card.plugin] if card.plugin else []), *recipe.get("plugins", ())]):
        if (plugin := installed_plugins().get(name)) is not None:
            found["plugins"][name] = f"{plugin.distribution} {plugin.version}"
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
