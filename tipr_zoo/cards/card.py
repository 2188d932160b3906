"""Model cards: one Markdown file a model, with YAML front matter in the Hugging Face form.

A card is a Hub README as it stands: ``license``, ``datasets``, ``tags`` and ``model-index`` are spelled as the Hub
spells them, and one ``tipr_zoo:`` block says how the zoo builds the model. Fields that the zoo does not know are
errors, and so is a figure without a source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tipr_zoo.cards.fields import Fields, read_front_matter
from tipr_zoo.cards.hub_reference import is_hub_reference, parse_hub_reference
from tipr_zoo.cards.method_facts import MethodFacts, read_method_facts
from tipr_zoo.cards.results import Result, read_results
from tipr_zoo.errors import ConfigError

HUB_FIELDS = {"license", "datasets", "tags", "model-index", "language", "library_name", "pipeline_tag", "base_model"}
ZOO_FIELDS = {"plugin", "config", "method", "weights", "weights_note", "paper", "code", "protocol"}


MODEL_NAME = re.compile(r"\w[\w.-]{0,95}", re.ASCII)  # the Hub takes no longer one
"""What a model may be called, and so the file of its card."""


@dataclass(frozen=True)
class Weights:
    """Where a model's pretrained weights are, and how to know that they are the right ones.

    Attributes:
        location: Path of a local file (relative to the card's folder), an ``https://`` URL, or
            ``hub:owner/name@revision:file``.
        sha256: Hash of the file, 64 hexadecimal digits.
        size: Length of the file in bytes.
        format: ``"safetensors"`` or ``"pytorch"``.
        license: SPDX identifier of the licence of the weights.
    """

    location: str
    sha256: str
    size: int
    format: str
    license: str

    @property
    def is_remote(self) -> bool:
        """Whether the file has to be fetched."""
        return "://" in self.location or is_hub_reference(self.location)


@dataclass(frozen=True)
class Link:
    """Something published elsewhere: a paper or a repository.

    Attributes:
        title: What it is called.
        url: Where it is.
        license: Its licence; ``"none"`` where it carries none, None where nobody looked.
    """

    title: str
    url: str
    license: str | None = None


@dataclass(frozen=True)
class ModelCard:
    """What is known of one model without importing anything of it.

    Attributes:
        name: The model's name, which is the file's name without ``.md``.
        path: The card's file.
        license: SPDX identifier of the model's licence, or ``"other"``.
        datasets: Names of the data sets it was trained on.
        tags: The Hub's tags.
        results: Published and measured figures, each with its source.
        plugin: Name of the plugin that brings its components, or None where the core does.
        method: What must be known before its figures are compared with others'.
        config: Recipe file, relative to the ``configs`` folder of the plugin or of the core.
        weights: The pretrained weights, or None where none are published.
        weights_note: Where weights can be had, or why there are none.
        paper: The paper that describes the method.
        code: The authors' repository and its licence.
        protocol: In words: how the reported figures were obtained, e.g. on which split the best epoch was chosen.
        description: The card's Markdown body.
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
    paper: Link | None
    code: Link | None
    protocol: str
    description: str = field(repr=False)


def read_card(path: Path) -> ModelCard:
    """Read and check one card.

    Args:
        path: The Markdown file; its name without ``.md`` is the model's name.

    Raises:
        CardError: The card is malformed; the message names the file, the field and the fix.
    """
    front_matter, body = read_front_matter(path)
    fields = Fields(front_matter, path)
    fields.allow(HUB_FIELDS | {"tipr_zoo"})
    zoo = fields.block("tipr_zoo")
    zoo.allow(ZOO_FIELDS)
    method_block = zoo.optional_block("method")
    method = read_method_facts(method_block) if method_block else MethodFacts(name=path.stem)
    return ModelCard(
        name=path.stem,
        path=path,
        license=fields.text("license"),
        datasets=fields.texts("datasets"),
        tags=fields.texts("tags"),
        results=read_results(fields, path.stem, method),
        plugin=zoo.optional_text("plugin"),
        method=method,
        config=zoo.text("config"),
        weights=_read_weights(zoo),
        weights_note=zoo.optional_text("weights_note"),
        paper=read_link(zoo, "paper"),
        code=read_link(zoo, "code"),
        protocol=zoo.text("protocol"),
        description=body.strip(),
    )


def _read_weights(zoo: Fields) -> Weights | None:
    """The ``weights:`` block; None where the card says ``weights: null``."""
    block = zoo.optional_block("weights")
    if block is None:
        return None
    block.allow({"file", "url", "sha256", "size", "format", "license"})
    file, url = block.optional_text("file"), block.optional_text("url")
    if (file is None) == (url is None):
        raise block.error("needs either 'file' or 'url'")
    if file is not None and ("://" in file or is_hub_reference(file)):
        raise block.error(f"'file' must be a path as seen from the card, got {file!r}; an address is a 'url'")
    if url is not None and not url.startswith(("https://", "hub:")):
        raise block.error(f"'url' must begin with https:// or hub:, got {url!r}; a file beside the card is a 'file'")
    if is_hub_reference(url):
        try:
            parse_hub_reference(url)
        except ConfigError as error:
            raise block.error(f"'url': {error}") from error
    sha256 = block.text("sha256")
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise block.error(f"'sha256' must be 64 lower-case hexadecimal digits, got {sha256!r}")
    if block.text("format") not in ("safetensors", "pytorch"):
        raise block.error(f"'format' must be safetensors or pytorch, got {block.text('format')!r}")
    size: Any = block.values.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size <= 0:
        raise block.error(f"'size' must be the file's length in bytes, got {size!r}")
    return Weights(file or str(url), sha256, size, block.text("format"), block.text("license"))


def read_link(fields: Fields, key: str) -> Link | None:
    """The ``paper:`` or ``code:`` block; None where there is none.

    Args:
        fields: The mapping that it stands in.
        key: ``"paper"`` or ``"code"``.

    Raises:
        CardError: A field is missing or unknown.
    """
    block = fields.optional_block(key)
    if block is None:
        return None
    block.allow({"title", "url", "license"})
    return Link(block.text("title"), block.text("url"), block.optional_text("license"))
