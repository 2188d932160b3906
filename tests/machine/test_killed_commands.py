"""A sample of the loop of `tools.kill_commands`, and commands that run side by side.

``python -m tools.kill_commands --times 300`` is the whole loop.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.machine.whole_file import is_part

ROOT = Path(__file__).parents[2]
SAMPLE = (
    *("data synth", "eval --records", "search --picture, over an old one", "explain"),
    *("cards new", "new-plugin", "list", "leaderboard"),
)
"""Commands that take little time, of which each leaves another kind of file."""

ONE_CORE = {"OMP_NUM_THREADS": "1"}

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")]


@pytest.mark.parametrize(("name", "times", "sample"), [("KILL", 16, SAMPLE), ("TERM", 6, SAMPLE[-3:])])
def test_a_killed_command_leaves_whole_files_and_stops_no_other(name: str, times: int, sample: tuple[str, ...]) -> None:
    words = ["--times", str(times), "--seed", "0", "--signal", name, "--only", *sample]
    ended = subprocess.run(
        [sys.executable, "-m", "tools.kill_commands", *words],
        cwd=ROOT,
        env={**os.environ, **ONE_CORE},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = re.findall(r"^(\S.*?) {2,}(\d+) +(\d+) +(\d+) +(\d+) +\d+$", ended.stdout, re.MULTILINE)
    assert [row[0] for row in rows] == list(sample)
    assert sum(int(row[1]) for row in rows) == sum(int(row[3]) for row in rows) == times
    assert sum(int(row[2]) for row in rows) < times  # some were killed before they had ended


def test_several_processes_share_a_cache_a_folder_of_records_and_one_of_pictures(
    test_split: PersonDataset, tmp_path: Path
) -> None:
    data, folder = tmp_path / "data", tmp_path / "results"
    shutil.copytree(test_split.root, data)
    folder.mkdir()
    environment = {**os.environ, **ONE_CORE, "TIPR_ZOO_HOME": str(tmp_path / "home")}
    evaluate = ["eval", "irra_tiny_synth", "--data", str(data), "--device", "cpu", "--records", str(folder)]
    # The picture of the hits lies among the pictures that are searched, as it does for who searches the present folder.
    search = ["search", "irra_tiny_synth", str(data / "imgs"), "a man in red", "--device", "cpu"]
    search += ["--top", "2", "--picture", str(data / "imgs" / "hits.png")]
    commands = [[sys.executable, "-m", "tipr_zoo", *words] for words in (evaluate, evaluate, search)]
    running = [subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, text=True) for words in commands]
    errors = [process.communicate(timeout=300)[1] for process in running]
    assert [process.returncode for process in running] == [0] * 3, errors
    assert not [path for path in tmp_path.rglob("*") if is_part(path.name)]
    with Image.open(data / "imgs" / "hits.png") as hits:
        hits.load()
    (record,) = folder.glob("*.json")
    subprocess.run(commands[0], env=environment, check=True, capture_output=True, timeout=300)
    assert json.loads(record.read_text())["from_cache"] == ["captions", "pictures"]
