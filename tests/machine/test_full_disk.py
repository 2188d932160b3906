"""A full disk, or a quota, in the middle of every kind of file: what was there stays, and one line says what to do.

`RLIMIT_FSIZE` is what a quota is to a program: it writes so many bytes, and the next write is an error.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small_disk import contents, files_of_at_most
from torch import Tensor, nn

import tipr_zoo
from tipr_zoo.cards.parsed_yaml_cache import ParsedYamlCache
from tipr_zoo.command_line import main
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.display.picture_file import save_picture
from tipr_zoo.errors import TrainingError, WriteError
from tipr_zoo.evaluation.embedding_cache import EmbeddingCache
from tipr_zoo.machine.whole_file import is_part
from tipr_zoo.registries import LOSSES
from tipr_zoo.reproduction.seed_folder import SeedFolder
from tipr_zoo.synthpedes import draw_synthpedes
from tipr_zoo.training.checkpoints.best_weights_hook import BestWeightsHook
from tipr_zoo.training.checkpoints.history import append_history, forget_after
from tipr_zoo.training.train import train
from tipr_zoo.weights.tensors import write_weights

TINY, TINY_PRETRAINED = "a_tiny_model", "a_tiny_pretrained_model"
RESTORING = "sen_tiny_restoring_synth"
CAPTION = "a man in a red jacket and blue jeans"
FIX = "raise the limit of a file's size (ulimit -f), or name another place"

Splits = tuple[PersonDataset, PersonDataset]


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path_factory.mktemp("home")))


# Commands


@dataclass(frozen=True)
class Written:
    """A file that a command writes.

    Attributes:
        words: The command line, with ``{folder}`` for where to write, ``{data}`` and ``{picture}``.
        file: The file.
    """

    words: str
    file: str


COMMANDS = {
    "record": Written(
        f"eval {TINY_PRETRAINED} --data {{data}} --no-cache --records {{folder}} --cfg-options training.dataset="
        + 5000
        * "x",  # a record holds what was changed; so it is longer than the recipe, of which mmengine writes a copy
        "*.json",
    ),
    "export npz": Written(f"eval {TINY_PRETRAINED} --data {{data}} --no-cache --export {{folder}}/e.npz", "e.npz"),
    "export safetensors": Written(
        f"eval {TINY_PRETRAINED} --data {{data}} --no-cache --export {{folder}}/e.safetensors", "e.safetensors"
    ),
    "hits": Written(f"eval {TINY_PRETRAINED} --data {{data}} --no-cache --picture {{folder}}/hits.png", "hits.png"),
    "search": Written(f"search {TINY_PRETRAINED} {{data}} WORDS --picture {{folder}}/hits.jpg", "hits.jpg"),
    "explain": Written(f"explain {TINY_PRETRAINED} {{picture}} WORDS -o {{folder}}/why.webp", "why.webp"),
    "restore": Written(f"restore {RESTORING} {{picture}} WORDS -o {{folder}}/restored.png", "restored.png"),
}


@pytest.mark.parametrize("kind", COMMANDS)
def test_what_a_command_wrote_before_stays(
    kind: str, tiny_zoo: Path, test_split: PersonDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, folder = COMMANDS[kind], tmp_path / "results"
    folder.mkdir()
    names = {"folder": folder, "data": test_split.root, "picture": test_split.pictures[0]}
    words = [CAPTION if word == "WORDS" else word.format(**names) for word in command.words.split()]
    words += ["--device", "cpu"]
    assert main(words) == 0
    (file,) = folder.glob(command.file)
    before = contents(folder)
    capsys.readouterr()
    with files_of_at_most(file.stat().st_size - 100):
        assert main(words) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {file}: cannot be written: File too large; {FIX}"
    assert contents(folder) == before


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp"])
@pytest.mark.parametrize("lacking", [1, 100, 100_000])
def test_a_picture_is_never_cut_off(tmp_path: Path, suffix: str, lacking: int) -> None:
    file = tmp_path / f"picture{suffix}"
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (600, 400, 3), dtype=np.uint8))
    picture.save(file)
    before = contents(tmp_path)
    with pytest.raises(WriteError, match="File too large"), files_of_at_most(file.stat().st_size - lacking):
        save_picture(picture, file)
    assert contents(tmp_path) == before
    save_picture(picture, file)
    assert contents(tmp_path) == before


def test_a_new_card_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = tipr_zoo.load_card("irra_tiny_synth")
    assert card.weights is not None
    weights = card.path.parent / card.weights.location
    words = ["cards", "new", "mine", "--config", card.config, "--dataset", "SynthPEDES", "--from-weights", str(weights)]
    with files_of_at_most(1000):
        assert main([*words, "--folder", str(tmp_path)]) == 2
    copy = tmp_path / "weights" / "mine.safetensors"
    assert capsys.readouterr().err == f"error: {copy}: cannot be written: File too large; {FIX}\n"
    assert contents(tmp_path) == {}


def test_a_new_plugin_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with files_of_at_most(1500):
        assert main(["new-plugin", "hard-pairs", "--dir", str(tmp_path)]) == 2
    folder = tmp_path / "tipr-zoo-hard-pairs"
    error = capsys.readouterr().err
    assert error.startswith(f"error: {folder} cannot be written: [Errno 27] File too large: '{folder}/")
    assert error.endswith("'; choose another --dir\n")
    assert list(tmp_path.iterdir()) == []


def test_drawing_goes_on_where_the_disk_was_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--train", "3", "--val", "1", "--test", "2", "--pictures", "2", "--workers", "1"]
    words = ["data", "synth", str(tmp_path), *options]
    assert main(words) == 0
    whole = contents(tmp_path)
    gone = max((name for name in whole if name.startswith("imgs/train/")), key=lambda name: len(whole[name]))
    (tmp_path / gone).unlink()
    capsys.readouterr()
    with files_of_at_most(len(whole[gone]) - 10):
        assert main(words) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error == f"error: {tmp_path / gone}: cannot be written: File too large; {FIX}"
    assert contents(tmp_path) == {name: whole[name] for name in whole if name not in (gone, "reid_raw.json")}
    assert draw_synthpedes(tmp_path, train=3, val=1, test=2, pictures=2, workers=1)["drawn"] == 2
    assert contents(tmp_path) == whole


# Training


@pytest.fixture(scope="module")
def trained(tiny_zoo: Path, splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work dir of a training, not to be changed."""
    work_dir = tmp_path_factory.mktemp("trained")
    train(TINY, *splits, work_dir)
    return work_dir


@pytest.fixture
def work_dir(trained: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(trained, tmp_path / "work"))


TRAIL = ("train.log", "runs.json", "recipe.py", "curves.png")


def test_a_checkpoint_stays(work_dir: Path, splits: Splits) -> None:
    before = contents(work_dir)
    size = len(before["epoch_2.pth"])
    with pytest.raises(TrainingError) as raised, files_of_at_most(size // 2):
        train(TINY, *splits, work_dir, resume=True, overrides={"training.max_epochs": 3})
    file = work_dir / "epoch_3.pth"
    assert str(raised.value) == (
        f"checkpoint {file} cannot be written: File too large; make room, then go on with --resume"
    )
    after = contents(work_dir)
    for grown in ("history.jsonl", "train.log"):
        assert after.pop(grown).startswith(before.pop(grown))
    assert without_trail(after) == without_trail(before)


def test_final_weights_stay(work_dir: Path, splits: Splits) -> None:
    before, file = contents(work_dir), work_dir / f"{TINY}.safetensors"
    with pytest.raises(TrainingError) as raised, files_of_at_most(file.stat().st_size - 100):
        train(TINY, *splits, work_dir, resume=True)
    assert str(raised.value) == f"{file}: File too large; mend that, then go on with --resume"
    assert without_trail(contents(work_dir)) == without_trail(before)


def without_trail(files: dict[str, bytes]) -> dict[str, bytes]:
    """Leave out what each run writes of itself."""
    return {name: content for name, content in files.items() if name not in TRAIL}


def test_the_weights_of_the_best_epoch_stay(work_dir: Path) -> None:
    before, file = contents(work_dir), work_dir / "best.safetensors"
    model: Any = nn.Linear(2000, 2)
    hook = BestWeightsHook(model, work_dir)
    with pytest.raises(TrainingError) as raised, files_of_at_most(10_000):
        hook.after_val_epoch(SimpleNamespace(epoch=3), {"R1": 101.0})  # type: ignore[arg-type]
    assert str(raised.value) == f"{file} cannot be written: File too large; make room, then go on with --resume"
    assert contents(work_dir) == before


@pytest.mark.parametrize("change", [append_history, lambda folder, row: forget_after(folder, 2)])
def test_the_history_stays(work_dir: Path, change: Callable[[Path, dict[str, Any]], None]) -> None:
    before = contents(work_dir)
    size = len(before["history.jsonl"])
    limit = size + 10 if change is append_history else size - 10
    with pytest.raises(WriteError, match=r"history\.jsonl: cannot be written: File too large"), files_of_at_most(limit):
        change(work_dir, {"epoch": 3, "loss": 1.0, "seconds": 1.5, "lr": 0.25})
    assert contents(work_dir) == before


class NotANumber(nn.Module):
    """A loss that is none, in the first step; the disk may be full from then on."""

    full_at, stack = 0, ExitStack()

    def forward(self, features: Any, batch: Any) -> Tensor:
        if self.full_at:
            self.stack.enter_context(files_of_at_most(self.full_at))
        return features.image_embedding.sum() * float("nan")


def test_the_report_of_what_is_not_finite_stays(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LOSSES.register_module("NotANumber", force=True)(NotANumber)
    file, overrides = tmp_path / "not_finite_rank_0.json", {"model.losses.odd": {"type": "NotANumber"}}
    with pytest.raises(TrainingError, match="lists all"):
        train(TINY, *splits, tmp_path, overrides=overrides)
    before = file.read_bytes()
    monkeypatch.setattr(NotANumber, "full_at", len(before) - 10)
    with pytest.raises(TrainingError) as raised, NotANumber.stack:
        train(TINY, *splits, tmp_path, overrides=overrides)
    assert str(raised.value) == f"{file}: File too large; mend that, then go on with --resume"
    assert file.read_bytes() == before
    assert not any(is_part(path.name) for path in tmp_path.rglob("*"))


def test_the_state_of_a_reproduction_stays(work_dir: Path) -> None:
    folder = SeedFolder(work_dir, TINY, {"name": "x" * 1000, "recipe": {"training": {"max_epochs": 2}}})
    folder._write({"training": folder.described, "finished": {}})
    before = contents(work_dir)
    with (
        pytest.raises(WriteError, match=r"reproduction\.json: cannot be written: File too large"),
        files_of_at_most(500),
    ):
        folder.finish()
    assert contents(work_dir) == before


# Weights and caches


def test_weights_stay(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    write_weights({"a": torch.zeros(1000)}, file)
    before = contents(tmp_path)
    with pytest.raises(WriteError, match=r"a\.safetensors: cannot be written: File too large"), files_of_at_most(2000):
        write_weights({"a": torch.ones(1000)}, file)
    assert contents(tmp_path) == before


def test_cached_embeddings_that_cannot_be_kept_cost_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = EmbeddingCache("0" * 64, tmp_path)
    cache.embed("captions", "old", lambda: torch.zeros(100, 8))
    before = contents(tmp_path)
    with files_of_at_most(2000):
        found, is_cached = cache.embed("captions", "new", lambda: torch.ones(100, 8))
    assert (found.sum(), is_cached) == (800, False)
    assert caplog.messages[-1].endswith(": the embeddings of the captions cannot be kept (File too large)")
    assert contents(tmp_path) == before
    assert cache.embed("captions", "old", lambda: torch.ones(100, 8))[1]


def test_the_cache_of_parsed_yaml_stays(tmp_path: Path) -> None:
    source = tmp_path / "card.md"
    source.touch()
    cache = ParsedYamlCache(tmp_path / "parsed.json")
    cache.entries["0"] = (str(source), "{}")
    cache.save()
    before = contents(tmp_path)
    cache.entries["1"] = (str(source), json.dumps("x" * 1000))
    with files_of_at_most(500):
        cache.save()
    assert contents(tmp_path) == before


def test_the_cache_of_pruned_captions_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from tipr_zoo_sen import pruned_captions

    file = tmp_path / "captions.json"
    pruned_captions._write(file, ["a man"])
    before = contents(tmp_path)
    with files_of_at_most(500), caplog.at_level(logging.WARNING):
        pruned_captions._write(file, ["a woman"] * 1000)
    assert "cannot be kept in" in caplog.messages[-1]
    assert "(File too large)" in caplog.messages[-1]
    assert contents(tmp_path) == before
