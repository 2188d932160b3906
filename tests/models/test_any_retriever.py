"""A retriever need be no dual encoder: what a third party's plain module promises is enough for all of the zoo."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from plain_plugin import write_plugin

import tipr_zoo
from tipr_zoo.cards.index import card_index
from tipr_zoo.command_line import main
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import BrokenPromiseError, ConfigError, TiprZooError, UnknownNameError, WeightsError
from tipr_zoo.explaining.explanation import explain
from tipr_zoo.explaining.restoration import restore
from tipr_zoo.plugins.discovery import installed_plugins
from tipr_zoo.registries import REGISTRIES
from tipr_zoo.testing import check_plugin, check_retriever
from tipr_zoo.training.adapters import load_adapters
from tipr_zoo.training.checkpoints.files import checkpoint_files
from tipr_zoo.training.train import train
from tipr_zoo.weights.tensors import read_weights

PLAIN, TAUGHT = "plain_model", "taught_model"

Splits = tuple[PersonDataset, PersonDataset]


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The plugin ``plain`` is installed, and forgotten afterwards."""
    site = tmp_path_factory.mktemp("site")
    write_plugin(site)
    for registry in REGISTRIES:
        registry.names()  # imports what the core registers, which stays
    before = [(dict(registry._module_dict), dict(registry._places)) for registry in REGISTRIES]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(site), *sys.path])
        _forget()
        yield site
    _forget()
    for registry, (components, places) in zip(REGISTRIES, before, strict=True):
        registry._module_dict, registry._places = components, places
    for name in [name for name in sys.modules if name.partition(".")[0] == "plain_package"]:
        del sys.modules[name]


def _forget() -> None:
    card_index.cache_clear()
    installed_plugins.cache_clear()
    importlib.invalidate_caches()


@pytest.fixture(scope="module")
def trained(splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plain model, trained for two epochs."""
    return train(PLAIN, *splits, tmp_path_factory.mktemp("trained")).weights


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that a command says in its refusal."""
    assert main(list(words)) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line and "weights are" not in line]
    lines = [line for line in lines if not line.startswith(("training:", "captions:", "pictures:"))]
    assert len(lines) == 1, lines
    return lines[0]


def test_it_is_trained_resumed_and_loaded(splits: Splits, trained: Path, tmp_path: Path) -> None:
    start = tipr_zoo.build(PLAIN).state_dict()
    assert set(read_weights(trained)) == set(start)
    train(PLAIN, *splits, tmp_path, max_minutes=0)
    resumed = train(PLAIN, *splits, tmp_path, resume=True).weights
    for name, value in read_weights(trained).items():
        torch.testing.assert_close(read_weights(resumed)[name], value, rtol=0, atol=0)
    again = train(PLAIN, *splits, tmp_path / "again", weights=trained).weights
    assert read_weights(again)["colours.1.weight"].ne(read_weights(trained)["colours.1.weight"]).any()


@pytest.mark.parametrize("direction", ["text-to-image", "both"])
def test_it_is_measured_and_its_embeddings_are_kept_and_exported(
    synthpedes: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direction: str, capsys: Any
) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "home"))
    words = ["eval", PLAIN, "--data", str(synthpedes), "--weights", str(trained), "--device", "cpu", "--json"]
    words += ["--direction", direction, "--export", str(tmp_path / "e.npz")]
    figures = []
    for _ in range(2):
        assert main(words) == 0
        figures.append(json.loads(capsys.readouterr().out))
    first, second = (run if isinstance(run, dict) else run[0] for run in figures)
    assert (first["metrics"], first["from_cache"]) == (second["metrics"], [])
    assert second["from_cache"] == ["captions", "pictures"]
    assert "part" not in first
    import numpy as np

    assert np.load(tmp_path / "e.npz")["picture_embeddings"].shape == (4, 12)


def test_its_pictures_are_searched(synthpedes: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["search", PLAIN, str(synthpedes / "imgs"), "a man", "--weights", str(trained), "--json", "--top", "3"]
    assert main([*words, "--device", "cpu"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert main([*words, "--device", "cpu", "--part", "rest"]) == 0
    part = json.loads(capsys.readouterr().out)
    assert [hit["rank"] for hit in part] == [1, 2, 3]
    assert [hit["score"] for hit in part] != [hit["score"] for hit in whole]


def test_captions_are_embedded_whole(trained: Path) -> None:
    from tipr_zoo.evaluation.embedding import embed_captions

    model: Any = tipr_zoo.build(PLAIN, weights=trained)
    model.tokenize = lambda captions: torch.tensor([[63, 1, 2], [1, 63, 2]])[: len(captions)]
    together, alone = embed_captions(model, ["a", "b"]), embed_captions(model, ["a"])
    torch.testing.assert_close(together[:1], alone)
    torch.testing.assert_close(alone, model.encode_text(torch.tensor([[63, 1, 2]])).detach())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": {"type": "WithoutText"}}, "model: WithoutText lacks encode_text, which every retriever has"),
        ({"model": {"type": "WithoutModule"}}, "model: WithoutModule is no torch.nn.Module, which every retriever is"),
        ({"model": {"type": "OddSize"}}, "image_size of OddSize must be (height, width) in pixels, got 32"),
        ({"model": {"type": "OddLoss"}}, "loss of OddLoss must be callable, got 0.5"),
        ({"model": {"type": "Plane"}}, "unknown model 'Plane'; did you mean 'Plain'?"),
        ({"model.heads": {"id": {}}}, "unknown argument of model 'Plain' 'heads'"),
        ({"model.mean": (0, 0, 0)}, "unknown argument of model 'Plain' 'mean'"),
        ({"model.siz": 3}, "unknown argument of model 'Plain' 'siz'"),
        ({"model.size": "large"}, "model.size must be a whole number"),
    ],
)
def test_what_is_no_retriever_is_told_in_one_line(change: dict[str, Any], says: str) -> None:
    with pytest.raises(TiprZooError) as caught:
        tipr_zoo.build(PLAIN, overrides=change)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("objectives", 3, "objectives of Plain must be modules by their keys, got 3"),
        ("objectives", [torch.nn.Identity()], "objectives of Plain must be modules by their keys, got"),
        ("objectives", {1: torch.nn.Identity()}, "objectives of Plain must be modules by their keys, got"),
        ("objectives", {"a": len}, "objectives of Plain must be modules by their keys, got"),
        ("normalisation", (0.5, 0.5), r"normalisation of Plain must be an ImageNormalisation, got \(0.5, 0.5\)"),
    ],
)
def test_what_it_says_besides_is_checked(monkeypatch: pytest.MonkeyPatch, name: str, value: Any, says: str) -> None:
    tipr_zoo.build(PLAIN)  # imports the plugin
    monkeypatch.setattr(sys.modules["plain_package.components"].Plain, name, value, raising=False)
    with pytest.raises(ConfigError, match=says):
        tipr_zoo.build(PLAIN)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"training.masking": True}, "training.masking needs a mask_id of the tokenizer, and that of Plain has none"),
        (
            {"training.adapters": {"targets": ["*"]}},
            "Plain has no linear layers in image_encoder and text_encoder, on which adapters go",
        ),
        ({"training.trim_padding": True}, "Plain does not say by takes_cut_captions = True"),
    ],
)
def test_what_its_training_lacks_is_told(splits: Splits, tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        train(PLAIN, *splits, tmp_path, overrides=change)


@pytest.mark.parametrize(
    ("losses", "says"),
    [
        (lambda loss: [loss], "the loss of Plain must be a dict of scalars, one at least, got .tensor"),
        (lambda loss: {}, "the loss of Plain must be a dict of scalars, one at least, got {}"),
        (lambda loss: {"pairs": 1.0}, "and 'pairs' is 1.0"),
        (lambda loss: {"pairs": loss.expand(3)}, r"and 'pairs' is a tensor of shape \(3,\)"),
        (lambda loss: {"pairs": loss.detach()}, "the loss of Plain depends on no parameter that learns"),
    ],
)
def test_losses_that_are_none_are_told_in_training(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, losses: Any, says: str
) -> None:
    tipr_zoo.build(PLAIN)  # imports the plugin
    plain = sys.modules["plain_package.components"].Plain
    loss = plain.loss
    monkeypatch.setattr(plain, "loss", lambda model, batch: losses(loss(model, batch)["pairs"]))
    with pytest.raises(ConfigError, match=says):
        train(PLAIN, *splits, tmp_path)


def _raises(*given: Any) -> Any:
    return {}["k"]


BROKEN: list[tuple[str, Any, str]] = [
    ("preprocess", lambda model, picture: torch.zeros(3, 4, 4), "Plain must turn a picture into (3, 32, 16) torch.f"),
    ("preprocess", lambda model, picture: torch.zeros(3, 32, 16).double(), "got (3, 32, 16) torch.float64; see"),
    ("preprocess", lambda model, picture: picture, "preprocess of Plain must turn a picture into (3, 32, 16) torch"),
    ("preprocess", _raises, "preprocess of Plain failed: KeyError: 'k'; mend it; see Components in docs"),
    ("tokenize", lambda captions: torch.zeros(len(captions), 16), ", 16) torch.float32; see Components in docs"),
    ("tokenize", lambda captions: torch.zeros(2, 16).long(), "tokenize of Plain must turn"),
    ("tokenize", lambda captions: captions, "L) int64 ids, got a list; see Components"),
    ("tokenize", _raises, "tokenize of Plain failed: KeyError: 'k'; mend it"),
    ("loss", _raises, "the loss of Plain failed: KeyError: 'k'; mend it; see Components in docs"),
    ("loss", lambda model, batch: torch.zeros(2) @ torch.zeros(3), "loss of Plain failed: RuntimeError: inconsistent"),
    ("loss", lambda model, batch: sys.exit(3), "the loss of Plain failed: SystemExit: 3"),
    ("encode_text", _raises, "the loss of Plain failed: KeyError"),
]


def _break(monkeypatch: pytest.MonkeyPatch, name: str, answer: Any) -> None:
    """Let every `Plain` answer in another way."""
    tipr_zoo.build(PLAIN)  # imports the plugin
    components: Any = sys.modules["plain_package.components"]
    if name == "tokenize":
        monkeypatch.setattr(components.Words, "__call__", lambda words, captions: answer(captions))
    else:
        monkeypatch.setattr(components.Plain, name, answer)


@pytest.mark.parametrize(("name", "answer", "says"), BROKEN)
def test_a_promise_that_is_broken_in_training_is_one_line(
    synthpedes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, name: str, answer: Any, says: str
) -> None:
    _break(monkeypatch, name, answer)
    words = ["train", PLAIN, "--data", str(synthpedes), "--work-dir", str(tmp_path / "run"), "--device", "cpu"]
    assert says in told(capsys, *words)


def test_a_promise_that_is_broken_in_a_process_that_loads_pictures_is_one_line(
    synthpedes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    _break(monkeypatch, "preprocess", _raises)
    words = ["train", PLAIN, "--data", str(synthpedes), "--work-dir", str(tmp_path / "run"), "--device", "cpu"]
    line = told(capsys, *words, "--cfg-options", "training.num_workers=1")
    assert line.startswith("error: preprocess of Plain failed: KeyError: 'k'; mend it")


def test_a_loss_that_raises_is_named_among_the_objectives(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tipr_zoo.build(TAUGHT)  # imports the plugin
    monkeypatch.setattr(sys.modules["plain_package.components"].Teacher, "forward", _raises)
    with pytest.raises(ConfigError, match=r"the loss of DualEncoder failed in Teacher \('teacher'\): KeyError: 'k'"):
        train(TAUGHT, *splits, tmp_path)


@pytest.mark.parametrize(("name", "answer", "says"), [case for case in BROKEN if case[0] in ("preprocess", "tokenize")])
@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_promise_that_is_broken_in_evaluation_is_one_line(
    synthpedes: Path, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any,
    name: str, answer: Any, says: str, workers: str,
) -> None:  # fmt: skip
    _break(monkeypatch, name, answer)
    words = ["eval", PLAIN, "--data", str(synthpedes), "--weights", str(trained), "--device", "cpu", "--no-cache"]
    assert says in told(capsys, *words, "--workers", workers)


@pytest.mark.parametrize(
    ("model", "starts"), [(PLAIN, "its own"), (TAUGHT, "its own"), ("irra_vitb16_cuhk", "CLIP's or its own")]
)
def test_it_is_said_what_a_training_can_start_from(
    splits: Splits, tmp_path: Path, caplog: pytest.LogCaptureFixture, model: str, starts: str
) -> None:
    size = {"image_encoder.width": 64, "image_encoder.depth": 1, "image_encoder.num_heads": 1}
    size |= {"text_encoder.width": 64, "text_encoder.depth": 1, "text_encoder.num_heads": 1, "heads.irr": None}
    small = {f"model.{name}": value for name, value in size.items()} if starts != "its own" else {}
    train(
        model, *splits, tmp_path, max_minutes=0, overrides={**small, "training.batch_size": 8, "training.max_epochs": 1}
    )
    assert f"{model}: weights are random at the start; --weights FILE starts from {starts}" in caplog.messages


def test_a_full_memory_is_no_fault_of_the_loss(splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any) -> Any:
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes")

    _break(monkeypatch, "loss", full)
    with pytest.raises(RuntimeError, match="not enough memory"):
        train(PLAIN, *splits, tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows[:1], r"must embed 2 pictures or captions as a \(2, D\) tensor .*, got \(1, 12\)"),
        (lambda rows: rows[:, None], r"got \(2, 1, 12\) torch.float32"),
        (lambda rows: (rows, rows), "got a tuple"),
        (lambda rows: rows.long(), r"got \(2, 12\) torch.int64"),
    ],
)
def test_embeddings_that_are_none_are_told(synthpedes: Path, change: Any, says: str) -> None:
    from tipr_zoo.evaluation.embedding import embed_captions, embed_pictures

    model: Any = tipr_zoo.build(PLAIN)
    embed = {"encode_text": model.encode_text, "encode_image": model.encode_image}
    for name, method in embed.items():
        setattr(model, name, lambda given, method=method: change(method(given)))
    with pytest.raises(ConfigError, match=says):
        embed_captions(model, ["a man", "a woman"])
    with pytest.raises(ConfigError, match=says):
        embed_pictures(model, sorted((synthpedes / "imgs").rglob("*.jpg"))[:2])


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"first": slice("a", "b")}, "must be a slice of the embedding's columns"),
        ({"first": slice(0, 4, 0)}, "must be a slice of the embedding's columns"),
        ({"first": slice(0, 99)}, "part 'first' of Plain goes beyond its 12 columns"),
        ({"first": slice(-20, None)}, "part 'first' of Plain goes beyond its 12 columns"),
        ({1: slice(0, 4)}, r"the parts of Plain must go by texts, got \[1\]"),
    ],
)
def test_parts_that_make_no_sense_are_told(parts: Any, says: str) -> None:
    from tipr_zoo.models.similarity_part import of_part

    model: Any = tipr_zoo.build(PLAIN)
    model.parts = parts
    with pytest.raises(ConfigError, match=says):
        of_part(torch.ones(2, 12), model, "first")


def test_what_cannot_be_done_with_it_says_what_it_lacks(
    trained: Path, tmp_path: Path, splits: Splits, tiny_zoo: Path
) -> None:
    model: Any = tipr_zoo.build(PLAIN, weights=trained)
    picture = Image.new("RGB", (20, 40))
    with pytest.raises(ConfigError, match="Plain cannot be explained: it lacks image_encoder, text_encoder, tokens"):
        explain(model, picture, "a man", map="tokens")
    with pytest.raises(ConfigError, match="no head that restores pictures"):
        restore(model, picture, ["a man"])
    clip = tmp_path / "clip.pt"
    names = ["visual.conv1.weight", "visual.proj", "token_embedding.weight", "text_projection", "logit_scale"]
    torch.save({name: torch.zeros(4, 4) for name in names}, clip)
    with pytest.raises(WeightsError, match="the weights of two towers, and Plain lacks image_encoder, text_encoder"):
        train(PLAIN, *splits, tmp_path / "run", weights=clip)


def test_its_promises_are_tried() -> None:
    check_plugin("plain")


def _ended_early(captions: str | Sequence[str]) -> torch.Tensor:
    """Ids whose end token, the largest, has padding after it."""
    return torch.tensor([[5, 63, 0, 0]] * (1 if isinstance(captions, str) else len(captions)))


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"encode_text": lambda ids: torch.zeros(len(ids), 3)}, "pictures have 12 and captions 3"),
        ({"encode_image": lambda images: torch.zeros(3)}, "pictures: (3,)"),
        ({"preprocess": lambda picture: torch.zeros(3, 4, 4)}, "it gives (3, 4, 4) torch.float32"),
        ({"tokenize": lambda captions: torch.zeros(len(captions), 4)}, "(B, L) int64 ids"),
        ({"loss": lambda batch: {"a": torch.tensor(float("nan"))}}, "a is not finite"),
        ({"loss": lambda batch: {"a": torch.tensor(1.0)}}, "gradient"),
        ({"loss": lambda batch: torch.tensor(1.0)}, "it gives tensor(1.)"),
        ({"takes_cut_captions": True, "tokenize": _ended_early}, "without the padding after its end token"),
        ({"parts": {"none": slice(99, 100)}}, "part 'none' of Plain goes beyond its 12 columns"),
    ],
)
def test_a_retriever_that_breaks_a_promise(broken: dict[str, Any], says: str) -> None:
    model: Any = tipr_zoo.build(PLAIN)
    for name, value in broken.items():
        setattr(model, name, value)
    with pytest.raises(BrokenPromiseError) as caught:
        check_retriever(model)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_it_is_listed_with_its_plugin(capsys: pytest.CaptureFixture[str]) -> None:
    tipr_zoo.build(PLAIN)
    assert main(["plugins", "--json"]) == 0
    (row,) = [row for row in json.loads(capsys.readouterr().out)["plugins"] if row["plugin"] == "plain"]
    assert "Plain" in row["components"]["model"]
    assert row["components"]["head"] == ["Teacher"]
    assert main(["info", PLAIN]) == 0


# Parts of the similarity


def test_a_part_is_measured_alone_and_apart_from_the_whole(
    synthpedes: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "home"))
    words = ["eval", PLAIN, "--data", str(synthpedes), "--weights", str(trained), "--device", "cpu"]
    words += ["--records", str(tmp_path / "records"), "--json"]
    assert main(words) == 0
    whole = json.loads(capsys.readouterr().out)
    assert main([*words, "--part", "first", "--export", str(tmp_path / "e.npz")]) == 0
    part = json.loads(capsys.readouterr().out)
    assert (part["part"], part["from_cache"]) == ("first", ["captions", "pictures"]), "the cache holds the whole"
    assert "--part first" in part["command"]
    assert part["weights_sha256"] == whole["weights_sha256"]
    import numpy as np

    assert np.load(tmp_path / "e.npz")["caption_embeddings"].shape[1] == 4
    assert len(list((tmp_path / "records").glob("*.json"))) == 2
    assert main(["leaderboard", "--records", str(tmp_path / "records"), "--format", "json"]) == 0
    rows = [row for row in json.loads(capsys.readouterr().out) if row["model"] == PLAIN]
    assert sorted(row.get("part", "") for row in rows) == ["", "first"]
    assert not any(row["disagrees_on"] for row in rows)
    assert main(["leaderboard", "--records", str(tmp_path / "records"), "--format", "markdown"]) == 0
    assert "part first alone" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["eval", "search"])
@pytest.mark.parametrize(
    ("model", "part", "says"),
    [
        (PLAIN, "frist", "unknown part 'frist'; did you mean 'first' or 'rest'? (of the similarity of Plain)"),
        ("irra_tiny_synth", "bge", "DualEncoder has no parts, since it compares one pair of embeddings"),
    ],
)
def test_a_part_that_is_none_is_told(
    synthpedes: Path, trained: Path, capsys: pytest.CaptureFixture[str], command: str, model: str, part: str, says: str
) -> None:
    words = ["--data", str(synthpedes)] if command == "eval" else [str(synthpedes / "imgs"), "a man"]
    weights = ["--weights", str(trained)] if model == PLAIN else []
    assert says in told(capsys, command, model, *words, *weights, "--device", "cpu", "--part", part)


def test_a_matrix_has_no_parts(synthpedes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = told(capsys, "eval", "--matrix", PLAIN, "--data", str(synthpedes), "--part", "first")
    assert "--part cannot go with --matrix; measure the parts of one model at a time" in line


# What heads set up before training


def test_a_teacher_is_part_of_checkpoints_and_resumes_bit_for_bit(splits: Splits, tmp_path: Path) -> None:
    straight = train(TAUGHT, *splits, tmp_path / "straight").weights
    train(TAUGHT, *splits, tmp_path / "halted", max_minutes=0)
    halted = read_weights(checkpoint_files(tmp_path / "halted")[0])
    assert {"heads.teacher.queue", "heads.teacher.steps"} < set(halted)
    assert any(name.startswith("heads.teacher.tower.") for name in halted)
    resumed = train(TAUGHT, *splits, tmp_path / "halted", resume=True).weights
    ends = [read_weights(checkpoint_files(tmp_path / run)[0]) for run in ("straight", "halted")]
    assert ends[0].keys() == ends[1].keys()
    for name, value in ends[0].items():
        torch.testing.assert_close(ends[1][name], value, rtol=0, atol=0)
    assert ends[0]["heads.teacher.steps"] > halted["heads.teacher.steps"]
    tower = "heads.teacher.tower.trunk.cls_token"
    assert ends[0][tower].ne(ends[0][tower.replace("heads.teacher.tower", "image_encoder")]).any()
    assert read_weights(straight).keys() == read_weights(resumed).keys()
    assert not [name for name in read_weights(straight) if "teacher" in name and name != "heads.teacher.scale"]


def test_a_teacher_begins_with_the_weights_that_training_starts_from(splits: Splits, tmp_path: Path) -> None:
    first = train(TAUGHT, *splits, tmp_path / "first").weights
    train(TAUGHT, *splits, tmp_path / "second", weights=first, overrides={"model.heads.teacher.momentum": 1.0})
    taught = read_weights(checkpoint_files(tmp_path / "second")[0])
    name = "trunk.cls_token"
    torch.testing.assert_close(taught[f"heads.teacher.tower.{name}"], read_weights(first)[f"image_encoder.{name}"])


def test_a_checkpoint_is_loaded_without_the_teacher(
    splits: Splits, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(TAUGHT, *splits, tmp_path / "run")
    checkpoint = checkpoint_files(tmp_path / "run")[0]
    with caplog.at_level(logging.INFO, logger="tipr_zoo"):
        model = tipr_zoo.build(TAUGHT, weights=checkpoint)
    assert "heads.teacher.queue, heads.teacher.steps, heads.teacher.tower are for training and left out" in caplog.text
    assert not [name for name in model.state_dict() if "tower" in name]
    train(TAUGHT, *splits, tmp_path / "from_it", weights=checkpoint)


def test_a_plain_modules_checkpoint_is_loaded_without_what_its_objectives_set_up(
    splits: Splits, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    change = {"model": {"type": "Guided"}, "training.max_epochs": 1}
    final = train(PLAIN, *splits, tmp_path / "run", overrides=change).weights
    checkpoint = checkpoint_files(tmp_path / "run")[0]
    assert "guides.memory.seen" in read_weights(checkpoint)
    assert "guides.memory.seen" not in read_weights(final)
    with caplog.at_level(logging.INFO, logger="tipr_zoo"):
        tipr_zoo.build(PLAIN, weights=checkpoint, overrides=change)
    assert "guides.memory.seen are for training and left out" in caplog.text
    train(PLAIN, *splits, tmp_path / "from_it", weights=checkpoint, overrides=change)


def test_a_checkpoint_is_loaded_without_what_a_setup_added_to_the_retriever(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tipr_zoo.build(TAUGHT)  # imports the plugin
    teacher = sys.modules["plain_package.components"].Teacher
    setup = teacher.setup

    def also_beside(head: Any, retriever: Any) -> None:
        setup(head, retriever)
        retriever.slow = torch.nn.Linear(2, 2)

    monkeypatch.setattr(teacher, "setup", also_beside)
    final = train(TAUGHT, *splits, tmp_path / "run", overrides={"training.max_epochs": 1}).weights
    checkpoint = checkpoint_files(tmp_path / "run")[0]
    assert "slow.weight" in read_weights(checkpoint)
    assert "slow.weight" not in read_weights(final)
    assert not hasattr(tipr_zoo.build(TAUGHT, weights=checkpoint), "slow")


def test_a_teacher_that_copies_a_tower_with_adapters_is_in_no_weights(splits: Splits, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    lora = {"training.adapters": {"type": "lora", "r": 2, "targets": ["attn.qkv"]}, "training.max_epochs": 1}
    start = train(TAUGHT, *splits, tmp_path / "start", overrides={"training.max_epochs": 1}).weights
    merged = train(TAUGHT, *splits, tmp_path / "run", weights=start, overrides=lora).weights
    checkpoint, adapters = checkpoint_files(tmp_path / "run")[0], tmp_path / "run" / f"{TAUGHT}.adapter.safetensors"
    assert any(name.startswith("heads.teacher.tower.") and "lora_" in name for name in read_weights(checkpoint))
    assert read_weights(merged).keys() == read_weights(start).keys()
    assert all(name.startswith(("image_encoder.", "text_encoder.")) for name in read_weights(adapters))
    unmerged: Any = tipr_zoo.build(TAUGHT, weights=start)
    load_adapters(unmerged, adapters)
    images = torch.randn(2, 3, *unmerged.image_size)
    expected = tipr_zoo.build(TAUGHT, weights=merged).encode_image(images)
    torch.testing.assert_close(unmerged.eval().encode_image(images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("setup", "says"),
    [
        (3, r"setup of Teacher \('teacher'\) must be a method, got 3"),
        (
            lambda retriever: delattr(retriever.heads["teacher"], "scale"),
            "may only add to a model: heads.teacher.scale",
        ),
        (
            lambda retriever: torch.nn.init.zeros_(retriever.heads["teacher"].scale),
            r"setup of Teacher \('teacher'\) may only add to a model: the values of heads.teacher.scale are others",
        ),
        (
            lambda retriever: retriever.image_encoder.trunk.cls_token.data.add_(1e-3),
            "may only add to a model: the values of image_encoder.trunk.cls_token are others",
        ),
        (lambda retriever: retriever.half(), "may only add to a model: the values of"),
        (lambda retriever: {}["k"], r"setup of Teacher \('teacher'\) failed: KeyError: 'k'; mend it"),
        (
            lambda retriever: setattr(retriever.heads["teacher"], "whole", retriever),
            r"setup of Teacher \('teacher'\) failed: RecursionError",
        ),
    ],
)
def test_a_setup_that_is_none_is_told(
    splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setup: Any, says: str
) -> None:
    tipr_zoo.build(TAUGHT)  # imports the plugin
    teacher = sys.modules["plain_package.components"].Teacher
    monkeypatch.setattr(teacher, "setup", staticmethod(setup) if callable(setup) else setup)
    with pytest.raises(ConfigError, match=says):
        train(TAUGHT, *splits, tmp_path)


def test_an_unknown_part_of_features_is_told() -> None:
    from tipr_zoo.models.similarity_part import part_columns

    with pytest.raises(UnknownNameError, match="did you mean 'rest'"):
        part_columns(tipr_zoo.build(PLAIN), "rset")
