"""README and docs: links lead somewhere, every command is shown, and what is to be typed can be typed.

`make docs` builds the site and runs the examples for real; here they are only read.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from as_typed.command_parsing import parse, parser_of

from tipr_zoo.command_line import COMMANDS, command_module

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("plugins/*/README.md"))]
FOR_MAINTAINERS = [ROOT / "CONTRIBUTING.md", DOCS / "architecture.md"]

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[^\n]*)\n(?P<code>.*?)^(?P=indent)(?P=fence)$", re.M | re.S
)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)", re.S)
_COMMAND = re.compile(r"^(?:\$ )?((?:tipr-zoo|torchrun .*-m tipr_zoo) .*)")


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return _FENCE.sub("", text_of(page))


def blocks(page: Path, *languages: str) -> list[str]:
    """The code blocks of a page in these languages."""
    return [match["code"] for match in _FENCE.finditer(text_of(page)) if match["language"].strip() in languages]


def anchors(page: Path) -> set[str]:
    """What can follow ``#`` in a link to a page: each heading as GitHub and MkDocs spell it there."""
    headings = re.findall(r"^#{1,6} +(.+?) *$", prose(page), re.M)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def commands(page: Path) -> list[str]:
    """The command lines of tipr-zoo in the code blocks of a page."""
    found = []
    for block in blocks(page, "", "console", "sh", "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            if match := _COMMAND.match(line.strip()):
                found.append(match[1])
    return found


@cache
def examples() -> ModuleType:
    """The module with the examples that the site shows."""
    specification = importlib.util.spec_from_file_location("command_examples", DOCS / "hooks" / "command_examples.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # a dataclass looks itself up there
    specification.loader.exec_module(module)
    return module


@every_page
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for target in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        assert place.exists(), f"{target}: there is no such file"
        assert not anchor or anchor in anchors(place), f"{target}: there is no such heading"
        if DOCS in page.parents:
            assert place.is_relative_to(DOCS), f"{target}: the site has nothing but docs/"


@every_page
def test_python_can_be_compiled(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block, str(page), "exec")


@every_page
def test_commands_can_be_typed(page: Path) -> None:
    for line in commands(page):
        parse(line)


@every_page
def test_commands_and_options_in_the_text_exist(page: Path) -> None:
    for line in re.findall(r"`tipr-zoo ([a-z][^`]*)`", prose(page)):
        words = line.split()
        name = words[0] if words[0] in COMMANDS else " ".join(words[:2])
        if name == "COMMAND":
            continue
        assert name in COMMANDS, f"`tipr-zoo {line}`: there is no command {name!r}"
        known = parser_of(name).format_help()
        for option in re.findall(r"(?<!\S)--[a-z-]+", line):
            assert re.search(rf"{option}\b", known), f"`tipr-zoo {line}`: there is no option {option}"


@every_page
def test_make_has_the_targets_that_are_named(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", text_of(page), re.M):
        assert re.search(rf"^{target}:", makefile, re.M), f"there is no `make {target}`"


@pytest.mark.parametrize("page", FOR_MAINTAINERS, ids=lambda page: page.name)
def test_places_that_maintainers_are_sent_to_exist(page: Path) -> None:
    folders = "tipr_zoo|tests|docs|plugins|model_cards|tools"
    places = re.findall(rf"(?:`|pytest )((?:{folders})/[\w./]*)", text_of(page))
    assert len(places) >= 10
    for place in places:
        assert "NAME" in place or (ROOT / place).exists(), f"{place}: there is no such place"


def test_readme_has_commands_to_type() -> None:
    assert len(commands(ROOT / "README.md")) >= 10


def test_every_command_has_examples_and_no_other_has() -> None:
    assert set(examples().EXAMPLES) == set(COMMANDS)
    assert all(examples().EXAMPLES.values())


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_can_be_typed(command: str) -> None:
    lines = [example.line for example in examples().EXAMPLES[command] if example.exit_code != 2]
    shown_by_help = command_module(command).EXAMPLE.strip().splitlines()
    assert shown_by_help, "the help has no example"
    for line in [*lines, *map(str.strip, shown_by_help)]:
        parse(line)
        assert command in line


def test_outputs_that_pages_show_are_those_of_examples() -> None:
    known = {example.line for each in examples().EXAMPLES.values() for example in each}
    files = {name for each in examples().EXAMPLES.values() for example in each for name in example.files}
    for page in PAGES:
        for kind, name in re.findall(r"^<!-- (output|printed|file): (.+) -->$", text_of(page), re.M):
            assert name in (files if kind == "file" else known), f"{page.name}: no example has {name!r}"


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    named = set(re.findall(r"[\w/]+\.md", str(site["nav"])))
    assert named == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}


def test_the_site_takes_nothing_from_the_network() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert site["theme"]["font"] is False
    assert not site.get("extra_javascript")
    assert not any("://" in file for file in site["extra_css"])
    assert "url(" not in (DOCS / "style.css").read_text()
