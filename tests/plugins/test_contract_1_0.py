"""Contract 1.0: every name and word that it promised is still there, and a plugin written for it still works.

contract_1_0.json is frozen: it holds the names and words of the page as it was when it said 1.0.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from tipr_zoo.dual_encoder import DualEncoder

FROZEN = json.loads((Path(__file__).parent / "contract_1_0.json").read_text(encoding="utf-8"))
PAGE = (Path(__file__).parents[2] / "docs" / "plugin_contract.md").read_text(encoding="utf-8")

COMPONENTS = """
import torch
from torch import nn
from torch.utils.data import Sampler

from tipr_zoo.errors import ConfigError
from tipr_zoo.features import Batch, Features
from tipr_zoo.registries import BACKBONES, CAPTION_AUGMENTATIONS, HEADS, LOSSES, SAMPLERS
from tipr_zoo.training.caption_augmentation import CaptionAugmentation
from tipr_zoo.training.training_pairs import PairSampler


@BACKBONES.register_module()
class OldImageTower(nn.Module):
    def __init__(self, lacks=""):
        super().__init__()
        if lacks != "image_size":
            self.image_size = (16, 8)
        self.layer = nn.Linear(3, 64)

    def forward(self, images):
        return self.layer(images.flatten(2).transpose(1, 2)[:, :9])


@BACKBONES.register_module()
class OldTextTower(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(800, 64)

    def forward(self, ids):
        return self.words(ids).cumsum(dim=1)


@LOSSES.register_module()
class OldLoss(nn.Module):
    def forward(self, features: Features, batch: Batch):
        return (features.image_embedding - features.text_embedding).square().mean()


@HEADS.register_module()
class OldHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 1)

    def forward(self, features, batch, retriever):
        return self.layer(retriever.text_encoder(batch["mlm_ids"])).mean() + self.layer(features.image_embedding).mean()


@SAMPLERS.register_module()
class OldSampler(PairSampler):
    def __init__(self, lengths):
        self.count, self.epoch = len(lengths), 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        return iter([(self.epoch, index) for index in range(self.count)])

    def __len__(self):
        return self.count


@CAPTION_AUGMENTATIONS.register_module()
class OldAugmentation:
    def __init__(self, captions):
        self.captions = captions

    def __call__(self, index, generator):
        return self.captions[index].upper()
"""

RECIPE = """
plugins = ["sen"]
model = dict(
    image_encoder=dict(type="OldImageTower"),
    text_encoder=dict(type="OldTextTower"),
    tokenizer=dict(type="SmallTokenizer", file="synthpedes.json"),
    losses=dict(old=dict(type="OldLoss"), sdm=dict(type="SDM")),
    heads=dict(head=dict(type="OldHead")),
)
training = dict(
    dataset="SynthPEDES", batch_size=4, max_epochs=1, optimizer=dict(type="AdamW", lr=1e-3), num_workers=0,
    sampler=dict(type="OldSampler"), caption_augmentation=dict(type="OldAugmentation"),
)
"""

CARD = """---
license: mit
datasets: [SynthPEDES]
tags: []
tipr_zoo: {plugin: old, config: old.py, weights: null, protocol: none}
---
"""


def value_of(name: str) -> Any:
    """What a dotted name stands for."""
    module = name
    while True:
        try:
            found: Any = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module = module.rpartition(".")[0]
    for part in filter(None, name[len(module) :].split(".")):
        is_field = is_dataclass(found) and part in [field.name for field in fields(found)]
        found = part if is_field else getattr(found, part)
    return found


@pytest.mark.parametrize("name", FROZEN["names"])
def test_every_name_is_still_there_and_takes_what_it_took(name: str) -> None:
    dotted, call, arguments = name.partition("(")
    if dotted == "tipr_zoo.dual_encoder.DualEncoder.tokenize":  # an attribute of its instances
        assert "self.tokenize = " in inspect.getsource(DualEncoder.__init__)
        return
    found = value_of(dotted)
    if call:
        promised = [argument.strip() for argument in arguments.rstrip(")").split(",") if argument.strip()]
        there = [parameter for name, parameter in inspect.signature(found).parameters.items() if name != "self"]
        assert [parameter.name for parameter in there[: len(promised)]] == promised
        assert all(parameter.default is not parameter.empty for parameter in there[len(promised) :])


@pytest.mark.parametrize("where", FROZEN["words"])
def test_every_word_is_still_promised(where: str) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| {where} |")]
    assert set(FROZEN["words"][where]) <= set(re.findall(r"`([^`]+)`", row.removeprefix(f"| {where} |")))


def test_the_errors_are_what_they_were() -> None:
    from tipr_zoo import errors

    assert set(FROZEN["words"]["errors"]) <= set(vars(errors))
    from tipr_zoo.hub.client import HubError, MissingHubFileError
    from tipr_zoo.training.loop.interruption import TrainingInterrupted
    from tipr_zoo.training.loop.not_finite import NotFiniteError

    for kind in (HubError, MissingHubFileError, TrainingInterrupted, NotFiniteError):
        assert getattr(errors, kind.__name__) is kind
    assert issubclass(TrainingInterrupted, KeyboardInterrupt)
    assert TrainingInterrupted("stopped", 15).exit_code == 143


@pytest.fixture
def old_plugin(tmp_path: Path) -> Path:
    """A plugin as 1.0 had them, installed; its towers, loss and head have what 1.0 asked for and nothing else."""
    package, info = tmp_path / "old_package", tmp_path / "tipr_zoo_old-1.0.dist-info"
    files = {
        package / "__init__.py": 'PLUGIN_CONTRACT = "1.0"\n',
        package / "components.py": COMPONENTS,
        package / "configs" / "old.py": RECIPE,
        package / "model_cards" / "old_model.md": CARD,
        info / "METADATA": "Metadata-Version: 2.1\nName: tipr-zoo-old\nVersion: 1.0\nRequires-Dist: tipr-zoo>=0.1\n",
        info / "entry_points.txt": "[tipr_zoo.plugins]\nold = old_package.components\n",
    }
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


def run(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the plugin is installed."""
    environment = {**os.environ, "PYTHONPATH": str(site), "TIPR_ZOO_HOME": str(site / "cache")}
    return subprocess.run([sys.executable, *words], cwd=site, capture_output=True, text=True, env=environment)


@pytest.mark.slow
def test_a_plugin_that_states_1_0_is_listed_built_trained_and_measured(old_plugin: Path, synthpedes: Path) -> None:
    data, weights = ["--data", str(synthpedes)], "work_dirs/old_model/old_model.safetensors"
    commands = [
        ["plugins", "old", "--json"],
        ["train", "old_model", *data],
        ["eval", "old_model", *data, "--weights", weights],
    ]
    code = f"from tipr_zoo.command_line import main; print([main(words) for words in {commands!r}])"
    done = run(old_plugin, "-c", code)
    assert done.stdout.splitlines()[-1] == "[0, 0, 0]", done.stderr
    (row,) = json.loads(done.stdout[: done.stdout.index("\n}") + 2])["plugins"]
    assert (row["status"], row["contract"]) == ("works", "1.0")


RESTORING = (
    "{'type': 'TextGuidedRestoration', 'embedding_size': 64, 'image_size': (16, 8), 'patch_size': 4, 'depth': 1}"
)

TRIALS = f"""
import tipr_zoo
from PIL import Image
from tipr_zoo.errors import TiprZooError
from tipr_zoo.explaining.explanation import explain
from tipr_zoo.explaining.restoration import restore
from tipr_zoo.registries import HEADS

model, picture = tipr_zoo.build("old_model"), Image.new("RGB", (8, 16))
model.heads["tir"] = HEADS.build({RESTORING})
for trial in (
    lambda: tipr_zoo.build("old_model", overrides={{"model.heads.tir": {RESTORING}}}),
    lambda: restore(model, picture, ["a man"]),
    lambda: model.loss({{
        "images": model.preprocess(picture).unsqueeze(0), "caption_ids": model.tokenize("a man"),
        "mlm_ids": model.tokenize("a man"), "pids": model.tokenize("a man")[:, 0],
    }}),
    lambda: explain(model, picture, "a man", map="tokens"),
    lambda: tipr_zoo.build("old_model", overrides={{"model.image_encoder.lacks": "image_size"}}),
):
    try:
        trial()
    except TiprZooError as error:
        print(type(error).__name__, error, sep=": ")
"""


@pytest.mark.slow
def test_what_such_a_tower_lacks_is_told_in_one_line(old_plugin: Path) -> None:
    done = run(old_plugin, "-c", TRIALS)
    of_patches = "grid_size, patch_size, stride"
    everything = f"OldImageTower lacks {of_patches}, embedding_size, encode_visible"
    for_restoring = (
        f"ConfigError: model.image_encoder: {everything}, which TextGuidedRestoration (model.heads.tir) needs; take"
        " another tower, or leave it out (model.heads.tir=None); see Components in docs/plugin_contract.md"
    )
    assert done.stdout.splitlines() == [
        for_restoring,
        for_restoring,
        f"ConfigError: {everything}, which TextGuidedRestoration needs",
        f"ConfigError: OldImageTower does not say where its patches lie; it needs the attributes {of_patches}",
        "ConfigError: model.image_encoder: OldImageTower lacks image_size, which every image tower has; see Components"
        " in docs/plugin_contract.md",
    ], done.stderr
