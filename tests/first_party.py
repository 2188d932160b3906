"""The plugins of this repository, so that a new one is in every test that asks something of all of them."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
PLUGINS = tuple(sorted(file.parent.name for file in ROOT.glob("plugins/*/pyproject.toml")))
PACKAGES = tuple(ROOT / "plugins" / name / f"tipr_zoo_{name}" for name in PLUGINS)
