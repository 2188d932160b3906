"""Plugins: found without being imported, and broken ones cost only themselves and are explained with the fix.

Each test writes distributions as pip would install them into a folder of its own, and runs the zoo in a process that
has this folder on its path.
"""

from __future__ import annotations

import json
import os
import shutil
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
IMPORT = "from tipr_zoo.models.plugin_import import import_plugin; import_plugin({name!r}); "
NEVER = "from pathlib import Path; Path(__file__).with_name('was_imported').touch()"


def write_distribution(site: Path, name: str, code: str = "", **change: Any) -> Path:
    """Write a distribution ``tipr-zoo-NAME`` whose plugin NAME is the module ``NAME_package.components``.

    Args:
        site: The folder on the path.
        name: The entry point's name.
        code: The module.
        change: Another ``distribution``, ``package``, ``module`` or text of ``entry_points``; ``cards``, texts by name;
            ``init``, the text of the package's ``__init__.py``; ``metadata``, further lines of it.
    """
    distribution = change.get("distribution", f"tipr-zoo-{name}")
    package = site / change.get("package", f"{name}_package")
    (package / "model_cards").mkdir(parents=True)
    (package / "__init__.py").write_text(change.get("init", ""))
    (package / "components.py").write_text(code)
    for card, text in change.get("cards", {}).items():
        (package / "model_cards" / f"{card}.md").write_text(text)
    info = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n{change.get('metadata', '')}"
    (info / "METADATA").write_text(metadata)
    module = change.get("module", f"{package.name}.components")
    entry_points = change.get("entry_points", f"[tipr_zoo.plugins]\n{name} = {module}\n")
    (info / "entry_points.txt").write_text(entry_points)
    return site


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., Path]:
    """Writes a distribution into the site of the test; see `write_distribution`."""
    return lambda name, code="", **change: write_distribution(tmp_path, name, code, **change)


def run_python(site: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process that finds the distributions in `site`."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=300)


def tipr_zoo(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command where the distributions in `site` are installed."""
    return run_python(site, f"import sys; from tipr_zoo.command_line import main; sys.exit(main({list(words)!r}))")


def plugin_rows(site: Path, *words: str, exit_code: int = 0) -> list[dict[str, Any]]:
    """What ``tipr-zoo plugins --json`` says, a row a plugin."""
    done = tipr_zoo(site, "plugins", "--json", *words)
    assert done.returncode == exit_code, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)["plugins"]
    return rows


def test_listing_reads_a_plugins_cards_and_does_not_import_it(install: Callable[..., Path]) -> None:
    site = install("third", "raise AssertionError", cards={"third_model": CARD.format(plugin="third")})
    done = tipr_zoo(site, "list", "third*", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["model"], row["plugin"], row["installed"]) == ("third_model", "third", True)


def test_a_working_plugin_and_what_it_registers(install: Callable[..., Path]) -> None:
    code = DATASET.format(name="ThirdDataset") + "print('noise')"
    site = install("third", code, cards={"m": CARD.format(plugin="third")}, init="PLUGIN_CONTRACT = '1.0'")
    (row,) = plugin_rows(site, "third")
    assert (row["status"], row["distribution"], row["version"], row["cards"]) == ("works", "tipr-zoo-third", "1.2", 1)
    assert row["contract"] == "1.0"
    assert row["components"] == {"data set": ["ThirdDataset"]}


BROKEN: dict[str, tuple[dict[str, str], str, str]] = {
    "raising": (
        {"code": "1 / 0"},
        "failed to import raising_package.components: ZeroDivisionError: division by zero",
        "mend it, or: pip uninstall tipr-zoo-raising",
    ),
    "lacking": (
        {"code": "import no_such_package", "metadata": "Requires-Dist: no-such-package>=2\n"},
        "ModuleNotFoundError: No module named 'no_such_package'",
        "it requires no-such-package>=2, which is not installed: pip install 'no-such-package>=2'",
    ),
    "exiting": (
        {"code": "raise SystemExit('left')"},
        "SystemExit: left",
        "mend it, or: pip uninstall tipr-zoo-exiting",
    ),
    "crashing": (
        {"code": "import os; os._exit(7)"},
        "its import ended with exit code 7",
        "mend it, or: pip uninstall tipr-zoo-crashing",
    ),
    "taking": (
        {"code": DATASET.format(name="D").replace("module()", "module('CUHK-PEDES')")},
        "'CUHK-PEDES' is registered twice: by tipr_zoo.datasets.published.cuhk_pedes.CUHKPEDES and by"
        " taking_package.components.D; rename one of them",
        "mend it, or: pip uninstall tipr-zoo-taking",
    ),
    "forcing": (
        {"code": DATASET.format(name="D").replace("module()", "module('CUHK-PEDES', force=True)")},
        "'CUHK-PEDES' is registered twice: by tipr_zoo.datasets.published.cuhk_pedes.CUHKPEDES and by forcing_package",
        "mend it, or: pip uninstall tipr-zoo-forcing",
    ),
    "newer": (
        {"code": NEVER, "metadata": "Requires-Dist: tipr-zoo>=99\n"},
        "does not fit this tipr-zoo: it requires tipr-zoo>=99, and this is tipr-zoo 0.1.0",
        "pip install --upgrade tipr-zoo",
    ),
    "promised": (
        {"code": NEVER, "init": "PLUGIN_CONTRACT = '9.0'"},
        "does not fit this tipr-zoo: it is written for plugin contract 9.0, and this tipr-zoo keeps 1.1",
        "pip install --upgrade tipr-zoo",
    ),
    "outdated": (
        {"code": NEVER, "init": "PLUGIN_CONTRACT = '0.3'"},
        "it is written for plugin contract 0.3, and this tipr-zoo keeps 1.1",
        "pip install --upgrade tipr-zoo-outdated",
    ),
    "gone": (
        {"module": "no_package_of_this_name.components"},
        "ModuleNotFoundError: No module named 'no_package_of_this_name'",
        "its package no_package_of_this_name is missing: pip install --force-reinstall tipr-zoo-gone,"
        " or: pip uninstall tipr-zoo-gone",
    ),
    "untellable": (
        {"code": "class Mute(BaseException):\n    __str__ = None\nraise Mute"},
        "failed to import untellable_package.components: Mute: (its message cannot be told: TypeError)",
        "mend it, or: pip uninstall tipr-zoo-untellable",
    ),
    "garbled": (
        {"code": r"raise ValueError('\x1b[31m \ud800')"},
        r"ValueError: \x1b[31m \ud800;",
        "mend it, or: pip uninstall tipr-zoo-garbled",
    ),
    "nested": (
        {"code": NEVER, "init": f"x = {'-' * 100_000}1"},
        "failed to import nested_package.components: ",
        "mend it, or: pip uninstall tipr-zoo-nested",
    ),
    "older": (
        {"code": NEVER, "metadata": "Requires-Dist: tipr-zoo<0.1,>=0.0.1\n"},
        "does not fit this tipr-zoo: it requires tipr-zoo<0.1,>=0.0.1, and this is tipr-zoo 0.1.0",
        "pip install --upgrade tipr-zoo-older",
    ),
    "nameless": (
        {"module": ":components"},
        "failed to import",
        "mend it, or: pip uninstall tipr-zoo-nameless",
    ),
}


@pytest.fixture(scope="module")
def broken_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every kind of broken plugin side by side, and one that works, each with a card."""
    site = tmp_path_factory.mktemp("broken")
    for name, (change, _, _) in {**BROKEN, "hanging": ({"code": "import time; time.sleep(600)"}, "", "")}.items():
        write_distribution(site, name, cards={f"{name}_model": CARD.format(plugin=name)}, **change)
    write_distribution(site, "good", DATASET.format(name="Good"), cards={"good_model": CARD.format(plugin="good")})
    return site


@pytest.fixture(scope="module")
def broken_rows(broken_site: Path) -> dict[str, dict[str, Any]]:
    """What ``tipr-zoo plugins`` says of them, by distribution."""
    return {row["distribution"]: row for row in plugin_rows(broken_site, *BROKEN, "good", exit_code=1)}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_shown_with_the_reason_and_the_fix(
    name: str, broken_site: Path, broken_rows: dict[str, dict[str, Any]]
) -> None:
    _, reason, fix = BROKEN[name]
    row = broken_rows[f"tipr-zoo-{name}"]
    assert row["status"] == "broken"
    assert reason in row["reason"]
    assert row["reason"].endswith(fix)
    assert f"tipr-zoo-{name}" in row["reason"]
    assert "\n" not in row["reason"]
    assert not (broken_site / f"{name}_package" / "was_imported").exists()


def test_what_works_beside_broken_plugins_works(broken_site: Path, broken_rows: dict[str, dict[str, Any]]) -> None:
    assert broken_rows["tipr-zoo-good"]["status"] == "works"
    assert broken_rows["tipr-zoo-good"]["components"] == {"data set": ["Good"]}
    done = tipr_zoo(broken_site, "list", "*_model", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    readable = {f"{name}_model" for name in BROKEN if name not in ("gone", "nameless")}
    assert {row["model"] for row in json.loads(done.stdout)} == readable | {"good_model", "hanging_model"}


def test_an_import_that_hangs_is_given_up(broken_site: Path) -> None:
    (row,) = plugin_rows(broken_site, "hanging", "--timeout", "2", exit_code=1)
    assert row["reason"] == (
        "plugin 'hanging' (tipr-zoo-hanging 1.2): its import gave no answer in 2 s; wait longer with --timeout,"
        " mend it, or: pip uninstall tipr-zoo-hanging"
    )
    assert "--timeout must be above 0 seconds" in tipr_zoo(broken_site, "plugins", "--timeout", "0").stderr


def test_the_reason_is_told_to_people_too(broken_site: Path) -> None:
    done = tipr_zoo(broken_site, "plugins", "newer")
    assert done.returncode == 1
    assert "pip install --upgrade tipr-zoo\n" in done.stdout
    trained = tipr_zoo(broken_site, "train", "newer_model")
    assert trained.returncode == 2
    assert "it requires tipr-zoo>=99, and this is tipr-zoo" in trained.stderr
    assert trained.stderr.endswith("pip install --upgrade tipr-zoo\n")


def test_a_broken_plugin_costs_only_its_own_models(install: Callable[..., Path]) -> None:
    install(
        "broken", DATASET.format(name="HalfDataset") + "1 / 0", cards={"broken_model": CARD.format(plugin="broken")}
    )
    site = install("third", DATASET.format(name="ThirdDataset"))
    code = """
from tipr_zoo.errors import PluginError
from tipr_zoo.models.plugin_import import import_plugin
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


def test_a_package_may_replace_what_is_its_own(install: Callable[..., Path]) -> None:
    again = DATASET.format(name="Own") + DATASET.format(name="Own").replace("module()", "module(force=True)")
    site = install("third", again)
    assert run_python(site, IMPORT.format(name="third")).returncode == 0


def test_a_missing_plugin_is_told_with_the_command_that_installs_it(tmp_path: Path) -> None:
    code = "import tipr_zoo.plugins.discovery as discovery; from tipr_zoo.models.plugin_import import import_plugin;"
    code += " discovery.installed_plugins = dict; import_plugin('sen')"
    assert (
        "plugin 'sen' is not installed; install it with: pip install tipr-zoo-sen" in run_python(tmp_path, code).stderr
    )


def test_an_unknown_plugin_is_told_with_close_matches(install: Callable[..., Path]) -> None:
    site = install("third")
    assert "unknown plugin 'thrid'; did you mean 'third'?" in run_python(site, IMPORT.format(name="thrid")).stderr
    assert "unknown plugin 'thrid'; did you mean 'third'?" in tipr_zoo(site, "plugins", "thrid").stderr


def test_two_distributions_of_one_plugin_name(install: Callable[..., Path]) -> None:
    install("third")
    site = install("third", distribution="another-third", package="another_package")
    rows = plugin_rows(site, "third", exit_code=1)
    assert {row["distribution"] for row in rows} == {"tipr-zoo-third", "another-third"}
    for message in (run_python(site, IMPORT.format(name="third")).stderr, *(row["reason"] for row in rows)):
        assert "plugin 'third' is brought by 2 distributions" in message
        assert "tipr-zoo-third (third_package.components)" in message
        assert "another-third (another_package.components)" in message
        assert "uninstall all but one of them" in message
    assert tipr_zoo(site, "list").returncode == 0


def test_one_distribution_that_is_found_twice_is_one(install: Callable[..., Path]) -> None:
    site = install("third", DATASET.format(name="ThirdDataset"))
    shutil.copytree(site / "tipr_zoo_third-1.2.dist-info", site / "tipr_zoo_third-1.1.dist-info")
    (row,) = plugin_rows(site, "third")
    assert row["status"] == "works"


def test_nobody_takes_the_name_of_one_of_the_zoos_own_plugins(install: Callable[..., Path]) -> None:
    site = install("sen", NEVER, distribution="not-the-zoos")
    rows = {row["distribution"]: row for row in plugin_rows(site, "sen", exit_code=1)}
    assert rows["tipr-zoo-sen"]["status"] == "works"
    assert rows["not-the-zoos"]["reason"] == (
        "the plugin name 'sen' belongs to tipr-zoo-sen, and not-the-zoos claims it; rename its entry point,"
        " or: pip uninstall not-the-zoos"
    )
    assert not (site / "sen_package" / "was_imported").exists()
    (core,) = plugin_rows(install("core", NEVER), "core", exit_code=1)
    assert "the plugin name 'core' belongs to tipr-zoo" in core["reason"]


def test_a_distribution_that_lost_its_metadata_is_listed_and_works(install: Callable[..., Path]) -> None:
    site = install("third", DATASET.format(name="D"), cards={"third_model": CARD.format(plugin="third")})
    (site / "tipr_zoo_third-1.2.dist-info" / "METADATA").unlink()
    assert "third_model" in tipr_zoo(site, "list").stdout
    (row,) = plugin_rows(site, "third")
    assert (row["status"], row["distribution"], row["version"]) == ("works", "unknown", "unknown")


def test_entry_points_that_cannot_be_read_are_told(
    install: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "new"))  # every card is checked for the first time
    site = install("illegible", entry_points="[tipr_zoo.plugins]\nno equals sign\n")
    (row,) = plugin_rows(site, "tipr-zoo-illegible", exit_code=1)
    assert "the entry points of tipr-zoo-illegible cannot be read" in row["reason"]
    assert row["reason"].endswith("mend it, or: pip uninstall tipr-zoo-illegible")
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


def test_two_plugins_may_lie_in_one_package(install: Callable[..., Path]) -> None:
    both = "[tipr_zoo.plugins]\nfirst = pair_package.components\nsecond = pair_package.components\n"
    cards = {f"{name}_model": CARD.format(plugin=name) for name in ("first", "second")}
    site = install("pair", entry_points=both, cards=cards)
    done = tipr_zoo(site, "list", "*_model", "--json")
    assert done.stderr == ""
    assert [row["plugin"] for row in json.loads(done.stdout)] == ["first", "second"]


def test_a_plugin_whose_name_is_none_is_refused(install: Callable[..., Path]) -> None:
    site = install("escaping", NEVER, entry_points="[tipr_zoo.plugins]\na\x1b[31m = escaping_package.components\n")
    done = tipr_zoo(site, "plugins", "--json", "a\x1b[31m")
    (row,) = json.loads(done.stdout)["plugins"]
    assert "a plugin's name is made of letters, digits, - _ and ., got 'a\\x1b[31m'" in row["reason"]
    assert done.returncode == 1
    assert not (site / "escaping_package" / "was_imported").exists()


def test_a_plugin_cannot_take_the_name_of_a_shipped_card(install: Callable[..., Path]) -> None:
    site = install("third", cards={"irra_vitb16_cuhk": CARD.format(plugin="third")})
    done = tipr_zoo(site, "info", "irra_vitb16_cuhk", "--json")
    assert json.loads(done.stdout)["plugin"] is None
    assert "two cards are named 'irra_vitb16_cuhk'" in tipr_zoo(site, "list").stderr


def test_a_card_whose_file_name_is_no_model_name_is_told(install: Callable[..., Path]) -> None:
    site = install("third", cards={"two\nlines": CARD.format(plugin="third"), "right": CARD.format(plugin="third")})
    done = tipr_zoo(site, "list", "--plugin", "third", "--json")
    assert [row["model"] for row in json.loads(done.stdout)] == ["right"]
    assert "two\\nlines.md': rename it; a model's name is made of letters, digits, - _ and ." in done.stderr


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("---\nlicense: [\n---\n", "front matter is not YAML"),
        (CARD.format(plugin="null"), "field 'plugin' is missing; name the plugin that brings the model"),
    ],
)
def test_a_wrong_card_of_a_plugin_costs_that_card_alone(install: Callable[..., Path], card: str, message: str) -> None:
    install("other")
    site = install("third", cards={"wrong": card, "right": CARD.format(plugin="third")})
    done = tipr_zoo(site, "list", "--json")
    names = [row["model"] for row in json.loads(done.stdout)]
    assert "right" in names
    assert "wrong" not in names
    (warning,) = done.stderr.splitlines()
    assert warning.startswith("warning: ")
    assert "wrong.md" in warning
    assert message in warning
    assert message in tipr_zoo(site, "info", "wrong").stderr
    done = tipr_zoo(site, "plugins", "third", "--json")
    report = json.loads(done.stdout)
    assert message in report["card_problems"][0]
    assert (done.returncode, report["plugins"][0]["status"], report["plugins"][0]["cards"]) == (1, "works", 1)
    assert tipr_zoo(site, "plugins", "other").returncode == 0
