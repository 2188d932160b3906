"""Readers of official checkpoints: those of plugins, first parties' and third parties', right ones and wrong ones."""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

import tipr_zoo
from tipr_zoo.cards.index import card_index
from tipr_zoo.command_line import main
from tipr_zoo.errors import BrokenPromiseError, ConfigError, PluginError, TiprZooError, UnknownNameError, WeightsError
from tipr_zoo.models.official_checkpoint import read_official
from tipr_zoo.models.resolved_model import resolve
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.models.starting_weights import load_starting_weights
from tipr_zoo.models.weights_origin import CONVERTED_AS, other_model
from tipr_zoo.plugins.discovery import installed_plugins
from tipr_zoo.registries import CHECKPOINTS, MODELS
from tipr_zoo.testing import check_plugin
from tipr_zoo.weights.header import read_metadata

FILES = Path(__file__).parents[1] / "parity" / "files"


def _parity_inputs() -> ModuleType:
    specification = importlib.util.spec_from_file_location("parity_inputs", FILES / "parity_inputs.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


INPUTS = _parity_inputs()
WIDTHS, DEPTHS = ("embed_dim", "vision_width", "text_width"), ("vision_layers", "text_layers", "cmt_depth")
SMALL = INPUTS.CONFIGS["tiny"] | dict.fromkeys(WIDTHS, 64) | dict.fromkeys(DEPTHS, 1)
SIZE, STRIDE = SMALL["image_size"], SMALL["stride"]

COMPONENTS = """
import torch
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.registries import CHECKPOINTS, MODELS

@MODELS.register_module()
class Adapted(DualEncoder):
    def __init__(self, rank: int = 1, **towers):
        super().__init__(**towers)
        self.adapter = torch.nn.Sequential(torch.nn.Linear(64, rank), torch.nn.BatchNorm1d(rank))

@CHECKPOINTS.register_module("ours")
class OurCheckpoint:
    title = "OURS"
    model = "ours_vitb16"
    rules = ((r"down\\.(\\w+)", r"adapter.0.\\1"), (r"norm\\.(\\w+)", r"adapter.1.\\1"))
    unused = (r"queue",)

    def recognises(self, names):
        return any(name.startswith("down.") for name in names)

    def sizes(self, tensors, model):
        return {"rank": len(tensors["down.weight"])}
"""
CARD = """---
license: mit
datasets: [CUHK-PEDES]
tags: []
tipr_zoo: {plugin: third, config: model.py, weights: null, method: {name: OURS}, protocol: none}
---
"""
RECIPE = """
model = dict(
    type="Adapted",
    rank=4,
    image_encoder=dict(
        type="VisionTransformerEncoder", model_name="vit_base_patch16_clip_quickgelu_224", embedding_size=512,
        image_size=(384, 128), stride=16,
    ),
    text_encoder=dict(type="CLIPTextEncoder", embedding_size=512, vocabulary_size=49408, width=512, depth=12),
    tokenizer=dict(type="CLIPTokenizer", context_length=77),
)
"""


@cache
def _small(method: str) -> dict[str, Tensor]:
    weights = INPUTS.state_dict(INPUTS.model_shapes(method, SMALL), 0)
    return {name: torch.from_numpy(weight) for name, weight in weights.items()}


def towers() -> dict[str, Tensor]:
    return {name: tensor for name, tensor in _small("irra").items() if name.startswith("base_model.")}


def ours(rank: int = 3, **changes: Tensor) -> dict[str, Tensor]:
    """A checkpoint of the third party's method."""
    torch.manual_seed(0)
    own = {"down.weight": torch.randn(rank, 64), "down.bias": torch.randn(rank), "queue": torch.zeros(2)}
    own |= {f"norm.{leaf}": torch.randn(rank).abs() for leaf in ("weight", "bias", "running_mean", "running_var")}
    return towers() | own | changes


def forget_what_is_installed() -> None:
    for call in (card_index.cache_clear, installed_plugins.cache_clear, importlib.invalidate_caches):
        call()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs a plugin of this name with this code, as pip would; afterwards nothing of it is left."""
    site, packages = tmp_path / "site", []
    before = {registry: dict(registry._module_dict) for registry in (CHECKPOINTS, MODELS)}

    def run(name: str, code: str, card: str = "", recipe: str = "") -> None:
        package, info = site / f"{name}_readers", site / f"tipr_zoo_{name}-1.0.dist-info"
        for folder in (package / "model_cards", package / "configs", info):
            folder.mkdir(parents=True)
        (package / "__init__.py").write_text("PLUGIN_CONTRACT = '1.1'\n")
        (package / "components.py").write_text(code)
        if card:
            (package / "model_cards" / "ours_vitb16.md").write_text(card)
            (package / "configs" / "model.py").write_text(recipe)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tipr-zoo-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[tipr_zoo.plugins]\n{name} = {package.name}.components\n")
        packages.append(package.name)
        forget_what_is_installed()

    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    yield run
    monkeypatch.undo()
    forget_what_is_installed()
    for registry in before:
        for name, kind in list(registry._module_dict.items()):
            if kind.__module__.partition(".")[0] in packages:
                del registry._module_dict[name], registry._places[name]
    for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
        del sys.modules[name]


@pytest.fixture
def third(install: Callable[..., None]) -> None:
    """A plugin of a third party, whose name is not its method's."""
    install("third", COMPONENTS, CARD, RECIPE)


# A third party's method converts like a first party's


def test_a_third_partys_checkpoint_becomes_its_model(third: None, caplog: pytest.LogCaptureFixture) -> None:
    model = tipr_zoo.from_official(ours(), "ours", SIZE, STRIDE)
    state = model.state_dict()
    assert type(model).__name__ == "Adapted"
    assert torch.equal(state["adapter.0.weight"], ours()["down.weight"])
    assert torch.equal(state["adapter.1.running_var"], ours()["norm.running_var"])
    assert state["adapter.1.num_batches_tracked"] == 0
    assert caplog.messages == ["the checkpoint: left over, not needed by ours: queue (1 tensors)"]


def test_a_counter_of_the_checkpoint_is_kept(third: None) -> None:
    counted = ours(**{"norm.num_batches_tracked": torch.tensor(7)})
    assert tipr_zoo.from_official(counted, "ours", SIZE, STRIDE).adapter[1].num_batches_tracked == 7


def test_convert_and_info_know_a_third_partys_checkpoint(
    third: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, output = tmp_path / "best.pth", tmp_path / "mine.safetensors"
    torch.save({"model": ours()}, file)
    assert main(["info", str(file)]) == 0
    text = capsys.readouterr().out
    assert "a checkpoint of the official code of OURS\n" in text
    assert f"tipr-zoo convert {file} --method ours -o best.safetensors" in text
    assert main(["convert", str(file), "--method", "ours", "--image-size", "64", "32", "-o", str(output)]) == 0
    assert "not needed by ours: queue" in capsys.readouterr().out
    assert "type='Adapted'" in output.with_suffix(".py").read_text().replace('"', "'")
    assert "plugin: third" in output.with_suffix(".md").read_text()


def test_a_training_starts_from_a_third_partys_checkpoint(
    third: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "best.pth"
    torch.save(ours(), file)
    model = build_retriever(read_official(ours(), "ours", SIZE, STRIDE).model)
    load_starting_weights(model, file)
    assert torch.equal(model.adapter[0].weight, ours()["down.weight"])
    assert caplog.messages[-1].endswith("both towers have the checkpoint's weights; left over: queue")
    torch.save({name: tensor for name, tensor in ours().items() if name != "down.bias"}, file)
    with pytest.raises(WeightsError, match=r"does not fit the model: adapter\.0\.bias is missing"):
        load_starting_weights(model, file)
    torch.save(ours(rank=5), file)
    with pytest.raises(WeightsError, match=r"adapter\.0\.weight has shape \(5, 64\), the model \(3, 64\)"):
        load_starting_weights(model, file)
    torch.save(_small("irra"), file)
    load_starting_weights(model, file)
    assert "still random: adapter; left over: " in caplog.messages[-1]


INCOMPLETE = {
    "a part is missing": (
        {"without": "norm."},
        "the checkpoint is incomplete: no tensor of it becomes adapter.1.",
    ),
    "whole numbers": ({"down.bias": torch.zeros(3, dtype=torch.int32)}, "down.bias is torch.int32; weights are"),
    "another shape": ({"down.bias": torch.zeros(4)}, "contradicts itself: adapter.0.bias has shape (4,)"),
}


@pytest.mark.parametrize(("changes", "message"), INCOMPLETE.values(), ids=INCOMPLETE)
def test_parts_that_do_not_fit_are_told(third: None, changes: dict[str, Any], message: str) -> None:
    without, changes = changes.get("without"), {key: value for key, value in changes.items() if key != "without"}
    state = {name: tensor for name, tensor in ours(**changes).items() if not without or not name.startswith(without)}
    with pytest.raises(WeightsError) as raised:
        tipr_zoo.from_official(state, "ours", SIZE, STRIDE)
    assert message in str(raised.value)


# Whose a checkpoint is


@pytest.mark.parametrize(
    ("state", "method", "looks"),
    [
        ("rde", "irra", "RDE, CONQUER or ICL"),
        ("rde", "sen", "RDE, CONQUER or ICL"),
        ("irra", "rde", "IRRA, GA-DMS, HAM, NAM or FMFA"),
        ("irra", "conquer", "IRRA, GA-DMS, HAM, NAM or FMFA"),
        ("sen", "icl", "SEN"),
    ],
)
def test_a_checkpoint_of_another_method_is_told_with_its_methods(state: str, method: str, looks: str) -> None:
    with pytest.raises(WeightsError) as raised:
        tipr_zoo.from_official(_small(state), method, SIZE, STRIDE)
    assert str(raised.value) == (
        f"the checkpoint is no checkpoint of {method}: it looks like one of {looks}; name that method"
    )


@pytest.mark.parametrize("method", ["rde", "icl", "conquer"])
def test_what_has_rdes_names_becomes_rdes_model(method: str, caplog: pytest.LogCaptureFixture) -> None:
    model = tipr_zoo.from_official(_small("rde"), method, SIZE, STRIDE)
    assert type(model).__name__ == "RobustDualEmbedding"
    assert model.image_selection.embedding_size == _small("rde")["visul_emb_layer.fc.weight"].shape[0]
    unused = "visul_emb_layer.linear, visul_emb_layer.mlp.bns.1, texual_emb_layer.mlp.bns.1"
    assert f"left over, not needed by {method}: {unused} (10 tensors)" in caplog.text


@pytest.mark.parametrize(
    ("method", "count", "says"),
    [
        ("rde", 7, "num_identities=7 is for an identity classifier, which the recipe of rde_vitb16_cuhk does not have"),
        ("icl", 7, "num_identities=7 is for an identity classifier"),
        ("irra", 0, "num_identities must be a whole number above 0, got 0"),
        ("irra", "7", "num_identities must be a whole number above 0, got '7'"),
        ("irra", True, "num_identities must be a whole number above 0, got True"),
    ],
)
def test_a_number_of_identities_that_makes_no_sense_is_told(method: str, count: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        tipr_zoo.from_official(_small(method.replace("icl", "rde")), method, SIZE, STRIDE, num_identities=count)


def test_rdes_checkpoint_as_it_is_published_holds_counters(caplog: pytest.LogCaptureFixture) -> None:
    counters = {
        f"{side}_emb_layer.mlp.bns.{index}.num_batches_tracked": torch.tensor(90)
        for side in ("visul", "texual")
        for index in (0, 1)
    }
    model = tipr_zoo.from_official({"model": _small("rde") | counters, "epoch": 59}, "rde", SIZE, STRIDE)
    assert model.image_selection.mlp[1].num_batches_tracked == 90
    assert "unknown" not in caplog.text


def test_a_training_of_rde_starts_from_rde_and_from_irra(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = build_retriever(read_official(_small("rde"), "rde", SIZE, STRIDE).model)
    for method in ("irra", "rde"):
        torch.save(_small(method), tmp_path / f"{method}.pth")
    load_starting_weights(model, tmp_path / "irra.pth")
    assert "still random: image_selection, text_selection" in caplog.messages[-1]
    load_starting_weights(model, tmp_path / "rde.pth")
    assert "still random" not in caplog.messages[-1]
    assert torch.equal(model.image_selection.linear.weight, _small("rde")["visul_emb_layer.fc.weight"])


def test_a_method_of_the_core_imports_no_plugin_and_that_of_a_plugin_this_plugin_alone() -> None:
    code = (
        "import sys\nfrom tipr_zoo.models.reader_lookup import reader_named\n"
        "plugins = lambda: sorted(n for n in sys.modules if n.startswith('tipr_zoo_') and '.' not in n)\n"
        "reader_named('nam'); before = plugins(); reader_named('fmfa'); after = plugins(); reader_named('conquer')\n"
        "import json; print(json.dumps([before, after, plugins()]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert json.loads(done.stdout) == [[], ["tipr_zoo_fmfa"], ["tipr_zoo_fmfa", "tipr_zoo_rde"]]


@pytest.mark.parametrize("method", ["icl", "conquer", "rde"])
def test_a_missing_plugin_of_another_name_is_told(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tipr_zoo.plugins.discovery.installed_plugins", dict)
    monkeypatch.setattr("tipr_zoo.models.reader_lookup.installed_plugins", dict)
    monkeypatch.setattr("tipr_zoo.models.reader_lookup.CHECKPOINTS", _without(CHECKPOINTS, method))
    with pytest.raises(PluginError, match="install it with: pip install tipr-zoo-rde"):
        tipr_zoo.from_official(_small("rde"), method, SIZE, STRIDE)


def _without(registry: Any, name: str) -> Any:
    """The registry as it is where nobody has registered this name."""

    class Lacking:
        def __contains__(self, key: object) -> bool:
            return key != name and key in registry

        def names(self) -> list[str]:
            return [key for key in registry.names() if key != name]

    return Lacking()


# Wrong readers cost only themselves

READER = """
from tipr_zoo.registries import CHECKPOINTS

@CHECKPOINTS.register_module("bad")
class BadCheckpoint:
    title = "BAD"
    model = "irra_vitb16_cuhk"
    rules = ()
    unused = ()

    def recognises(self, names):
        return "bad" in names

    def sizes(self, tensors, model):
        return {}
"""
WRONG = {
    "raises": (('return "bad" in names', "raise KeyError('k')"), "failed: KeyError: 'k'; mend it"),
    "exits": (('return "bad" in names', "raise SystemExit(3)"), "failed: SystemExit: 3; mend it"),
    "claims every file": (('return "bad" in names', "return True"), "claims every checkpoint, also one of towers"),
    "lacks a name": (('    title = "BAD"\n', ""), "lacks title; see CheckpointReader of tipr_zoo.protocols"),
    "lacks a method": (("def recognises", "def recognizes"), "lacks recognises"),
    "a title that is no text": (('"BAD"', "7"), "title must be a text, got 7"),
    "no list of rules": (("rules = ()", "rules = 7"), "rules and unused must be lists"),
    "a rule of three": (("rules = ()", "rules = (('a', 'b', 'c'),)"), "a rule is a pattern and a name, got"),
    "no pattern": (("rules = ()", "rules = (('(', 'b'),)"), "is no rule"),
    "a group that is not there": (("rules = ()", r"rules = (('a', r'\2'),)"), "is no rule"),
    "needs arguments": (("    title", "    def __init__(self, x): pass\n    title"), "failed: TypeError"),
    "the module raises": (("    title", "    1 / 0\n    title"), "ZeroDivisionError"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_reader_is_told_and_costs_only_itself(
    change: tuple[str, str], message: str, install: Callable[..., None], tmp_path: Path,
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert change[0] in READER
    install("bad", READER.replace(*change))
    # Asked for by name, it is an error of one line.
    with pytest.raises(TiprZooError) as raised:
        tipr_zoo.from_official(towers() | {"bad": torch.zeros(1)}, "bad", SIZE, STRIDE)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    # Any other file is recognised as before, and the log names what is wrong.
    file = tmp_path / "best.pth"
    torch.save(_small("sen"), file)
    caplog.clear()
    assert main(["info", str(file), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["methods"] == ["sen"]
    assert facts["what"] == "a checkpoint of the official code of SEN"
    assert [message in told for told in caplog.messages] == [True]
    assert set(tipr_zoo.from_official(towers(), "irra", SIZE, STRIDE).heads) == set()


def test_two_readers_that_claim_one_checkpoint_are_both_named(
    install: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    greedy = READER.replace('return "bad" in names', "return bool(names)")
    install("bad", greedy.replace("rules = ()", r"rules = ((r'(mask_token.*)', r'heads.bad.\1'),)"))
    file = tmp_path / "best.pth"
    torch.save(_small("sen"), file)
    assert main(["info", str(file)]) == 0
    text = capsys.readouterr().out
    assert "a checkpoint of the official code of BAD or SEN\n" in text
    assert "--method METHOD" in text
    with pytest.raises(WeightsError, match="it looks like one of BAD or SEN; name that method"):
        tipr_zoo.from_official(_small("sen"), "irra", SIZE, STRIDE)
    model = build_retriever(read_official(_small("sen"), "sen", SIZE, STRIDE).model)  # named: nobody else is asked
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(WeightsError, match="the readers of bad and sen, which name its tensors differently"):
        load_starting_weights(model, file)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_two_readers_of_one_name_are_told(install: Callable[..., None]) -> None:
    install("bad", READER.replace('"bad")', '"irra")'))
    with pytest.raises(PluginError, match="checkpoint reader 'irra' is registered twice"):
        tipr_zoo.from_official(towers(), "bad", SIZE, STRIDE)
    assert set(tipr_zoo.from_official(_small("irra"), "irra", SIZE, STRIDE).heads) == {"id", "irr"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("return {}", "return {}"), None),
        (('return "bad" in names', "return bool(names)"), "bad claims tensors of any name"),
        (("irra_vitb16_cuhk", "no_such_model"), "bad is of the model no_such_model, which has no card"),
        (('    title = "BAD"\n', ""), "lacks title"),
    ],
)
def test_the_check_of_a_plugin_tries_its_readers(
    change: tuple[str, str], message: str | None, install: Callable[..., None]
) -> None:
    install("bad", READER.replace(*change))
    with nullcontext() if message is None else pytest.raises(BrokenPromiseError, match=message):
        check_plugin("bad")


def test_two_tensors_for_one_place_are_told(install: Callable[..., None]) -> None:
    install("bad", READER.replace("rules = ()", "rules = (('bad', 'heads.id.x'), ('worse', 'heads.id.x'))"))
    with pytest.raises(PluginError, match=r"has one place, heads\.id\.x, for two tensors, bad and worse"):
        tipr_zoo.from_official(towers() | dict.fromkeys(("bad", "worse"), torch.zeros(1)), "bad", SIZE, STRIDE)


def test_a_rule_that_puts_a_tensor_into_a_towers_place_is_told(install: Callable[..., None]) -> None:
    install("bad", READER.replace("rules = ()", "rules = (('bad', 'image_encoder.trunk.cls_token'),)"))
    state = towers() | {"bad": torch.zeros(1, 1, 64)}
    with pytest.raises(WeightsError, match=r"image_encoder\.trunk\.cls_token is a tower's, and a rule"):
        tipr_zoo.from_official(state, "bad", SIZE, STRIDE)


@pytest.mark.parametrize("change", ["model.clear()", "model['image_encoder'].clear()", "tensors.clear()"])
def test_a_reader_takes_nothing_away_from_what_it_is_given(change: str, install: Callable[..., None]) -> None:
    install("bad", READER.replace("return {}", f"{change}; return {{}}"))
    state = towers() | {"bad": torch.zeros(1)}
    names = set(tipr_zoo.from_official(state, "bad", SIZE, STRIDE).state_dict())
    assert "image_encoder.trunk.cls_token" in names


@pytest.mark.parametrize("sizes", ["[]", "{'heads': 3}", "{'heads': {'id': 7}}", "1 / 0"])
def test_sizes_that_are_none_are_told(sizes: str, install: Callable[..., None]) -> None:
    install("bad", READER.replace("return {}", f"return {sizes}"))
    with pytest.raises(PluginError, match=r"sizes must return a dict|failed: ZeroDivisionError"):
        tipr_zoo.from_official(towers() | {"bad": torch.zeros(1)}, "bad", SIZE, STRIDE)


@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ("{'heads': {'irrr': {'depth': 1}}}", "unknown head 'irrr'; did you mean 'irr'?"),
        ("{'heads': {'irr': {'dept': 1}}}", "unknown argument of model.heads.irr 'dept'; did you mean 'depth'?"),
        ("{'heads': {'irr': {'depth': 'many'}}}", "model.heads.irr.depth must be a whole number, got 'many'"),
        ("{'heads': {'id': {'type': 'IRR'}}}", "unknown head 'IRR'"),
        ("{'losess': {}}", "unknown entry of model 'losess'; did you mean 'losses'?"),
        ("{3: 4}", "sizes must return a dict of entries of 'model', got {3: 4}"),
        ("{'image_encoder': 3}", "model.image_encoder: an? .*is configured by a dict"),
        ("{'neck': {'type': 'BNNeck', 'embedding_size': -3}}", "gives: model.neck"),
    ],
)
def test_sizes_that_do_not_fit_are_told_with_the_reader(sizes: str, says: str, install: Callable[..., None]) -> None:
    install("bad", READER.replace("return {}", f"return {sizes}"))
    with pytest.raises(TiprZooError) as raised:
        tipr_zoo.from_official(towers() | {"bad": torch.zeros(1)}, "bad", SIZE, STRIDE)
    assert "the checkpoint reader 'bad' (bad_readers.components.BadCheckpoint)" in str(raised.value)
    assert re.search(says if "?:" in says or "an?" in says else re.escape(says), str(raised.value))
    assert "\n" not in str(raised.value)


def test_sizes_of_another_type_than_a_class_takes_are_told(install: Callable[..., None]) -> None:
    install("third", COMPONENTS.replace('len(tensors["down.weight"])', "'many'"), CARD, RECIPE)
    with pytest.raises(PluginError, match=r"reader 'ours' .*: model\.rank must be .*, got 'many'"):
        tipr_zoo.from_official(ours(), "ours", SIZE, STRIDE)


def test_a_reader_of_a_model_that_is_not_there_is_told(install: Callable[..., None]) -> None:
    install("bad", READER.replace("irra_vitb16_cuhk", "no_such_model"))
    with pytest.raises(UnknownNameError, match="unknown model 'no_such_model'"):
        tipr_zoo.from_official(towers(), "bad", SIZE, STRIDE)


def test_an_unknown_method_names_those_that_are_known(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(UnknownNameError, match="did you mean 'conquer'"):
        tipr_zoo.from_official(_small("rde"), "conqer", SIZE, STRIDE)


# What converted weights say of themselves


@pytest.mark.parametrize(
    ("method", "title", "model", "is_own"),
    [
        ("rde", "RDE", "rde_vitb16_cuhk", True),
        ("icl", "ICL", "rde_vitb16_cuhk", False),
        ("conquer", "CONQUER", "rde_vitb16_cuhk", False),
        ("irra", "IRRA", "irra_vitb16_cuhk", True),
        ("nam", "NAM", "irra_vitb16_cuhk", False),
    ],
)
def test_converted_weights_are_of_the_method_that_was_named(
    method: str, title: str, model: str, is_own: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, output = tmp_path / "best.pth", tmp_path / "mine.safetensors"
    torch.save(_small("rde" if model.startswith("rde") else "irra"), file)
    assert main(["convert", str(file), "--method", method, "--image-size", "64", "32", "-o", str(output)]) == 0
    header = read_metadata(output)
    assert header[CONVERTED_AS] == title
    assert f"    name: {title}\n" in output.with_suffix(".md").read_text()
    assert other_model(output, header, resolve(model)) == (None if is_own else "mine")
    capsys.readouterr()
    assert main(["info", str(output)]) == 0
    assert f"its converted_as  {title}\n" in capsys.readouterr().out.replace("   ", "  ").replace("   ", "  ")
