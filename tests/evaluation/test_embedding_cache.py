"""Embeddings are kept by what they were made of: the same content is found wherever it lies, and nothing else is."""

from __future__ import annotations

import importlib.util
import logging
import shutil
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import nn

from tipr_zoo.cache_folder import cache_folder
from tipr_zoo.command_line import main
from tipr_zoo.datasets import open_dataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import DataError
from tipr_zoo.evaluation.embedding_cache import EmbeddingCache, model_sha256, pictures_sha256
from tipr_zoo.evaluation.measuring import Outcome, evaluate_and_record
from tipr_zoo.weights.tensors import read_weights, write_weights

TINY, TINY_PRETRAINED = "a_tiny_model", "a_tiny_pretrained_model"
BOTH = ("captions", "pictures")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache folder."""
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "home"))


@pytest.fixture
def data(synthpedes: Path, tmp_path: Path) -> Path:
    """A copy of the data set that may be changed."""
    return Path(shutil.copytree(synthpedes, tmp_path / "data"))


def evaluated(data: Path, use_cache: bool = True, **arguments: object) -> Outcome:
    """An evaluation of the tiny model on the test split of `data`."""
    dataset = open_dataset(str(data), split="test")
    name = TINY if "weights" in arguments else TINY_PRETRAINED
    return evaluate_and_record(name, dataset, device=torch.device("cpu"), use_cache=use_cache, **arguments)  # type: ignore[arg-type]


def assert_same_bits(first: Outcome, second: Outcome) -> None:
    assert torch.equal(first.embeddings.captions, second.embeddings.captions)
    assert torch.equal(first.embeddings.pictures, second.embeddings.pictures)
    assert first.record.metrics == second.record.metrics


def cache_files() -> list[Path]:
    return sorted((cache_folder() / "embeddings").iterdir())


def test_what_was_embedded_once_is_found_bit_for_bit(tiny_zoo: Path, data: Path) -> None:
    uncached = evaluated(data, use_cache=False)
    first, second = evaluated(data), evaluated(data)
    assert (uncached.record.from_cache, first.record.from_cache, second.record.from_cache) == ((), (), BOTH)
    assert_same_bits(first, second)
    assert_same_bits(first, uncached)


def test_the_folder_may_move(tiny_zoo: Path, data: Path, tmp_path: Path) -> None:
    first = evaluated(data)
    again = evaluated(Path(shutil.move(data, tmp_path / "elsewhere")))
    assert again.record.from_cache == BOTH
    assert_same_bits(first, again)


def change_a_picture(data: Path) -> None:
    first, second = open_dataset(str(data), split="test").pictures[:2]
    shutil.copyfile(second, first)


def change_a_caption(data: Path) -> None:
    file = data / "reid_raw.json"
    caption = open_dataset(str(data), split="test").captions[0]
    file.write_text(file.read_text().replace(caption, "a man"))


@pytest.mark.parametrize(("change", "found"), [(change_a_picture, ("captions",)), (change_a_caption, ("pictures",))])
def test_what_changed_is_embedded_anew(
    tiny_zoo: Path, data: Path, change: Callable[[Path], None], found: tuple[str, ...]
) -> None:
    evaluated(data)
    change(data)
    again = evaluated(data)
    assert again.record.from_cache == found
    assert_same_bits(again, evaluated(data, use_cache=False))


def test_an_entry_in_the_place_of_another_is_not_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = EmbeddingCache("0" * 64, tmp_path)
    cache.embed("captions", "first", lambda: torch.zeros(2, 3))
    (first,) = tmp_path.iterdir()
    cache.embed("captions", "second", lambda: torch.ones(2, 3))
    (second,) = set(tmp_path.iterdir()) - {first}
    shutil.copyfile(first, second)
    again, is_found = cache.embed("captions", "second", lambda: torch.ones(2, 3))
    assert (again.sum().item(), is_found) == (6, False)
    assert f"{second}: is damaged" in caplog.text


def test_another_model_has_embeddings_of_its_own(tiny_zoo: Path, data: Path, tmp_path: Path) -> None:
    first = evaluated(data)
    weights = read_weights(tiny_zoo / "tiny.safetensors")
    write_weights({name: tensor * 1.5 for name, tensor in weights.items()}, tmp_path / "other.safetensors")
    other_weights = evaluated(data, weights=tmp_path / "other.safetensors")
    other_recipe = evaluated(data, overrides={"model.mean": (0.0, 0.0, 0.0)})
    for other in (other_weights, other_recipe):
        assert other.record.from_cache == ()
        assert not torch.equal(other.embeddings.pictures, first.embeddings.pictures)


def test_edited_code_is_another_model(tiny_model: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "edited_tower.py"
    file.write_text("from torch import nn\nclass Tower(nn.Module):\n    pass\n")
    specification = importlib.util.spec_from_file_location("edited_tower", file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "edited_tower", module)
    specification.loader.exec_module(module)

    alone = model_sha256(tiny_model, {}, "0" * 64)
    tiny_model.heads["edited"] = module.Tower()
    before = model_sha256(tiny_model, {}, "0" * 64)
    file.write_text(file.read_text() + "    width = 2\n")
    after = model_sha256(tiny_model, {}, "0" * 64)
    assert len({alone, before, after}) == 3


def test_the_kind_of_numbers_matters_and_the_object_does_not(tiny_model: DualEncoder) -> None:
    before = model_sha256(tiny_model, {"a": 1}, "0" * 64)
    assert model_sha256(tiny_model, {"a": 1}, "0" * 64) == before
    assert model_sha256(tiny_model, {"a": 2}, "0" * 64) != before
    tiny_model.heads["linear"] = nn.Linear(2, 2)  # torch is known by its version
    assert model_sha256(tiny_model, {"a": 1}, "0" * 64) == before
    assert model_sha256(tiny_model.double(), {"a": 1}, "0" * 64) != before


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut off": lambda content: content[: len(content) // 2],
    "one bit": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "another file": lambda content: b"not an entry at all",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_told_and_made_anew(
    tiny_zoo: Path, data: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes]
) -> None:
    first = evaluated(data)
    sound = {file: file.read_bytes() for file in cache_files()}
    for file, content in sound.items():
        file.write_bytes(damage(content))
    with caplog.at_level(logging.WARNING):
        second = evaluated(data)
    assert second.record.from_cache == ()
    assert [message.split(": ")[1] for message in caplog.messages] == [
        f"is damaged; the {kind} are embedded anew" for kind in BOTH
    ]
    assert_same_bits(first, second)
    assert {file: file.read_bytes() for file in cache_files()} == sound


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(
    tiny_zoo: Path, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache_folder().mkdir()
    (cache_folder() / "embeddings").write_text("a file where the folder would be")
    outcome = evaluated(data)
    assert outcome.record.from_cache == ()
    assert [("cannot be kept" in message) for message in caplog.messages] == [True, True]


def test_several_evaluations_may_keep_the_same_embeddings_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    embeddings, cache = torch.rand(2000, 256), EmbeddingCache("0" * 64, tmp_path)
    everyone_looked = threading.Barrier(8)

    def compute() -> torch.Tensor:
        everyone_looked.wait()
        return embeddings

    with ThreadPoolExecutor(8) as pool:
        for content in "abc":
            found = list(pool.map(lambda _, content=content: cache.embed("pictures", content, compute), range(8)))
            assert all(kept is embeddings and not is_from_cache for kept, is_from_cache in found)
            kept, is_from_cache = cache.embed("pictures", content, compute)
            assert is_from_cache
            assert torch.equal(kept, embeddings)
    assert caplog.messages == []
    assert len(list(tmp_path.iterdir())) == 3


def test_a_missing_picture_is_named_before_anything_is_embedded(tiny_zoo: Path, data: Path) -> None:
    missing = open_dataset(str(data), split="test").pictures[2]
    missing.unlink()
    with pytest.raises(DataError, match=f"no picture at {missing}"):
        evaluated(data)
    assert not cache_folder().exists()


def test_pictures_are_hashed_by_content_and_order(tmp_path: Path) -> None:
    files = [tmp_path / name for name in "ab"]
    for file in files:
        file.write_text(file.name)
    assert pictures_sha256(files) != pictures_sha256(files[::-1])
    (tmp_path / "renamed").write_text("a")
    assert pictures_sha256([tmp_path / "renamed", files[1]]) == pictures_sha256(files)


def test_the_command_says_what_came_from_the_cache(
    tiny_zoo: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["eval", TINY_PRETRAINED, "--data", str(data), "--device", "cpu"]
    texts = []
    for more in (["--no-cache"], [], [], ["--no-cache"]):
        assert main([*words, *more]) == 0
        texts.append(capsys.readouterr().out)
        assert cache_folder().exists() == (len(texts) > 1)
    assert ["; captions and pictures taken from the cache\n" in text for text in texts] == [False, False, True, False]


def test_annotations_that_are_not_those_that_were_drawn_are_told_and_another_data_set(
    tiny_zoo: Path, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    drawn = evaluated(data).record
    assert "not the annotations that were drawn" not in caplog.text
    change_a_caption(data)
    changed = evaluated(data).record
    assert f"{data / 'reid_raw.json'}: these are not the annotations that were drawn" in caplog.text
    assert changed.dataset_arguments == {**drawn.dataset_arguments, "annotations": changed.dataset_sha256[:8]}
