"""The best epoch: which one it is, which file has its weights, and that no tensor is written twice for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from small_disk import contents, files_of_at_most

import tipr_zoo
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import TrainingError
from tipr_zoo.training.checkpoints.best_weights import Best, find_best, keep_apart, note_best
from tipr_zoo.training.loop.validation_loop import ValidationLoop
from tipr_zoo.training.train import train
from tipr_zoo.weights.tensors import read_weights, write_weights

TINY = "a_tiny_model"

Splits = tuple[PersonDataset, PersonDataset]


@pytest.fixture
def ranks(monkeypatch: pytest.MonkeyPatch) -> dict[int, float]:
    """Rank-1 by epoch: what validation is made to find."""
    chosen: dict[int, float] = {}

    def run(loop: Any) -> dict[str, float]:
        metrics = {"R1": chosen.get(loop.runner.epoch, 0.0), "mAP": 1.0}
        for name in ("before_val", "before_val_epoch"):
            loop.runner.call_hook(name)
        loop.runner.call_hook("after_val_epoch", metrics=metrics)
        loop.runner.call_hook("after_val")
        return metrics

    monkeypatch.setattr(ValidationLoop, "run", run)
    return chosen


def weights(work_dir: Path) -> set[str]:
    return {path.name for path in work_dir.iterdir() if path.suffix in (".pth", ".safetensors")}


def is_same(one: Path, other: Path) -> bool:
    states = [tipr_zoo.build(TINY, weights=file).state_dict() for file in (one, other)]
    return all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_the_checkpoint_of_the_best_epoch_has_its_weights(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, ranks: dict[int, float]
) -> None:
    ranks |= {1: 10.0, 2: 20.0, 3: 15.0}
    result = train(TINY, *splits, tmp_path, overrides={"training.max_epochs": 3})
    assert (result.selected_epoch, result.selected_on) == (2, "val")
    assert json.loads((tmp_path / "best.json").read_text()) == {"epoch": 2, "R1": 20.0, "weights": "epoch_2.pth"}
    assert weights(tmp_path) == {"epoch_2.pth", "epoch_3.pth", f"{TINY}.safetensors"}
    assert is_same(tmp_path / "epoch_2.pth", result.weights)
    assert not is_same(tmp_path / "epoch_3.pth", result.weights)


def test_weights_are_kept_apart_before_their_checkpoint_goes_and_moved_into_the_final_ones(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, ranks: dict[int, float]
) -> None:
    ranks |= {1: 30.0, 2: 10.0, 3: 20.0}
    train(TINY, *splits, tmp_path, overrides={"training.max_epochs": 4}, max_minutes=0)
    one = tipr_zoo.build(TINY, weights=tmp_path / "epoch_1.pth").state_dict()
    result = train(TINY, *splits, tmp_path, overrides={"training.max_epochs": 4}, resume=True)
    assert result.selected_epoch == 1
    assert weights(tmp_path) == {"epoch_3.pth", "epoch_4.pth", f"{TINY}.safetensors"}
    assert find_best(tmp_path) == Best(1, 30.0, result.weights)
    other = tipr_zoo.build(TINY, weights=result.weights).state_dict()
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    # It goes on: the final weights hold those of the best epoch, until another one is.
    ranks |= {5: 25.0, 6: 40.0}
    again = train(TINY, *splits, tmp_path, overrides={"training.max_epochs": 5}, resume=True)
    assert again.selected_epoch == 1
    last = train(TINY, *splits, tmp_path, overrides={"training.max_epochs": 6}, resume=True)
    assert (last.selected_epoch, find_best(tmp_path)) == (6, Best(6, 40.0, tmp_path / "epoch_6.pth"))


def test_final_weights_of_half_the_bytes_do_not_replace_those_of_the_best_epoch(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, ranks: dict[int, float]
) -> None:
    ranks |= {1: 30.0}
    options = {"training.max_epochs": 3}
    exact = train(TINY, *splits, tmp_path, overrides=options)
    assert find_best(tmp_path) == Best(1, 30.0, exact.weights)
    before = read_weights(exact.weights)
    train(TINY, *splits, tmp_path, overrides={**options, "training.weights_dtype": "float16"}, resume=True)
    kept = tmp_path / "best.safetensors"
    assert find_best(tmp_path) == Best(1, 30.0, kept)
    assert all(torch.equal(value, before[name]) for name, value in read_weights(kept).items())
    assert {value.dtype for value in read_weights(exact.weights).values()} == {torch.float16, torch.int64}


def test_the_first_of_equals_is_the_best(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, ranks: dict[int, float]
) -> None:
    ranks |= {1: 30.0, 2: 30.0}
    assert train(TINY, *splits, tmp_path).selected_epoch == 1


def test_what_was_validated_and_is_not_in_the_checkpoint_has_a_file_of_its_own(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, ranks: dict[int, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with averaged weights."""
    ranks |= {1: 10.0, 2: 20.0}
    run = ValidationLoop.run

    def with_other_weights(loop: Any) -> Any:
        retriever = loop.runner.model.retriever
        own = {name: value.clone() for name, value in retriever.state_dict().items()}
        with torch.no_grad():
            for parameter in retriever.parameters():
                parameter.zero_()
        try:
            return run(loop)
        finally:
            retriever.load_state_dict(own)

    monkeypatch.setattr(ValidationLoop, "run", with_other_weights)
    result = train(TINY, *splits, tmp_path)
    assert result.selected_epoch == 2
    assert weights(tmp_path) == {"epoch_1.pth", "epoch_2.pth", f"{TINY}.safetensors"}
    assert not any(value.any() for name, value in read_weights(result.weights).items() if name.endswith("weight"))


def test_older_work_dirs_have_one_file_that_says_it_all(tmp_path: Path) -> None:
    write_weights({"a": torch.zeros(1)}, tmp_path / "best.safetensors", {"epoch": "4", "R1": "12.5"})
    assert find_best(tmp_path) == Best(4, 12.5, tmp_path / "best.safetensors")


@pytest.mark.parametrize("note", ["", "no JSON", "[]", '{"epoch": 1}', '{"epoch": 1, "R1": 2, "weights": "gone.pth"}'])
def test_a_note_that_is_none_is_passed_over(tmp_path: Path, note: str) -> None:
    (tmp_path / "best.json").write_text(note)
    assert find_best(tmp_path) is None


def test_a_note_names_a_file_of_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "w.pth").touch()
    (tmp_path / "run" / "best.json").write_text('{"epoch": 1, "R1": 2, "weights": "../w.pth"}')
    assert find_best(tmp_path / "run") is None


def test_a_damaged_checkpoint_of_the_best_epoch_is_not_believed_after_its_epoch_was_trained_otherwise(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, ranks: dict[int, float], caplog: pytest.LogCaptureFixture
) -> None:
    ranks |= {1: 10.0, 2: 20.0}
    train(TINY, *splits, tmp_path)
    (tmp_path / "epoch_2.pth").write_bytes(b"damaged")
    ranks |= {2: 15.0, 3: 5.0}
    options = {"training.max_epochs": 3, "training.optimizer.lr": 1e-5}
    result = train(TINY, *splits, tmp_path, overrides=options, resume=True)
    assert "the weights of the best epoch are missing or damaged" in caplog.text
    assert find_best(tmp_path) == Best(2, 15.0, tmp_path / "epoch_2.pth")
    assert is_same(tmp_path / "epoch_2.pth", result.weights)


def test_weights_that_are_lost_with_their_checkpoint_are_told(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, ranks: dict[int, float], caplog: pytest.LogCaptureFixture
) -> None:
    ranks |= {1: 10.0, 2: 5.0}
    train(TINY, *splits, tmp_path)
    (tmp_path / "epoch_1.pth").write_bytes(b"damaged")
    result = train(TINY, *splits, tmp_path, overrides={"training.max_epochs": 3}, resume=True)
    assert "the weights of the best epoch are lost, and the best of the others is kept" in caplog.text
    assert result.selected_epoch == 3


def test_a_full_disk_leaves_the_checkpoint_that_has_the_best_weights(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, ranks: dict[int, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tipr_zoo.training.checkpoints import best_weights

    ranks |= {1: 10.0, 2: 5.0}
    train(TINY, *splits, tmp_path)
    write = best_weights.write_weights

    def on_a_full_disk(*arguments: Any) -> None:
        with files_of_at_most(10_000):
            write(*arguments)

    monkeypatch.setattr(best_weights, "write_weights", on_a_full_disk)
    with pytest.raises(TrainingError) as raised:
        train(TINY, *splits, tmp_path, overrides={"training.max_epochs": 3}, resume=True)
    assert str(raised.value) == (
        f"{tmp_path / 'best.safetensors'} cannot be written: File too large; {tmp_path / 'epoch_3.pth'} is whole; make"
        " room, then go on with --resume"
    )
    assert {"epoch_1.pth", "epoch_2.pth", "epoch_3.pth"} < weights(tmp_path)
    monkeypatch.undo()
    assert find_best(tmp_path) == Best(1, 10.0, tmp_path / "epoch_1.pth")


def test_what_a_killed_process_left_goes_before_the_next_epoch(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, ranks: dict[int, float]
) -> None:
    """As between the note and the removal of the file that it makes needless."""
    ranks |= {1: 10.0, 2: 5.0}
    train(TINY, *splits, tmp_path, max_minutes=0)
    write_weights({"a": torch.zeros(1)}, tmp_path / "best.safetensors", {"epoch": "1", "R1": "1.0"})
    result = train(TINY, *splits, tmp_path, resume=True)
    assert result.selected_epoch == 1
    assert "best.safetensors" not in weights(tmp_path)


def test_a_note_that_cannot_be_written_leaves_the_one_before_it(tmp_path: Path) -> None:
    write_weights({"a": torch.zeros(1)}, tmp_path / "epoch_1.pth.safetensors")
    keep_apart(Best(1, 2.0, tmp_path / "epoch_1.pth"), {"a": torch.ones(1)})
    before = contents(tmp_path)
    with pytest.raises(OSError, match="File too large"), files_of_at_most(5):
        note_best(Best(2, 3.0, tmp_path / "epoch_1.pth.safetensors"))
    assert contents(tmp_path) == before
