"""A recipe may be based on those of the core and of other plugins, of which nothing is imported to read it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from first_party import PLUGINS

import tipr_zoo
from tipr_zoo.cards.index import card_index
from tipr_zoo.errors import ConfigError, PluginError, TiprZooError
from tipr_zoo.models.recipe import load_recipe, recipe_source
from tipr_zoo.models.weights_origin import origin_texts
from tipr_zoo.plugins.discovery import installed_plugins

HASHES = {
    "clip_vitb16": "c98f80043819e4e4",
    "fmfa_ham_vitb16_cuhk": "9244541fad99768b",
    "fmfa_ham_vitb16_icfg": "39a435f5e520a105",
    "fmfa_ham_vitb16_rstp": "b5f56b494d283b4a",
    "fmfa_nam_vitb16_cuhk": "9244541fad99768b",
    "fmfa_nam_vitb16_icfg": "39a435f5e520a105",
    "fmfa_nam_vitb16_rstp": "b5f56b494d283b4a",
    "fmfa_tiny_synth": "8ef150f5be34d855",
    "fmfa_vitb16_cuhk": "46038faaafbbfbd9",
    "fmfa_vitb16_icfg": "0bfd896391bd8775",
    "fmfa_vitb16_rstp": "05cdaeadc57314fd",
    "irra_tiny_synth": "86d7501743e080f7",
    "irra_vitb16_cuhk": "b9edabf047faf2d2",
    "irra_vitb16_icfg": "c5dd15eccaf51201",
    "irra_vitb16_rstp": "95ba020640a2986c",
    "rde_tiny_synth": "258a15cb73cf1652",
    "rde_vitb16_cuhk": "84c396de464409b9",
    "rde_vitb16_icfg": "8ad22e60790e2c71",
    "rde_vitb16_rstp": "b50398055b2ec42d",
    "sen_tiny_restoring_synth": "5946c498a194de1c",
    "sen_tiny_synth": "313cc625991896de",
    "sen_vitb16_cuhk": "cc660d42f2bf746b",
    "sen_vitb16_icfg": "c2e18d2685e81c37",
    "sen_vitb16_rstp": "7cf1d6c253fd75e8",
    "sen_vitl14_cuhk": "b08512b015b4d6fc",
    "sen_vitl14_icfg": "577fc6a540fe5000",
    "sen_vitl14_rstp": "dcba76bf90d72b37",
}
"""The first digits of the hash of each recipe when each was written out, without a base of another package. Those of
RDE are with the hook and the changes to captions that it has since.
"""

CARD = """---
license: mit
datasets: [SynthPEDES]
tags: []
tipr_zoo: {plugin: heir, config: heir.py, weights: null, protocol: none}
---
"""

Write = Callable[[str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Installs the plugins ``heir``, with a recipe, and ``ancestor``, whose code cannot be run."""
    monkeypatch.syspath_prepend(tmp_path)

    def forget() -> None:
        for cached in (card_index, installed_plugins):
            cached.cache_clear()
        importlib.invalidate_caches()

    def write_recipe(text: str) -> None:
        for name in ("heir", "ancestor"):
            package, info = tmp_path / f"{name}_package", tmp_path / f"tipr_zoo_{name}-1.0.dist-info"
            files = {
                package / "__init__.py": "" if name == "heir" else "raise RuntimeError('imported')",
                package / "components.py": "",
                info / "METADATA": f"Metadata-Version: 2.1\nName: tipr-zoo-{name}\nVersion: 1.0\n",
                info / "entry_points.txt": f"[tipr_zoo.plugins]\n{name} = {name}_package.components\n",
            }
            for file, content in files.items():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(content)
            (package / "configs").mkdir(exist_ok=True)
        (tmp_path / "ancestor_package" / "configs" / "old.py").write_text(
            "_base_ = 'core::irra_tiny_synth.py'\ntraining = dict(batch_size=7)\n"
        )
        (tmp_path / "heir_package" / "model_cards").mkdir(exist_ok=True)
        (tmp_path / "heir_package" / "model_cards" / "heir_model.md").write_text(CARD)
        (tmp_path / "heir_package" / "configs" / "heir.py").write_text(text)
        forget()

    yield write_recipe
    forget()
    for name in [name for name in sys.modules if name.partition(".")[0] in ("heir_package", "ancestor_package")]:
        del sys.modules[name]


def test_every_recipe_is_known_here() -> None:
    own = [name for name, card in card_index().cards.items() if card.plugin in (None, *PLUGINS)]
    assert set(HASHES) <= set(own)


@pytest.mark.parametrize("model", HASHES)
def test_a_recipe_says_what_it_said_when_it_was_written_out(model: str) -> None:
    card = tipr_zoo.load_card(model)
    about = origin_texts(model, card.plugin, card.config, load_recipe(card).to_dict())
    assert about["recipe_sha256"].startswith(HASHES[model])


def test_a_base_of_the_core(write: Write) -> None:
    write("_base_ = ['core::irra_tiny_synth.py']\ntraining = dict(max_epochs=1)")
    recipe = load_recipe(tipr_zoo.load_card("heir_model"))
    assert (recipe.training.max_epochs, recipe.training.batch_size) == (1, 128)
    assert "plugins" not in recipe


def test_bases_that_lie_beside_each_other_and_values_of_a_base(write: Write, tmp_path: Path) -> None:
    write("_base_ = ['./né.py']  # é\nseed = 3\ntraining = dict(seed={{_base_.training.batch_size}})\ndel seed\n")
    (tmp_path / "heir_package" / "configs" / "né.py").write_text(
        "x = 'é'; _base_ = ['core::irra_' 'tiny_synth.py']\ndel x\ntraining = dict(batch_size=9)\n"
    )
    recipe = load_recipe(tipr_zoo.load_card("heir_model"))
    assert (recipe.training.batch_size, recipe.training.seed) == (9, 9)


def test_a_base_of_another_plugin_names_it_and_imports_nothing(write: Write) -> None:
    write("_base_ = 'ancestor::old.py'")
    card = tipr_zoo.load_card("heir_model")
    recipe = load_recipe(card)
    assert (recipe.training.batch_size, recipe.plugins) == (7, ["ancestor"])
    assert "plugins = [\n    'ancestor',\n]" in recipe_source(card), "what is pushed stands by itself"
    assert not {"ancestor_package", "heir_package"} & set(sys.modules)
    with pytest.raises(PluginError, match=r"'ancestor'.*imported"):
        tipr_zoo.build("heir_model")


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("core::irra_tiny_sinth.py", "unknown recipe 'core::irra_tiny_sinth.py'; did you mean 'core::irra_tiny_synth"),
        ("core::irra_tiny_synth", "did you mean 'core::irra_tiny_synth.py'"),
        ("core::../configs/irra_tiny_synth.py", "unknown recipe"),
        ("core::", "unknown recipe 'core::'"),
        ("::irra_tiny_synth.py", "before :: stands 'core' or a plugin's name"),
        ("cor::irra_tiny_synth.py", "unknown plugin 'cor'"),
        ("ancestors::old.py", "unknown plugin 'ancestors'; did you mean 'ancestor'?"),
        ("ancestor::oldest.py", "unknown recipe 'ancestor::oldest.py'; did you mean 'ancestor::old.py'?"),
        ("./secnd.py", "unknown recipe './secnd.py'; did you mean './second.py'?"),
        ("./heir.py", "heir.py is its own base; take it out of _base_ in"),
        ("heir::heir.py", "heir.py is its own base; take it out of _base_ in"),
        ("./second.py", "heir.py is its own base by way of"),
        (".", "Is a directory"),
    ],
)
def test_a_base_that_is_none_is_told_in_one_line(write: Write, tmp_path: Path, base: str, told: str) -> None:
    write(f"_base_ = [{base!r}]")
    (tmp_path / "heir_package" / "configs" / "second.py").write_text("_base_ = ['heir::heir.py']")
    with pytest.raises(TiprZooError) as caught:
        load_recipe(tipr_zoo.load_card("heir_model"))
    assert told in str(caught.value)
    assert "heir.py" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "lines",
    [
        "_base_ = 'core::' + 'irra_tiny_synth.py'",
        "_base_ = f'core::{1}.py'",
        "_base_: str = 'core::irra_tiny_synth.py'",
        "_base_ = ('core::irra_tiny_synth.py',)",
        "_base_ = {'core::irra_tiny_synth.py'}",
        "_base_ = None",
        "_base_ = 3",
        "_base_ = ['core::irra_tiny_synth.py', 3]",
        "_base_ = 'core::irra_tiny_synth.py'\n_base_ = 'ancestor::old.py'",
        "a = _base_ = 'core::irra_tiny_synth.py'",
        "if True:\n    _base_ = 'core::irra_tiny_synth.py'",
        "_base_ = 'core::irra_tiny_synth.py'\nif True:\n    _base_ = 'ancestor::old.py'",
        "_base_ = ['core::irra_tiny_synth.py']\n_base_ += ['ancestor::old.py']",
        "for _base_ in ['core::irra_tiny_synth.py']:\n    pass",
        "_base_, x = 'core::irra_tiny_synth.py', 3",
        "with open('x') as _base_:\n    pass",
        "[_base_ := 'core::irra_tiny_synth.py']",
        "_base_ = 'core::irra_tiny_synth.py'\ndel _base_",
    ],
)
def test_bases_that_are_not_written_out_are_told(write: Write, lines: str) -> None:
    write(lines)
    with pytest.raises(ConfigError, match=r"heir\.py must be a text or a list of texts, each written out") as caught:
        load_recipe(tipr_zoo.load_card("heir_model"))
    last = max(row for row, line in enumerate(lines.splitlines(), 1) if "_base_" in line)
    assert str(caught.value).endswith(f"see line {last}")


def test_a_recipe_with_a_base_of_another_package_knows_its_own_folder(write: Write, tmp_path: Path) -> None:
    write(
        "_base_ = ['core::irra_tiny_synth.py', '{{ fileDirname }}/beside.py']\n"
        "where = '{{fileDirname}}/{{ fileBasenameNoExtension }}{{fileExtname}}'\n"
        "training = dict(caption_augmentation=dict(type=where))\ndel where\n"
    )
    folder = tmp_path / "heir_package" / "configs"
    (folder / "beside.py").write_text("plugins = ['{{ fileDirname }}', '{{fileBasename}}']\n")
    recipe = load_recipe(tipr_zoo.load_card("heir_model"))
    assert recipe.training.caption_augmentation.type == f"{folder}/heir.py"
    assert recipe.plugins == [str(folder), "beside.py"]


@pytest.mark.parametrize("base", ["core::irra_tiny_synth.py", "./beside.py"])
def test_a_recipe_may_begin_with_a_byte_order_mark(write: Write, tmp_path: Path, base: str) -> None:
    mark = "\N{BYTE ORDER MARK}"
    write(f"{mark}_base_ = {base!r}\ntraining = dict(seed=5)\n")
    (tmp_path / "heir_package" / "configs" / "beside.py").write_text(
        f"{mark}_base_ = 'core::irra_tiny_synth.py'", encoding="utf-8"
    )
    recipe = load_recipe(tipr_zoo.load_card("heir_model"))
    assert (recipe.training.seed, recipe.training.batch_size) == (5, 128)


@pytest.mark.parametrize("name", ["heir.json", "heir.yaml"])
def test_a_recipe_of_another_format_may_begin_with_a_byte_order_mark(write: Write, tmp_path: Path, name: str) -> None:
    write("")
    card = replace(tipr_zoo.load_card("heir_model"), config=name)
    file = tmp_path / "heir_package" / "configs" / name
    file.write_text('\N{BYTE ORDER MARK}{"model": {"type": "Other"}, "training": {}}', encoding="utf-8")
    assert load_recipe(card).model.type == "Other"
    file.write_text('\N{BYTE ORDER MARK}{"_base_": "./heir.py"}', encoding="utf-8")
    with pytest.raises(ConfigError, match="begins with a byte order mark; save it without one"):
        load_recipe(card)


def test_a_name_of_another_form_is_told_with_the_form(write: Write) -> None:
    write("_base_ = 'tipr_zoo:irra_vitb16'")
    with pytest.raises(ConfigError, match=r"'tipr_zoo:irra_vitb16'.* is 'OWNER::FILE', e\.g\. 'core::irra_tiny_synth"):
        load_recipe(tipr_zoo.load_card("heir_model"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("heir.json", '{"_base_": "core::irra_tiny_synth.py"}'),
        ("heir.json", '{\n"_base_" : [\n  "core::irra_tiny_synth.py"]}'),
        ("heir.yaml", "_base_: core::irra_tiny_synth.py\n"),
        ("heir.yml", "_base_:\n  - 'core::irra_tiny_synth.py'\n"),
    ],
)
def test_only_a_recipe_in_python_has_a_base_of_another_package(
    write: Write, tmp_path: Path, name: str, text: str
) -> None:
    write("")
    (tmp_path / "heir_package" / "configs" / name).write_text(text)
    card = replace(tipr_zoo.load_card("heir_model"), config=name)
    with pytest.raises(ConfigError, match=r"'core::irra_tiny_synth\.py' lies in another package.* as heir\.py"):
        load_recipe(card)


def test_a_base_of_a_first_party_plugin_that_is_not_installed(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("_base_ = 'sen::sen_tiny_synth.py'")
    there = {name: plugin for name, plugin in installed_plugins().items() if name != "sen"}
    monkeypatch.setattr("tipr_zoo.plugins.discovery.installed_plugins", lambda: there)
    with pytest.raises(
        PluginError, match=r"heir\.py: 'sen::.*not installed; install it with: pip install tipr-zoo-sen"
    ):
        load_recipe(tipr_zoo.load_card("heir_model"))


def test_too_many_bases(write: Write, tmp_path: Path) -> None:
    write("_base_ = ['./b0.py']")
    for number in range(101):
        following = f"_base_ = ['./b{number + 1}.py']" if number < 100 else ""
        (tmp_path / "heir_package" / "configs" / f"b{number}.py").write_text(following)
    with pytest.raises(ConfigError, match="more than 100 bases"):
        load_recipe(tipr_zoo.load_card("heir_model"))
