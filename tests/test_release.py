"""What a release needs: one version, licences, a citation, workflows whose commands exist, and the oldest versions."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from tipr_zoo.cards.index import card_index
from tipr_zoo.version import __version__

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
OLDEST = ROOT / "constraints-oldest.txt"

CITATION_FIELDS = {
    "cff-version": str,
    "message": str,
    "type": str,
    "title": str,
    "abstract": str,
    "version": str,
    "license": str,
    "authors": list,
    "keywords": list,
    "references": list,
}
REFERENCE_FIELDS = {
    "type": str,
    "title": str,
    "abbreviation": str,
    "authors": list,
    "year": int,
    "journal": str,
    "volume": int,
    "start": int,
    "conference": dict,
    "doi": str,
    "url": str,
}
REFERENCE_TYPES = {"article", "conference-paper", "software", "generic"}


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`tools.versions`, which lies outside every package that is installed."""
    monkeypatch.syspath_prepend(ROOT)
    return import_module("tools.versions")


def project(folder: Path) -> dict[str, Any]:
    """The ``[project]`` table of a pyproject.toml."""
    tomllib = pytest.importorskip("tomllib", reason="in the standard library since Python 3.11")
    table: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def test_every_place_states_the_version_of_the_source(versions: ModuleType) -> None:
    stated = versions.stated_versions(ROOT)
    assert len(stated) == 7
    assert set(stated.values()) == {__version__}, stated


def test_the_version_is_copied_to_where_it_is_stated(versions: ModuleType, tmp_path: Path) -> None:
    for place in (versions.SOURCE, *versions.COPIES, versions.CHANGES):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / place, tmp_path / place)
    (tmp_path / versions.SOURCE).write_text('__version__ = "7.8.9rc1"\n')
    versions.copy_version(tmp_path)
    stated = versions.stated_versions(tmp_path)
    assert stated.pop(versions.CHANGES) == __version__
    assert set(stated.values()) == {"7.8.9rc1"}
    for place in versions.COPIES:
        assert len((tmp_path / place).read_text().splitlines()) == len((ROOT / place).read_text().splitlines())


def test_changes_have_the_form_and_the_order(versions: ModuleType) -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    releases = [re.fullmatch(r"\[(\S+)\] - \d{4}-\d{2}-\d{2}", heading) for heading in headings[1:]]
    assert all(releases), headings
    numbers = [Version(match[1]) for match in releases if match]
    assert numbers == sorted(numbers, reverse=True)
    kinds = re.findall(r"^### (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_plugins_carry_the_licence_and_need_a_core_of_their_contract(plugin: Path) -> None:
    assert (plugin / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    table = project(plugin)
    assert (table["license"], table["license-files"]) == ("Apache-2.0", ["LICENSE"])
    (core,) = (need for need in map(Requirement, table["dependencies"]) if need.name == "tipr-zoo")
    assert core.specifier.contains(__version__, prereleases=True)


class TestCitation:
    """CITATION.cff against what version 1.2.0 of the form asks for, as far as the file goes."""

    @pytest.fixture
    def citation(self) -> dict[str, Any]:
        values: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
        return values

    def test_fields(self, citation: dict[str, Any]) -> None:
        assert citation["cff-version"] == "1.2.0"
        assert citation["type"] == "software"
        assert {"message", "title", "authors"} <= set(citation)
        for name, value in citation.items():
            assert isinstance(value, CITATION_FIELDS[name]), name
        assert len(citation["keywords"]) == len(set(citation["keywords"]))

    def test_authors_are_an_entity_and_those_of_papers_have_names(self, citation: dict[str, Any]) -> None:
        assert citation["authors"] == [{"name": "tipr-zoo contributors"}]
        for reference in citation["references"]:
            assert reference["authors"]
            for author in reference["authors"]:
                assert set(author) == {"family-names", "given-names"}
                assert all(isinstance(name, str) and name for name in author.values())

    def test_references(self, citation: dict[str, Any]) -> None:
        for reference in citation["references"]:
            assert {"type", "title", "authors"} <= set(reference)
            assert reference["type"] in REFERENCE_TYPES
            for name, value in reference.items():
                assert isinstance(value, REFERENCE_FIELDS[name]), name
            assert re.fullmatch(r"https://\S+", reference["url"])
            assert re.fullmatch(r"10\.\d{4,9}/\S+", reference.get("doi", "10.1234/none"))

    def test_papers_are_those_of_the_cards(self, citation: dict[str, Any]) -> None:
        cited = {reference["url"]: reference["title"] for reference in citation["references"]}
        papers = {card.paper.url: card.paper.title for card in card_index().cards.values() if card.paper}
        own = {url: title for url, title in papers.items() if url in cited}
        assert cited == own, "cite the paper of each method as its cards do"
        methods = {card.method.name for card in card_index().cards.values() if card.method.name}
        assert {reference["abbreviation"] for reference in citation["references"]} <= methods


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
class TestWorkflows:
    def steps(self, workflow: Path) -> list[dict[str, Any]]:
        jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
        return [step for job in jobs.values() for step in job.get("steps", [])]

    def test_every_command_exists(self, workflow: Path) -> None:
        makefile = (ROOT / "Makefile").read_text()
        runs = [step["run"] for step in self.steps(workflow) if "run" in step]
        assert runs
        for command in "\n".join(runs).splitlines():
            for target in re.findall(r"\bmake ([a-z-]+)", command):
                assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"there is no `make {target}`"
            for module in re.findall(r"python -m (tools\.\w+)", command):
                assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), f"there is no {module}"
            for file in re.findall(r"(?:--constraint|--editable|-c|-e) ([^\s-]\S*)", command):
                assert (ROOT / file.partition("[")[0]).exists(), f"there is no {file}"

    def test_jobs_are_named_right_and_steps_do_one_thing(self, workflow: Path) -> None:
        jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
        for name, job in jobs.items():
            needs = job.get("needs", [])
            assert set([needs] if isinstance(needs, str) else needs) <= set(jobs), name
            assert ("uses" in job) != ("runs-on" in job), name
            if "uses" in job:
                assert (ROOT / job["uses"]).is_file(), job["uses"]
        for step in self.steps(workflow):
            assert ("run" in step) != ("uses" in step), step
            assert re.fullmatch(r"[\w-]+/[\w-]+@\S+", step.get("uses", "a/b@c")), step
            dependencies = step.get("with", {}).get("cache-dependency-path")
            assert dependencies is None or (ROOT / dependencies).is_file(), dependencies


def test_workflows_cover_systems_versions_and_targets() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    for system in ("ubuntu-latest", "macos-latest", "windows-latest"):
        assert system in text
    lowest = project(ROOT)["requires-python"].removeprefix(">=")
    assert f'"{lowest}"' in text
    for target in ("lint", "test", "test-oldest", "docs", "release-check"):
        assert f"make {target}\n" in text


def test_hooks_before_a_commit_run_what_is_there() -> None:
    hooks = [
        hook
        for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
        for hook in repo["hooks"]
    ]
    lint = (ROOT / "Makefile").read_text()
    for hook in hooks:
        program, *words = hook["entry"].split()
        if hook["language"] == "system" and program != "python":
            assert f"$(BIN)/{program}" in lint, f"{program} is no part of `make lint`"
        if words[:1] == ["-m"]:
            assert (ROOT / words[1].replace(".", "/")).exists(), hook["entry"]
    assert {"ruff", "ruff-format", "mypy", "import-linter"} <= {hook["id"] for hook in hooks}


@pytest.mark.parametrize(
    "file", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.name
)
def test_templates_are_forms(file: Path) -> None:
    form = yaml.safe_load(file.read_text(encoding="utf-8"))
    if file.name == "config.yml":
        assert form == {"blank_issues_enabled": True}
        return
    assert {"name", "description", "body"} <= set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields) > 0
    assert all(field["attributes"]["label"] for field in fields)


def test_the_oldest_versions_are_the_lowest_that_are_allowed() -> None:
    """What `make test-oldest` installs is what pyproject.toml promises to work with."""
    pinned = {pin.name.lower().replace("_", "-"): pin for pin in oldest_pins()}
    needs = [Requirement(text) for folder in (ROOT, *PLUGINS) for text in project(folder)["dependencies"]]
    needs += map(Requirement, project(ROOT)["optional-dependencies"]["tensorboard"])
    for need in needs:
        if need.name == "tipr-zoo":
            continue
        (lowest,) = (part.version for part in need.specifier if part.operator == ">=")
        (pin,) = pinned[need.name.lower().replace("_", "-")].specifier
        assert (pin.operator, Version(pin.version)) == ("==", Version(lowest)), f"{need}: {OLDEST.name} has {pin}"


def oldest_pins() -> list[Requirement]:
    """The lines of constraints-oldest.txt."""
    lines = OLDEST.read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_the_checks_of_a_release_refuse_a_wheel_without_its_licence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import zipfile

    monkeypatch.syspath_prepend(ROOT)
    release_check = import_module("tools.release_check")
    wheel = tmp_path / "tipr_zoo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tipr_zoo-1.0.dist-info/METADATA", "")
    monkeypatch.setattr(release_check, "SOURCES", {"tipr_zoo": ROOT})
    with pytest.raises(SystemExit, match="expected"):
        release_check.check_files([wheel], "1.0")
    source = tmp_path / "tipr_zoo-1.0.tar.gz"
    subprocess.run([sys.executable, "-m", "tarfile", "-c", source, "pyproject.toml"], cwd=ROOT, check=True)
    with pytest.raises(SystemExit, match="holds no LICENSE"):
        release_check.check_files([source, wheel], "1.0")
