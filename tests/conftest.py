"""A tiny model and a tiny data set, for tests of everything that needs one.

The model comes from a plugin that is written as pip would install it. Its recipe is that of ``irra_tiny_synth`` with
smaller towers, so that it has the parts of a real one and still takes milliseconds.
"""

from __future__ import annotations

import importlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tipr_zoo
from tipr_zoo.cards.index import card_index
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.plugins.discovery import installed_plugins

TINY, TINY_PRETRAINED = "a_tiny_model", "a_tiny_pretrained_model"

_RECIPE = f"""
_base_ = [{str(Path(tipr_zoo.__file__).parent / "configs" / "irra_tiny_synth.py")!r}]

model = dict(
    image_encoder=dict(width=32, depth=1, num_heads=2, embedding_size=64, image_size=(64, 32)),
    text_encoder=dict(width=32, depth=1, num_heads=2, embedding_size=64),
    neck=dict(embedding_size=64),
    heads=dict(id=dict(embedding_size=64, num_identities=6), irr=dict(embedding_size=64, depth=1)),
)
training = dict(
    batch_size=8, max_epochs=2, validate_every=1, num_workers=0, weights_dtype="float32"
)
"""

_CARD = """---
license: mit
datasets: [SynthPEDES]
tags: []
tipr_zoo:
  plugin: tiny
  config: tiny.py
  weights: {weights}
  weights_note: It is there for tests alone.
  protocol: none
---
"""


def _forget_what_is_installed() -> None:
    card_index.cache_clear()
    installed_plugins.cache_clear()
    importlib.invalidate_caches()


def _write_plugin(site: Path) -> Path:
    """Write the plugin ``tiny`` with one card; returns the folder of its cards."""
    package, info = site / "tiny_package", site / "tipr_zoo_tiny-1.0.dist-info"
    for folder in (package / "model_cards", package / "configs", info):
        folder.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "components.py").touch()
    (package / "configs" / "tiny.py").write_text(_RECIPE)
    (package / "model_cards" / f"{TINY}.md").write_text(_CARD.format(weights="null"))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tipr-zoo-tiny\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tipr_zoo.plugins]\ntiny = tiny_package.components\n")
    return package / "model_cards"


def _write_pretrained_card(cards: Path) -> None:
    """A second card of the same recipe, with weights beside it."""
    import safetensors.torch
    import torch

    from tipr_zoo.outside.files import file_sha256

    torch.manual_seed(0)
    file = cards / "tiny.safetensors"
    safetensors.torch.save_file(tipr_zoo.build(TINY).state_dict(), file)
    weights = f"{{file: tiny.safetensors, sha256: {file_sha256(file)}, size: {file.stat().st_size},"
    weights += " format: safetensors, license: mit}"
    (cards / f"{TINY_PRETRAINED}.md").write_text(_CARD.format(weights=weights))


@pytest.fixture(autouse=True)
def no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests, in a terminal or in several processes: what is printed has no width to fit into."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="module")
def tiny_zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The zoo with the models `TINY`, without weights, and `TINY_PRETRAINED`, with some; gives their cards' folder."""
    site = tmp_path_factory.mktemp("site")
    cards = _write_plugin(site)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(site), *sys.path])
        _forget_what_is_installed()
        _write_pretrained_card(cards)
        _forget_what_is_installed()
        yield cards
    _forget_what_is_installed()
    for name in [name for name in sys.modules if name.partition(".")[0] == "tiny_package"]:
        del sys.modules[name]


@pytest.fixture
def tiny_model(tiny_zoo: Path) -> DualEncoder:
    """`TINY_PRETRAINED`, so that every test sees the same parameters."""
    return tipr_zoo.build(TINY_PRETRAINED, pretrained=True)


@pytest.fixture(scope="session")
def synthpedes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SynthPEDES with 6 + 2 + 2 identities of two pictures each; not to be changed."""
    from tipr_zoo.synthpedes import draw_synthpedes

    folder = tmp_path_factory.mktemp("data") / "synthpedes"
    draw_synthpedes(folder, train=6, val=2, test=2, pictures=2, workers=1)
    return folder


@pytest.fixture(scope="session")
def splits(synthpedes: Path) -> tuple[PersonDataset, PersonDataset]:
    """Its training and its validation split."""
    from tipr_zoo.datasets import open_dataset

    return open_dataset(str(synthpedes), split="train"), open_dataset(str(synthpedes), split="val")


@pytest.fixture(scope="session")
def test_split(synthpedes: Path) -> PersonDataset:
    """Its test split: 4 pictures and 8 captions of two near twins."""
    from tipr_zoo.datasets import open_dataset

    return open_dataset(str(synthpedes), split="test")


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
