"""The schemas of cards and references: what they forbid at every level, and what they cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tipr_zoo.cards import parsed_yaml_cache
from tipr_zoo.cards.card import examine_card, read_card
from tipr_zoo.cards.index import core_cards_folder
from tipr_zoo.cards.parsed_yaml_cache import ParsedYamlCache
from tipr_zoo.cards.record import Record, make_record
from tipr_zoo.cards.reference_schema import ReferenceFile
from tipr_zoo.cards.schema import FrontMatter
from tipr_zoo.errors import CardError, RecordError
from tipr_zoo.leaderboard.references import read_reference
from tipr_zoo.schemas.declared import built, keys_of, parts_of
from tipr_zoo.schemas.problems import problems_of

RESULT = {
    "task": {"type": "text-to-image-person-retrieval"},
    "dataset": {"type": "cuhk-pedes", "name": "CUHK-PEDES", "split": "test"},
    "metrics": [{"type": "R1", "value": 73.38}],
    "source": {"name": "a paper, Table 1", "url": "https://example.org/paper"},
}
LINK = {"title": "A paper", "url": "https://example.org/paper"}
METHOD = {"name": "IRRA"}
SPEED = {
    "machine": "one A6000",
    "seconds": {"CUHK-PEDES": 7},
    "source": {"name": "a paper, Table 9", "url": "https://example.org/paper"},
}
RUNS = {
    "budget": "6 epochs",
    "spread": [{"dataset": "CUHK-PEDES", "args": {"seed": 0}, "seeds": 3, "deviation": {"R1": 0.66}}],
}
CARD = {
    "license": "mit",
    "datasets": ["CUHK-PEDES"],
    "tags": [],
    "model-index": [{"name": "model", "results": [RESULT]}],
    "tipr_zoo": {
        "config": "model.py",
        "protocol": "last epoch",
        "method": METHOD,
        "paper": LINK,
        "code": LINK,
        "size": {"parameters": 7, "embedding": 4, "input": [384, 128]},
        "speed": SPEED,
        "runs": RUNS,
        "weights": {
            "url": "https://example.org/w.safetensors",
            "sha256": "0" * 64,
            "size": 10,
            "format": "safetensors",
            "license": "mit",
            "vocabulary": {"file": "words.json", "sha256": "0" * 64},
        },
        "answers": {
            "source": "record.json",
            "galleries": [{"persons": 5, "pictures": 9, "auc": 0.5, "absent": [0.5] * 17, "present": [0.5] * 17}],
            "short_captions": [{"words": 2, "R1": 5.0}],
        },
    },
}
REFERENCE = {
    "name": "RDE",
    "method": METHOD,
    "paper": LINK,
    "code": LINK,
    "size": {"embedding": 4},
    "speed": SPEED,
    "results": [RESULT],
}
"""A card and a reference with every block that there is."""


def mappings_of(schema: type, place: str = "") -> Iterator[tuple[str, type]]:
    """Every mapping that a file of a schema may hold: its place, the first of a list, and its own schema."""
    yield place, schema
    for part in parts_of(schema):
        if part.is_block:
            yield from mappings_of(part.kind, f"{place}.{part.key}{'[0]' if part.is_list else ''}".strip("."))


def at(values: Any, place: str) -> Any:
    """What stands at a place."""
    for step in filter(None, place.replace("[0]", ".0").split(".")):
        values = values[0] if step == "0" else values[step]
    return values


def read(folder: Path, schema: type, values: dict[str, Any]) -> Path:
    """Write a file of a schema, and read it."""
    text = yaml.safe_dump(values, sort_keys=False)
    path = folder / ("model.md" if schema is FrontMatter else "model.yaml")
    path.write_text(f"---\n{text}---\n\n# A model\n" if schema is FrontMatter else text)
    (read_card if schema is FrontMatter else read_reference)(path)
    return path


@pytest.mark.parametrize("parts", [3, ["bge"], {"bge": 0}, {"bge": "512"}, {"bge": None}])
def test_parts_that_are_no_sizes_are_told(tmp_path: Path, parts: Any) -> None:
    values = json.loads(json.dumps(CARD))
    values["tipr_zoo"]["size"]["parts"] = parts
    with pytest.raises(
        CardError, match=r"'parts' must be how many numbers each part of the similarity compares"
    ) as told:
        read(tmp_path, FrontMatter, values)
    assert "\n" not in str(told.value)


RIGHT = {FrontMatter: CARD, ReferenceFile: REFERENCE}
LEVELS = [(outer, place, inner) for outer in RIGHT for place, inner in mappings_of(outer)]
FIELDS = [(outer, place, part.key) for outer, place, inner in LEVELS for part in parts_of(inner) if part.is_required]


def test_the_schemas_have_a_level_for_every_block() -> None:
    assert len(LEVELS) == 33
    for outer, place, _ in LEVELS:
        assert isinstance(at(RIGHT[outer], place), dict)


@pytest.mark.parametrize(("outer", "place", "inner"), LEVELS)
def test_an_unknown_field_is_told_with_its_close_match_at_every_level(
    tmp_path: Path, outer: type, place: str, inner: type
) -> None:
    for key in keys_of(inner):
        values = json.loads(json.dumps(RIGHT[outer]))
        at(values, place)[f"{key}_"] = "text"
        with pytest.raises(CardError) as raised:
            read(tmp_path, outer, values)
        message = str(raised.value).partition(": ")[2]
        assert message.startswith(f"{place}: unknown field '{key}_'; did you mean " if place else "unknown field ")
        assert f"'{key}'" in message


@pytest.mark.parametrize(("outer", "place", "key"), FIELDS)
def test_a_field_that_is_left_out_is_told_with_its_place(tmp_path: Path, outer: type, place: str, key: str) -> None:
    values = json.loads(json.dumps(RIGHT[outer]))
    del at(values, place)[key]
    with pytest.raises(CardError) as raised:
        read(tmp_path, outer, values)
    message = str(raised.value).partition(": ")[2]
    assert message.startswith(f"{place}: " if place else "")
    assert f"'{key}'" in message


@pytest.mark.parametrize("wrong", ["text", 5, True, [5], {1: 2}])
def test_whatever_stands_in_the_place_of_a_block_is_told(tmp_path: Path, wrong: Any) -> None:
    for outer, place, _ in LEVELS:
        owner, _, key = place.removesuffix("[0]").rpartition(".")
        if not key:
            continue
        values = json.loads(json.dumps(RIGHT[outer]))
        at(values, owner)[key] = wrong
        with pytest.raises(CardError, match=rf"'{key}' must be|{key}: unknown field '1'"):
            read(tmp_path, outer, values)


@pytest.mark.parametrize("path", sorted(core_cards_folder().glob("*.md")), ids=lambda path: path.stem)
def test_what_is_made_of_a_mapping_is_what_pydantic_makes_of_it(path: Path) -> None:
    from pydantic import TypeAdapter

    values = yaml.safe_load(path.read_text().split("\n---\n")[0])
    assert built(FrontMatter, values) == TypeAdapter(FrontMatter).validate_python(values)


class TestWhatIsKnownToBeRight:
    """Nothing is checked twice: neither a card nor a record needs pydantic again."""

    CODE = """
import sys
from tipr_zoo.command_line import main
code = main({words!r})
print("pydantic" in sys.modules, "yaml" in sys.modules, code, file=sys.stderr)
"""

    def run(self, home: Path, *words: str) -> str:
        """Run a command in a process of its own; whether it imported pydantic and YAML, and its exit code."""
        environment = {**os.environ, "TIPR_ZOO_HOME": str(home)}
        code = self.CODE.format(words=[*words])
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
        return done.stderr.splitlines()[-1]

    @pytest.mark.parametrize("words", [("list",), ("leaderboard",), ("info", "irra_tiny_synth")])
    def test_is_not_checked_again(self, tmp_path: Path, words: tuple[str, ...]) -> None:
        assert [self.run(tmp_path, *words) for _ in range(2)] == ["True True 0", "False False 0"]

    def test_importing_the_zoo_imports_no_pydantic(self) -> None:
        code = "import sys, tipr_zoo, tipr_zoo.cards.card; print('pydantic' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "False\n"

    def test_is_checked_again_where_the_text_or_the_schema_changed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cache = ParsedYamlCache(tmp_path / "checked.json")
        cache.add("text", {"a": 1}, tmp_path)
        assert not cache.is_right("text", "FrontMatter")
        cache.keep_right("text", "FrontMatter")
        cache.save()
        again = ParsedYamlCache(cache.file)
        assert again.is_right("text", "FrontMatter")
        assert not again.is_right("text", "Record")
        assert not again.is_right("another text", "FrontMatter")
        monkeypatch.setattr(parsed_yaml_cache, "_state_of_schemas", lambda: "another")
        assert not again.is_right("text", "FrontMatter")

    def test_is_checked_again_where_the_cache_is_damaged(self, tmp_path: Path) -> None:
        cache = ParsedYamlCache(tmp_path / "checked.json")
        cache.add("text", {"a": 1}, tmp_path)
        cache.keep_right("text", "FrontMatter")
        cache.save()
        cache.file.write_text(cache.file.read_text().replace(r"\"a\"", r"\"b\""))
        damaged = ParsedYamlCache(cache.file)
        assert damaged.get("text") is None
        assert not damaged.is_right("text", "FrontMatter")

    def test_a_mark_that_was_edited_is_not_believed(self, tmp_path: Path) -> None:
        cache = ParsedYamlCache(tmp_path / "checked.json")
        cache.add("text", {"a": 1}, tmp_path)
        cache.keep_right("text", "Record")
        cache.save()
        cache.file.write_text(cache.file.read_text().replace("Record", "FrontMatter"))
        damaged = ParsedYamlCache(cache.file)
        assert not damaged.is_right("text", "FrontMatter")

    def test_what_cannot_be_kept_is_never_known_to_be_right(self, tmp_path: Path) -> None:
        cache = ParsedYamlCache(tmp_path / "checked.json")
        cache.keep_right("text", "FrontMatter")
        assert not cache.is_right("text", "FrontMatter")

    def test_a_wrong_card_is_told_every_time(self, tmp_path: Path) -> None:
        for _ in range(2):
            with pytest.raises(CardError, match="unknown field 'licence'"):
                read(tmp_path, FrontMatter, {**CARD, "licence": "mit"})


def test_what_is_wrong_is_empty_in_what_is_examined(tmp_path: Path) -> None:
    path = read(tmp_path, FrontMatter, {**CARD, "tipr_zoo": {**CARD["tipr_zoo"], "answers": None}})
    path.write_text(path.read_text().replace("license: mit\n", "", 1).replace("value: 73.38", "value: many"))
    card, problems = examine_card(path)
    assert (card.license, card.results, card.datasets) == ("", (), ("CUHK-PEDES",))
    assert [problem.where for problem in problems] == [
        "license",
        "model-index[0].results[0].metrics[0].value",
    ]


RANKING = ("vectors", "rerank", "rerank_rest", "postprocess", "transductive")
OF_SOME_RECORDS = ("weights_of", "part", *RANKING, "queries_sha256", "answers")


@pytest.mark.parametrize("name", keys_of(Record))
def test_a_record_has_every_key_and_no_other(name: str) -> None:
    values = json.loads(next(iter(sorted((core_cards_folder() / "records").glob("*.json")))).read_text())
    make_record(values)
    with pytest.raises(RecordError, match=rf"unknown key '{name}_'; did you mean .*'{name}'"):
        make_record({**values, f"{name}_": 1})
    if name in OF_SOME_RECORDS:  # only where they say something
        return
    with pytest.raises(RecordError, match=f"missing: {name}$"):
        make_record({key: value for key, value in values.items() if key != name})
    with pytest.raises(RecordError, match=f"'{name}' must be "):
        make_record({**values, name: object()})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rerank": 0, "rerank_rest": "tied"}, "'rerank' must be how many pictures are ranked again, from 1, got 0"),
        ({"rerank": 5}, "'rerank' and 'rerank_rest' belong together; give both, or neither"),
        ({"rerank_rest": "tied"}, "'rerank' and 'rerank_rest' belong together; give both, or neither"),
        ({"rerank": 5, "rerank_rest": "tie"}, "'rerank_rest' must be 'first_stage' or 'tied', got 'tie'"),
        ({"vectors": 1.5}, "'vectors' must be how many vectors a side has, a whole number above 0, got 1.5"),
        ({"postprocess": [], "transductive": True}, "'postprocess' must be a list of steps with one at least, got []"),
        ({"postprocess": ["flip"]}, "'postprocess' and 'transductive' belong together; give both, or neither"),
        ({"postprocess": ["flip"], "transductive": "yes"}, "'transductive' must be true or false, got 'yes'"),
    ],
)
def test_how_a_record_ranks_is_checked(change: dict[str, Any], says: str) -> None:
    values = json.loads(next(iter(sorted((core_cards_folder() / "records").glob("*.json")))).read_text())
    with pytest.raises(RecordError) as raised:
        make_record({**values, **change})
    assert str(raised.value) == says


@pytest.mark.parametrize("seed", [True, 1.0, "1", float("nan")])
def test_a_truth_a_text_or_a_fraction_is_no_whole_number(seed: Any) -> None:
    values = json.loads(next(iter(sorted((core_cards_folder() / "records").glob("*.json")))).read_text())
    with pytest.raises(RecordError, match="'seed' must be a whole number or null"):
        make_record({**values, "seed": seed})


def test_of_a_list_the_whole_is_told_once() -> None:
    problems = problems_of(FrontMatter, {**CARD, "model-index": [5, 6], "tags": "none", "licence": 1})
    assert [str(problem) for problem in problems] == [
        "unknown field 'licence'; did you mean 'license'?",
        "field 'tags' must be a list of texts, got 'none'",
        "field 'model-index' must be a list of mappings, got [5, 6]",
    ]
