"""No file is read but through the gate: whoever reads the next one otherwise is told here."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from source_calls import NO_FILES, check_exceptions, given_mode, named, not_excepted

READERS = {
    *("read_bytes", "read_text", "readlines", "fromfile", "memmap", "safe_open", "load_file", "ZipFile", "is_zipfile"),
    *("ParquetFile", "read_table", "read_csv", "read_parquet", "read_json", "run_path", "loadtxt", "genfromtxt"),
    *("load_state_dict_from_file", "Unpickler", "mmap", "TarFile", "GzipFile", "spec_from_file_location"),
}
"""Functions and methods that read a file, whatever they are of."""

READERS_OF = {
    **{module: {"load", "loads"} for module in ("json", "pickle", "marshal", "torch", "torch.jit", "np", "numpy")},
    **{module: {"open"} for module in ("os", "Image", "PIL.Image", "gzip", "bz2", "lzma", "tarfile", "io", "codecs")},
    "yaml": {"load", "safe_load", "load_all", "safe_load_all", "parse", "scan", "compose"},
    "safetensors.torch": {"load", "load_file"},
    "safetensors.numpy": {"load", "load_file"},
    "Config": {"fromfile", "fromstring"},
    "ast": {"parse"},
}
"""Functions of modules whose name says less; parsers among them, since none may be given what was not measured."""

GATE = ("tipr_zoo.outside", "tipr_zoo.datasets")
"""Whose `read_bytes`, `read_text` and the like are the gate, or lead to it."""

EXCEPTIONS = {
    "tipr_zoo/outside/files.py": {"os.open": "the gate"},
    "tipr_zoo/outside/parsing.py": {"yaml.parse": "the gate"},
    "tipr_zoo/weights/closed_unpickler.py": {"pickle._Unpickler": "no call, but the base of the closed one"},
    # What the gate opened
    "tipr_zoo/weights/pytorch_file.py": {
        "zipfile.is_zipfile": "of a file that the gate opened",
        "zipfile.ZipFile": "of a file that the gate opened",
    },
    "tipr_zoo/weights/whole_checkpoint.py": {"zipfile.ZipFile": "of a file that the gate opened"},
    "tipr_zoo/weights/opening.py": {"safetensors.torch.load_file": "after the gate looked; it checks sizes itself"},
    "tipr_zoo/evaluation/kept_queries.py": {"safetensors.numpy.load": "of bytes that the gate read"},
    "tipr_zoo/training/pairs/caption_noise.py": {"np.load": "of bytes that the gate read, without pickles"},
    "tipr_zoo/datasets/picture_folder.py": {"zipfile.ZipFile": "of a file that the gate opened"},
    "tipr_zoo/datasets/tables/parquet.py": {"parquet.ParquetFile": "of a file that the gate opened"},
    "tipr_zoo/pictures/decoding.py": {"Image.open": "of bytes that the gate read, with one decoder"},
    "tipr_zoo/models/recipe.py": {"Config.fromfile": "after `find_sources`"},
    "tipr_zoo/models/recipe_sources.py": {"ast.parse": "of bytes that the gate read"},
    "tipr_zoo/plugins/contract.py": {"ast.parse": "of bytes that the gate read"},
    "tipr_zoo/cards/lines.py": {"yaml.compose": "after `check_yaml_nesting`"},
    "tipr_zoo/cards/front_matter.py": {"yaml.load": "after `check_yaml_nesting`"},
    # Headers of safetensors files, whose reader in Rust limits size and depth
    "tipr_zoo/weights/header.py": {
        "safetensors.safe_open": "a header",
        "json.loads": "a text of a header; answered for whatever it is",
    },
    "tipr_zoo/authoring/published_weights.py": {"safetensors.safe_open": "a header"},
    # The zoo's own files
    "tipr_zoo/evaluation/embedding_cache.py": {
        "file.read_bytes": "sources of packages that were imported",
        "safetensors.torch.load_file": "an entry of the cache, compared with its checksum",
    },
    "tipr_zoo/cards/parsed_yaml_cache.py": {
        "json.loads": "an entry of the cache with a right checksum, and one just made",
    },
    "tipr_zoo/authoring/new_plugin.py": {"(TEMPLATES / f'{template}.template').read_text": "the zoo's own"},
    "tipr_zoo/leaderboard/page.py": {
        "(_ASSETS / 'leaderboard.css').read_text": "the zoo's own",
        "(_ASSETS / 'leaderboard.js').read_text": "the zoo's own",
    },
    "tipr_zoo/tokenizers/clip.py": {"gzip.open": "the vocabulary that a package brings"},
    "tipr_zoo/plugins/discovery.py": {"distribution.read_text": "the record of an installed package"},
    "tipr_zoo/authoring/plugin_check.py": {"json.loads": "what a process of its own answers"},
    # Galleries, whose rows have limits
    "tipr_zoo/gallery/engines/row_checks.py": {"json.loads": "facts of a row, which may be anything"},
    "tipr_zoo/gallery/engines/milvus_about.py": {"json.loads": "what the engine wrote into its own collection"},
    "tipr_zoo/gallery/engines/last_writing.py": {"os.open": "writes the gallery's own note, and reads nothing"},
    "tipr_zoo/gallery/engines/vector_file.py": {
        "np.fromfile": "float32 that the engine wrote",
        "np.memmap": "numbers alone, of which as many are looked at as the table says",
        "os.open": "appended to",
    },
    "tipr_zoo/gallery/header.py": {"json.loads": "a header that an engine kept"},
    "tipr_zoo/gallery/records.py": {"json.loads": "a record of at most 64 KiB that an engine kept"},
    "tipr_zoo/pictures/shapes.py": {"Image.open": "of bytes that the gate read, with one decoder"},
    # What was just made
    "tipr_zoo/evaluation/recorded_facts.py": {"json.loads": "of json.dumps"},
    "tipr_zoo/cards/schema.py": {"json.loads": "of json.dumps"},
    "tipr_zoo/reproduction/seed_training.py": {"json.loads": "of json.dumps"},
    "tipr_zoo/testing/round_trips.py": {
        "pickle.loads": "of pickle.dumps",
        "safetensors.torch.load": "of safetensors.torch.save",
    },
    "tipr_zoo/synthpedes/camera.py": {"Image.open": "of a picture that was just encoded"},
    "tipr_zoo/datasets/reading/captions.py": {"json.loads": "a word between quotes, which holds nothing else"},
    "plugins/sen/tipr_zoo_sen/pruned_captions.py": {"json.loads": "a file of the cache with a right checksum"},
    # Only written
    "tipr_zoo/machine/whole_file.py": {"os.open": "a part, to write it"},
    "tipr_zoo/terminal/streams.py": {"os.open": "the device that forgets everything"},
}
"""What may read otherwise, by file, and why."""


def reads(source: str) -> Iterator[tuple[int, str]]:
    """Line and function of every call that reads a file or parses what was read, but through the gate."""
    tree = ast.parse(source)
    gate = set(_names_of_the_gate(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_reader(node, gate):
            yield node.lineno, ast.unparse(node.func)
        if isinstance(node, ast.ClassDef):
            yield from ((base.lineno, ast.unparse(base)) for base in node.bases if "npickler" in ast.unparse(base))


def _names_of_the_gate(tree: ast.AST) -> Iterator[str]:
    """Functions that are imported from the gate or made of it, and modules of the gate."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(GATE):
            for name in node.names:
                yield name.asname or name.name
        if isinstance(node, ast.FunctionDef):  # its own, seen for itself
            yield node.name


def _is_reader(call: ast.Call, gate: set[str]) -> bool:
    of, name = named(call)
    if (of or name) in gate:
        return False
    if name in READERS or name in READERS_OF.get(of, ()):
        return True
    if name == "open" and of not in NO_FILES:  # of a path, or Python's
        given = given_mode(call, 0 if of else 1)
        return not given or not isinstance(given[0], ast.Constant) or set(str(given[0].value)) & set("r+") != set()
    return False


def test_every_file_is_read_through_the_gate() -> None:
    others = not_excepted(reads, EXCEPTIONS)
    assert others == [], "read it through tipr_zoo.outside, or say in EXCEPTIONS why it may do without"


def test_no_exception_is_left_over() -> None:
    check_exceptions(reads, EXCEPTIONS)


@pytest.mark.parametrize(
    "call",
    [
        "path.read_text()",
        "path.read_bytes()",
        "open(path)",
        "open(path, mode='rb')",
        "path.open()",
        "path.open('r+b')",
        "path.open(mode=how)",
        "os.open(path, os.O_RDONLY)",
        "json.load(file)",
        "json.loads(text)",
        "yaml.safe_load(text)",
        "torch.load(path)",
        "np.load(path)",
        "pickle.loads(content)",
        "Image.open(path)",
        "safetensors.torch.load_file(path)",
        "safe_open(path)",
        "zipfile.ZipFile(path)",
        "gzip.open(path)",
        "Config.fromfile(path)",
        "runpy.run_path(path)",
    ],
)
def test_a_reader_is_seen(call: str) -> None:
    assert list(reads(call)) == [(1, call.partition("(")[0])]
    assert [line for line, _ in reads(f"from tipr_zoo.outside.files import opened\n{call}")] == [2]


@pytest.mark.parametrize(
    "call",
    ["read_bytes(path, 5)", "opened(path, 5)", "files.read_text(path, 5)", "path.open('wb')", "webbrowser.open(url)"],
)
def test_the_gate_and_writers_are_left_alone(call: str) -> None:
    gate = "from tipr_zoo.outside.files import opened, read_bytes\nfrom tipr_zoo.outside import files\n"
    assert list(reads(gate + call)) == []
