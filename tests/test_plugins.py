"""Plugins: found without being imported, and broken ones cost only their own models.

Each test writes distributions as pip would install them into a folder of its own, and runs the zoo in a process that
has this folder on its path.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CARD = """---
license: mit
datasets: [CUHK-PEDES]
tags: []
tipr_zoo: {{plugin: {plugin}, config: model.py, weights: null, protocol: none}}
---
"""
DATASET = """
from tipr_zoo.registries import DATASETS

@DATASETS.register_module()
class {name}:
    pass
"""
IMPORT = "from tipr_zoo.plugins import import_plugin; import_plugin({name!r}); "


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., Path]:
    """Writes a distribution ``tipr-zoo-NAME`` whose plugin NAME is the module ``NAME_package.components``."""

    def install(name: str, code: str = "", cards: dict[str, str] | None = None, **change: str) -> Path:
        distribution = change.get("distribution", f"tipr-zoo-{name}")
        package = change.get("package", f"{name}_package")
        (tmp_path / package / "model_cards").mkdir(parents=True)
        (tmp_path / package / "__init__.py").write_text("")
        (tmp_path / package / "components.py").write_text(code)
        for card, text in (cards or {}).items():
            (tmp_path / package / "model_cards" / f"{card}.md").write_text(text)
        info = tmp_path / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        module = change.get("module", f"{package}.components")
        (info / "entry_points.txt").write_text(f"[tipr_zoo.plugins]\n{name} = {module}\n")
        return tmp_path

    return install


def run_python(site: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process that finds the distributions in `site`."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=300)


def tipr_zoo(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command where the distributions in `site` are installed."""
    return run_python(site, f"import sys; from tipr_zoo.command_line import main; sys.exit(main({list(words)!r}))")


def plugin_rows(site: Path, *options: str) -> dict[str, dict[str, Any]]:
    """What ``tipr-zoo plugins --json`` says, by plugin."""
    done = tipr_zoo(site, "plugins", "--json", *options)
    assert done.returncode == 0, done.stderr
    return {row["plugin"]: row for row in json.loads(done.stdout)["plugins"]}


def test_listing_reads_a_plugins_cards_and_does_not_import_it(install: Callable[..., Path]) -> None:
    site = install("third", "raise AssertionError", {"third_model": CARD.format(plugin="third")})
    done = tipr_zoo(site, "list", "third*", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["model"], row["plugin"], row["installed"]) == ("third_model", "third", True)


def test_a_working_plugin_and_what_it_registers(install: Callable[..., Path]) -> None:
    site = install("third", DATASET.format(name="ThirdDataset") + "print('noise')", {"m": CARD.format(plugin="third")})
    row = plugin_rows(site)["third"]
    assert (row["status"], row["distribution"], row["version"], row["cards"]) == ("works", "tipr-zoo-third", "1.2", 1)
    assert row["components"] == {"data set": ["ThirdDataset"]}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("1 / 0", "failed to import broken_package.components: ZeroDivisionError: division by zero; mend or uninstall"),
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("raise SystemExit('left')", "SystemExit: left"),
        ("import os; os._exit(7)", "ended with exit code 7"),
        ("import time; time.sleep(600)", "gave no answer in 2 s"),
        (
            DATASET.format(name="D").replace("module()", "module('CUHK-PEDES')"),
            "'CUHK-PEDES' is registered twice: by tipr_zoo.datasets.cuhk_pedes.CUHKPEDES and by broken_package",
        ),
    ],
    ids=["raises", "lacks a package", "exits", "crashes", "hangs", "takes a name"],
)
def test_a_broken_plugin_is_shown_with_the_reason(install: Callable[..., Path], code: str, reason: str) -> None:
    site = install("broken", code, {"broken_model": CARD.format(plugin="broken")})
    row = plugin_rows(site, "--timeout", "2" if "sleep" in code else "60")["broken"]
    assert row["status"] == "broken"
    assert reason in row["reason"]
    assert "\n" not in row["reason"]


def test_a_broken_plugin_costs_only_its_own_models(install: Callable[..., Path]) -> None:
    install("broken", DATASET.format(name="HalfDataset") + "1 / 0", {"broken_model": CARD.format(plugin="broken")})
    site = install("third", DATASET.format(name="ThirdDataset"))
    code = """
from tipr_zoo.errors import PluginError
from tipr_zoo.plugins import import_plugin
from tipr_zoo.registries import DATASETS
for attempt in 1, 2:
    try:
        import_plugin("broken")
    except PluginError as error:
        assert "ZeroDivisionError" in str(error), error  # the second time too, and no complaint of a name taken twice
    else:
        raise AssertionError
assert "HalfDataset" not in DATASETS
assert "CUHK-PEDES" in DATASETS
import_plugin("third")
assert "ThirdDataset" in DATASETS
"""
    done = run_python(site, code)
    assert done.returncode == 0, done.stderr


def test_a_missing_plugin_is_told_with_the_command_that_installs_it(tmp_path: Path) -> None:
    code = "import tipr_zoo.plugins as p; p.installed_plugins = dict; p.import_plugin('sen')"
    assert (
        "plugin 'sen' is not installed; install it with: pip install tipr-zoo-sen" in run_python(tmp_path, code).stderr
    )


def test_an_unknown_plugin_is_told_with_close_matches(install: Callable[..., Path]) -> None:
    site = install("third")
    assert "unknown plugin 'thrid'; did you mean 'third'?" in run_python(site, IMPORT.format(name="thrid")).stderr


def test_two_distributions_of_one_plugin_name(install: Callable[..., Path]) -> None:
    install("third")
    site = install("third", distribution="another-third", package="another_package")
    message = "plugin 'third' is brought by two distributions"
    assert message in run_python(site, IMPORT.format(name="third")).stderr
    assert message in plugin_rows(site)["third"]["reason"]
    assert tipr_zoo(site, "list").returncode == 0


def test_an_entry_point_that_names_no_module(install: Callable[..., Path]) -> None:
    site = install("third", module=":components")
    assert plugin_rows(site)["third"]["status"] == "broken"
    assert tipr_zoo(site, "list").returncode == 0


def test_two_cards_of_one_name_are_both_named_and_neither_is_used(install: Callable[..., Path]) -> None:
    install("first", cards={"twice": CARD.format(plugin="first")})
    site = install("second", cards={"twice": CARD.format(plugin="second"), "once": CARD.format(plugin="second")})
    done = tipr_zoo(site, "info", "twice")
    assert done.returncode == 2
    assert "two cards are named 'twice'" in done.stderr
    assert "first_package/model_cards/twice.md" in done.stderr
    assert "second_package/model_cards/twice.md" in done.stderr
    assert tipr_zoo(site, "info", "once").returncode == 0


def test_a_plugin_cannot_take_the_name_of_a_shipped_card(install: Callable[..., Path]) -> None:
    site = install("third", cards={"irra_vitb16_cuhk": CARD.format(plugin="third")})
    done = tipr_zoo(site, "info", "irra_vitb16_cuhk", "--json")
    assert json.loads(done.stdout)["plugin"] is None
    assert "two cards are named 'irra_vitb16_cuhk'" in tipr_zoo(site, "list").stderr


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("---\nlicense: [\n---\n", "front matter is not YAML"),
        (CARD.format(plugin="null"), "field 'plugin' is missing; name the plugin that brings the model"),
    ],
)
def test_a_wrong_card_of_a_plugin_is_warned_of_and_left_out(
    install: Callable[..., Path], card: str, message: str
) -> None:
    site = install("third", cards={"wrong": card, "right": CARD.format(plugin="third")})
    done = tipr_zoo(site, "list", "--json")
    names = [row["model"] for row in json.loads(done.stdout)]
    assert "right" in names
    assert "wrong" not in names
    (warning,) = done.stderr.splitlines()
    assert warning.startswith("warning: ")
    assert "wrong.md" in warning
    assert message in warning
    assert message in json.loads(tipr_zoo(site, "plugins", "--json").stdout)["card_problems"][0]
    assert message in tipr_zoo(site, "info", "wrong").stderr
