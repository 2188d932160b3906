"""Lines that are appended: all of one, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_disk import files_of_at_most

from tipr_zoo.errors import WriteError
from tipr_zoo.machine.appended_lines import append_line, cut_to_whole_lines


def test_lines_are_appended(tmp_path: Path) -> None:
    for line in ("one", "zwölf"):
        append_line(tmp_path / "log", line)
    assert (tmp_path / "log").read_text(encoding="utf-8") == "one\nzwölf\n"


def test_on_a_full_disk_nothing_of_a_line_is_left(tmp_path: Path) -> None:
    append_line(tmp_path / "log", "whole")
    with pytest.raises(WriteError, match="log: cannot be written: File too large"), files_of_at_most(10):
        append_line(tmp_path / "log", "x" * 100)
    assert (tmp_path / "log").read_text() == "whole\n"


@pytest.mark.parametrize(("there", "left"), [("a\nb", "a\n"), ("a\nb\n", "a\nb\n"), ("a", ""), ("", "")])
def test_the_beginning_of_a_line_is_taken_away(tmp_path: Path, there: str, left: str) -> None:
    (tmp_path / "log").write_text(there)
    cut_to_whole_lines(tmp_path / "log")
    assert (tmp_path / "log").read_text() == left


def test_what_is_not_there_has_nothing_to_take_away(tmp_path: Path) -> None:
    cut_to_whole_lines(tmp_path / "log")
    assert list(tmp_path.iterdir()) == []
