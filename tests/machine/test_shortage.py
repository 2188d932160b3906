"""A machine that has run out of memory, open files or shared memory: one line, and no traceback."""

from __future__ import annotations

import errno
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tipr_zoo
from tipr_zoo.command_line import main
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.evaluation.embedding import embed_pictures
from tipr_zoo.machine.shortage import shortage

MEMORY, FILES, PROCESSES = "the memory is full", "too many files are open at once", "no more processes or threads"
DRAW = ["data", "synth", "--train", "16", "--val", "2", "--test", "2", "--workers"]


def limited(limit: str, most: int, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command with a limit of the system."""
    resource = pytest.importorskip("resource", reason="only POSIX has limits")
    number = getattr(resource, limit)
    return subprocess.run(
        [sys.executable, "-m", "tipr_zoo", *words],
        preexec_fn=lambda: resource.setrlimit(number, (most, most)),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no limit of a process's memory")
@pytest.mark.parametrize("most", [1_500_000_000, 2_500_000_000])
def test_a_limit_of_the_memory_is_told_in_one_line(most: int, tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    ended = limited("RLIMIT_AS", most, ["search", "irra_tiny_synth", str(tmp_path), "a man in red", "--device", "cpu"])
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        f"error: {MEMORY}; end other programs, raise the limit (ulimit -v), or use smaller batches and fewer processes"
    ]


@pytest.mark.slow
def test_32_open_files_are_enough_to_draw_and_fewer_are_told(tmp_path: Path) -> None:
    drawn = limited("RLIMIT_NOFILE", 32, [*DRAW, "2", str(tmp_path / "a")])
    assert (drawn.returncode, "Traceback" in drawn.stderr) == (0, False)
    told = limited("RLIMIT_NOFILE", 11, [*DRAW, "2", str(tmp_path / "b")])
    assert told.returncode == 2
    assert told.stderr.splitlines()[-1] == f"error: {FILES}; raise the limit (ulimit -n), or use fewer processes"
    assert "Traceback" not in told.stderr


def _raise(error: BaseException) -> Any:
    raise error


def _caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), MEMORY),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), MEMORY),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 4 bytes"), MEMORY),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), MEMORY),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), MEMORY),
        (_caused(ModuleNotFoundError("Could not import module 'CLIPTextModel'"), MemoryError()), MEMORY),
        (OSError(errno.EMFILE, "Too many open files", "/dev/null"), FILES),
        (RuntimeError("can't start new thread"), PROCESSES),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), PROCESSES),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), None),
        (ImportError("no module named x"), None),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "out of memory.png"), None),
    ],
)
def test_what_has_run_out_is_told(
    error: Exception, line: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (shortage(error) or "").partition(";")[0].startswith(line or "")
    command: Callable[[Any], Any] = lambda arguments: _raise(error)  # noqa: E731
    module = SimpleNamespace(HELP="", EXAMPLE="", add_arguments=lambda parser: None, run=command)
    monkeypatch.setattr("tipr_zoo.command_line.command_module", lambda name: module)
    if line is None and not isinstance(error, OSError):
        with pytest.raises(type(error)):  # a bug, with its traceback
            main(["list"])
        return
    assert main(["list"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {line or '[Errno 2]'}")


@pytest.fixture
def no_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    context = type(multiprocessing.get_context("spawn"))
    monkeypatch.setattr(context, "Semaphore", lambda self: _raise(OSError(errno.EROFS, os.strerror(errno.EROFS))))


LACKS = r"several processes need shared memory, which this machine lacks \(.*Read-only file system\): mount /dev/shm"


@pytest.mark.usefixtures("no_shared_memory")
def test_without_shared_memory_one_process_draws_and_several_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*DRAW, "2", str(tmp_path)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: several processes need shared memory, which this machine lacks")
    assert main([*DRAW, "1", str(tmp_path)]) == 0


@pytest.mark.usefixtures("no_shared_memory")
def test_without_shared_memory_processes_that_load_pictures_are_told(
    tiny_model: DualEncoder, test_split: PersonDataset, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=LACKS):
        embed_pictures(tiny_model, test_split.pictures, num_workers=2)
    assert len(embed_pictures(tiny_model, test_split.pictures)) == 4
    from tipr_zoo.training.train import train

    with pytest.raises(ConfigError, match=LACKS):
        train("a_tiny_model", test_split, None, tmp_path, overrides={"training.num_workers": 2})


def test_nothing_but_the_home_is_needed_and_not_even_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tipr_zoo import cache_folder
    from tipr_zoo.cards.index import card_index
    from tipr_zoo.cards.parsed_yaml_cache import parsed_yaml_cache

    for name in ("TIPR_ZOO_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "expanduser", lambda path: _raise(RuntimeError("Could not determine home directory.")))
    monkeypatch.setattr(Path, "home", lambda: _raise(RuntimeError("Could not determine home directory.")))
    monkeypatch.setattr("tempfile.gettempdir", lambda: _raise(FileNotFoundError("No usable temporary directory found")))
    caches = (cache_folder._temporary_folder, card_index, parsed_yaml_cache)
    for kept in caches:
        kept.cache_clear()
    try:
        assert main(["list"]) == 0
        parsed_yaml_cache().save()
        assert capsys.readouterr().err == ""
        assert not cache_folder.cache_folder().exists()
    finally:
        for kept in caches:
            kept.cache_clear()
    assert tipr_zoo.list_models()
