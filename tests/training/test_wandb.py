"""Weights & Biases: what it is given, in its offline mode with the real package, and what happens without a network."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tipr_zoo.command_line import main
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError
from tipr_zoo.training.loop import wandb_hook
from tipr_zoo.training.loop.wandb_hook import wandb_mode
from tipr_zoo.training.train import train

TINY = "a_tiny_model"

Splits = tuple[PersonDataset, PersonDataset]

A_KEY = "0123456789" * 4


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nobody is logged in, and nothing is set."""
    home = tmp_path_factory.mktemp("home")
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_PROJECT", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(home / "cache"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(home / "config"))


class Seen:
    """A stand-in for the package, which notes what it is given."""

    Error = RuntimeError
    unreachable = False

    def __init__(self) -> None:
        self.begun: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []
        self.ends: list[int] = []

    def Settings(self, **settings: Any) -> dict[str, Any]:  # noqa: N802 - as theirs is called
        return settings

    def init(self, **about: Any) -> Seen:
        if self.unreachable and about["mode"] == "online":
            raise RuntimeError("api.wandb.ai: name or service not known")
        self.begun.append(about)
        return self

    def teardown(self) -> None:
        pass

    def define_metric(self, *_: Any, **__: Any) -> None:
        pass

    def log(self, row: dict[str, Any]) -> None:
        self.rows.append(row)

    def finish(self, exit_code: int) -> None:
        self.ends.append(exit_code)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    package = Seen()
    monkeypatch.setitem(sys.modules, "wandb", package)  # type: ignore[arg-type]
    return package


@pytest.mark.slow
def test_the_real_package_writes_offline_without_a_login(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("wandb")
    began = time.monotonic()
    train(TINY, *splits, tmp_path, wandb=True, max_minutes=0)
    train(TINY, *splits, tmp_path, wandb=True, resume=True)
    assert time.monotonic() - began < 120
    assert "no login was found (wandb login), so wandb/ is written and not uploaded" in caplog.text
    runs = sorted((tmp_path / "wandb").glob("offline-run-*"))
    assert len(runs) == 2
    assert len({folder.name.rpartition("-")[2] for folder in runs}) == 1  # one run, gone on with
    (data,) = runs[0].glob("*.wandb")
    content = data.read_bytes()
    for text in (b"train/loss_sdm", b"train/grad_norm", b"validation/R1"):
        assert text in content
    folders = [str(folder).encode() for folder in (tmp_path, splits[0].root, Path.home())]
    assert not any(folder in content for folder in folders)
    assert not [path for path in (tmp_path / "wandb").rglob("*") if path.suffix in (".jpg", ".png")]


def test_it_is_given_every_step_and_every_validation_and_one_run(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, seen: Seen
) -> None:
    train(TINY, *splits, tmp_path, wandb=True, max_minutes=0)
    train(TINY, *splits, tmp_path, wandb=True, resume=True)
    one, other = seen.begun
    assert one["id"] == other["id"] == json.loads((tmp_path / "runs.json").read_text())[0]["wandb"]
    assert (one["mode"], one["project"], one["resume"]) == ("offline", "tipr-zoo", "allow")
    assert one["config"]["training"]["batch_size"] == 8
    steps = [row for row in seen.rows if "train/loss" in row]
    assert [row["step"] for row in steps] == list(range(6))
    assert {"train/loss_sdm", "train/loss_id", "train/lr", "train/grad_norm"} < set(steps[0])
    history = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    expected = [row["validation"]["R1"] for row in history if "validation" in row]
    assert [row["validation/R1"] for row in seen.rows if "validation/R1" in row] == pytest.approx(expected, abs=1e-3)
    assert all(isinstance(value, (int, float)) for row in seen.rows for value in row.values())
    assert seen.ends == [0, 0]


def test_no_folder_of_this_machine_is_given_to_it(tiny_zoo: Path, splits: Splits, tmp_path: Path, seen: Seen) -> None:
    options = {"training.dataset": "/home/somebody/secret/data", "training.max_epochs": 1}
    train(TINY, *splits, tmp_path, wandb=True, overrides=options)
    (about,) = seen.begun
    assert about["config"]["training"]["dataset"] == "data"
    settings = about["settings"]
    assert settings["console"] == "off"
    assert all(settings[name] for name in ("disable_code", "disable_git", "x_disable_meta", "x_disable_machine_info"))


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from tipr_zoo.training.loop.hooks import RandomStateHook

    def fail(*_: Any, **__: Any) -> None:
        raise ConfigError("a fault")

    monkeypatch.setattr(RandomStateHook, "before_train_iter", fail)
    return


def test_a_training_that_failed_is_told_as_such(
    tiny_zoo: Path, splits: Splits, tmp_path: Path, seen: Seen, failing: None
) -> None:
    with pytest.raises(ConfigError, match="a fault"):
        train(TINY, *splits, tmp_path, wandb=True)
    assert seen.ends == [1]


def test_without_a_network_it_is_one_line(
    tiny_zoo: Path,
    splits: Splits,
    tmp_path: Path,
    seen: Seen,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", A_KEY)
    seen.unreachable = True
    train(TINY, *splits, tmp_path, wandb=True, overrides={"training.max_epochs": 1})
    assert [about["mode"] for about in seen.begun] == ["offline"]
    assert caplog.text.count("Weights & Biases cannot be reached, so wandb/ is written and not uploaded") == 1
    assert "api.wandb.ai: name or service not known" in caplog.text
    assert A_KEY.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


@pytest.mark.slow
def test_without_a_network_the_real_package_does_not_hang(
    tiny_zoo: Path,
    splits: Splits,
    tmp_path: Path,
    free_port: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_API_KEY", A_KEY)
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{free_port}")
    monkeypatch.setattr(wandb_hook, "PATIENCE", 3.0)
    began = time.monotonic()
    train(TINY, *splits, tmp_path, wandb=True, overrides={"training.max_epochs": 1})
    assert time.monotonic() - began < 90
    assert caplog.text.count("Weights & Biases cannot be reached, so wandb/ is written and not uploaded") == 1
    assert list((tmp_path / "wandb").glob("offline-run-*"))


@pytest.mark.parametrize("found", [None, ModuleType("wandb")], ids=["nothing", "a folder of that name"])
def test_one_that_is_not_installed_is_told(
    found: ModuleType | None,
    tiny_zoo: Path,
    synthpedes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", found)
    words = ["train", TINY, "--data", str(synthpedes), "--work-dir", str(tmp_path), "--device", "cpu", "--wandb"]
    for more in ([], ["--dry-run"]):
        assert main([*words, *more]) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error == "error: Weights & Biases is not installed; run: pip install 'tipr-zoo[wandb]'"
    assert not list(tmp_path.glob("*.pth"))


@pytest.mark.parametrize(
    ("environment", "netrc", "mode"),
    [
        ({}, "", "offline"),
        ({"WANDB_API_KEY": A_KEY}, "", "online"),
        ({"WANDB_API_KEY": A_KEY, "WANDB_MODE": "offline"}, "", "offline"),
        ({"WANDB_MODE": "online"}, "", "online"),
        ({}, f"machine api.wandb.ai login user password {A_KEY}\n", "online"),
        ({}, f"machine elsewhere.org login user password {A_KEY}\n", "offline"),
        ({"WANDB_BASE_URL": "https://ours.org:8080"}, f"machine ours.org login user password {A_KEY}\n", "online"),
        ({}, "machine", "offline"),
    ],
)
def test_it_uploads_only_where_somebody_is_logged_in_or_wants_it(
    environment: dict[str, str], netrc: str, mode: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if netrc:
        (tmp_path / "netrc").write_text(netrc)
        (tmp_path / "netrc").chmod(0o600)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert wandb_mode() == mode


def test_a_mode_that_is_none_is_told(seen: Seen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "ofline")
    with pytest.raises(ConfigError, match="WANDB_MODE must be one of online, offline, disabled, shared, got 'ofline'"):
        wandb_hook.WandbHook(tmp_path, "m", "id", {})
