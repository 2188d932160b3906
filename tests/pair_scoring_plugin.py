"""A third party's plugin ``pairing``: small retrievers that score pairs, with and without tokens computed once.

Both have the same numbers and the same scores. `install` puts it on the path and forgets it afterwards.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

COMPONENTS = '''
import os
import time
import torch
import torch.nn.functional as F
from torch import nn
from tipr_zoo.registries import MODELS

class Letters:
    """Every other word as an id, an end of the largest id, and padding 0, so that lengths differ."""

    def __call__(self, captions):
        captions = [captions] if isinstance(captions, str) else captions
        ids = torch.zeros(len(captions), 24, dtype=torch.int64)
        for row, caption in zip(ids, captions):
            words = [1 + sum(map(ord, word)) % 62 for word in caption.split()[::2][:23]]
            row[: len(words) + 1] = torch.tensor([*words, 63])
        return ids

@MODELS.register_module()
class PairsAlone(nn.Module):
    takes_cut_captions = True

    def __init__(self, size: int = 12):
        super().__init__()
        self.image_size = (32, 16)
        self.tokenize = Letters()
        self.colours = nn.Linear(3 * 8 * 4, size)
        self.letters = nn.Embedding(64, size)
        self.patches = nn.Linear(3 * 8 * 4, size)
        self.keys, self.values = nn.Linear(size, size), nn.Linear(size, size)
        self.match = nn.Linear(size, 1)

    def preprocess(self, picture):
        picture = picture.convert("RGB").resize((16, 32))
        pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(32, 16, 3)
        return pixels.permute(2, 0, 1) / 128 - 1

    def encode_image(self, images):
        return self.colours(F.avg_pool2d(images, 4).flatten(1))

    def encode_text(self, ids):
        is_letter = (ids != 0).unsqueeze(-1)
        return (self.letters(ids) * is_letter).sum(1) / is_letter.sum(1)

    def loss(self, batch):
        image, text = self.encode_image(batch["images"]), self.encode_text(batch["caption_ids"])
        logits = 10 * F.normalize(image, dim=1) @ F.normalize(text, dim=1).t()
        scores = self.score_pairs(batch["caption_ids"], batch["images"])
        return {"pairs": F.cross_entropy(logits, torch.arange(len(logits))) - 0.01 * scores.mean()}

    def _picture_tokens(self, images):
        return self.patches(F.unfold(images, (8, 4), stride=(8, 4)).transpose(1, 2))

    def _score(self, ids, words, picture):
        attention = (words @ self.keys(picture).transpose(-1, -2)).softmax(-1)
        scores = self.match(torch.tanh(attention @ self.values(picture))).squeeze(-1)
        is_letter = ids != 0
        return 20 * (scores * is_letter).sum(1) / is_letter.sum(1)

    def score_pairs(self, ids, images):
        if "TIPR_ZOO_TEST_SLOW" in os.environ:
            print("scoring", flush=True)
            time.sleep(1)
        return self._score(ids, self.letters(ids), self._picture_tokens(images))

@MODELS.register_module()
class PairsByTokens(PairsAlone):
    def encode_picture_tokens(self, images):
        return self._picture_tokens(images)

    def encode_caption_tokens(self, ids):
        return self.letters(ids)

    def score_captions(self, ids, caption_tokens, picture_tokens):
        return self._score(ids, caption_tokens, picture_tokens)

@MODELS.register_module()
class NoPairs(PairsAlone):
    score_pairs = None

    def loss(self, batch):
        return {"nothing": self.letters.weight.sum() + self.colours(torch.zeros(1, 96)).sum()}
'''

RECIPE = """
model = dict(type="{type}", size=12)
training = dict(
    dataset="SynthPEDES", batch_size=8, max_epochs=2, masking=False, num_workers=0,
    optimizer=dict(type="AdamW", lr=1e-2), augmentation=dict(flip=0.5, pad=2, erase=0.5),
)
{evaluation}
"""

CARD = """---
license: mit
datasets: [SynthPEDES]
tags: []
{results}tipr_zoo:
  plugin: pairing
  config: {config}
  method: {{name: {name}{rerank}}}
  weights: {{file: weights.safetensors, sha256: {sha256}, size: {size}, format: safetensors, license: mit}}
  protocol: none
---
"""

PAIRS, TOKENS, OWN_K, NONE = "pairs_alone", "pairs_by_tokens", "pairs_with_own_k", "no_pairs"

TYPES = {PAIRS: "PairsAlone", TOKENS: "PairsByTokens", OWN_K: "PairsByTokens", NONE: "NoPairs"}


def write_plugin(site: Path) -> None:
    """Write the plugin as pip would install it, with cards whose weights are still to be written."""
    package, info = site / "pairing_package", site / "tipr_zoo_pairing-1.0.dist-info"
    files = {
        package / "__init__.py": "",
        package / "components.py": COMPONENTS,
        info / "METADATA": "Metadata-Version: 2.1\nName: tipr-zoo-pairing\nVersion: 1.0\n",
        info / "entry_points.txt": "[tipr_zoo.plugins]\npairing = pairing_package.components\n",
    }
    for name, kind in TYPES.items():
        evaluation = "evaluation = dict(rerank=2)" if name == OWN_K else ""
        files[package / "configs" / f"{name}.py"] = RECIPE.format(type=kind, evaluation=evaluation)
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def write_card(site: Path, name: str, results: str = "") -> None:
    """Write one card; the weights of all lie beside them."""
    from tipr_zoo.outside.files import file_sha256

    cards = site / "pairing_package" / "model_cards"
    weights = cards / "weights.safetensors"
    sha256, size = file_sha256(weights), weights.stat().st_size
    rerank = "" if name == NONE else ", rerank: 2"
    values = {"config": f"{name}.py", "name": name, "rerank": rerank, "sha256": sha256, "size": size}
    (cards / f"{name}.md").write_text(CARD.format(results=results, **values))


def forget_what_is_installed() -> None:
    from tipr_zoo.cards.index import card_index
    from tipr_zoo.plugins.discovery import installed_plugins

    card_index.cache_clear()
    installed_plugins.cache_clear()
    importlib.invalidate_caches()


@contextmanager
def install(site: Path) -> Iterator[Path]:
    """Install the plugin while the block runs, with weights for all its cards; gives the site's folder."""
    import safetensors.torch
    import torch

    from tipr_zoo.registries import REGISTRIES

    write_plugin(site)
    for registry in REGISTRIES:
        registry.names()  # imports what the core registers, which stays
    before = [(dict(registry._module_dict), dict(registry._places)) for registry in REGISTRIES]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(site), *sys.path])
        forget_what_is_installed()
        from tipr_zoo.plugins.discovery import find_plugin
        from tipr_zoo.registries import MODELS

        importlib.import_module(find_plugin("pairing").module)
        (site / "pairing_package" / "model_cards").mkdir()
        torch.manual_seed(3)
        model = MODELS.get("PairsAlone")()
        safetensors.torch.save_file(model.state_dict(), site / "pairing_package/model_cards/weights.safetensors")
        for name in TYPES:
            write_card(site, name)
        forget_what_is_installed()
        yield site
    forget_what_is_installed()
    for registry, (components, places) in zip(REGISTRIES, before, strict=True):
        registry._module_dict, registry._places = components, places
    for name in [name for name in sys.modules if name.partition(".")[0] == "pairing_package"]:
        del sys.modules[name]
