"""Training when something goes wrong: every fault is a real one, and a run that is resumed ends with the same bits."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tipr_zoo
from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, TrainingError
from tipr_zoo.machine.whole_file import is_part
from tipr_zoo.registries import LOSSES
from tipr_zoo.training.checkpoints.files import checkpoint_files
from tipr_zoo.training.pairs.pairs import TrainingPairs
from tipr_zoo.training.train import train

TINY = "a_tiny_model"

AT_STEP_4 = """
from tipr_zoo.training.loop.hooks import RandomStateHook
before = RandomStateHook.before_train_iter
def then(hook, runner, batch_idx, data_batch=None):
    if runner.iter == 4:  # the second of three steps of the second epoch
        {what}
    before(hook, runner, batch_idx, data_batch)
RandomStateHook.before_train_iter = then
"""
"""Code that does something in the middle of an epoch."""

WHILE_WRITING = """
from pathlib import Path
def then(descriptor):
    for part in Path({work_dir!r}).glob(".epoch_2.pth.*.part"):
        os.truncate(part, part.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = then
"""
"""Code that kills the process when half a checkpoint is on the disk."""

IN_A_WORKER = """
from tipr_zoo.training.pairs.pairs import TrainingPairs
get = TrainingPairs.__getitem__
def then(pairs, key):
    if key[0] == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return get(pairs, key)
TrainingPairs.__getitem__ = then
"""
"""Code that kills the process that loads the second epoch's pictures."""


@pytest.fixture(scope="module")
def straight(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The work dir of two epochs that nothing happened to."""
    work_dir = tmp_path_factory.mktemp("straight")
    train(TINY, *splits, work_dir)
    return work_dir


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tiny_zoo: Path, synthpedes: Path) -> Start:
    """Starts ``tipr-zoo train`` as a process of its own, with some code run first."""

    def started(work_dir: Path, first: str = "", *options: str, launcher: tuple[str, ...] = (), **env: str) -> Any:
        code = f"import os, signal, sys\n{first}\nfrom tipr_zoo.command_line import main\nsys.exit(main(sys.argv[1:]))"
        script = work_dir.with_suffix(".py")
        script.write_text(code)
        words = ["train", TINY, "--data", str(synthpedes), "--work-dir", str(work_dir), "--device", "cpu", *options]
        path = os.pathsep.join([str(tiny_zoo.parents[1]), os.environ.get("PYTHONPATH", "")])
        return subprocess.Popen(
            [sys.executable, *launcher, str(script), *words],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, **env},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may have it ignored
        )

    return started


def finish(process: subprocess.Popen[str], within: float = 120) -> tuple[int, str]:
    """The exit code, and what was printed to stderr."""
    _, stderr = process.communicate(timeout=within)
    return process.returncode, stderr


def check_same_end(work_dir: Path, straight: Path) -> None:
    """Weights, last checkpoint and history are those of the run that nothing happened to."""
    for name in (f"{TINY}.safetensors", "epoch_2.pth"):
        one, other = (tipr_zoo.build(TINY, weights=folder / name).state_dict() for folder in (work_dir, straight))
        assert [key for key in one if not torch.equal(one[key], other[key])] == []
    rows = [
        [
            {key: value for key, value in json.loads(line).items() if key != "seconds"}
            for line in (folder / "history.jsonl").read_text().splitlines()
        ]
        for folder in (work_dir, straight)
    ]
    assert rows[0] == rows[1]
    assert not list(work_dir.glob("*.part"))


# Killed


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["in an epoch", "in a checkpoint"])
def test_a_killed_run_goes_on_from_its_last_whole_checkpoint(
    start: Start, straight: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path, fault: str
) -> None:
    work_dir = tmp_path / "run"
    killing = AT_STEP_4.format(what="os.kill(os.getpid(), signal.SIGKILL)")
    code, _ = finish(
        start(work_dir, killing if fault == "in an epoch" else WHILE_WRITING.format(work_dir=str(work_dir)))
    )
    assert code == -signal.SIGKILL
    assert [path.name for path in sorted(work_dir.glob("epoch_*"))] == ["epoch_1.pth"]
    parts = [path.name for path in work_dir.iterdir() if is_part(path.name)]
    assert len(parts) == (1 if fault == "in a checkpoint" else 0)
    assert checkpoint_files(work_dir) == [work_dir / "epoch_1.pth"]
    train(TINY, *splits, work_dir, resume=True)
    check_same_end(work_dir, straight)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130), ("SIGHUP", 129)])
def test_a_signal_leaves_a_checkpoint_within_the_epoch(
    start: Start,
    straight: Path,
    splits: tuple[PersonDataset, PersonDataset],
    tmp_path: Path,
    name: str,
    code: int,
) -> None:
    work_dir = tmp_path / "run"
    found, stderr = finish(start(work_dir, AT_STEP_4.format(what=f"os.kill(os.getpid(), signal.{name})")))
    assert found == code
    checkpoint = work_dir / "epoch_1_step_2.pth"
    assert stderr.splitlines()[-1] == (f"stopped by {name}: {checkpoint} holds everything so far; go on with --resume")
    assert checkpoint.is_file()
    train(TINY, *splits, work_dir, resume=True)
    check_same_end(work_dir, straight)


EVERY_PROCESS = """
    import multiprocessing
    [os.kill(process.pid, signal.{name}) for process in multiprocessing.active_children()]
    os.kill(os.getpid(), signal.{name})
"""
"""Code that tells the processes that load pictures too, as schedulers and terminals do."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_to_the_processes_that_load_pictures_too_leaves_a_checkpoint(
    start: Start, straight: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path, name: str
) -> None:
    work_dir = tmp_path / "run"
    telling = AT_STEP_4.format(what=EVERY_PROCESS.format(name=name).strip().replace("\n    ", "\n        "))
    _, stderr = finish(start(work_dir, telling, "--cfg-options", "training.num_workers=2"))
    assert stderr.count("stopping after this step") == 1
    assert stderr.splitlines()[-1].startswith(f"stopped by {name}: {work_dir / 'epoch_1_step_2.pth'} holds")
    train(TINY, *splits, work_dir, resume=True)
    check_same_end(work_dir, straight)


@pytest.mark.slow
def test_a_signal_in_validation_ends_it_at_once_and_it_is_made_up_for(
    start: Start, straight: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    stopping = (
        "from tipr_zoo.training.loop import validation_loop\n"
        "validation_loop.evaluate = lambda *arguments, **options: os.kill(os.getpid(), signal.SIGTERM)"
    )
    work_dir = tmp_path / "run"
    code, stderr = finish(start(work_dir, stopping))
    assert code == 143
    assert stderr.splitlines()[-1] == "stopped by SIGTERM; go on with --resume"
    train(TINY, *splits, work_dir, resume=True)
    check_same_end(work_dir, straight)


# Out of something


@pytest.mark.slow
def test_a_full_disk_stops_with_one_line_and_leaves_the_checkpoint_before(
    start: Start, straight: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    work_dir = tmp_path / "run"
    work_dir.mkdir()
    filling = AT_STEP_4.format(what=f"os.symlink('/dev/full', {str(work_dir / 'epoch_2.pth')!r})")
    code, stderr = finish(start(work_dir, filling))
    assert code == 2
    assert stderr.splitlines()[-1] == (
        f"error: checkpoint {work_dir / 'epoch_2.pth'} cannot be written: No space left on device;"
        f" {work_dir / 'epoch_1.pth'} is whole; make room, then go on with --resume"
    )
    (work_dir / "epoch_2.pth").unlink()
    train(TINY, *splits, work_dir, resume=True)
    check_same_end(work_dir, straight)


@pytest.mark.slow
def test_a_worker_that_dies_is_one_line(
    start: Start, straight: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    work_dir = tmp_path / "run"
    code, stderr = finish(start(work_dir, IN_A_WORKER, "--cfg-options", "training.num_workers=1"))
    assert code == 2
    assert stderr.splitlines()[-1].startswith("error: a process that loads pictures died (DataLoader worker")
    assert "fewer training.num_workers" in stderr
    train(TINY, *splits, work_dir, resume=True)
    check_same_end(work_dir, straight)


# Not a number


class NaNLoss(nn.Module):
    """Not a number from the fifth batch on."""

    seen = 0

    def forward(self, features: Any, batch: Any) -> Tensor:
        NaNLoss.seen += 1
        return features.image_embedding.sum() * (float("nan") if NaNLoss.seen > 4 else 0.0)


def test_a_loss_that_is_not_a_number_is_named_with_its_step_and_files(
    tiny_zoo: Path,
    splits: tuple[PersonDataset, PersonDataset],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    LOSSES.register_module("NaNLoss", force=True)(NaNLoss)
    monkeypatch.setattr(NaNLoss, "seen", 0)
    with pytest.raises(TrainingError) as raised:
        train(TINY, *splits, tmp_path, overrides={"model.losses.odd": {"type": "NaNLoss"}})
    message = str(raised.value)
    assert message.startswith(
        "loss is nan, loss_odd is nan at step 5, in epoch 2: the towers' tokens are finite, and odd"
    )
    report = tmp_path / "not_finite_rank_0.json"
    assert f"({report} lists all)" in message
    about = json.loads(report.read_text())
    assert (about["epoch"], about["step"], len(about["pairs"])) == (2, 5, 8)
    assert about["pairs"][0]["picture"] in message
    assert {pair["picture"] for pair in about["pairs"]} <= set(map(str, splits[0].pictures))
    assert torch.isfinite(
        torch.cat([p.flatten() for p in tipr_zoo.build(TINY, weights=tmp_path / "epoch_1.pth").parameters()])
    ).all()


def test_a_parameter_that_is_not_a_number_is_named(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of such weights is refused, so the parameter becomes infinite once they are loaded."""

    def load(model: DualEncoder, path: Path) -> None:
        model.get_parameter("heads.id.classifier.weight").data[0, 0] = float("inf")

    monkeypatch.setattr("tipr_zoo.training.starting_model.load_starting_weights", load)
    with pytest.raises(TrainingError, match=r"loss_id is .*: parameter heads.id.classifier.weight is not finite"):
        train(TINY, *splits, tmp_path / "run", weights=tmp_path / "odd.safetensors")


def test_a_picture_that_makes_a_loss_not_a_number_is_named(
    tiny_zoo: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = TrainingPairs.__getitem__
    odd = splits[0].pictures[2]

    def broken(pairs: TrainingPairs, key: tuple[int, int]) -> dict[str, Tensor]:
        pair = get(pairs, key)
        if pairs.pictures[pairs.picture_indices[key[1]]] == odd:
            pair["images"] = pair["images"] * float("inf")
        return pair

    monkeypatch.setattr(TrainingPairs, "__getitem__", broken)
    with pytest.raises(TrainingError, match=f"as they are loaded, are not finite; of these pairs: {odd} "):
        train(TINY, *splits, tmp_path)


# Another data set or recipe than the checkpoint's


def change_caption(folder: Path) -> None:
    records = json.loads((folder / "reid_raw.json").read_text())
    records[0]["captions"][0] += " indeed"
    (folder / "reid_raw.json").write_text(json.dumps(records))


def change_picture(folder: Path) -> None:
    picture = open_dataset(str(folder), split="train").pictures[1]
    picture.write_bytes(picture.read_bytes() + b"\0")


def change_bytes(folder: Path) -> None:
    """Other bytes of the same number, at the same time."""
    picture = open_dataset(str(folder), split="train").pictures[1]
    before, content = picture.stat(), bytearray(picture.read_bytes())
    content[-3] ^= 1
    picture.write_bytes(content)
    os.utime(picture, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (change_caption, "annotations of train"),
        (change_picture, "pictures of train"),
        (change_bytes, "bytes of the pictures of train"),
    ],
)
def test_a_data_set_that_changed_is_not_trained_on_further(
    straight: Path, synthpedes: Path, tmp_path: Path, change: Callable[[Path], None], what: str
) -> None:
    data, work_dir = tmp_path / "data", tmp_path / "run"
    shutil.copytree(synthpedes, data)
    shutil.copytree(straight, work_dir)
    train(TINY, open_dataset(str(data), split="train"), open_dataset(str(data), split="val"), work_dir, resume=True)
    change(data)
    with pytest.raises(ConfigError, match=f"{data} changed since {work_dir}/epoch_2.pth was written: the {what} are"):
        train(TINY, open_dataset(str(data), split="train"), None, work_dir, resume=True)


def test_a_recipe_that_changed_is_told(
    straight: Path, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    work_dir = tmp_path / "run"
    shutil.copytree(straight, work_dir)
    result = train(TINY, *splits, work_dir, resume=True, overrides={"training.max_epochs": 3})
    assert "resumed with another recipe: training.max_epochs was 2 and is 3" in caplog.text
    assert (work_dir / "epoch_3.pth").is_file()
    assert result.selected_on == "val"


@pytest.mark.slow
def test_within_an_epoch_the_order_of_the_pairs_cannot_change(
    start: Start, splits: tuple[PersonDataset, PersonDataset], tmp_path: Path
) -> None:
    work_dir = tmp_path / "run"
    finish(start(work_dir, AT_STEP_4.format(what="os.kill(os.getpid(), signal.SIGTERM)")))
    with pytest.raises(ConfigError, match=r"within an epoch, where training.batch_size cannot change from 8 to 4"):
        train(TINY, *splits, work_dir, resume=True, overrides={"training.batch_size": 4})


# One of several processes


def torchrun(port: int) -> tuple[str, ...]:
    return ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port))


ONLY_RANK_1 = AT_STEP_4.format(what="if os.environ['RANK'] == '1': os.kill(os.getpid(), signal.SIGKILL)")


@pytest.mark.slow
def test_when_one_process_is_killed_the_others_stop_and_the_run_goes_on_from_its_checkpoint(
    start: Start, tmp_path: Path, free_port: int
) -> None:
    whole, work_dir = tmp_path / "whole", tmp_path / "run"
    assert finish(start(whole, "", launcher=torchrun(free_port)))[0] == 0
    began = time.monotonic()
    code, _ = finish(start(work_dir, ONLY_RANK_1, launcher=torchrun(free_port)))
    assert code != 0
    assert time.monotonic() - began < 90, "the start takes a part of it"
    assert (work_dir / "epoch_1.pth").is_file()
    assert finish(start(work_dir, "", "--resume", launcher=torchrun(free_port)))[0] == 0
    check_same_end(work_dir, whole)


@pytest.mark.slow
def test_a_process_whose_peer_is_gone_stops_by_itself(start: Start, tmp_path: Path, free_port: int) -> None:
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port), "WORLD_SIZE": "2"}
    ranks = [
        start(tmp_path / f"run_{rank}", ONLY_RANK_1, **place, RANK=str(rank), LOCAL_RANK=str(rank)) for rank in (0, 1)
    ]
    assert finish(ranks[1])[0] == -signal.SIGKILL
    code, stderr = finish(ranks[0], within=60)
    assert code == 2
    assert stderr.splitlines()[-1].startswith("error: another process of this training is gone")


@pytest.mark.slow
def test_processes_do_not_go_on_from_different_checkpoints(
    start: Start, straight: Path, tmp_path: Path, free_port: int
) -> None:
    """As where each machine has a work dir of its own."""
    shutil.copytree(straight, tmp_path / "run_0")
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port), "WORLD_SIZE": "2"}
    ranks = [
        start(tmp_path / f"run_{rank}", "", "--resume", **place, RANK=str(rank), LOCAL_RANK=str(rank))
        for rank in (0, 1)
    ]
    for rank, process in enumerate(ranks):
        code, stderr = finish(process, within=60)
        assert code == 2
        assert stderr.splitlines()[-1] == (
            f"error: the processes find different checkpoints in {tmp_path / f'run_{rank}'}: process 0 epoch_2.pth,"
            " process 1 none; name a --work-dir that all machines share, or copy the checkpoint to each of them"
        )


@pytest.mark.slow
def test_sigterm_to_torchrun_leaves_a_checkpoint_that_all_processes_agree_on(
    start: Start, tmp_path: Path, free_port: int
) -> None:
    work_dir = tmp_path / "run"
    slowly = AT_STEP_4.replace("runner.iter == 4", "True").format(what="import time; time.sleep(0.2)")
    process = start(
        work_dir,
        slowly,
        "--cfg-options",
        "training.max_epochs=500",
        "training.validate_every=500",
        launcher=torchrun(free_port),
    )
    deadline = time.monotonic() + 100
    while not (work_dir / "epoch_1.pth").is_file():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.terminate()
    code, stderr = finish(process, within=60)
    assert code != 0
    assert "go on with --resume" in stderr
    assert stderr.count("holds everything so far; go on with --resume") == 2
    last = max(work_dir.glob("epoch_*.pth"), key=lambda file: file.stat().st_mtime)
    meta = torch.load(last, weights_only=True)["meta"]
    assert f"epoch_{meta['epoch']}" in last.name
    tipr_zoo.build(TINY, weights=last)
