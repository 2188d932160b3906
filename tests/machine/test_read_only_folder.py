"""A folder that nothing can be written into: one line with the folder and the fix, before the work."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tipr_zoo.command_line import main
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.errors import ConfigError, WriteError
from tipr_zoo.machine.result_place import check_folder, check_place, make_folder
from tipr_zoo.machine.whole_file import write_whole

TINY, TINY_PRETRAINED = "a_tiny_model", "a_tiny_pretrained_model"


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a file ``old.png`` that nobody can write into, root neither."""
    folder = tmp_path_factory.mktemp("read_only")
    if not hasattr(os, "geteuid"):
        pytest.skip("Windows has no folders that nobody can write into")
    if os.geteuid() != 0:
        (folder / "old.png").write_bytes(b"old")
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], check=False, capture_output=True).returncode:
        pytest.skip("root may write everywhere, and here it may not mount")
    (folder / "old.png").write_bytes(b"old")
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


NOTHING = "nothing can be written in the folder {folder}; name another place, or allow writing"

COMMANDS = {
    "search": ("search no_such_model {data} WORDS --picture {folder}/hits.png", "{folder}/hits.png: " + NOTHING),
    "explain": ("explain no_such_model {data}/a.jpg WORDS -o {folder}/why.png", "{folder}/why.png: " + NOTHING),
    "restore": ("restore no_such_model {data}/a.jpg WORDS -o {folder}/r.png", "{folder}/r.png: " + NOTHING),
    "hits": ("eval no_such_model --data {data} --picture {folder}/hits.png", "{folder}/hits.png: " + NOTHING),
    "export": ("eval no_such_model --data {data} --export {folder}/e.npz", "{folder}/e.npz: " + NOTHING),
    "a file that is there": (
        "eval no_such_model --data {data} --picture {folder}/old.png",
        "{folder}/old.png: is write-protected; name another file, or allow writing",
    ),
    "records": (
        "eval no_such_model --data {data} --records {folder}",
        "{folder}: cannot hold records: it is not writable; name another folder",
    ),
    "records in a new folder": (
        "eval no_such_model --data {data} --records {folder}/new",
        "{folder}/new: records cannot be written there: {reason}; name another folder",
    ),
    "convert": ("convert no_such_file.pth --method irra -o {folder}/w.safetensors", "{folder}: " + NOTHING),
    "convert into a new folder": (
        "convert no_such_file.pth --method irra -o {folder}/a/b/w.safetensors",
        "{folder}/a/b: " + NOTHING,
    ),
    "average": ("average a.safetensors b.safetensors -o {folder}/m.safetensors", "{folder}: " + NOTHING),
    "cards new": ("cards new mine --config irra_tiny_synth.py --dataset X --folder {folder}", "{folder}: " + NOTHING),
    "data synth": ("data synth {folder}/data", "{folder}/data: " + NOTHING),
    "train": (
        f"train {TINY} --data {{data}} --device cpu --work-dir {{folder}}/work",
        "nothing can be written in work dir {folder}/work: {reason}; name another --work-dir",
    ),
    "train --dry-run": (
        f"train {TINY} --data {{data}} --device cpu --work-dir {{folder}}/work --dry-run",
        "{folder}/work: " + NOTHING,
    ),
}


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_read_only_folder_is_told_before_the_work(
    kind: str, read_only: Path, tiny_zoo: Path, test_split: PersonDataset, capsys: pytest.CaptureFixture[str]
) -> None:
    command, message = COMMANDS[kind]
    reason = "Read-only file system" if os.geteuid() == 0 else "Permission denied"
    words = [word.format(folder=read_only, data=test_split.root) for word in command.split()]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.splitlines()[-1] == "error: " + message.format(folder=read_only, reason=reason)
    assert [path.name for path in read_only.iterdir()] == ["old.png"]
    assert (read_only / "old.png").read_bytes() == b"old"


def test_a_new_plugin_is_told_where_it_cannot_be_written(read_only: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-plugin", "hard-pairs", "--dir", str(read_only)]) == 2
    assert capsys.readouterr().err.endswith("; choose another --dir\n")


def test_a_read_only_folder_is_told_by_the_writer_too(read_only: Path) -> None:
    with pytest.raises(
        WriteError, match=rf"a\.json: cannot be written: .*; make it and its folder {read_only} writable"
    ):
        write_whole(read_only / "a.json", b"new")
    with pytest.raises(
        WriteError, match=r"new/er: cannot be written: .*; make it and its folder .*new writable, or name"
    ):
        make_folder(read_only / "new" / "er")


def test_a_place_below_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=f"{tmp_path}/file/a/b: {tmp_path}/file is a file; name a folder"):
        check_folder(tmp_path / "file" / "a" / "b")
    with pytest.raises(
        WriteError, match=r"file/a: cannot be written: Not a directory; make the folder .*file, or name"
    ):
        make_folder(tmp_path / "file" / "a")


def test_a_place_that_can_be_written_is_none_to_complain_of(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    check_place(tmp_path / "a.png")
    (tmp_path / "a.png").symlink_to(os.devnull)
    check_place(tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
