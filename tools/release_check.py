"""The steps of a release up to the upload: build, check, install elsewhere, and use.

``python -m tools.release_check`` from the top folder builds the source distribution and the wheel of the core and of
the plugins in `build/release/dist`, and says what is wrong with them. The wheels are installed in an environment of
their own, which takes the third-party packages from the one that runs this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

from tools.versions import ROOT, source_version, stated_versions

PLUGINS = tuple(sorted(file.parent.name for file in ROOT.glob("plugins/*/pyproject.toml")))
SOURCES = {"tipr_zoo": ROOT, **{f"tipr_zoo_{name}": ROOT / "plugins" / name for name in PLUGINS}}
FOLDER = ROOT / "build" / "release"
COMMANDS = (
    ["--version"],
    ["list"],
    ["plugins"],
    ["doctor"],
    ["info", "sen_tiny_synth"],
    ["leaderboard", "--brief", "--format", "markdown"],
)


def main() -> int:
    """Do every step; the first that fails ends it."""
    version = source_version(ROOT)
    if wrong := {place: stated for place, stated in stated_versions(ROOT).items() if stated != version}:
        raise SystemExit(f"the version is {version}, but: {wrong}; see `python -m tools.versions --check`")
    shutil.rmtree(FOLDER, ignore_errors=True)
    dist = FOLDER / "dist"
    for source in SOURCES.values():
        step("-m", "build", "--outdir", str(dist), str(source))
    files = sorted(dist.iterdir())
    check_files(files, version)
    step("-m", "twine", "check", "--strict", *map(str, files))
    use_wheels([file for file in files if file.suffix == ".whl"])
    print(f"\n{len(files)} distributions of {version} in {dist.relative_to(ROOT)}, checked, installed and used")
    return 0


def step(*arguments: str) -> None:
    """Run Python with these arguments, shown first."""
    print("+ python", *arguments, flush=True)
    subprocess.run([sys.executable, *arguments], check=True, cwd=ROOT)


def check_files(files: list[Path], version: str) -> None:
    """Check that every package has a source distribution and a wheel of this version, each with its licence."""
    expected = {f"{name}-{version}{ending}" for name in SOURCES for ending in (".tar.gz", "-py3-none-any.whl")}
    if (names := {file.name for file in files}) != expected:
        raise SystemExit(f"expected {sorted(expected)}, got {sorted(names)}")
    licence = (ROOT / "LICENSE").read_bytes()
    for file in files:
        if licence not in licences(file):
            raise SystemExit(f"{file.name} holds no LICENSE, or another; add license-files to its pyproject.toml")


def licences(file: Path) -> list[bytes]:
    """The files named LICENSE in a source distribution or a wheel."""
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            return [wheel.read(name) for name in wheel.namelist() if name.endswith("/licenses/LICENSE")]
    with tarfile.open(file) as archive:
        members = [member for member in archive.getmembers() if member.name.endswith("/LICENSE")]
        return [content.read() for member in members if (content := archive.extractfile(member)) is not None]


def use_wheels(wheels: list[Path]) -> None:
    """Install the wheels into a new environment and run some commands there, away from the sources."""
    environment = FOLDER / "environment"
    venv.create(environment, with_pip=False)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    pip = ["-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index", *map(str, wheels)]
    step(*pip)
    purelib = next(path for path in environment.rglob("site-packages"))
    (purelib / "third_party.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    elsewhere = FOLDER / "elsewhere"
    elsewhere.mkdir()
    code = "import tipr_zoo; print(tipr_zoo.__file__); tipr_zoo.build('fmfa_tiny_synth', pretrained=True)"
    words = [["-c", code], *(["-m", "tipr_zoo", *command] for command in COMMANDS)]
    for each in words:
        print("+ python", *each, flush=True)
        done = subprocess.run([str(python), *each], cwd=elsewhere, capture_output=True, text=True, check=False)
        if done.returncode != 0 or (each[0] == "-c" and str(environment) not in done.stdout):
            raise SystemExit(f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
