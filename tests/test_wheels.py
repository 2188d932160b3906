"""The core, each plugin and a plugin of a third party as wheels, in an environment without the rest of the project.

The environment is a new one; the third-party packages are linked into it and not installed anew.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tipr_zoo.authoring.new_plugin import write_plugin
from tipr_zoo.plugins.contract import PLUGIN_CONTRACT

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
OWN_PARTS = {
    "fmfa": {"AdaptiveSDM", "ExplicitFineGrainedAlignment"},
    "rasa": set(),  # its objectives are heads
    "rde": {"TripletAlignment", "GatedITC", "GatedSDM"},
    "sen": {"CrossModalTriplet"},
    "tbps_clip": {"CyclicITC"},
}
SOURCES = {"core": ROOT, **{plugin: ROOT / "plugins" / plugin for plugin in OWN_PARTS}}
OTHER = {"fmfa": "sen", "rasa": "fmfa", "rde": "rasa", "sen": "rde", "tbps_clip": "sen"}
TUTORIALS = sorted((ROOT / "docs").glob("plugin_tutorial*.md"))

OFFLINE_PIP = {
    "PIP_NO_INDEX": "1",
    "PIP_NO_DEPS": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # pip reads the value of a --no option as that of the option without no
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds a wheel from a copy of the sources, so that the build leaves nothing behind in them.

    Once, whatever the number of processes that run tests: these share a folder.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "wheels"
    folder.mkdir(exist_ok=True)

    def build_wheel(name: str) -> Path:
        with FileLock(folder / f"{name}.lock"):
            done = list((folder / name).glob("*.whl"))
            if not done:
                copy = folder / "sources" / name
                shutil.copytree(SOURCES[name], copy, ignore=left_out)
                done = [built_wheel(copy, folder / name)]
        return done[0]

    return build_wheel


def left_out(folder: str, names: list[str]) -> set[str]:
    """What of a folder is no source: caches, and at the top what is built, drawn or a package of its own."""
    top = ("plugins", "build", "demo", "work_dirs", "data", "dist") if Path(folder) == ROOT else ()
    return set(shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", *top)(folder, names))


def built_wheel(source: Path, folder: Path) -> Path:
    """The wheel of a package, in `folder`."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(folder), str(source)]
    subprocess.run(pip, check=True, env={**os.environ, **OFFLINE_PIP})
    return next(folder.glob("*.whl"))


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """The Python of a new environment with the third-party packages alone."""
    environment, links = tmp_path / "environment", tmp_path / "third_party"
    venv.create(environment, symlinks=True)
    links.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.lower().startswith(("tipr", "__editable__")) and entry.suffix != ".pth":
            (links / entry.name).symlink_to(entry)
    python = environment / "bin" / "python"
    purelib = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    (Path(purelib.stdout.strip()) / "third_party.pth").write_text(f"{links}\n")
    return python


@pytest.fixture
def install(clean: Path, wheel: Callable[[str], Path]) -> Callable[..., None]:
    """Installs the project's own wheels, by name, or others, by path."""

    def install_wheels(*names: str | Path) -> None:
        pip = [sys.executable, "-m", "pip", "--python", str(clean), "install", "--quiet"]
        files = [str(wheel(name) if isinstance(name, str) else name) for name in names]
        subprocess.run([*pip, *files], check=True, env={**os.environ, **OFFLINE_PIP})

    return install_wheels


@pytest.fixture
def run(clean: Path, tmp_path: Path) -> Run:
    """Run Python in the clean environment, away from the sources and from the cache of whoever runs the tests."""
    environment = {**os.environ, **OFFLINE_PIP, "TIPR_ZOO_HOME": str(tmp_path / "cache")}

    def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(clean), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)

    return run_python


@pytest.mark.parametrize("plugin", OWN_PARTS)
def test_a_plugin_stands_alone_beside_the_core(plugin: str, install: Callable[..., None], run: Run) -> None:
    install("core", plugin)
    code = (  # in one process: torch, timm and MMEngine take seconds to import
        "import json, sys, importlib.metadata, tipr_zoo\n"
        "from tipr_zoo.command_line import main\n"
        "from tipr_zoo.errors import TiprZooError\n"
        f"model = tipr_zoo.build('{plugin}_tiny_synth', pretrained=True)\n"
        "from tipr_zoo.registries import LOSSES\n"
        "found = {'file': tipr_zoo.__file__, 'losses': LOSSES.names(), 'heads': list(model.heads),"
        f" 'version': importlib.metadata.version('tipr-zoo-{plugin}'), 'modules': sorted(sys.modules)}}\n"
        "try:\n"
        f"    tipr_zoo.build('{OTHER[plugin]}_tiny_synth')\n"
        "except TiprZooError as error:\n"
        "    found['missing'] = str(error)\n"
        "print(json.dumps(found))\n"
        "sys.exit(main(['plugins', '--json']))"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    first, _, listed = done.stdout.partition("\n")
    found = json.loads(first)
    assert str(ROOT) not in found["file"]
    assert set(found["losses"]) >= OWN_PARTS[plugin] | {"SDM"}
    assert not OWN_PARTS[OTHER[plugin]] & set(found["losses"])
    assert found["version"] == "0.1.0"
    assert not [module for module in found["modules"] if module.startswith(f"tipr_zoo_{OTHER[plugin]}")]
    assert {row["plugin"]: row["status"] for row in json.loads(listed)["plugins"]}[plugin] == "works"
    assert f"install it with: pip install tipr-zoo-{OTHER[plugin]}" in found["missing"]


@pytest.mark.parametrize("name", SOURCES)
def test_wheels_carry_the_licence(name: str, wheel: Callable[[str], Path]) -> None:
    with zipfile.ZipFile(wheel(name)) as archive:
        folder = next(entry.partition("/")[0] for entry in archive.namelist() if ".dist-info/" in entry)
        assert archive.read(f"{folder}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
        metadata = archive.read(f"{folder}/METADATA").decode().splitlines()
    assert {"License-Expression: Apache-2.0", "License-File: LICENSE"} <= set(metadata)


def test_the_core_alone_lists_every_model_and_says_what_a_plugins_model_needs(
    install: Callable[..., None], run: Run
) -> None:
    install("core")
    models = json.loads(run("-m", "tipr_zoo", "list", "--json").stdout)
    assert {"irra_tiny_synth", "fmfa_tiny_synth", "sen_tiny_synth", "rde_vitb16_cuhk"} <= {
        row["model"] for row in models
    }
    done = run(
        "-c", "import tipr_zoo; model = tipr_zoo.build('irra_tiny_synth', pretrained=True); print(len(model.heads))"
    )
    assert done.stdout.strip() == "2", done.stderr
    assert "pip install tipr-zoo-fmfa" in run("-m", "tipr_zoo", "info", "fmfa_tiny_synth").stdout


@pytest.mark.parametrize("plugin", OWN_PARTS)
def test_no_plugin_names_another(plugin: str) -> None:
    for path in (SOURCES[plugin] / f"tipr_zoo_{plugin}").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not [other for other in OWN_PARTS if other != plugin and f"tipr_zoo_{other}" in text], path


def test_a_new_plugin_comes_works_and_goes_without_a_trace(
    install: Callable[..., None], run: Run, tmp_path: Path, clean: Path, synthpedes: Path
) -> None:
    source = write_plugin("passing", tmp_path / "written")
    install("core", built_wheel(source, tmp_path / "wheel"))

    listed = json.loads(run("-m", "tipr_zoo", "list", "--plugin", "passing", "--json").stdout)
    assert [row["model"] for row in listed] == ["passing_tiny_synth"]
    (row,) = json.loads(run("-m", "tipr_zoo", "plugins", "passing", "--json").stdout)["plugins"]
    assert (row["status"], row["contract"], row["components"]) == ("works", PLUGIN_CONTRACT, {"loss": ["PassingLoss"]})

    weights = tmp_path / "passing.safetensors"
    code = "import sys, tipr_zoo; from safetensors.torch import save_file; "
    code += "model = tipr_zoo.build('passing_tiny_synth'); save_file(model.state_dict(), sys.argv[1]); "
    code += "print(sys.modules[type(model.losses['passing_loss']).__module__].__file__)"
    built = run("-c", code, str(weights))
    assert built.returncode == 0, built.stderr
    assert Path(built.stdout.strip()).is_relative_to(clean.parents[1])
    words = ["passing_tiny_synth", "--data", str(synthpedes), "--weights", str(weights), "--records", "records"]
    evaluated = run("-m", "tipr_zoo", "eval", *words)
    assert evaluated.returncode == 0, evaluated.stderr
    ranked = run("-m", "tipr_zoo", "leaderboard", "--records", "records", "--json").stdout
    assert "passing_tiny_synth" in {entry["model"] for entry in json.loads(ranked)}

    tested = run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(source))
    assert tested.returncode == 0, tested.stdout

    removed = run("-m", "pip", "uninstall", "--yes", "tipr-zoo-passing")
    assert removed.returncode == 0, removed.stderr
    assert "passing" not in run("-m", "tipr_zoo", "list").stdout
    assert "unknown plugin 'passing'" in run("-m", "tipr_zoo", "plugins", "passing").stderr
    assert "passing" not in run("-m", "tipr_zoo", "leaderboard", "--json").stdout
    points = "import importlib.metadata as m; print(sorted(e.name for e in m.entry_points(group='tipr_zoo.plugins')))"
    assert run("-c", points).stdout.strip() == "[]"
    assert not [path for path in clean.parents[1].rglob("*") if "passing" in path.name]
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and b"passing" in path.read_bytes()]


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_the_tutorial_does_what_it_says(install: Callable[..., None], clean: Path, tmp_path: Path, page: Path) -> None:
    """Every command of the page, in its order, where each prints what the page shows, but for times and figures.

    The figures are not looked at, so it is typed for few people.
    """
    install("core")
    folder = tmp_path / "reader"
    folder.mkdir()
    for name, module in {"pip": "pip", "tipr-zoo": "tipr_zoo"}.items():  # an environment with the core has these
        (clean.parent / name).write_text(f'#!/bin/sh\nexec {clean} -m {module} "$@"\n')
        (clean.parent / name).chmod(0o755)
    path = f"{clean.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **OFFLINE_PIP, "TIPR_ZOO_HOME": str(tmp_path / "cache"), "PATH": path}
    environment["OMP_NUM_THREADS"] = "1"  # threads that wait for each other where something else runs take for ever

    text = page.read_text().replace("--train 300 ", "--train 24 ").replace("train=300,", "train=24,")
    assert "--train 24 " in text
    for block in re.finditer(r"`(\S+\.py)`:\n\n```python\n(.*?)```|```console\n(.*?)```", text, re.S):
        file, code, console = block.groups()
        if file is not None:
            assert (folder / file).parent.is_dir(), f"{file} lies in no folder that new-plugin makes"
            (folder / file).write_text(code)
            continue
        for command, shown in re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", console, re.MULTILINE):
            done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, env=environment)
            assert done.returncode == (2 if shown.startswith("error: ") else 0), f"{command}\n{done.stderr}"
            printed = done.stderr if shown.startswith("error: ") else done.stdout
            assert without_figures(printed) == without_figures(shown), f"{command} prints\n{printed}"


def without_figures(text: str) -> list[str]:
    """The words of an output without its figures, and without what marks the best of them."""
    plain = re.sub(r"\d[\d,.]*[*+]?", "#", re.sub(r"-{3,}", "---", text))
    return re.sub(r"epoch #, .*?\)|on cpu.*|on cuda.*", "", plain).split()
