"""check_plugin: a plugin that breaks one promise is told by it, and what is not tried is told with the reason."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tipr_zoo
from tipr_zoo.cards.index import card_index
from tipr_zoo.errors import BrokenPromiseError
from tipr_zoo.plugins.discovery import installed_plugins
from tipr_zoo.plugins.requirements import core_problem
from tipr_zoo.registries import REGISTRIES
from tipr_zoo.testing import check_plugin

PACKAGE = "tried_package"

CARD = """---
license: mit
datasets: [SynthPEDES]
tags: []
tipr_zoo: {plugin: tried, config: tried.py, weights: null, protocol: none}
---
"""

RECIPE = f"""
_base_ = [{str(Path(tipr_zoo.__file__).parent / "configs" / "irra_tiny_synth.py")!r}]
model = dict(
    image_encoder=dict(width=32, depth=1, num_heads=2, embedding_size=64, image_size=(64, 32)),
    text_encoder=dict(width=32, depth=1, num_heads=2, embedding_size=64),
    neck=dict(embedding_size=64),
    losses=dict(tried=dict(type="TriedLoss", weight=2.0)),
    heads=dict(id=dict(embedding_size=64, num_identities=6), irr=dict(embedding_size=64, depth=1)),
)
"""

LOSS = """
from tipr_zoo.registries import CAPTION_AUGMENTATIONS, DATASETS, HEADS, LOSSES, SAMPLERS
from tipr_zoo.losses.itc import ITC

@LOSSES.register_module()
class TriedLoss(ITC):
    pass
"""

INIT = 'PLUGIN_CONTRACT = "1.1"\n'

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Installs the plugin ``tried`` with other texts in place of some of its files."""
    for registry in REGISTRIES:
        registry.names()  # imports what the core registers, which stays
    before = [(dict(registry._module_dict), dict(registry._places)) for registry in REGISTRIES]

    def forget() -> None:
        for cached in (card_index, installed_plugins, core_problem):
            cached.cache_clear()
        importlib.invalidate_caches()

    def write_plugin(components: str = LOSS, init: str = INIT, recipe: str = RECIPE, card: str = CARD) -> None:
        info = tmp_path / "tipr_zoo_tried-1.0.dist-info"
        files = {
            tmp_path / PACKAGE / "__init__.py": init,
            tmp_path / PACKAGE / "components.py": components,
            tmp_path / PACKAGE / "configs" / "tried.py": recipe,
            tmp_path / PACKAGE / "model_cards" / "tried_model.md": card,
            info / "METADATA": "Metadata-Version: 2.1\nName: tipr-zoo-tried\nVersion: 1.0\n",
            info / "entry_points.txt": f"[tipr_zoo.plugins]\ntried = {PACKAGE}.components\n",
        }
        for file, text in files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        forget()

    yield write_plugin
    monkeypatch.undo()
    forget()
    for registry, (components, places) in zip(REGISTRIES, before, strict=True):
        for own, kept in ((registry._module_dict, components), (registry._places, places)):
            own.clear()
            own.update(kept)
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def test_a_plugin_that_keeps_every_promise(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    write()
    check_plugin("tried")
    assert not caplog.records


@pytest.mark.parametrize(
    ("files", "promise", "found"),
    [
        (
            {"init": ""},
            "states the version of the contract",
            'write PLUGIN_CONTRACT = "..." into __init__.py of tried_',
        ),
        ({"init": 'PLUGIN_CONTRACT = "9.0"\n'}, "is found and fits this tipr-zoo", "pip install --upgrade tipr-zoo"),
        ({"components": "raise OSError('no')"}, "can be imported", "OSError: no"),
        ({"card": CARD.replace("protocol", "protokol")}, "has cards that can be read", "protokol"),
        ({"card": CARD.replace("tried.py", "no.py")}, "has a recipe from which tried_model", "config 'no.py' is not"),
        ({"recipe": "model = dict("}, "has a recipe from which tried_model can be built", "SyntaxError"),
        ({"recipe": RECIPE.replace("TriedLoss", "TiredLoss")}, "has a recipe from which", "did you mean 'TriedLoss'"),
        (
            {"components": LOSS + "    def forward(self, features, batch):\n        return 0"},
            "",
            "loss TriedLoss breaks",
        ),
        (
            {"components": f"{LOSS}\n@SAMPLERS.register_module()\nclass Tried:\n    def __iter__(self): ...\n"},
            "registers samplers with all that is promised of them",
            "Tried lacks set_epoch, __len__",
        ),
        (
            {"components": f"{LOSS}\n@CAPTION_AUGMENTATIONS.register_module()\nclass Tried:\n    pass\n"},
            "registers caption augmentations with all that is promised of them",
            "Tried lacks __call__",
        ),
        (
            {"components": f"{LOSS}\n@DATASETS.register_module()\nclass Tried:\n    pass\n"},
            "registers data sets that are a PersonDataset with a specification",
            "Tried is none",
        ),
    ],
    ids=lambda value: "",
)
def test_a_plugin_that_breaks_a_promise(write: Write, files: dict[str, str], promise: str, found: str) -> None:
    write(**files)
    with pytest.raises(BrokenPromiseError) as told:
        check_plugin("tried")
    assert promise in str(told.value)
    assert found in str(told.value)
    assert "\n" not in str(told.value)


def test_a_plugin_that_is_not_installed() -> None:
    with pytest.raises(BrokenPromiseError, match=r"plugin 'tired' breaks .* is found .* unknown plugin 'tired'"):
        check_plugin("tired")


def test_what_is_not_tried_is_told(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    unused = "\n@{}.register_module()\nclass {}(ITC):\n    pass\n"
    write(LOSS + unused.format("LOSSES", "Unused") + unused.format("HEADS", "TriedHead"))
    check_plugin("tried")
    expected = ["loss Unused is not tried: no recipe of the plugin has it"]
    expected.append("head TriedHead is not tried: no recipe of the plugin has it")
    assert [record.getMessage() for record in caplog.records] == expected


def test_a_large_model_is_built_without_numbers(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    write()
    check_plugin("tried", largest=1000)
    (record,) = caplog.records
    assert "tried_model: built without numbers, and towers and heads not tried: 0 million" in record.getMessage()
    write(recipe=RECIPE.replace("width=32", "width=33"))
    with pytest.raises(BrokenPromiseError, match="has a recipe from which tried_model can be built"):
        check_plugin("tried", largest=1000)
