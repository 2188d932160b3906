"""Model cards: what the zoo ships, and what it does with a card that is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

import tipr_zoo
from tipr_zoo.cards.card import read_card
from tipr_zoo.cards.index import CardIndex, card_index, core_cards_folder
from tipr_zoo.cards.method_facts import MethodFacts
from tipr_zoo.cards.parsed_yaml_cache import ParsedYamlCache
from tipr_zoo.errors import CardError, UnknownNameError
from tipr_zoo.leaderboard.references import read_reference, read_references
from tipr_zoo.plugins.discovery import FIRST_PARTY

SHIPPED = sorted(core_cards_folder().glob("*.md"))
RECORD = {
    "model": "model",
    "dataset": "SynthPEDES",
    "split": "test",
    "dataset_arguments": {"seed": 0},
    "direction": "text-to-image",
    "metrics": {"R1": 41.5, "R5": 70.0, "R10": 82.25, "mAP": 35.0, "mINP": 20.0},
    "queries": 1600,
    "gallery": 800,
    "identities": 200,
    "overrides": {},
    "weights_sha256": "0" * 64,
    "training_seed": 0,
    "selected_on": "val",
    "dataset_sha256": "1" * 64,
    "pictures_sha256": None,
    "tipr_zoo_version": "0.1.0",
    "command": "tipr-zoo eval model --data DIR",
    "seed": None,
    "date": "2025-01-31T12:00:00",
    "duration_seconds": 12.5,
    "from_cache": [],
    "device": "cpu, 2 threads",
    "protocol": "all captions and pictures of the split",
}


def front_matter() -> dict[str, Any]:
    """The front matter of a right card with one reported result."""
    return {
        "license": "mit",
        "datasets": ["CUHK-PEDES"],
        "tags": ["person-re-identification"],
        "model-index": [
            {
                "name": "model",
                "results": [
                    {
                        "task": {"type": "text-to-image-person-retrieval"},
                        "dataset": {"type": "cuhk-pedes", "name": "CUHK-PEDES", "split": "test"},
                        "metrics": [{"type": "R1", "value": 73.38}, {"type": "mAP", "value": 66.13}],
                        "source": {"name": "a paper, Table 1", "url": "https://example.org/paper"},
                    }
                ],
            }
        ],
        "tipr_zoo": {"plugin": None, "config": "model.py", "weights": None, "protocol": "last epoch"},
    }


def result_of(values: dict[str, Any]) -> dict[str, Any]:
    """The one result in the front matter."""
    result: dict[str, Any] = values["model-index"][0]["results"][0]
    return result


def write_card(folder: Path, values: dict[str, Any] | str, name: str = "model") -> Path:
    """Write a card with this front matter."""
    text = values if isinstance(values, str) else f"---\n{yaml.safe_dump(values)}---\n\n# A model\n"
    path = folder / f"{name}.md"
    path.write_text(text, encoding="utf-8")
    return path


METHOD = {
    "name": "IRRA",
    "image_encoder": "CLIP ViT-B/16",
    "text_encoder": "CLIP",
    "pretraining": "none",
    "selected_on": "test",
    "weights_published": True,
}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
class TestShippedCards:
    def test_reads_strictly(self, path: Path) -> None:
        card = read_card(path)
        assert card.name == path.stem
        assert card.plugin is None or card.plugin in FIRST_PARTY
        assert card.weights is not None or card.weights_note, "a card without weights says why, or where they are"
        assert "## Care" in card.description

    def test_has_figures_with_sources(self, path: Path) -> None:
        card = read_card(path)
        has_none_yet = card.weights is None and card.protocol.startswith("Not measured yet")
        assert card.results or has_none_yet or "## Figures\n\nNone." in card.description
        for result in card.results:
            assert result.source_name
            assert (result.record is not None) == (result.origin == "measured")
            if result.dataset not in card.datasets:  # tried on other data than it was trained on
                assert result.source_name.startswith("CONQUER paper, Table 2")

    def test_says_how_the_best_epoch_was_chosen(self, path: Path) -> None:
        assert "test split" in read_card(path).protocol or "validation split" in read_card(path).protocol

    def test_says_what_must_be_known_to_compare_its_figures(self, path: Path) -> None:
        card = read_card(path)
        assert None not in (card.method.image_encoder, card.method.text_encoder, card.method.pretraining)
        assert card.weights is not None or card.method.weights_published is not None
        is_on_test = "epoch of these figures was chosen on the test split" in " ".join(card.protocol.split())
        assert is_on_test == (card.method.selected_on == "test")
        assert card.code is not None
        assert card.code.license is not None

    def test_is_a_hub_readme(self, path: Path) -> None:
        hub = pytest.importorskip("huggingface_hub")
        data = hub.ModelCard.load(path).data
        read = {
            (result.dataset_name, str(result.dataset_args or {}), result.metric_type): result.metric_value
            for result in data.eval_results or ()
        }
        expected = {
            (result.dataset, str(result.dataset_arguments), metric): value
            for result in read_card(path).results
            for metric, value in result.metrics.items()
        }
        assert read == expected
        assert all(result.source_name for result in data.eval_results or ())
        assert data.license

    def test_ships_the_files_that_it_names(self, path: Path) -> None:
        weights = read_card(path).weights
        if weights is not None and not weights.is_remote:
            assert (path.parent / weights.location).stat().st_size == weights.size


def test_every_shipped_card_is_listed() -> None:
    assert card_index().problems == {}
    assert {path.stem for path in SHIPPED} <= set(tipr_zoo.list_models())


def test_a_right_card_is_read_in_full(tmp_path: Path) -> None:
    card = read_card(write_card(tmp_path, front_matter()))
    assert (card.name, card.license, card.datasets, card.plugin) == ("model", "mit", ("CUHK-PEDES",), None)
    assert card.results[0].metrics == {"R1": 73.38, "mAP": 66.13}
    assert (card.results[0].origin, card.results[0].source_url) == ("reported", "https://example.org/paper")
    assert card.description == "# A model"


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    path = write_card(tmp_path, front_matter())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_card(path).license == "mit"


def test_what_a_card_says_of_its_method_goes_for_reported_figures(tmp_path: Path) -> None:
    values = front_matter()
    assert read_card(write_card(tmp_path, values)).method == MethodFacts(name="model")
    values["tipr_zoo"]["method"] = METHOD
    card = read_card(write_card(tmp_path, values))
    assert card.method == MethodFacts(**METHOD)
    assert card.results[0].selected_on == "test"
    values["tipr_zoo"]["method"] = {**METHOD, "reproduced_in": ["https://example.org/paper"]}
    (result,) = read_card(write_card(tmp_path, values)).results
    assert (result.origin, result.selected_on) == ("reproduced", None)


def _wrong_method(**change: Any) -> Any:
    def mutate(values: dict[str, Any]) -> None:
        values["tipr_zoo"]["method"] = {**METHOD, **change}

    return mutate


def _wrong_weights(**change: Any) -> Any:
    weights = {"file": "weights/model.safetensors", "sha256": "0" * 64, "size": 10, "format": "safetensors"}

    def mutate(values: dict[str, Any]) -> None:
        merged = {**weights, "license": "mit", **change}
        values["tipr_zoo"]["weights"] = {key: value for key, value in merged.items() if value is not None}

    return mutate


WRONG_CARDS = {
    "unknown field": (lambda v: v.update(licence="mit"), "unknown field 'licence'; did you mean 'license'?"),
    "unknown zoo field": (lambda v: v["tipr_zoo"].update(confg="x"), "unknown field 'confg'; did you mean 'config'?"),
    "missing field": (lambda v: v["tipr_zoo"].pop("protocol"), "tipr_zoo: field 'protocol' is missing"),
    "missing block": (lambda v: v.pop("tipr_zoo"), "'tipr_zoo' must be a mapping"),
    "figure without a source": (lambda v: result_of(v).pop("source"), "a figure needs a 'source'"),
    "source in a file of this machine": (
        lambda v: result_of(v)["source"].update(url="file:///etc/passwd"),
        "source: 'url' must be a web address or the path of a record beside the card",
    ),
    "source without a place": (lambda v: result_of(v)["source"].pop("url"), "source: field 'url' is missing"),
    "unknown metric": (lambda v: result_of(v)["metrics"].append({"type": "R2", "value": 1.0}), "got 'R2'"),
    "metric twice": (lambda v: result_of(v)["metrics"].append({"type": "R1", "value": 1.0}), "R1 is given twice"),
    "no percentage": (lambda v: result_of(v)["metrics"][0].update(value=173.38), "R1 is a percentage, got 173.38"),
    "not finite": (lambda v: result_of(v)["metrics"][0].update(value=float("nan")), "'value' must be a number"),
    "text for a figure": (lambda v: result_of(v)["metrics"][0].update(value="73.38"), "'value' must be a number"),
    "another model": (lambda v: v["model-index"][0].update(name="other"), "must be the card's name 'model'"),
    "data set without the Hub's type": (lambda v: result_of(v)["dataset"].pop("type"), "'type' is missing"),
    "bad hash": (_wrong_weights(sha256="abc"), "'sha256' must be 64 lower-case hexadecimal digits"),
    "bad size": (_wrong_weights(size=0), "'size' must be the file's length in bytes"),
    "unsafe format": (_wrong_weights(format="pickle"), "must be safetensors or pytorch, got 'pickle'"),
    "two places": (_wrong_weights(url="https://example.org/w"), "needs either 'file' or 'url'"),
    "unknown method field": (_wrong_method(encoder="ViT"), "method: unknown field 'encoder'"),
    "method without a name": (_wrong_method(name=None), "method: field 'name' is missing"),
    "unknown split": (_wrong_method(selected_on="unknown"), "'selected_on' must be val, test, none or null"),
    "words for a truth": (_wrong_method(weights_published="yes please"), "must be true, false or null"),
    "no such source": (_wrong_method(reproduced_in=["https://example.org/x"]), "no result has its source at"),
    "unsafe address": (_wrong_weights(file=None, url="http://example.org/w"), "'url' must begin with https://"),
}


@pytest.mark.parametrize(("mutate", "message"), WRONG_CARDS.values(), ids=WRONG_CARDS)
def test_a_wrong_card_is_told_with_place_and_fix(tmp_path: Path, mutate: Any, message: str) -> None:
    values = front_matter()
    mutate(values)
    path = write_card(tmp_path, values)
    with pytest.raises(CardError) as raised:
        read_card(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# A model\n", "begins with YAML front matter"),
        ("---\nlicense: mit\n", "begins with YAML front matter"),
        ("---\nlicense: [mit\n---\n", "front matter is not YAML"),
        ("---\nlicense: 2024-13-45\n---\n", "front matter is not YAML"),
        ("---\nlicense: mit\nlicense: other\n---\n", "'license' is given twice"),
        ("---\n- license\n---\n", "front matter must be a mapping"),
        ("---\nlicense: !!python/object/apply:os.system [echo run]\n---\n", "front matter is not YAML"),
        ("---\ncode: !!timestamp foo\n---\n", "front matter is not YAML: 'foo' cannot be read as !!timestamp"),
        ("---\ncode: !!int foo\n---\n", "front matter is not YAML"),
        ("---\ncode: !!bool foo\n---\n", "front matter is not YAML: 'foo' cannot be read as !!bool"),
        ("---\n!!timestamp foo: 1\n---\n", "front matter is not YAML"),
        (
            "---\ncode: " + "{a: " * 100_000 + "1" + "}" * 100_000 + "\n---\n",
            "nested more than 64 levels deep",
        ),
        ("---\n" + "\n".join(" " * level + "a:" for level in range(500)) + "\n---\n", "nested more than 64 levels"),
        ("---\ntags: [" + "a, " * 50_000 + "]\n---\n", "more than 20,000 entries"),
    ],
)
def test_malformed_front_matter(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(CardError, match=message):
        read_card(write_card(tmp_path, text))


def test_a_card_that_is_no_file_or_far_too_large_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    with pytest.raises(CardError, match=r"pipe\.md: cannot be read: it is a named pipe"):
        read_card(tmp_path / "pipe.md")
    path = write_card(tmp_path, front_matter())
    os.truncate(path, 1 << 40)
    with pytest.raises(CardError, match=r"model\.md: cannot be read: it has 1,099,511,627,776 bytes"):
        read_card(path)


def test_a_broken_card_costs_only_its_own_model(tmp_path: Path) -> None:
    index = CardIndex()
    index.add(write_card(tmp_path, "---\n[\n---\n", name="broken"), owner=None)
    index.add(write_card(tmp_path, "---\ncode: !!timestamp foo\n---\n", name="dated"), owner="a plugin")
    index.add(write_card(tmp_path, front_matter()), owner=None)
    assert list(index.cards) == ["model"]
    assert list(index.problems) == ["broken", "dated"]


class TestMeasuredFigures:
    """A figure is measured where its source is a record beside the card, and the two must say the same."""

    def write(self, folder: Path, record: Any, **metrics: float) -> Path:
        (folder / "records").mkdir()
        text = record if isinstance(record, str) else json.dumps(record)
        (folder / "records" / "model.json").write_text(text)
        values = front_matter()
        result_of(values).update(
            dataset={"type": "synthpedes", "name": "SynthPEDES", "split": "test", "args": {"seed": 0}},
            metrics=[{"type": name, "value": value} for name, value in (metrics or {"R1": 41.5}).items()],
            source={"name": "tipr-zoo eval", "url": "records/model.json"},
        )
        return write_card(folder, values)

    def test_agree(self, tmp_path: Path) -> None:
        (result,) = read_card(self.write(tmp_path, RECORD)).results
        assert (result.origin, result.dataset_arguments) == ("measured", {"seed": 0})
        assert result.record is not None
        assert result.record.date == "2025-01-31T12:00:00"

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"metrics": {**RECORD["metrics"], "R1": 40.0}}, "R1 is 41.5 on the card and 40.0 in its record"),  # type: ignore[dict-item]
            ({"model": "other"}, "model is 'model' on the card and 'other' in its record"),
            ({"split": "val"}, "split is 'test' on the card and 'val' in its record"),
            ({"dataset_arguments": {"seed": 1}}, "dataset_arguments is"),
            ({"wights_sha256": "0" * 64}, "unknown key 'wights_sha256'; did you mean 'weights_sha256'"),
            ({"weights_sha256": "abc"}, "'weights_sha256' must be 64 lower-case hexadecimal digits"),
            ({"date": "yesterday"}, "'date' must be a date"),
            ({"queries": 0}, "'queries' must be a whole number above 0"),
            ({"metrics": {"R1": 41.5}}, "metric 'R5' is missing"),
            ({"direction": "image-to-image"}, "'direction' must be 'text-to-image' or 'image-to-text'"),
            ({"direction": "image-to-text"}, "is image-to-text, a card's figures are text-to-image"),
            ({"selected_on": "train"}, "'selected_on' must be 'val', 'test', 'none' or null"),
            ({"from_cache": "captions"}, "'from_cache' must be a list"),
        ],
    )
    def test_differ(self, tmp_path: Path, change: dict[str, Any], message: str) -> None:
        with pytest.raises(CardError) as raised:
            read_card(self.write(tmp_path, {**RECORD, **change}))
        assert message in str(raised.value)

    @pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"a":' * 1000, "9" * 5000])
    def test_no_record(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(CardError, match=r"model\.json"):
            read_card(self.write(tmp_path, text))


@pytest.mark.parametrize(
    ("name", "meant"),
    [("irra_vitb16_chuk", "irra_vitb16_cuhk"), ("IRRA_VITB16_RSTP", "irra_vitb16_rstp")],
)
def test_an_unknown_model_is_told_with_close_matches(name: str, meant: str) -> None:
    with pytest.raises(UnknownNameError, match=f"unknown model '{name}'; did you mean '{meant}'"):
        tipr_zoo.load_card(name)


def test_models_are_listed_by_pattern_data_set_plugin_and_weights() -> None:
    assert "irra_vitb16_cuhk" in tipr_zoo.list_models("irra*", dataset="cuhk-pedes", plugin="core", pretrained=False)
    assert tipr_zoo.list_models("irra*", plugin="sen") == []
    assert tipr_zoo.list_models("no such model") == []


@pytest.mark.parametrize(("argument", "message"), [("dataset", "unknown data set"), ("plugin", "unknown plugin")])
def test_an_unknown_filter_is_an_error(argument: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        tipr_zoo.list_models(**{argument: "CUKH-PEDES"})  # type: ignore[arg-type]


class TestReferences:
    """Published figures of methods that the zoo has no code of."""

    def write(self, folder: Path, **change: Any) -> Path:
        values = {
            "name": "RDE",
            "method": {**METHOD, "name": "RDE"},
            "code": {"title": "RDE", "url": "https://example.org/rde", "license": "none"},
            "results": [result_of(front_matter())],
        }
        path = folder / "rde.yaml"
        path.write_text(yaml.safe_dump({**values, **change}))
        return path

    def test_spell_results_as_cards_do(self, tmp_path: Path) -> None:
        reference = read_reference(self.write(tmp_path))
        (of_card,) = read_card(write_card(tmp_path, front_matter())).results
        (result,) = reference.results
        assert replace(result, model="model", selected_on=None) == of_card
        assert (reference.name, reference.method.name, result.model, result.selected_on) == (
            "RDE",
            "RDE",
            "RDE",
            "test",
        )

    def test_that_ship_are_of_methods_without_a_card(self) -> None:
        references = read_references()
        assert len({reference.name for reference in references}) == len(references)
        assert not {reference.name for reference in references} & set(tipr_zoo.list_models())
        assert all(reference.results for reference in references)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"weights": None}, "unknown field 'weights'"),
            ({"name": None}, "field 'name' is missing"),
            ({"method": None}, "'method' must be a mapping"),
            ({"results": None}, "'results' must be a list of mappings"),
            ({"code": {"title": "RDE"}}, "code: field 'url' is missing"),
            ({"results": [{**result_of(front_matter()), "source": None}]}, "a figure needs a 'source'"),
            (
                {"results": [{**result_of(front_matter()), "source": {"name": "a record", "url": "records/x.json"}}]},
                "a reference has no code to measure with",
            ),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
    )
    def test_are_read_strictly(self, tmp_path: Path, change: dict[str, Any], message: str) -> None:
        path = self.write(tmp_path, **change)
        with pytest.raises(CardError) as raised:
            read_reference(path)
        assert str(raised.value).startswith(f"{path}: ")
        assert message in str(raised.value)

    @pytest.mark.parametrize("source", [{"name": "a README", "url": None}, {"name": "a README"}])
    def test_say_where_every_figure_is_printed(self, tmp_path: Path, source: dict[str, Any]) -> None:
        path = self.write(tmp_path, results=[{**result_of(front_matter()), "source": source}])
        with pytest.raises(CardError, match="a figure needs the address of its source; without one it cannot be shown"):
            read_reference(path)

    def test_may_say_that_a_third_party_read_the_figures_and_what_must_be_known_of_them(self, tmp_path: Path) -> None:
        source = {"name": "a paper", "url": "https://arxiv.org/abs/2303.12501", "secondary": True, "remark": "a slip"}
        result = {**result_of(front_matter()), "source": source}
        (found,) = read_reference(self.write(tmp_path, results=[result])).results
        assert (found.secondary, found.remark) == (True, "a slip")


class TestCacheOfParsedYaml:
    VALUES = MappingProxyType({"a": [1, 2.5, None, True], "b": {"c": "text"}})

    def test_gives_back_what_was_added_to_the_next_process(self, tmp_path: Path) -> None:
        first = ParsedYamlCache(tmp_path / "folder" / "parsed.json")
        first.add("text", dict(self.VALUES), tmp_path)
        first.save()
        second = ParsedYamlCache(first.file)
        found = second.get("text")
        assert found == self.VALUES
        assert second.get("another text") is None
        assert found is not None
        found["a"].append("changed")
        assert second.get("text") == self.VALUES
        assert [path.name for path in first.file.parent.iterdir()] == ["parsed.json"]

    def test_forgets_what_came_from_a_file_that_is_gone(self, tmp_path: Path) -> None:
        card = tmp_path / "card.md"
        card.touch()
        first = ParsedYamlCache(tmp_path / "parsed.json")
        first.add("text", dict(self.VALUES), card)
        first.save()
        card.unlink()
        assert ParsedYamlCache(first.file).get("text") is None

    @pytest.mark.parametrize("value", [{1: "a"}, {"a": {2: "b"}}, {"a": date(2024, 1, 1)}, {"a": float("nan")}])
    def test_does_not_keep_what_json_would_change(self, tmp_path: Path, value: dict[Any, Any]) -> None:
        cache = ParsedYamlCache(tmp_path / "parsed.json")
        cache.add("text", value, tmp_path)
        assert cache.get("text") is None

    @pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": "no JSON"}', "\x00"])
    def test_a_damaged_file_costs_nothing_but_time(self, tmp_path: Path, text: str) -> None:
        file = tmp_path / "parsed.json"
        file.write_text(text.replace('"a"', '"text"'))
        cache = ParsedYamlCache(file)
        assert cache.get("text") is None
        cache.add("text", dict(self.VALUES), tmp_path)
        assert cache.get("text") == self.VALUES

    def test_an_entry_that_was_edited_is_not_believed(self, tmp_path: Path) -> None:
        cache = ParsedYamlCache(tmp_path / "parsed.json")
        cache.add("text", {"value": 76.64}, tmp_path)
        cache.add("another text", {"value": 96.64}, tmp_path)
        cache.save()
        entries = json.loads(cache.file.read_text())
        first, second = entries
        for changed in (
            {first: [str(part).replace("76.64", "96.64") for part in entries[first][:-1]] + entries[first][-1:]},
            {first: entries[second]},  # right in itself, and of another text
        ):
            cache.file.write_text(json.dumps(entries | changed))
            again = ParsedYamlCache(cache.file)
            assert again.get("text") is None
            assert again.get("another text") == {"value": 96.64}

    def test_a_folder_that_cannot_be_made_costs_nothing_but_time(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        cache = ParsedYamlCache(tmp_path / "file" / "parsed.json")
        cache.add("text", dict(self.VALUES), tmp_path)
        cache.save()
        assert not cache.file.exists()

    def test_cards_are_parsed_once_and_again_where_they_changed(self, tmp_path: Path) -> None:
        path = write_card(tmp_path, front_matter())
        code = f"""
import sys
from pathlib import Path
from tipr_zoo.cards.card import read_card
print(read_card(Path({str(path)!r})).license, "yaml" in sys.modules)
"""
        environment = {**os.environ, "TIPR_ZOO_HOME": str(tmp_path / "home")}

        def run() -> str:
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
            return done.stdout.strip() or done.stderr

        assert [run(), run()] == ["mit True", "mit False"]
        path.write_text(path.read_text().replace("license: mit", "license: other"))
        assert [run(), run()] == ["other True", "other False"]
