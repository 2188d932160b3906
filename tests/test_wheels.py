"""The core and each plugin as wheels, in an environment that holds nothing else of the project.

The environment is a new one; the third-party packages are linked into it and not installed anew.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {"core": ROOT, "fmfa": ROOT / "plugins" / "fmfa", "sen": ROOT / "plugins" / "sen"}
OWN_PARTS = {"fmfa": {"AdaptiveSDM", "ExplicitFineGrainedAlignment"}, "sen": {"CrossModalTriplet"}}
OTHER = {"fmfa": "sen", "sen": "fmfa"}

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One wheel each, built from a copy of the sources, so that the build leaves nothing behind in them."""
    folder = tmp_path_factory.mktemp("wheels")
    for name, source in SOURCES.items():
        copy = folder / "sources" / name
        left_out = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "plugins", "build", "demo", "work_dirs")
        shutil.copytree(source, copy, ignore=left_out)
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        subprocess.run([*pip, "--wheel-dir", str(folder / name), str(copy)], check=True)
    return {name: next((folder / name).glob("*.whl")) for name in SOURCES}


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
def install(clean: Path, wheels: dict[str, Path]) -> Callable[..., None]:
    def install_wheels(*names: str) -> None:
        pip = [sys.executable, "-m", "pip", "--python", str(clean), "install", "--quiet", "--no-deps", "--no-index"]
        subprocess.run([*pip, *(str(wheels[name]) for name in names)], check=True)

    return install_wheels


@pytest.fixture
def run(clean: Path, tmp_path: Path) -> Run:
    """Run Python in the clean environment, away from the sources."""

    def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([clean, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)

    return run_python


@pytest.mark.parametrize("plugin", ["fmfa", "sen"])
def test_a_plugin_stands_alone_beside_the_core(plugin: str, install: Callable[..., None], run: Run) -> None:
    install("core", plugin)
    code = (
        "import json, sys, importlib.metadata, tipr_zoo\n"
        f"model = tipr_zoo.build('{plugin}_tiny_synth', pretrained=True)\n"
        "from tipr_zoo.registries import LOSSES\n"
        "print(json.dumps({'file': tipr_zoo.__file__, 'losses': LOSSES.names(), 'heads': list(model.heads),"
        f" 'version': importlib.metadata.version('tipr-zoo-{plugin}'), 'modules': sorted(sys.modules)}}))"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert str(ROOT) not in found["file"]
    assert set(found["losses"]) >= OWN_PARTS[plugin] | {"SDM"}
    assert not OWN_PARTS[OTHER[plugin]] & set(found["losses"])
    assert found["version"] == "0.1.0"
    assert not [module for module in found["modules"] if module.startswith(f"tipr_zoo_{OTHER[plugin]}")]
    listed = json.loads(run("-m", "tipr_zoo", "plugins", "--json").stdout)["plugins"]
    assert {row["plugin"]: row["status"] for row in listed}[plugin] == "works"
    missing = run("-c", f"import tipr_zoo; tipr_zoo.build('{OTHER[plugin]}_tiny_synth')")
    assert f"install it with: pip install tipr-zoo-{OTHER[plugin]}" in missing.stderr


def test_the_core_alone_lists_every_model_and_says_what_a_plugins_model_needs(
    install: Callable[..., None], run: Run
) -> None:
    install("core")
    models = json.loads(run("-m", "tipr_zoo", "list", "--json").stdout)
    assert {"irra_tiny_synth", "fmfa_tiny_synth", "sen_tiny_synth"} <= {row["model"] for row in models}
    done = run(
        "-c", "import tipr_zoo; model = tipr_zoo.build('irra_tiny_synth', pretrained=True); print(len(model.heads))"
    )
    assert done.stdout.strip() == "2", done.stderr
    assert "pip install tipr-zoo-fmfa" in run("-m", "tipr_zoo", "info", "fmfa_tiny_synth").stdout


@pytest.mark.parametrize("plugin", ["fmfa", "sen"])
def test_neither_plugin_names_the_other(plugin: str) -> None:
    for path in (SOURCES[plugin] / f"tipr_zoo_{plugin}").rglob("*.py"):
        assert f"tipr_zoo_{OTHER[plugin]}" not in path.read_text(encoding="utf-8"), path
