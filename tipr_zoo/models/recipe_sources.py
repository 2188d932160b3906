"""The files that a recipe is made of, looked at before any of them is run.

A base is named as MMEngine does it: ``"./FILE"`` lies beside the recipe, and ``"OWNER::FILE"`` among the recipes of
another plugin, or of the core, whose name is ``core``. No plugin is imported to find one.
"""

from __future__ import annotations

import ast
import codecs
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError, PluginError, TiprZooError
from tipr_zoo.outside.files import SOURCE_LIMIT, read_bytes
from tipr_zoo.plugins.discovery import find_plugin

CONFIGS_FOLDER = "configs"

CORE = "core"
"""The owner of the core's recipes, as in ``tipr-zoo list --plugin core``."""

_BASES = "_base_"
_OF = "::"
_MOST_FILES = 100
_FOREIGN = re.compile(rb"""_base_["']?\s*:[\s\["'-]*([\w.-]+::[^\s"',\]}]*)""")
"""A base of another package in JSON or YAML."""

_OWN_PLACE = re.compile(rb"\{\{\s*file(Dirname|Basename|BasenameNoExtension|Extname)\s*\}\}")
"""What stands for a recipe's folder or name, as MMEngine spells it."""

_ENDINGS = (".py", ".json", ".yaml", ".yml")


@dataclass(frozen=True)
class RecipeSources:
    """A recipe and all its bases.

    Attributes:
        recipe: The recipe's file.
        bases: The bases of each file that has any, by the name that it gives them.
        plugins: The plugins that bases belong to, by name, in the order in which they are met.
    """

    recipe: Path
    bases: Mapping[Path, Mapping[str, Path]]
    plugins: tuple[str, ...]


def configs_folder(owner: str | None) -> Path | None:
    """Return the folder with the recipes of a plugin, or of the core; None where a plugin has none.

    Args:
        owner: The plugin's name; None or ``"core"`` for the core.

    Raises:
        PluginError: The plugin is not installed, or needs another core.
        DuplicateNameError: Two distributions bring a plugin of this name.
        UnknownNameError: No such plugin is known.
    """
    if owner is None or owner == CORE:
        return Path(__file__).parents[1] / CONFIGS_FOLDER
    return find_plugin(owner).folder(CONFIGS_FOLDER)


def find_sources(path: Path) -> RecipeSources:
    """Find the bases of a recipe, and check that all are regular files up to a size, and few.

    Args:
        path: The recipe.

    Raises:
        OSError: One cannot be read, is no regular file, or is too large.
        SyntaxError: The recipe or a base is no Python.
        ConfigError: A base is not there, a file is its own base, or there are too many.
        PluginError: A base belongs to a plugin that is not installed, or not known.
    """
    bases: dict[Path, dict[str, Path]] = {}
    plugins: dict[str, None] = {}
    count = 0

    def look(file: Path, chain: tuple[Path, ...]) -> None:
        nonlocal count
        count += 1
        if count > _MOST_FILES:
            raise ConfigError(f"recipe {path} has more than {_MOST_FILES} bases, {file} among them; merge some of them")
        content = _source(file)
        for name in _checked_names(file, content):
            base = _base_file(file, name)
            if base.resolve() in (above.resolve() for above in (*chain, file)):
                by_way_of = f" by way of {chain[-1]}" if chain else ""
                raise ConfigError(f"recipe {base} is its own base{by_way_of}; take it out of {_BASES} in {file}")
            bases.setdefault(file, {})[name] = base
            owner, is_of_another, _ = name.partition(_OF)
            if is_of_another and owner != CORE:
                plugins[owner] = None
            look(base, (*chain, file))

    look(path, ())
    return RecipeSources(path, bases, tuple(plugins))


@contextmanager
def runnable(sources: RecipeSources) -> Iterator[Path]:
    """Give the file that MMEngine is to run, which itself finds only bases that lie beside a recipe.

    Where a base is of another package, that is a copy for the time of the block, which names its bases by their paths.
    So it is where a file begins with a byte order mark, which MMEngine does not expect.
    """
    files = {sources.recipe, *(base for names in sources.bases.values() for base in names.values())}
    is_foreign = any(_OF in name for names in sources.bases.values() for name in names)
    if not is_foreign and not any(_has_mark(file) for file in files):
        yield sources.recipe
        return
    with tempfile.TemporaryDirectory() as folder:
        yield _copied(sources.recipe, sources.bases, Path(folder))


def _copied(file: Path, bases: Mapping[Path, Mapping[str, Path]], folder: Path) -> Path:
    """Copy a recipe and its bases; return the copy. What has no base is taken as it is."""
    if file not in bases and not _has_mark(file):
        return file.absolute()
    content = _source(file)
    if file.suffix != ".py":
        if _BASES.encode() in content:
            raise ConfigError(f"recipe {file} begins with a byte order mark; save it without one, as plain UTF-8")
        folder.mkdir(exist_ok=True, parents=True)
        (folder / file.name).write_bytes(content)
        return folder / file.name
    starts = [0]
    for line in content.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    names = sorted(_base_names(ast.parse(content, str(file))), key=lambda found: (found[1].lineno, found[1].col_offset))
    for number, (name, place) in enumerate(reversed(names)):  # from the end, so that places before it stay
        copy = _copied(bases[file][name], bases, folder / str(number))
        begin = starts[place.lineno - 1] + place.col_offset
        end = starts[(place.end_lineno or 0) - 1] + (place.end_col_offset or 0)
        content = content[:begin] + repr(str(copy)).encode() + content[end:]
    folder.mkdir(exist_ok=True, parents=True)
    (folder / file.name).write_bytes(content)
    return folder / file.name


def _has_mark(file: Path) -> bool:
    return read_bytes(file, SOURCE_LIMIT).startswith(codecs.BOM_UTF8)


def _source(file: Path) -> bytes:
    """Read a recipe without a byte order mark. What MMEngine puts in for its own place and name is in it."""
    content = read_bytes(file, SOURCE_LIMIT).removeprefix(codecs.BOM_UTF8)
    path = file.absolute()
    own = {"Dirname": path.parent.as_posix(), "Basename": path.name}
    own |= {"BasenameNoExtension": path.stem, "Extname": path.suffix}
    return _OWN_PLACE.sub(lambda found: own[found[1].decode()].encode(), content)


def _base_names(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names of the files that a recipe begins with, as MMEngine finds them, and where they are in it."""
    for statement in module.body:
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == _BASES for target in statement.targets
        ):
            for node in ast.walk(statement.value):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value, node


def _checked_names(file: Path, content: bytes) -> list[str]:
    """Return the names of the bases of a recipe in Python, where they are known without running it.

    Raises:
        ConfigError: They are not, or a recipe that is no Python has a base of another package.
    """
    if file.suffix != ".py":
        if foreign := _FOREIGN.search(content):
            raise ConfigError(
                f"{_BASES} of recipe {file}: {foreign[1].decode()!r} lies in another package, which a recipe in Python"
                f" alone can name; write this one as {file.stem}.py"
            )
        return []
    module = ast.parse(content, str(file))
    found = [statement for statement in module.body if _BASES in _targets(statement)]
    try:
        bases = ast.literal_eval(found[0].value) if found else []  # type: ignore[attr-defined]  # an assignment
    except (ValueError, TypeError):
        bases = None
    names: list[str] = [bases] if isinstance(bases, str) else bases  # type: ignore[assignment]  # checked below
    is_written_out = isinstance(names, list) and all(isinstance(name, str) for name in names)
    # MMEngine would take what stands in a block, or behind a colon, for an entry of the recipe.
    lines = [node.lineno for node in ast.walk(module) if _sets_bases(node)]
    if not is_written_out or len(lines) > len(found) or len(found) > 1 or any(not _is_plain(each) for each in found):
        raise ConfigError(
            f"{_BASES} of recipe {file} must be a text or a list of texts, each written out, in one plain assignment"
            f" outside of any block: './FILE' or 'OWNER{_OF}FILE'; see line {max(lines)}"
        )
    return names


def _sets_bases(node: ast.AST) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and node.id == _BASES and isinstance(node.ctx, (ast.Store, ast.Del))


def _is_plain(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and len(statement.targets) == 1  # MMEngine looks at the first alone


def _targets(statement: ast.stmt) -> list[str]:
    """Return what an assignment gives a value to."""
    if not isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        return []
    targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    return [ast.unparse(target) for target in targets if isinstance(target, ast.expr)]


def _base_file(file: Path, name: str) -> Path:
    """Return the file of a base that `file` names."""
    owner, is_of_another, place = name.partition(_OF)
    if not is_of_another:
        folder, place = file.parent, name
        if (folder / name).exists():
            return folder / name
    else:
        folder = _folder_of(owner, name, file)
    known = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in _ENDINGS)
    if is_of_another and place in known:
        return folder / place
    before = f"{owner}{_OF}" if is_of_another else "./"
    told = [f"{before}{other}" for other in known if folder / other != file]
    form = (
        f"that of another package is 'OWNER{_OF}FILE', e.g. '{CORE}{_OF}irra_tiny_synth.py'"
        if ":" in name and not is_of_another
        else ""
    )
    raise ConfigError(f"{_BASES} of recipe {file}: {unknown_name('recipe', name, told, form)}")


def _folder_of(owner: str, name: str, file: Path) -> Path:
    """Return the folder with the recipes of a base's owner."""
    place = f"{_BASES} of recipe {file}: {name!r}"
    try:
        folder = configs_folder(owner)
    except TiprZooError as error:
        raise PluginError(f"{place}: {error}; before {_OF} stands {CORE!r} or a plugin's name") from error
    if folder is None:
        raise ConfigError(f"{place}: plugin {owner!r} has no recipes; take it out")
    return folder
