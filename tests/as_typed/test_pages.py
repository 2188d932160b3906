"""README, documentation and cards, typed from top to bottom.

Each page has a new folder with the files that it speaks of. A line that cannot be typed as it stands has its stand-in
in `stand_ins.py`, with the reason; what is neither right nor there fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import tempfile
import threading
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from as_typed.checkout import ROOT, write_checkout
from as_typed.fenced_code import Step, steps
from as_typed.page_folder import MADE_BY, STANDS_FOR, write_page_folder
from as_typed.stand_ins import LINES, PYTHON, StandIn
from as_typed.typed_commands import EXTRA_SITE, CommandServer
from stand_in_hub import Hub

PAGES = sorted(
    page
    for page in (
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("plugins/*/README.md"),
        *ROOT.glob("model_cards/*.md"),
    )
    if steps(page)
)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def stand_in(page: Path, line: str) -> StandIn | None:
    return next((each for each in LINES if each.fits(name_of(page), line)), None)


@pytest.fixture(scope="session")
def reader() -> Iterator[tuple[CommandServer, dict[str, str], Path]]:
    """The commands, the environment that they are typed in, and the folder to copy a page's from."""
    folder = Path(tempfile.mkdtemp(prefix="typed"))  # short, for the path of a socket
    hub = Hub()
    threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    write_checkout(folder / "checkout")
    write_page_folder(folder / "page")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "HF_", "TIPR"))}
    environment |= {
        "PYTHONPATH": str(folder / "checkout"),
        "PATH": f"{folder / 'bin'}:{Path(sysconfig.get_path('scripts'))}:{os.environ['PATH']}",
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_XET": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",  # threads are not copied with a process
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads the value of a --no option as that of the option without no
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    server = CommandServer(folder, {**environment, "HF_HOME": str(folder / "hub")})
    convert = ["tipr-zoo", "convert", "best.pth", "--method", "irra", "-o", "mine.safetensors"]
    subprocess.run([server.programs / convert[0], *convert[1:]], cwd=folder / "page", env=environment, check=True)
    _fill(hub, (folder / "page" / "mine.safetensors").read_bytes())
    yield server, environment, folder / "page"
    server.close()
    hub.shutdown()
    shutil.rmtree(folder)


def _fill(hub: Hub, weights: bytes) -> None:
    """Give the stand-in for the Hub what pages name of it."""
    card = (ROOT / "model_cards" / "irra_vitb16_cuhk.md").read_bytes()
    commit = hub.add("owner/name", {"README.md": card, "best.safetensors": weights})
    repository = hub.repositories["owner/name"]
    repository.refs["v1"] = commit
    repository.commits["0123456789abcdef0123456789abcdef01234567"] = repository.commits[commit]


@pytest.fixture
def environment(reader: tuple[CommandServer, dict[str, str], Path], tmp_path: Path) -> dict[str, str]:
    """Of one page: its own home, cache and place for what is installed."""
    python = tmp_path / "environment"
    venv.create(python, symlinks=True)
    extra = Path(sysconfig.get_path("purelib", vars={"base": str(python)}))
    (extra / "tests.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    pip = tmp_path / "bin" / "pip"
    pip.parent.mkdir()
    pip.write_text(
        f'#!/bin/sh\nexec "{sysconfig.get_path("scripts")}/python" -m pip --python "{python}/bin/python" "$@"\n'
    )
    pip.chmod(0o755)
    return {
        **reader[1],
        "PATH": f"{pip.parent}:{reader[1]['PATH']}",
        "HOME": str(tmp_path / "home"),
        "TIPR_ZOO_HOME": str(tmp_path / "cache"),
        "HF_HOME": str(tmp_path / "hub"),
        EXTRA_SITE: str(extra),
    }


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_can_be_typed_from_top_to_bottom(
    page: Path, reader: tuple[CommandServer, dict[str, str], Path], environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(reader[2], folder)
    _take_away_what_is_made(page, folder)
    _point_to_the_data_set(page, folder)
    programs: list[str] = [PYTHON.get(name_of(page), "")]
    for step in steps(page):
        line, code = step.text, 0
        if (found := stand_in(page, step.text.splitlines()[0])) is not None:
            if found.instead is None:
                continue
            line, code = found.instead.format(line=step.text), found.code
        if step.is_python:
            programs.append(step.text)
            (folder / "typed.py").write_text("\n".join(programs))
            line = "python typed.py"
        _type(line, code, f"{name_of(page)}:{step.place}: {step.text}", environment, folder)


def _type(line: str, code: int, place: str, environment: dict[str, str], folder: Path) -> None:
    """Type a line in a shell, and look at how it ends."""
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    told = f"{place}\ntyped: {line}\nended with {done.returncode} instead of {code}:\n{done.stdout[-3000:]}"
    assert done.returncode == code, told
    assert "Traceback" not in done.stdout, told


def _take_away_what_is_made(page: Path, folder: Path) -> None:
    """Leave what a page makes by itself to the page."""
    text = page.read_text()
    for name, command in MADE_BY.items():
        if command in text:
            made = folder / name
            shutil.rmtree(made) if made.is_dir() else made.unlink()


def _point_to_the_data_set(page: Path, folder: Path) -> None:
    """Let ``DIR``, where a card says so, be the data set of its model."""
    names = {"cuhk": "CUHK-PEDES", "icfg": "ICFG-PEDES", "rstp": "RSTPReid", "synth": "synthpedes"}
    kind = page.stem.rpartition("_")[2]
    if page.parent.name == "model_cards":
        (folder / "DIR").symlink_to(f"data/{names.get(kind, 'CUHK-PEDES')}")  # CLIP as it is is of none


def test_every_stand_in_is_of_use() -> None:
    lines = [(name_of(page), step.text.splitlines()[0]) for page in PAGES for step in steps(page)]
    for each in LINES:
        first = [line for page, line in lines if each.fits(page, line) and stand_in(ROOT / page, line) is each]
        assert first, f"no page has {each.typed!r}; take its stand-in away"
    texts = "\n".join(step.text for page in PAGES for step in steps(page))
    for name in STANDS_FOR:
        assert name in texts, f"no page speaks of {name}; take its stand-in away"


def test_what_is_to_be_typed_is_read_as_it_stands(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "---\ntitle: x\n---\n# A page\n```\nfirst \\\n    'more # of it'   # why\n\nsecond\n```\n- in a list\n\n"
        "  ```console\n  $ third\n  printed\n  ```\n```text\nshown\n```\n```python\nx = 1  # one\n```\n"
    )
    assert steps(page) == [
        Step(6, "first     'more # of it'"),
        Step(9, "second"),
        Step(14, "third"),
        Step(21, "x = 1  # one\n", is_python=True),
    ]
    page.write_text("```ruby\nputs 1\n```\n")
    with pytest.raises(ValueError, match=r"page\.md:2: what is to be done with a block of 'ruby'\?"):
        steps(page)
