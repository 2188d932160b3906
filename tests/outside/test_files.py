"""The gate for files: what is no regular file, or too large, is refused and never waited for."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tipr_zoo.outside.files import RefusedFileError, read_bytes, read_text


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    content = os.urandom(3_000_001)
    (tmp_path / "file").write_bytes(content)
    (tmp_path / "link").symlink_to("file")
    assert read_bytes(tmp_path / "file", 3_000_001) == read_bytes(tmp_path / "link", 3_000_001) == content
    (tmp_path / "empty").touch()
    assert read_bytes(tmp_path / "empty", 0) == b""


def test_a_file_of_the_system_that_states_no_size_is_read_up_to_the_limit() -> None:
    file = Path("/proc/self/status")
    if not file.exists():
        pytest.skip("this system has no /proc")
    assert read_bytes(file, 1 << 20).startswith(b"Name:")
    with pytest.raises(RefusedFileError, match="no such file may have more than 10"):
        read_bytes(file, 10)


def test_a_file_above_the_limit_is_refused_without_being_read(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(
        RefusedFileError, match=r"it has 1,099,511,627,776 bytes, and no such file may have more than 5"
    ):
        read_bytes(tmp_path / "sparse", 5)


def test_a_pipe_a_socket_and_a_device_are_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        with pytest.raises(RefusedFileError, match="it is a named pipe, and only regular files are read"):
            read_bytes(tmp_path / name, 100)
    with pytest.raises(RefusedFileError, match="it is a device"):
        read_bytes("/dev/zero", 100)
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with pytest.raises(RefusedFileError, match="it is a socket"):
            read_bytes("socket", 100)


def test_what_the_system_refuses_is_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path, 100)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "nothing", 100)
    with pytest.raises(FileNotFoundError):
        read_bytes(f"{tmp_path}/zero\0byte", 100)


def test_text_is_read_as_python_reads_it(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n\xc3\xbc")
    assert read_text(tmp_path / "text", 100, "utf-8-sig") == (tmp_path / "text").read_text(encoding="utf-8-sig")
    (tmp_path / "latin").write_bytes("ü".encode("latin-1"))
    with pytest.raises(UnicodeDecodeError):
        read_text(tmp_path / "latin", 100)
