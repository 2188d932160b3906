"""A first plugin: a package that installs, lists, builds, trains and passes its tests without a change."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template

from tipr_zoo.cards.index import card_index
from tipr_zoo.errors import ConfigError, DuplicateNameError
from tipr_zoo.machine.whole_file import write_whole
from tipr_zoo.machine.whole_folder import whole_folder
from tipr_zoo.plugins.contract import PLUGIN_CONTRACT
from tipr_zoo.plugins.discovery import FIRST_PARTY, installed_plugins
from tipr_zoo.version import __version__

TEMPLATES = Path(__file__).parent / "plugin_template"

PREFIX = "tipr-zoo-"
"""The usual beginning of the name of a plugin's distribution."""

LONGEST_NAME = 24
"""Longest name, in characters. Up to it, lines with several names fit in 120 characters."""


@dataclass(frozen=True)
class PluginNames:
    """Every name in a new plugin. All of them are made from one name.

    Attributes:
        distribution: The name for ``pip install``, e.g. ``"tipr-zoo-hard-pairs"``.
        plugin: The entry point's name, which cards use, e.g. ``"hard_pairs"``.
        package: The top-level package, e.g. ``"tipr_zoo_hard_pairs"``.
        model: The model's name, e.g. ``"hard_pairs_tiny_synth"``.
        loss_module: The module of the loss, e.g. ``"hard_pairs_loss"``.
        loss_class: The class of the loss, e.g. ``"HardPairsLoss"``.
        loss_key: The key of the loss in the recipe, e.g. ``"hard_pairs_loss"``.
        title: The method's name on the leaderboard, e.g. ``"hard-pairs"``.
    """

    distribution: str
    plugin: str
    package: str
    model: str
    loss_module: str
    loss_class: str
    loss_key: str
    title: str

    @classmethod
    def of(cls, name: str) -> PluginNames:
        """Make all names from one, e.g. from ``"hard-pairs"``.

        Raises:
            ConfigError: It cannot be the name of a package. The message proposes one that can.
        """
        if name.replace("_", "-").startswith(PREFIX):
            raise ConfigError(f"plugin name {name!r}: {PREFIX} is put before it; leave it out: {name[len(PREFIX) :]!r}")
        if not re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", name) or len(name) > LONGEST_NAME:
            raise ConfigError(
                f"plugin name {name!r} must be words of lower-case letters and digits joined by '-', begin with a"
                f" letter and have at most {LONGEST_NAME} characters; try {_proposal(name)!r}"
            )
        plugin = name.replace("-", "_")
        loss = plugin if plugin.split("_")[-1] == "loss" else f"{plugin}_loss"
        return cls(
            distribution=PREFIX + plugin.replace("_", "-"),
            plugin=plugin,
            package=f"tipr_zoo_{plugin}",
            model=f"{plugin}_tiny_synth",
            loss_module=loss,
            loss_class="".join(word.capitalize() for word in loss.split("_")),
            loss_key=loss,
            title=plugin.replace("_", "-"),
        )


def write_plugin(name: str, parent: Path) -> Path:
    """Write a package ``tipr-zoo-NAME`` with a loss, a recipe, a model card and tests.

    Args:
        name: The plugin's name, e.g. ``"hard-pairs"``.
        parent: The folder for the package's folder. It is made where it is missing.

    Returns:
        The package's folder.

    Raises:
        ConfigError: The name is not allowed, the folder exists and is not empty, or it cannot be written.
        DuplicateNameError: A plugin or a model has this name already, or the name belongs to the zoo.
    """
    names = PluginNames.of(name)
    _check_free(names)
    folder = parent / names.distribution
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already; remove it, or choose another name or --dir")
    written = folder
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(folder) as part:
            for path, text in rendered_files(names).items():
                written = folder / path
                (part / path).parent.mkdir(parents=True, exist_ok=True)
                write_whole(part / path, text.encode())
            written = folder
    except OSError as error:
        # The system's own words name the file. The fix here is not the usual one of a WriteError.
        words = OSError(error.errno, error.strerror, str(written))
        raise ConfigError(f"{folder} cannot be written: {words}; choose another --dir") from error
    return folder


def rendered_files(names: PluginNames) -> dict[Path, str]:
    """Return the text of every file of a new plugin, by its path in the plugin's folder."""
    package = Path(names.package)
    templates = {
        Path("pyproject.toml"): "pyproject.toml",
        Path("README.md"): "README.md",
        Path(".gitignore"): "gitignore",
        package / "__init__.py": "package.py",
        package / "components.py": "components.py",
        package / f"{names.loss_module}.py": "loss.py",
        package / "configs" / f"{names.model}.py": "recipe.py",
        package / "model_cards" / f"{names.model}.md": "card.md",
        Path("tests") / f"test_{names.loss_module}.py": "test_loss.py",
        Path("tests") / f"test_{names.model}.py": "test_model.py",
    }
    values = {**asdict(names), "core_version": __version__.rpartition(".")[0], "contract": PLUGIN_CONTRACT}
    texts = {
        path: Template((TEMPLATES / f"{template}.template").read_text(encoding="utf-8")).substitute(values)
        for path, template in templates.items()
    }
    return {**texts, package / "py.typed": ""}


def _check_free(names: PluginNames) -> None:
    """Raise where the plugin's name or its model's name is taken."""
    if names.plugin in FIRST_PARTY or names.plugin == "core":
        raise DuplicateNameError(f"plugin name {names.plugin!r} is taken by tipr-zoo itself; choose another")
    if (taken := installed_plugins().get(names.plugin)) is not None:
        raise DuplicateNameError(
            f"plugin name {names.plugin!r} is taken by {taken.distribution} {taken.version}, which is installed;"
            " choose another, or uninstall it first"
        )
    index = card_index()
    if names.model in index.cards or names.model in index.problems:
        raise DuplicateNameError(f"plugin name {names.plugin!r}: a model {names.model!r} is there; choose another")


def _proposal(name: str) -> str:
    """Return an allowed name that resembles `name`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", plain).lower())
    proposal = "-".join(words).lstrip("0123456789-")[:LONGEST_NAME].rstrip("-")
    proposal = proposal.removeprefix(PREFIX)
    return proposal or "my-loss"
