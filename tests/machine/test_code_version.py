"""The code version of a record: that of tipr-zoo, with the commit where it runs from a git checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tipr_zoo


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with as much of tipr-zoo as tells its version; no repository yet."""
    (tmp_path / "tipr_zoo" / "machine").mkdir(parents=True)
    for name in "__init__.py", "version.py", "machine/__init__.py", "machine/code_version.py":
        shutil.copy(Path(tipr_zoo.__file__).parent / name, tmp_path / "tipr_zoo" / name)
    return tmp_path


def version(checkout: Path) -> str:
    program = "from tipr_zoo.machine.code_version import code_version; print(code_version())"
    environment = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, cwd=checkout, capture_output=True, text=True, check=True).stdout[
        :-1
    ]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_checkout_is_known_by_its_commit(checkout: Path) -> None:
    def git(*words: str) -> str:
        identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *identity, *words], cwd=checkout, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    plain = tipr_zoo.__version__
    assert version(checkout) == plain
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "-m", "somebody's own repository, with tipr-zoo installed inside of it")
    assert version(checkout) == plain
    git("add", "tipr_zoo")
    git("commit", "--quiet", "-m", "tipr-zoo itself")
    commit = git("rev-parse", "HEAD")[:12]
    assert version(checkout) == f"{plain}+g{commit}"
    with (checkout / "tipr_zoo" / "__init__.py").open("a") as file:
        file.write("# edited\n")
    assert version(checkout) == f"{plain}+g{commit}.dirty"


def test_without_git_it_is_the_version(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert version(checkout) == tipr_zoo.__version__
