"""The plugin contract: what docs/plugin_contract.md promises is there, and what is there is promised."""

from __future__ import annotations

import importlib
import inspect
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from first_party import PLUGINS

import tipr_zoo
from tipr_zoo import dual_encoder, errors, features, protocols, registries, testing
from tipr_zoo.cards import record as records
from tipr_zoo.cards.index import card_index
from tipr_zoo.cards.schema import FrontMatter, ZooBlock
from tipr_zoo.command_line import main
from tipr_zoo.commands.list_models import model_row
from tipr_zoo.commands.plugin_rows import plugin_rows
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.features import Features
from tipr_zoo.models import recipe
from tipr_zoo.models.recipe_schema import EvaluationSettings
from tipr_zoo.plugins.contract import PLUGIN_CONTRACT, contract_problem, stated_contract
from tipr_zoo.schemas.declared import keys_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "plugin_contract.md").read_text(encoding="utf-8")


def rows_under(heading: str) -> list[tuple[str, str]]:
    """The first two cells of every row of the table under a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
    cells = [line.strip("| ").split(" | ") for line in lines]
    return [(row[0], row[1]) for row in cells]


def code_spans(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


NAMES = [code_spans(name)[0] for name, _ in rows_under("Names")]
ATTRIBUTES_OF_INSTANCES = [
    f"tipr_zoo.dual_encoder.DualEncoder.{name}" for name in ("tokenize", "image_encoder", "text_encoder", "neck")
]
WORDS = {where: code_spans(words) for where, words in rows_under("Words")}


def resolve(name: str) -> Any:
    """What a dotted name stands for."""
    module_name = name
    while True:
        try:
            found: Any = importlib.import_module(module_name)
            break
        except ModuleNotFoundError:
            module_name = module_name.rpartition(".")[0]
    for part in name[len(module_name) :].strip(".").split(".") if name != module_name else []:
        annotations = [field.name for field in fields(found)] if is_dataclass(found) else []
        found = getattr(found, part) if part not in annotations else part
    return found


def test_the_page_is_of_the_version_that_the_core_keeps() -> None:
    assert f"Version **{PLUGIN_CONTRACT}**." in PAGE
    assert re.search(rf"^- {re.escape(PLUGIN_CONTRACT)}: ", PAGE, re.MULTILINE)
    assert tipr_zoo.PLUGIN_CONTRACT == PLUGIN_CONTRACT


@pytest.mark.parametrize("name", NAMES)
def test_what_is_promised_is_there(name: str) -> None:
    dotted, call, arguments = name.partition("(")
    if dotted in ATTRIBUTES_OF_INSTANCES:
        assert f"self.{dotted.rpartition('.')[2]} = " in inspect.getsource(DualEncoder.__init__)
        return
    found = resolve(dotted)
    if call:
        promised = [argument.strip() for argument in arguments.rstrip(")").split(",") if argument.strip()]
        there = [parameter for name, parameter in inspect.signature(found).parameters.items() if name != "self"]
        assert [parameter.name for parameter in there[: len(promised)]] == promised
        assert all(parameter.default is not parameter.empty for parameter in there[len(promised) :])


def test_what_is_there_is_promised() -> None:
    promised = {name.partition("(")[0] for name in NAMES}
    assert {f"tipr_zoo.{name}" for name in tipr_zoo.__all__} <= promised
    assert {f"tipr_zoo.features.Features.{field.name}" for field in fields(Features)} <= promised
    own = [name for name in vars(DualEncoder) if not name.startswith("_") and name != "forward"]  # it only refuses
    assert {f"tipr_zoo.dual_encoder.DualEncoder.{name}" for name in own} <= promised
    assert {f"tipr_zoo.testing.{name}" for name in testing.__all__} <= promised
    assert {f"tipr_zoo.protocols.{name}" for name in protocols.__all__} <= promised


@pytest.mark.parametrize(
    "folder",
    [
        *(f"plugins/{name}/tipr_zoo_{name}" for name in PLUGINS),
        "tipr_zoo/authoring/plugin_template",
    ],
)
def test_the_zoos_own_plugins_rely_on_nothing_else(folder: str) -> None:
    promised = {name.partition("(")[0] for name in NAMES}
    used = 0
    for path in [*(ROOT / folder).rglob("*.py"), *(ROOT / folder).rglob("*.template")]:
        text = path.read_text(encoding="utf-8").replace("$package", "this_package")
        for module, names in re.findall(r"^from (tipr_zoo(?:\.\w+)*) import (.+)$", text, re.MULTILINE):
            for name in names.split(", "):
                used += 1
                dotted = f"{module}.{name}"
                is_class = any(promise.startswith(f"{dotted}.") for promise in promised)
                is_of_module = module in {"tipr_zoo.errors", "tipr_zoo.registries"} and module in promised
                assert dotted in promised or is_class or is_of_module, f"{path}: {dotted} is not on the page"
    assert used


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("keys of a batch", dual_encoder.BATCH_KEYS),
        ("registries", [name for name in vars(registries) if name.isupper() and name != "REGISTRIES"]),
        (
            "errors",
            [name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, BaseException)],
        ),
        ("metrics", records.METRICS),
        ("a recipe", recipe.RECIPE_FIELDS),
        ("a recipe's `model`", recipe.MODEL_FIELDS),
        ("a recipe's `training`", recipe.TRAINING_FIELDS),
        ("a recipe's `evaluation`", keys_of(EvaluationSettings)),
        ("a card", keys_of(FrontMatter)),
        ("a card's `tipr_zoo`", keys_of(ZooBlock)),
        ("a record", [field.name for field in fields(records.Record)]),
    ],
)
def test_the_words_of_a_format_are_those_that_it_takes(where: str, words: Any) -> None:
    assert sorted(WORDS[where]) == sorted(words)


def test_the_entries_of_json_are_those_that_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    first = next(iter(card_index().cards.values()))
    assert sorted(WORDS["a row of `list --json`"]) == sorted(model_row(first))
    (row,) = plugin_rows(60.0, ["sen"])
    assert sorted(WORDS["a row of `plugins --json`"]) == sorted(row)


def test_features_and_batch_are_what_a_loss_is_given() -> None:
    assert list(inspect.signature(Features).parameters) == [field.name for field in fields(Features)]
    assert features.Batch


@pytest.mark.parametrize(
    ("stated", "fix"),
    [
        ("1.0", None),
        ("1.3", None),
        ("1.4", "it is written for plugin contract 1.4, and this tipr-zoo keeps 1.3; pip install --upgrade tipr-zoo"),
        ("1.10", "pip install --upgrade tipr-zoo"),
        ("2.0", "pip install --upgrade tipr-zoo"),
        ("0.9", "it is written for plugin contract 0.9, and this tipr-zoo keeps 1.3; pip install --upgrade tipr-zoo-x"),
        (f"{'9' * 5000}.0", "mend or uninstall tipr-zoo-x"),
        ("one", "its PLUGIN_CONTRACT must be two numbers such as '1.3', got 'one'; mend or uninstall tipr-zoo-x"),
    ],
)
def test_a_contract_fits_a_core_of_its_major_number_that_is_no_older(stated: str, fix: str | None) -> None:
    problem = contract_problem(stated, "tipr-zoo-x", kept="1.3")
    assert problem == fix if fix is None else problem is not None and problem.endswith(fix)


@pytest.mark.parametrize(
    ("source", "stated"),
    [
        ('PLUGIN_CONTRACT = "1.0"\n', "1.0"),
        ('raise ImportError\nPLUGIN_CONTRACT: str = "2.1"\n', "2.1"),
        ("PLUGIN_CONTRACT = compute()\n", None),
        ("a syntax error\n", None),
        (f"x = {'-' * 100_000}1\n", None),
        ("", None),
    ],
)
def test_a_stated_contract_is_read_without_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, stated: str | None
) -> None:
    name = f"stating_{abs(hash(source))}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    assert stated_contract(name) == stated
    assert stated_contract("no_such_package") is None


def test_exit_codes_of_the_page() -> None:
    codes = [code for code, _ in rows_under("Commands")]
    assert codes == ["0", "1", "2", "130", "141", "143"]
    assert main(["list", "--plugin", "core"]) == 0
    assert main(["list", "--plugin", "nobody"]) == 2
