"""Whole files: a file is what it was or what it is to be, whoever writes it, and whatever interrupts that."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_disk import contents, files_of_at_most

from tipr_zoo.errors import TiprZooError, WriteError
from tipr_zoo.machine import whole_file as module
from tipr_zoo.machine.whole_file import is_part, remove_parts, whole_file, write_whole

POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has neither permissions nor links for all")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Whole or not at all


@pytest.mark.parametrize("must_last", [True, False])
def test_the_file_is_there_once_the_block_ends(tmp_path: Path, must_last: bool) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"old")
    with whole_file(file, must_last=must_last) as part:
        assert part.parent == tmp_path
        assert part.read_bytes() == b""
        part.write_bytes(b"new")
        assert file.read_bytes() == b"old"
    assert contents(tmp_path) == {"a.json": b"new"}


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [b"old", None])
def test_an_error_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, error: type[BaseException], old: bytes | None
) -> None:
    file = tmp_path / "a.json"
    if old is not None:
        file.write_bytes(old)
    before = contents(tmp_path)
    with pytest.raises(error), whole_file(file) as part:  # noqa: PT012
        part.write_bytes(b"half")
        raise error("stop")
    assert contents(tmp_path) == before


def test_a_part_that_was_deleted_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(WriteError, match=r"a\.json: cannot be written: No such file"),
        whole_file(tmp_path / "a.json") as part,
    ):
        part.unlink()
    assert contents(tmp_path) == {}


def test_no_two_calls_share_a_part(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    with whole_file(file) as first:
        with whole_file(file) as second:
            assert first != second
            second.write_bytes(b"second")
        first.write_bytes(b"first")
    assert contents(tmp_path) == {"a.json": b"first"}


def test_a_part_within_a_part_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(WriteError) as raised, files_of_at_most(3), whole_file(tmp_path / "a.json") as part:
        write_whole(part, b"too much")
    assert raised.value.filename == str(tmp_path / "a.json")
    assert contents(tmp_path) == {}


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    for name in ("a" * 255, "人" * 85):
        write_whole(tmp_path / name, b"x")
        assert (tmp_path / name).read_bytes() == b"x"


# As open writes


@POSIX
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_new_file_has_the_permissions_that_open_gives(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        (tmp_path / "opened").open("w").close()
        write_whole(tmp_path / "whole", b"")
    finally:
        os.umask(before)
    assert mode(tmp_path / "whole") == mode(tmp_path / "opened")


@POSIX
@pytest.mark.parametrize("old", [0o600, 0o666, 0o755, 0o640])
def test_a_file_keeps_its_permissions_and_its_part_has_no_more(tmp_path: Path, old: int) -> None:
    file = tmp_path / "a.json"
    file.touch()
    file.chmod(old)
    with whole_file(file) as part:
        assert mode(part) & ~old == 0
        part.write_bytes(b"new")
    assert mode(file) == old


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_that_root_writes_stays_its_owners(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.touch()
    os.chown(file, 1234, 1234)
    write_whole(file, b"new")
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 1234)


@POSIX
@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_is_written_through(tmp_path: Path, is_there: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "a.json", tmp_path / "link.json"
    if is_there:
        target.write_bytes(b"old")
    link.symlink_to(target)
    with whole_file(link) as part:
        assert part.parent == target.parent
        part.write_bytes(b"new")
    assert link.is_symlink()
    assert contents(tmp_path / "elsewhere") == {"a.json": b"new"}


@POSIX
def test_a_link_to_itself_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "a")
    with pytest.raises(WriteError, match="symbolic links"):
        write_whole(tmp_path / "a", b"new")
    assert (tmp_path / "a").is_symlink()


@POSIX
def test_a_device_is_written_and_not_replaced(tmp_path: Path) -> None:
    write_whole(Path(os.devnull), b"new")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    (tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(WriteError, match=r"full: cannot be written: No space left on device; make room, or name"):
        write_whole(tmp_path / "full", b"new")
    assert (tmp_path / "full").is_symlink()


def test_a_write_protected_file_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"old")
    file.chmod(0o444)
    if os.access(file, os.W_OK):  # root may
        monkeypatch.setattr(module.os, "access", lambda path, how: Path(path) != file)
    with pytest.raises(WriteError, match=r"a\.json: cannot be written: Permission denied; make it and its folder .*"):
        write_whole(file, b"new")
    assert contents(tmp_path) == {"a.json": b"old"}


# What cannot be written


def test_a_full_disk_is_one_line_with_the_file_and_the_fix(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"old")
    with pytest.raises(WriteError) as raised, files_of_at_most(1000):
        write_whole(file, bytes(2000))
    fix = "raise the limit of a file's size (ulimit -f), or name another place"
    assert str(raised.value) == f"{file}: cannot be written: File too large; {fix}"
    assert isinstance(raised.value, TiprZooError)
    assert isinstance(raised.value, OSError)
    assert contents(tmp_path) == {"a.json": b"old"}


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere/a.json", "No such file or directory; make the folder {folder}/nowhere, or name another place"),
        ("file/a.json", "Not a directory; make the folder {folder}/file, or name another place"),
        ("folder", "Is a directory; name another place"),
    ],
)
def test_a_place_that_is_none_is_told(tmp_path: Path, place: str, message: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(WriteError) as raised:
        write_whole(tmp_path / place, b"new")
    assert str(raised.value) == f"{tmp_path / place}: cannot be written: {message.format(folder=tmp_path)}"


def test_an_error_of_another_file_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"), whole_file(tmp_path / "a.json"):
        (tmp_path / "missing").read_bytes()
    assert contents(tmp_path) == {}


# What killed processes leave

KILLED = """
import os, signal, sys
from pathlib import Path
from tipr_zoo.machine.whole_file import whole_file
with whole_file(Path(sys.argv[1])) as part:
    part.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@POSIX
def test_what_a_killed_process_leaves_is_known_and_removed_in_time(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"old")
    subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False)
    (left,) = (path for path in tmp_path.iterdir() if path != file)
    assert is_part(left.name)
    assert file.read_bytes() == b"old"
    assert sorted(tmp_path.glob("*.json")) == [file]  # which finds hidden files, too
    remove_parts(tmp_path)
    assert left.exists()  # it may be somebody's who is writing
    os.utime(left, (time.time() - 601,) * 2)
    write_whole(tmp_path / "another.json", b"new")
    assert contents(tmp_path) == {"a.json": b"old", "another.json": b"new"}


def test_nothing_else_is_taken_for_a_part(tmp_path: Path) -> None:
    names = (
        "a.json",
        "a.part",
        ".a.part",
        ".a.json.0123456789abcde.part",
        ".a.0123456789ABCDEF.part",
        "x.0123456789abcdef.part",
    )
    for name in names:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    remove_parts(tmp_path, untouched_for=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    remove_parts(tmp_path / "nowhere")


# Several processes

WRITES = """
import json, sys, time
from pathlib import Path
from tipr_zoo.cards.record import make_record, write_record
from dataclasses import replace
record = make_record(json.loads(Path(sys.argv[1]).read_text()))
path, end = Path(sys.argv[2]), time.monotonic() + 2
record, writes = replace(record, protocol=sys.argv[3] * int(sys.argv[4])), 0
while time.monotonic() < end or not writes:
    write_record(record, path)
    writes += 1
print(writes)
"""


def test_two_processes_that_write_one_record_leave_one_of_the_two(tmp_path: Path) -> None:
    import tipr_zoo.model_cards

    (folder,) = tipr_zoo.model_cards.__path__
    source = next(iter(sorted((Path(folder) / "records").glob("*.json"))))
    folder, path = tmp_path / "records", tmp_path / "records" / "one.json"
    texts = {"short": ("a", "10"), "long": ("b", "50000")}
    wanted = set()
    for letter, count in texts.values():
        subprocess.run([sys.executable, "-c", WRITES.replace("+ 2", "- 1"), source, path, letter, count], check=True)
        wanted.add(path.read_bytes())
    words = [[sys.executable, "-c", WRITES, source, path, letter, count] for letter, count in texts.values()]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in words]
    seen = []
    while any(writer.poll() is None for writer in writers):
        seen.append(path.read_bytes())
    assert [writer.returncode for writer in writers] == [0, 0]
    assert min(int(writer.communicate()[0]) for writer in writers) > 5
    assert set(seen) == wanted
    assert [file.name for file in folder.iterdir()] == ["one.json"]


@pytest.mark.parametrize("must_last", [True, False])
def test_a_file_that_must_last_is_on_the_disk_before_it_is_moved(
    must_last: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr("os.fsync", lambda descriptor: (done.append("synced"), fsync(descriptor)))
    monkeypatch.setattr("os.replace", lambda part, target: (done.append("moved"), replace(part, target)))
    write_whole(tmp_path / "file", b"all", must_last=must_last)
    assert done == (["synced", "moved"] if must_last else ["moved"])
    assert (tmp_path / "file").read_bytes() == b"all"


def test_a_named_pipe_that_nobody_reads_is_told_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WriteError):
        write_whole(tmp_path / "pipe", b"text")


def test_a_named_pipe_that_somebody_reads_takes_everything(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE) as reader:
        for _ in range(100):
            try:
                write_whole(tmp_path / "pipe", b"text")
                break
            except WriteError:  # it has not opened the pipe yet
                time.sleep(0.05)
        assert reader.communicate(timeout=30)[0] == b"text"
