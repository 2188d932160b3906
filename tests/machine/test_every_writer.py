"""No file of the user's is written but through `whole_file`: whoever writes the next one is told here."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from source_calls import NO_FILES, check_exceptions, given_mode, named, not_excepted

WRITERS = {
    *("write_text", "write_bytes", "touch", "rename", "renames", "truncate", "symlink_to", "hardlink_to"),
    *("save", "save_file", "save_checkpoint", "savez", "savez_compressed", "savetxt", "savefig", "tofile", "dump"),
    *("to_csv", "copyfile", "copytree", "move", "urlretrieve", "make_writer"),
    *("mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryFile", "TemporaryDirectory", "FileHandler", "FileLock"),
}
"""Functions and methods that write files, whatever they are of."""

WRITERS_OF = {
    "os": {"open", "replace", "link", "symlink", "mkfifo"},
    "shutil": {"copy", "copy2"},
    "np": {"save"},
}
"""Functions of modules whose name says less."""

OPENING = {"gzip", "bz2", "lzma", "zipfile", "tarfile", "io"}
"""Modules whose functions open the file that is their first argument."""

EXCEPTIONS = {
    "tipr_zoo/machine/whole_file.py": {
        "os.open": "makes the part, and waits until the disk has it",
        "os.replace": "moves the part to its place",
    },
    "tipr_zoo/machine/whole_folder.py": {"os.replace": "moves the part to its place"},
    "tipr_zoo/weights/fetching.py": {"path.open": "is given the part"},
    "tipr_zoo/cards/parsed_yaml_cache.py": {"self.save": "is of its own, through `write_whole`"},
    "tipr_zoo/display/picture_file.py": {"picture.save": "into memory"},
    "tipr_zoo/synthpedes/camera.py": {"picture.save": "into memory"},
    "tipr_zoo/terminal/streams.py": {
        "open": "the device that forgets everything",
        "os.open": "the device that forgets everything",
    },
    "tipr_zoo/outside/files.py": {"os.open": "only reads"},
    "tipr_zoo/cache_folder.py": {"tempfile.mkdtemp": "a folder, where there is no home"},
    "tipr_zoo/authoring/plugin_check.py": {"tempfile.TemporaryFile": "is removed"},
    "tipr_zoo/training/dry_run.py": {"tempfile.TemporaryDirectory": "is removed"},
    "tipr_zoo/models/recipe_sources.py": {
        "tempfile.TemporaryDirectory": "is removed",
        "(folder / file.name).write_bytes": "into a folder that is removed",
    },
    "tipr_zoo/machine/appended_lines.py": {
        "file.open": "appended to, so that it can be followed; what was there is brought back",
        "os.truncate": "brings it back",
    },
    "tipr_zoo/training/checkpoints/work_dir_lock.py": {
        "FileLock": "a lock file, which is empty",
        "(work_dir / LOCK).touch": "a lock file, which is empty",
    },
    "tipr_zoo/gallery/engines/folder.py": {
        "(part / FIRST_NAME).touch": "within a folder that is made whole",
        "os.replace": "moves a gallery away, to remove it",
    },
    "tipr_zoo/gallery/engines/folder_access.py": {"FileLock": "a lock file, which is empty"},
    "tipr_zoo/gallery/engines/last_writing.py": {"os.open": "a number of fixed length, written in one piece"},
    "tipr_zoo/gallery/engines/vector_file.py": {"os.open": "appended to, before the rows that name it"},
    "tipr_zoo/training/loop/tensorboard_hook.py": {"self.make_writer": "TensorBoard appends to files of its own"},
    "tipr_zoo/reproduction/seed_training.py": {"(folder.path / LOG).open": "a log, appended to"},
    "plugins/sen/ablation.py": {"(folder / 'log.txt').open": "a log, appended to"},
}
"""What may write otherwise, by file, and why."""


def writes(source: str) -> Iterator[tuple[int, str]]:
    """Line and function of every call that writes a file, but into a part that `whole_file` gave."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    within: dict[int, set[str]] = {}
    for function in functions:
        within |= dict.fromkeys(map(id, ast.walk(function)), _parts(function))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_writer(node):
            names = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
            if not names & within.get(id(node), set()):
                yield node.lineno, ast.unparse(node.func)


def _parts(function: ast.AST) -> set[str]:
    """The names of parts in a function, and of files opened of them."""
    names: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.withitem) and isinstance(node.context_expr, ast.Call):
            call, made = node.context_expr, node.optional_vars
            opened = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in names
            if isinstance(made, ast.Name) and (ast.unparse(call.func) == "whole_file" or opened):
                names.add(made.id)
    return names


def _is_writer(call: ast.Call) -> bool:
    of, name = named(call)
    if name in WRITERS or name in WRITERS_OF.get(of, ()):
        return not (name == "save" and of in ("safetensors.torch", "safetensors.numpy"))  # which give the bytes
    if name == "replace" and of and len(call.args) == 1 and not call.keywords:  # a path's; a text's takes two
        return True
    if name in ("open", "ZipFile") and of not in ("Image", *NO_FILES):
        place = 1 if not of or of in OPENING else 0
        given = given_mode(call, place)
        return any(not isinstance(mode, ast.Constant) or set(str(mode.value)) & set("wax+") for mode in given)
    return False


def test_every_file_is_written_through_whole_file() -> None:
    others = not_excepted(writes, EXCEPTIONS)
    assert others == [], "write it through tipr_zoo.machine.whole_file, or say in EXCEPTIONS why it may do without"


def test_no_exception_is_left_over() -> None:
    check_exceptions(writes, EXCEPTIONS)


@pytest.mark.parametrize(
    "call",
    [
        "path.write_text(text)",
        "path.write_bytes(b'')",
        "open(path, 'w')",
        "open(path, mode='ab')",
        "path.open('x')",
        "path.open(mode=how)",
        "open(path, how)",
        "gzip.open(path, 'wt')",
        "zipfile.ZipFile(path, 'w')",
        "os.open(path, os.O_CREAT)",
        "os.replace(a, b)",
        "a.replace(b)",
        "shutil.copy(a, b)",
        "torch.save(state, path)",
        "picture.save(path)",
        "np.savez(path)",
        "json.dump(value, file)",
        "tempfile.mkstemp()",
    ],
)
def test_a_writer_is_seen(call: str) -> None:
    source = f"def write(path):\n    with whole_file(other) as part:\n        {call}\n"
    assert [line for line, _ in writes(source)] == [3]
    assert [line for line, _ in writes(call)] == [1]


@pytest.mark.parametrize(
    "call",
    [
        "part.write_text(text)",
        "shutil.copyfile(a, part)",
        "json.dump(value, file)",
        "part.open('wb')",
        "np.savez(file)",
        "open(path)",
        "path.open()",
        "path.open('rb')",
        "open(path, encoding='utf-8')",
        "text.replace('a', 'b')",
        "dataclasses.replace(value, name=1)",
        "tensor.copy()",
        "zipfile.ZipFile(path)",
        "gzip.open(path, 'rt')",
    ],
)
def test_what_writes_a_part_or_nothing_is_left_alone(call: str) -> None:
    source = f"def write(path):\n    with whole_file(path) as part, part.open('wb') as file:\n        {call}\n"
    assert list(writes(source)) == []
