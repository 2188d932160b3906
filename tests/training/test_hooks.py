"""``training.hooks``: called at their moments, with what is promised, and with their state in checkpoints."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError, TiprZooError, TrainingInterrupted
from tipr_zoo.features import Batch
from tipr_zoo.protocols import TrainingRun
from tipr_zoo.registries import HOOKS, LOSSES
from tipr_zoo.training.loop import hook_caller
from tipr_zoo.training.train import train
from tipr_zoo.training.training_hooks import MOMENTS
from tipr_zoo.weights.tensors import read_weights

TINY = "a_tiny_model"
Splits = tuple[PersonDataset, PersonDataset]

said: list[Any] = []
"""What hooks say in a test, in order."""


class Diary:
    """Says when it is called."""

    def before_run(self, run: TrainingRun) -> None:
        said.append(("before_run", run.epoch, run.step, run.max_epochs, run.seed, str(run.device)))

    def after_run(self, run: TrainingRun) -> None:
        said.append(("after_run", run.epoch))

    def before_epoch(self, run: TrainingRun) -> None:
        said.append(("before_epoch", run.epoch, run.step_in_epoch))

    def after_epoch(self, run: TrainingRun) -> None:
        said.append(("after_epoch", run.epoch, run.step_in_epoch))
        run.note("noted", run.epoch + 0.25)

    def before_step(self, run: TrainingRun, batch: Batch) -> None:
        said.append(("before_step", run.step, run.step_in_epoch, len(batch["pids"])))

    def after_step(self, run: TrainingRun, losses: Mapping[str, float]) -> None:
        said.append(("after_step", run.step_in_epoch, sorted(losses)))

    def before_validation(self, run: TrainingRun) -> None:
        said.append(("before_validation", run.epoch))

    def after_validation(self, run: TrainingRun, figures: Mapping[str, float]) -> None:
        said.append(("after_validation", run.epoch, figures))


class Counting:
    """Counts the steps, adds the count to the batch, and can be killed at one of them."""

    needs_of_batch = ("pair_indices",)
    brings_to_batch = ("count",)

    def __init__(self, stop_at: int = -1) -> None:
        self.stop_at, self.count = stop_at, torch.zeros(())

    def before_step(self, run: TrainingRun, batch: Batch) -> dict[str, Tensor]:
        said.append(batch["pair_indices"].tolist())
        torch.manual_seed(len(said))  # which changes nothing
        self.count += 1
        if run.step == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return {"count": self.count.expand(len(batch["pids"]))}

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.count = state["count"]


class CountLoss(torch.nn.Module):
    """Is what the hook brings, times something that learns."""

    needs_of_batch = ("count",)

    def forward(self, features: Any, batch: Batch) -> Tensor:
        noise = torch.rand((), device=features.image_embedding.device)  # of the step's own seed
        return (features.image_embedding.square().mean() * batch["count"].mean() * noise).float()


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    for registry in (HOOKS, LOSSES):
        registry.names()
        monkeypatch.setattr(registry, "_module_dict", dict(registry._module_dict))
        monkeypatch.setattr(registry, "_places", dict(registry._places))
    for hook in (Diary, Counting):
        HOOKS.register_module()(hook)
    LOSSES.register_module()(CountLoss)
    said.clear()


def hooks(*entries: dict[str, Any], **overrides: Any) -> dict[str, Any]:
    return {"training.max_epochs": 1, **overrides, "training.hooks": list(entries)}


def final(work_dir: Path) -> dict[str, Tensor]:
    return read_weights(work_dir / f"{TINY}.safetensors")


def test_a_hook_is_called_at_its_moments(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    train(TINY, *splits, tmp_path, overrides=hooks({"type": "Diary"}, **{"training.max_epochs": 2}))
    moments = [each[0] for each in said]
    steps = moments.count("before_step") // 2
    one_epoch = ["before_epoch", *["before_step", "after_step"] * steps, "after_epoch"]
    validation = ["before_validation", "after_validation"]
    assert moments == ["before_run", *one_epoch, *validation, *one_epoch, *validation, "after_run"]
    assert said[0][1:4] == (0, 0, 2)
    assert [each[1:] for each in said if each[0] == "before_epoch"] == [(0, 0), (1, 0)]
    assert [each[1:] for each in said if each[0] == "after_epoch"] == [(0, steps), (1, steps)]
    assert [each[1] for each in said if each[0] == "before_step"] == list(range(2 * steps))
    assert "loss" in next(each for each in said if each[0] == "after_step")[2]
    lines = rows(tmp_path)
    assert [row["noted"] for row in lines if "noted" in row] == [0.25, 1.25]
    assert [each[2] for each in said if each[0] == "after_validation"] == [
        row["validation"] for row in lines if "validation" in row
    ]


def test_a_hook_that_does_nothing_changes_nothing(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    train(TINY, *splits, tmp_path / "with", overrides=hooks({"type": "Diary"}))
    train(TINY, *splits, tmp_path / "without", overrides=hooks())
    one, other = final(tmp_path / "with"), final(tmp_path / "without")
    assert all(torch.equal(one[name], value) for name, value in other.items())


def test_a_run_that_is_stopped_within_an_epoch_goes_on_with_the_same_bits(
    tiny_zoo: Path, splits: Splits, tmp_path: Path
) -> None:
    changed = {"training.batch_size": 4, "model.losses.count": {"type": "CountLoss"}}
    train(TINY, *splits, tmp_path / "straight", overrides=hooks({"type": "Counting"}, **changed))
    straight = list(said)
    said.clear()
    with pytest.raises(TrainingInterrupted):
        train(TINY, *splits, tmp_path / "run", overrides=hooks({"type": "Counting", "stop_at": 2}, **changed))
    assert len(said) == 3 < len(straight)
    train(TINY, *splits, tmp_path / "run", resume=True, overrides=hooks({"type": "Counting"}, **changed))
    assert said == straight
    one, other = final(tmp_path / "straight"), final(tmp_path / "run")
    assert all(torch.equal(one[name], value) for name, value in other.items())


def test_what_hooks_draw_is_the_same_in_a_run_that_was_stopped(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    def drawing(moment: str) -> Any:
        return lambda self, run, *_: said.append((moment, run.step, float(torch.rand(()))))

    HOOKS.register_module()(type("Drawing", (), {moment: drawing(moment) for moment in MOMENTS}))
    changed = {"training.batch_size": 4, "training.max_epochs": 2}
    train(TINY, *splits, tmp_path / "straight", overrides=hooks({"type": "Drawing"}, **changed))
    straight = list(said)
    assert len({draw for *_, draw in straight}) == len(straight) > 2 * len(MOMENTS)
    said.clear()
    train(TINY, *splits, tmp_path / "run", max_minutes=0, overrides=hooks({"type": "Drawing"}, **changed))
    train(TINY, *splits, tmp_path / "run", resume=True, overrides=hooks({"type": "Drawing"}, **changed))
    assert set(said) >= set(straight)
    assert {moment for moment, *_ in set(said) - set(straight)} <= {"before_run", "after_run"}


@pytest.mark.parametrize("now", [[], [{"type": "Diary"}, {"type": "Counting"}]])
def test_a_training_does_not_go_on_with_other_states(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, now: list[dict[str, Any]]
) -> None:
    train(TINY, *splits, tmp_path, overrides=hooks({"type": "Counting"}))
    with pytest.raises(ConfigError, match=r"training\.hooks that keep a state were Counting and are .*train anew"):
        train(TINY, *splits, tmp_path, resume=True, overrides=hooks(*now, **{"training.max_epochs": 2}))


def test_a_validation_after_the_last_checkpoint_is_made_up_for(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    train(TINY, *splits, tmp_path, overrides=hooks({"type": "Diary"}))
    before = [each for each in said if each[0] == "after_validation"]
    said.clear()
    train(TINY, *splits, tmp_path, resume=True, overrides=hooks({"type": "Diary"}, **{"training.max_epochs": 2}))
    assert said[1] == before[0]


def test_measuring_pairs_gives_each_its_number_and_disturbs_nothing(
    tiny_zoo: Path, splits: Splits, tmp_path: Path
) -> None:
    class Measuring:
        def before_epoch(self, run: TrainingRun) -> None:
            run.retriever.eval()  # type: ignore[attr-defined]

            def measure(batch: Batch) -> dict[str, Tensor]:
                assert not torch.is_grad_enabled()
                said.append(batch["images"])
                return {"index": batch["pair_indices"], "person": batch["pids"]}

            found = run.measure_pairs(measure)
            assert found["index"].tolist() == list(range(len(splits[0].captions)))
            assert found["person"].tolist() == [splits[0].labels[i] for i in splits[0].caption_picture_indices]

    HOOKS.register_module()(Measuring)
    overrides = {"training.batch_size": 5}
    train(TINY, *splits, tmp_path / "with", overrides=hooks({"type": "Measuring"}, **overrides))
    assert [len(images) for images in said] == [5, 5, 5, 5, 4]
    train(TINY, *splits, tmp_path / "without", overrides=hooks(**overrides))
    one, other = final(tmp_path / "with"), final(tmp_path / "without")
    assert all(torch.equal(one[name], value) for name, value in other.items())


def test_training_ends_when_validation_does_not_become_better(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    overrides = {"training.max_epochs": 9, "training.optimizer.lr": 0.0}
    train(TINY, *splits, tmp_path, overrides=hooks({"type": "StopEarly", "patience": 2}, **overrides))
    assert "was not better than" in caplog.text
    figures = [row["validation"]["R1"] for row in rows(tmp_path) if "validation" in row]
    assert len(figures) < 9
    assert max(figures[-2:]) <= max(figures[:-2])
    assert all(max(figures[i - 2 : i]) > max(figures[: i - 2]) for i in range(3, len(figures)))


class Misspelt:
    def before_epochs(self, run: TrainingRun) -> None: ...


class Idle:
    def begin(self) -> None: ...


class HalfState:
    def before_run(self, run: TrainingRun) -> None: ...
    def state_dict(self) -> dict[str, Any]:
        return {}


class NoMethod:
    before_run = "soon"


class Wordy:
    needs_of_batch = "pair_indices"

    def before_run(self, run: TrainingRun) -> None: ...


class Hungry:
    needs_of_batch = ("second_image",)

    def before_run(self, run: TrainingRun) -> None: ...


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"type": "StopEarli"}, "unknown training hook 'StopEarli'; did you mean 'StopEarly'"),
        ({"type": "StopEarly", "patence": 1}, "did you mean 'patience'"),
        ({"type": "StopEarly", "patience": 0}, r"training\.hooks\[0\]: patience of StopEarly must be"),
        ({"type": "StopEarly", "patience": "x"}, r"training\.hooks\[0\]\.patience must be a whole number"),
        ({"type": "StopEarly", "figure": "R2"}, "unknown figure of StopEarly 'R2'; known: R1, R10"),
        ({"type": "torch.nn.Linear"}, "unknown training hook"),
        ("StopEarly", "is configured by a dict with a 'type'"),
        (Misspelt, "unknown moment of the hook Misspelt 'before_epochs'; did you mean 'before_epoch'"),
        (Idle, "Idle has none of before_run"),
        (HalfState, "HalfState has state_dict and lacks load_state_dict"),
        (NoMethod, "before_run of NoMethod must be a method, got 'soon'"),
        (Wordy, "needs_of_batch of Wordy must be a tuple of names, got 'pair_indices'"),
        (Hungry, r"needed by Hungry: 'second_image'.*training\.views=dict\(second_image="),
    ],
)
def test_what_is_no_hook_is_told_in_one_line(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, entry: Any, told: str
) -> None:
    if isinstance(entry, type):
        HOOKS.register_module()(entry)
        entry = {"type": entry.__name__}
    with pytest.raises(TiprZooError, match=told) as caught:
        train(TINY, *splits, tmp_path, overrides=hooks(entry))
    assert "\n" not in str(caught.value)


def test_hooks_are_a_list(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.hooks must be a list of dicts"):
        train(TINY, *splits, tmp_path, overrides={"training.hooks": {"type": "StopEarly"}})


@pytest.mark.parametrize(
    "moment",
    [
        "before_run",
        "before_epoch",
        "before_step",
        "after_step",
        "after_epoch",
        "before_validation",
        "after_validation",
        "after_run",
        "state_dict",
    ],
)
def test_a_hook_that_raises_is_named(tiny_zoo: Path, splits: Splits, tmp_path: Path, moment: str) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("oh")

    methods = {moment: broken, "load_state_dict": broken, "state_dict": broken if moment == "state_dict" else dict}
    methods.setdefault("before_epoch", lambda *_: None)
    if moment != "state_dict":
        del methods["state_dict"], methods["load_state_dict"]
    HOOKS.register_module()(type("Raising", (), methods))
    with pytest.raises(
        ConfigError, match=rf"{moment} of the hook Raising, in epoch \d, failed: KeyError: 'oh'; mend it"
    ):
        train(TINY, *splits, tmp_path, overrides=hooks({"type": "Raising"}))


class Unusual(BaseException):
    """No Exception."""


@pytest.mark.parametrize("error", [Unusual("oh"), SystemExit(0)])
def test_whatever_a_hook_raises_is_told(tiny_zoo: Path, splits: Splits, tmp_path: Path, error: BaseException) -> None:
    class Leaving:
        def before_epoch(self, run: TrainingRun) -> None:
            raise error

    HOOKS.register_module()(Leaving)
    told = f"before_epoch of the hook Leaving, in epoch 1, failed: {type(error).__name__}: {error}; mend it"
    with pytest.raises(ConfigError, match=told):
        train(TINY, *splits, tmp_path, overrides=hooks({"type": "Leaving"}))


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (
            {"images": torch.zeros(1, 3, 8, 8)},
            r"'images' must be a tensor with one row for each .* of shape \(1, 3, 8",
        ),
        ({"more": 5}, "'more' must be a tensor with one row for each of the batch's"),
        ([1], "must give batch entries by name or None, got list"),
    ],
)
def test_a_hook_cannot_change_the_size_of_a_batch(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, entries: Any, told: str
) -> None:
    class Cutting:
        def before_step(self, run: TrainingRun, batch: Batch) -> Any:
            return entries

    HOOKS.register_module()(Cutting)
    with pytest.raises(ConfigError, match=f"before_step of Cutting.*{told}"):
        train(TINY, *splits, tmp_path, overrides=hooks({"type": "Cutting"}))


def _shrink(batch: Batch) -> None:
    for value in batch.values():
        value.resize_(1, *value.shape[1:])


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (_shrink, r"'images' must be a tensor with one row for each .* got torch\.float32 of shape \(1, 3"),
        (lambda batch: {"images": batch["images"].double()}, r"'images' must stay torch\.float32 .* torch\.float64"),
        (lambda batch: {"images": batch["images"][..., :8]}, r"'images' must stay .* and becomes .* 8\)"),
        (lambda batch: {"pids": batch["pids"].float()}, "'pids' must stay torch.int64"),
        (lambda batch: {"more": batch["pids"].to("meta")}, "'more' must be .* without numbers"),
        (lambda batch: {5: batch["pids"]}, "got the name 5"),
        (lambda batch: {"mlm_labels": batch["mlm_labels"][:, :3]}, "are of one length, .*mlm_labels 3"),
        (lambda batch: torch.set_grad_enabled(False) and None, r"changes torch\.set_grad_enabled from True to False"),
        (lambda batch: torch.set_default_dtype(torch.float64), r"changes torch\.set_default_dtype from torch\.float32"),
    ],
)
def test_a_hook_leaves_the_batch_and_the_process_as_steps_need_them(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, step: Any, told: str
) -> None:
    class Meddling:
        def before_step(self, run: TrainingRun, batch: Batch) -> Any:
            return step(batch)

    HOOKS.register_module()(Meddling)
    overrides = hooks({"type": "Meddling"}, **{"training.masking": True})
    with pytest.raises(ConfigError, match=f"before_step of .*Meddling.*{told}"):
        train(TINY, *splits, tmp_path, overrides=overrides)
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32


def test_a_hook_brings_what_it_says(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    class Forgetful:
        brings_to_batch = ("count",)

        def before_step(self, run: TrainingRun, batch: Batch) -> None: ...

    HOOKS.register_module()(Forgetful)
    with pytest.raises(ConfigError, match="brings_to_batch of Forgetful has 'count', and its before_step does not"):
        train(TINY, *splits, tmp_path, overrides=hooks({"type": "Forgetful"}))


def test_two_hooks_do_not_bring_the_same(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Counting and Counting both bring the batch entry 'count'; leave one"):
        train(TINY, *splits, tmp_path, overrides=hooks({"type": "Counting"}, {"type": "Counting"}))


class Remembering:
    """Has a state that a test chooses."""

    state: Any = None

    def before_run(self, run: TrainingRun) -> None: ...

    def state_dict(self) -> Any:
        return self.state

    def load_state_dict(self, state: Any) -> None:
        said.append(state)


_ROUND: dict[str, Any] = {}
_ROUND["self"] = _ROUND


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (None, "must give a dict, got NoneType"),
        ({"a": [object()]}, r"'a'\[0\] is object, which a checkpoint cannot hold"),
        ({"a": {1, 2}}, "'a' is set, which"),
        ({"a": np.float64(1)}, "'a' is float64, which"),
        ({"a": torch.zeros(2).to_sparse()}, "'a' is torch.float32 torch.sparse_coo"),
        ({"a": torch.zeros(2, dtype=torch.complex64)}, "'a' is torch.complex64"),
        (_ROUND, "levels deep, or holds itself"),
    ],
)
def test_a_state_that_no_checkpoint_can_hold_is_told_before_one_is_written(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, state: Any, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    HOOKS.register_module()(Remembering)
    monkeypatch.setattr(Remembering, "state", state)
    with pytest.raises(ConfigError, match=f"state_dict of Remembering.*{told}") as caught:
        train(TINY, *splits, tmp_path, overrides=hooks({"type": "Remembering"}))
    assert len(str(caught.value)) < 300
    assert not list(tmp_path.glob("*.pth"))


def test_a_state_comes_back_as_it_was(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    HOOKS.register_module()(Remembering)
    state = {
        "tensor": torch.tensor([float("nan"), 1.0]),
        "list": [None, (1, "a")],
        "best": float("-inf"),
        "by": {3: True},
    }
    monkeypatch.setattr(Remembering, "state", state)
    train(TINY, *splits, tmp_path, overrides=hooks({"type": "Remembering"}))
    overrides = hooks({"type": "Remembering"}, **{"training.max_epochs": 2})
    train(TINY, *splits, tmp_path, resume=True, overrides=overrides)
    assert torch.equal(said[0].pop("tensor"), state.pop("tensor")) is False  # NaN is equal to nothing
    assert said[0] == state


def rows(work_dir: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (work_dir / "history.jsonl").read_text().splitlines()]


def test_notes_go_into_the_next_line_of_the_history(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Noting:
        def before_run(self, run: TrainingRun) -> None:
            run.note("at_start", 1)

        def after_step(self, run: TrainingRun, losses: Any) -> None:
            run.note("share", float("nan"))

        def after_validation(self, run: TrainingRun, figures: Any) -> None:
            run.note("gain", 0.25)

    HOOKS.register_module()(Noting)
    train(TINY, *splits, tmp_path, overrides=hooks({"type": "Noting"}))
    epoch, validation = rows(tmp_path)
    assert (epoch["at_start"], epoch["share"], validation["gain"]) == (1, None, 0.25)
    assert "share, which a hook notes, is nan" in caplog.text


@pytest.mark.parametrize("name", ["loss", "loss_itc", "validation", "lr_by_rule", 5, ""])
def test_a_note_has_a_name_of_its_own(tiny_zoo: Path, splits: Splits, tmp_path: Path, name: Any) -> None:
    class Noting:
        def before_epoch(self, run: TrainingRun) -> None:
            run.note(name, 1.0)

    HOOKS.register_module()(Noting)
    with pytest.raises(ConfigError, match=f"{name!r} must be a text, and neither begin with loss_"):
        train(TINY, *splits, tmp_path, overrides=hooks({"type": "Noting"}))


def test_notes_of_an_epoch_that_is_interrupted_are_kept(tiny_zoo: Path, splits: Splits, tmp_path: Path) -> None:
    class NotingOnce:
        def before_epoch(self, run: TrainingRun) -> None:
            if not run.step_in_epoch:
                run.note("clean_share", 0.75)

    HOOKS.register_module()(NotingOnce)
    changed = {"training.batch_size": 4}
    entries = ({"type": "NotingOnce"}, {"type": "Counting", "stop_at": 2})
    with pytest.raises(TrainingInterrupted):
        train(TINY, *splits, tmp_path, overrides=hooks(*entries, **changed))
    entries = ({"type": "NotingOnce"}, {"type": "Counting"})
    train(TINY, *splits, tmp_path, resume=True, overrides=hooks(*entries, **changed))
    assert rows(tmp_path)[0]["clean_share"] == 0.75


def test_an_epoch_in_which_a_hook_stops_the_training_is_validated(
    tiny_zoo: Path, splits: Splits, tmp_path: Path
) -> None:
    class Stopping:
        def after_step(self, run: TrainingRun, losses: Any) -> None:
            run.stop()

    HOOKS.register_module()(Stopping)
    overrides = hooks({"type": "Stopping"}, **{"training.max_epochs": 4, "training.validate_every": 3})
    result = train(TINY, *splits, tmp_path, overrides=overrides)
    assert [sorted(row)[:1] for row in rows(tmp_path)] == [["epoch"], ["epoch"]]
    assert (result.selected_epoch, result.selected_on) == (1, "val")


@pytest.mark.parametrize("error", [FileNotFoundError("just text"), ConnectionResetError("peer")])
def test_an_error_of_the_system_is_told_with_the_hook_that_came_upon_it(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, error: OSError
) -> None:
    class Reading:
        def before_validation(self, run: TrainingRun) -> None:
            raise error

    HOOKS.register_module()(Reading)
    with pytest.raises(ConfigError, match=f"before_validation of the hook Reading, in epoch 1, failed: .*{error}"):
        train(TINY, *splits, tmp_path, overrides=hooks({"type": "Reading"}))


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        (lambda batch: batch["pids"], "must be a dict of tensors, got Tensor"),
        (lambda batch: {"a": batch["pids"][:1]}, r"'a' must be one number a pair, of shape \(\d+,\), got shape \(1,\)"),
        (lambda batch: {"a": 1.0}, "'a' must be one number a pair.*got float"),
        (lambda batch: {5: batch["pids"]}, "must be a dict of tensors by name, got 5"),
        (lambda batch: {"a": batch["pids"] * 1j}, "'a' must be one number a pair"),
        (lambda batch: {str(len(batch["pids"])): batch["pids"]}, "of one batch 5 is measured, and of another 4"),
    ],
)
def test_what_is_measured_is_one_number_a_pair(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, measured: Any, told: str
) -> None:
    class Measuring:
        def before_epoch(self, run: TrainingRun) -> None:
            run.measure_pairs(measured)

    HOOKS.register_module()(Measuring)
    overrides = hooks({"type": "Measuring"}, **{"training.batch_size": 5})
    with pytest.raises(ConfigError, match=f"measure_pairs: .*{told}"):
        train(TINY, *splits, tmp_path, overrides=overrides)


def test_a_hook_that_does_not_return_is_told(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Waiting:
        def before_epoch(self, run: TrainingRun) -> None:
            time.sleep(1.0)

    monkeypatch.setattr(hook_caller, "PATIENCE", 0.2)
    HOOKS.register_module()(Waiting)
    train(TINY, *splits, tmp_path, overrides=hooks({"type": "Waiting"}))
    assert "the hook Waiting has been in before_epoch for" in caplog.text
    assert "Ctrl-C twice ends it" in caplog.text
