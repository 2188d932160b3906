"""``tipr-zoo cards check`` and ``tipr-zoo cards new``; cards as the Hub's own library reads them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import tipr_zoo
from tipr_zoo.authoring.card_check import check_card, installed_card_files, todo_lines
from tipr_zoo.authoring.card_writing import write_card
from tipr_zoo.authoring.hub_licences import HUB_LICENCES
from tipr_zoo.authoring.new_model import NewModel
from tipr_zoo.cards.card import read_card
from tipr_zoo.cards.index import core_cards_folder
from tipr_zoo.cards.lines import front_matter_node, line_of, replace_values
from tipr_zoo.cards.record import read_record, write_record
from tipr_zoo.cards.record_files import queries_file
from tipr_zoo.command_line import main
from tipr_zoo.errors import ConfigError, RecordError, TiprZooError, UnknownNameError
from tipr_zoo.leaderboard.references import reference_files
from tipr_zoo.outside.files import file_sha256

CARDS = core_cards_folder()
MODEL = "irra_tiny_synth"
WEIGHTS = CARDS / "weights" / f"{MODEL}.safetensors"
RECORDS = tuple(sorted((CARDS / "records").glob(f"{MODEL}_synthpedes_*.json")))


# The Hub


@pytest.mark.parametrize("path", sorted(CARDS.glob("*.md")), ids=lambda path: path.stem)
def test_huggingface_hub_reads_the_same_figures(path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    data = hub.ModelCard.load(path).data
    read = [
        (
            r.dataset_name,
            r.dataset_split,
            r.dataset_args or {},
            r.metric_type,
            r.metric_value,
            r.source_name,
            r.source_url,
        )
        for r in data.eval_results or []
    ]
    card = tipr_zoo.load_card(path.stem)
    expected = [
        (r.dataset, r.split, r.dataset_arguments, metric, value, r.source_name, r.source_url)
        for r in card.results
        for metric, value in r.metrics.items()
    ]
    assert read == expected
    assert data.model_name == (card.name if expected else None)
    assert (data.license, tuple(data.datasets), tuple(data.tags)) == (card.license, card.datasets, card.tags)


# Checking


def test_every_installed_card_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cards", "check"]) == 0
    checked = f"{len(installed_card_files())} cards and {len(reference_files())} references"
    assert capsys.readouterr().out == f"{checked}: all right\n"


@pytest.fixture
def changed_card(tmp_path: Path) -> Callable[..., Path]:
    """Copies the card of `MODEL` with what lies beside it, and replaces texts in it."""

    def change(*changes: tuple[str, str]) -> Path:
        for file in (WEIGHTS, *RECORDS):
            (tmp_path / file.parent.name).mkdir(exist_ok=True)
            (tmp_path / file.parent.name / file.name).symlink_to(file)
        text = (CARDS / f"{MODEL}.md").read_text()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        path = tmp_path / f"{MODEL}.md"
        path.write_text(text)
        return path

    return change


def line_with(path: Path, words: str) -> int:
    """The line of a file, counted from 1, that has these words."""
    return next(number for number, line in enumerate(path.read_text().splitlines(), start=1) if words in line)


PROBLEMS = {
    "unknown field": (
        ("license: apache", "licence: apache"),
        "licence:",
        "unknown field 'licence'; did you mean 'license'?",
    ),
    "field of another kind": (
        ("datasets: [SynthPEDES]", "datasets: SynthPEDES"),
        "datasets:",
        "must be a list of texts",
    ),
    "no percentage": (("value: 77.56", "value: 177.56"), "177.56", "R1 is a percentage, got 177.56"),
    "figure that no record has": (
        ("value: 80.19", "value: 80.91"),
        "seed1.json",
        "mAP is 80.91 on the card and 80.1884",
    ),
    "no record": (("synthpedes_seed1.json", "none.json"), "none.json", "cannot be read as a record"),
    "unknown plugin": (
        ("plugin: null", "plugin: fmfaa"),
        "plugin: fmfaa",
        "unknown plugin 'fmfaa'; did you mean 'fmfa'?",
    ),
    "no recipe": (
        ("config: irra_tiny_synth.py", "config: none.py"),
        "  config: ",
        "'none.py' is not among the configs of",
    ),
    "recipe elsewhere": (
        ("config: irra", "config: ../irra"),
        "  config: ",
        "'config' must be a path inside the folder",
    ),
    "no weights": (("file: weights/irra", "file: weights/none"), "file:", "does not exist; put the weights there"),
    "size": (("size: 3660752", "size: 3660753"), "    size:", "have 3660752 bytes, the card says 3660753"),
    "hash": (("sha256: 46d4", "sha256: 46d5"), "sha256:", "have sha256 46d4"),
    "licence": (("license: apache-2.0\nlang", "license: Apache-2.0\nlang"), "license:", "did you mean 'apache-2.0'"),
    "data set that the Hub cannot name": (("[SynthPEDES]", "[Synth PEDES]"), "datasets:", "cannot name a data set"),
    "tag twice": (("tags: [", "tags: [synthetic, "), "tags:", "a tag is given twice"),
    "no YAML": (("tags: [", "tags: {"), "tags:", "front matter is not YAML: while parsing a flow mapping"),
    "key twice": (("language: en", "language: en\nlanguage: de"), "license:", "the key 'language' is given twice"),
}


@pytest.mark.parametrize(("change", "line", "message"), PROBLEMS.values(), ids=PROBLEMS)
def test_a_problem_is_told_with_line_and_fix(
    changed_card: Callable[..., Path], change: tuple[str, str], line: str, message: str
) -> None:
    path = changed_card(change)
    problems = [problem for problem in check_card(path) if message in problem.message]
    assert problems, check_card(path)
    assert problems[0].line == line_with(path, line)
    assert "\n" not in str(problems[0])
    assert str(problems[0]).startswith(f"{path}:{problems[0].line}: ")


def test_all_problems_of_a_card_are_told(changed_card: Callable[..., Path]) -> None:
    path = changed_card(
        ("license: apache", "licence: apache"),
        ("datasets: [SynthPEDES]", "datasets: SynthPEDES"),
        ("tags: [", "tags: [synthetic, "),
        ("config: irra_tiny_synth.py", "config: none.py"),
        ("## Care", "## Note"),
        ("type: R5, value: 95.25", "type: R3, value: 95.25"),
        ("type: mAP, value: 79.04", "type: mAP, value: text"),
        ("synthpedes_seed1.json", "none.json"),
        ("size: 3660752", "size: none"),
        ("  protocol: >-", "  protocole: >-"),
    )
    found = [(problem.field, problem.message.partition(";")[0].partition(",")[0]) for problem in check_card(path)]
    found = [(field, "no record" if "cannot be read as a record" in message else message) for field, message in found]
    metrics = "model-index[0].results[0].metrics"
    assert found == [
        ("", "field 'license' is missing"),
        ("", "unknown field 'licence'"),
        ("", "field 'datasets' must be a list of texts"),
        ("", "a tag is given twice"),
        (f"{metrics}[1]", "'type' must be one of R1"),
        (f"{metrics}[3]", "'value' must be a number"),
        ("model-index[0].results[1].source", "no record"),
        ("tipr_zoo", "field 'protocol' is missing"),
        ("tipr_zoo", "config 'none.py' is not among the configs of the core"),
        ("tipr_zoo.weights", "'size' must be the file's length in bytes"),
        ("tipr_zoo", "unknown field 'protocole'"),
        ("", "the text has no section '## Care'"),
    ]
    lines = [problem.line for problem in check_card(path)]
    assert lines == sorted(lines)


def test_a_card_that_contradicts_its_record_is_told_beside_a_problem_of_the_same_block(
    changed_card: Callable[..., Path],
) -> None:
    path = changed_card(("type: synthpedes", "type: 5"), ("split: test", "split: val"))
    messages = [problem.message for problem in check_card(path)]
    assert len(messages) == 2
    assert messages[0].startswith("'type' must be text, got 5")
    assert messages[1].startswith("split is 'val' on the card and 'test' in its record")


@pytest.mark.parametrize(
    "change",
    [("args: {seed: 0}", "arg: {seed: 0}"), ("split: test", "splitt: test"), ("split: test", "split: 5")],
    ids=["args", "split", "no text"],
)
def test_a_misspelt_or_wrong_field_contradicts_no_record(
    changed_card: Callable[..., Path], change: tuple[str, str]
) -> None:
    assert not [problem for problem in check_card(changed_card(change)) if "in its record" in problem.message]


def test_what_comes_of_another_problem_is_not_told(changed_card: Callable[..., Path]) -> None:
    path = changed_card(("file: weights/", "url: http://example.org/"))
    (problem,) = check_card(path)
    assert (problem.field, problem.line) == ("tipr_zoo.weights", line_with(path, "url: http:"))


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("# A model\n", ["begins with YAML front matter"]),
        ("", ["begins with YAML front matter"]),
        ("---\n- a\n---\n# Hello\n## Use\n## Care\n", ["front matter must be a mapping"]),
        (
            "---\nlicense: mit\n---\n# Hello\n## Use\n## Care\n",
            ["'tipr_zoo' must", "'datasets'", "'tags'", "'config' is missing", "'protocol'", "weights_note"],
        ),
        (
            "---\nlicense: mit\ndatasets: []\ntags: []\n~: 1\nyes: 2\n---\n# Hello\n## Use\n## Care\n",
            [
                "unknown field 'None'",
                "unknown field 'True'",
                "'tipr_zoo' must",
                "'config'",
                "'protocol'",
                "weights_note",
            ],
        ),
        (
            "---\n"
            + "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}' if i else 'x'] * 10)}]" for i in range(9))
            + "\n---\n# Hello\n## Use\n## Care\n",
            ["front matter has more than 20,000 entries"],
        ),
        (f"---\na: {'[' * 2000}{']' * 2000}\n---\n# Hello\n## Use\n## Care\n", ["front matter is not YAML"]),
    ],
)
def test_what_is_hardly_a_card_is_told(tmp_path: Path, text: str, messages: list[str]) -> None:
    (tmp_path / "model.md").write_text(text)
    found = [problem.message for problem in check_card(tmp_path / "model.md")]
    assert len(found) == len(messages)
    assert all(any(message in one for one in found) for message in messages)


def test_a_card_that_is_no_utf_8_is_told_with_the_line_of_the_byte(changed_card: Callable[..., Path]) -> None:
    path = changed_card()
    line = line_with(path, "training never saw.")
    path.write_bytes(path.read_bytes().replace(b"never saw.", "never saw. é".encode("latin-1")))
    (problem,) = check_card(path)
    assert (problem.line, problem.message) == (line, "byte 0xe9 is no UTF-8; save the card as UTF-8")


@pytest.mark.parametrize("arguments", ["{seed: 2020-01-01}", "{seed: .nan}", "{1: 2, a: 3}", "{seed: !!set {a, b}}"])
def test_what_no_record_can_hold_does_not_identify_data(changed_card: Callable[..., Path], arguments: str) -> None:
    path = changed_card(("args: {seed: 0}", f"args: {arguments}"))
    (problem,) = check_card(path)
    assert problem.line == line_with(path, "!!set" if "!!set" in arguments else arguments)
    assert "'args' must be numbers and texts by name" in problem.message


def test_plugin_and_recipe_are_both_told(changed_card: Callable[..., Path]) -> None:
    path = changed_card(("plugin: null", "plugin: fmfaa"), ("  config: ", "  config: ../"))
    plugin, recipe = check_card(path)
    assert "unknown plugin 'fmfaa'" in plugin.message
    assert "'config' must be a path inside the folder" in recipe.message


def test_a_comment_in_a_listing_is_no_heading(changed_card: Callable[..., Path]) -> None:
    path = changed_card(("\n## Care\n", "\n```\n## Care\n```\n"))
    (problem,) = check_card(path)
    assert "the text has no section '## Care'" in problem.message


@pytest.mark.parametrize("section", ["# IRRA in small, SynthPEDES", "## Use", "## Care"])
def test_a_text_without_its_sections_is_told(changed_card: Callable[..., Path], section: str) -> None:
    path = changed_card((f"\n{section}\n", "\n"))
    (problem,) = check_card(path)
    assert problem.line == line_with(path, "training never saw.") + 2, "where the text begins"
    assert "the text has no" in problem.message


def test_figures_of_other_weights_are_told(changed_card: Callable[..., Path]) -> None:
    path = changed_card()
    record = path.parent / "records" / f"{MODEL}_synthpedes_seed0.json"
    values = {**json.loads(record.read_text()), "weights_sha256": "0" * 64}
    record.unlink()
    record.write_text(json.dumps(values))
    (problem,) = check_card(path)
    assert "records/irra_tiny_synth_synthpedes_seed0.json was measured with other weights" in problem.message


def test_check_prints_one_line_a_problem_or_json(
    changed_card: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed_card(("size: 3660752", "size: 3660753"), ("license: apache-2.0\nlang", "license: Apache\nlang"))
    assert main(["cards", "check", str(path)]) == 1
    *lines, summary = capsys.readouterr().out.splitlines()
    assert [line.startswith(f"{path}:{number}: ") for line, number in zip(lines, (2, 40), strict=True)]
    assert summary == "1 card: 2 problems in 1"
    assert main(["cards", "check", str(path.parent), "--json"]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["cards"] == 1
    assert [set(problem) for problem in printed["problems"]] == [{"path", "line", "field", "message"}] * 2


@pytest.mark.parametrize("place", ["none.md", "empty"])
def test_a_place_without_cards_is_told(tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["cards", "check", str(tmp_path / place)]) == 2
    assert "name a card" in capsys.readouterr().err


def test_the_licences_of_the_hub_are_lower_case() -> None:
    assert {"apache-2.0", "mit", "other", "cc-by-nc-4.0"} <= HUB_LICENCES
    assert all(name == name.lower() for name in HUB_LICENCES)


# Where a field stands


TEXT = """---
a: {b: [1, {c: x}]}
d:
  e: >-
    two
    lines
  f:
    - g: 'y'  # a remark
      h: z
---

# Text
"""


@pytest.mark.parametrize(
    ("place", "key", "line"),
    [("a.b[1]", "c", 2), ("d", "e", 4), ("d", "none", 3), ("d.f[0]", "h", 9), ("d.none.x", "y", 3), ("", "none", 1)],
)
def test_a_field_has_a_line(place: str, key: str, line: int) -> None:
    assert line_of(front_matter_node(TEXT), place, key) == line


def test_values_are_replaced_and_all_else_stays() -> None:
    changed = replace_values(TEXT, {"a.b[1].c": "new", "d.f[0].g": 'quoted "', "d.e": "one"})
    folded = ">-\n    two\n    lines"
    assert changed == TEXT.replace("c: x", 'c: "new"').replace("'y'", '"quoted \\""').replace(folded, '"one"')


# Writing


def test_a_card_is_written_from_weights_and_records(tmp_path: Path) -> None:
    model = NewModel("mine", datasets=("SynthPEDES",), license="mit", weights=WEIGHTS, records=RECORDS)
    path, *others = write_card(model, tmp_path)
    assert check_card(path, is_draft=True) == []
    card, base = read_card(path), tipr_zoo.load_card(MODEL)
    assert (card.name, card.config, card.plugin, card.license) == ("mine", base.config, base.plugin, "mit")
    assert card.weights is not None
    assert base.weights is not None
    assert (card.weights.sha256, card.weights.size) == (base.weights.sha256, base.weights.size)
    assert [result.metrics for result in card.results] == [result.metrics for result in base.results]
    assert {result.origin for result in card.results} == {"measured"}
    assert {file.relative_to(tmp_path).parts[0] for file in others} == {"weights", "records"}
    assert "the epoch was chosen on the validation split" in card.protocol


def test_huggingface_hub_writes_what_was_written_as_it_was(tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    path, *_ = write_card(NewModel("mine", weights=WEIGHTS, records=RECORDS), tmp_path)
    before = read_card(path)
    hub.ModelCard.load(path).save(path)
    assert read_card(path).results == before.results
    assert check_card(path, is_draft=True) == []


def test_a_record_of_the_same_recipe_bears_the_new_name_and_is_else_the_same(tmp_path: Path) -> None:
    path, *others = write_card(NewModel("mine", weights=WEIGHTS, records=RECORDS[:1]), tmp_path)
    copy = json.loads(next(file for file in others if file.suffix == ".json").read_text())
    assert copy == {**json.loads(RECORDS[0].read_text()), "model": "mine"}
    assert read_card(path).results[0].source_name == copy["command"]


@pytest.mark.parametrize("is_there", [True, False])
def test_what_was_found_of_single_queries_comes_along(
    tmp_path: Path, is_there: bool, caplog: pytest.LogCaptureFixture
) -> None:
    measured, folder = tmp_path / "measured.json", tmp_path / "card"
    queries_file(measured).write_bytes(b"what was found")
    named = replace(read_record(RECORDS[0]), queries_sha256=file_sha256(queries_file(measured)))
    write_record(named, measured)
    if not is_there:
        queries_file(measured).unlink()
    written = write_card(NewModel("my_model", weights=WEIGHTS, records=(measured,)), folder)
    record = next(path for path in written if path.suffix == ".json")
    assert (read_record(record).queries_sha256 is not None) == is_there
    assert queries_file(record).is_file() == (queries_file(record) in written) == is_there
    assert ("the card's record is without it" in caplog.text) != is_there


@pytest.mark.parametrize("rank_1", [80.125, 12.375, 8.125, 0.625])
def test_a_figure_half_way_between_two_digits_is_written(tmp_path: Path, rank_1: float) -> None:
    values = json.loads(RECORDS[0].read_text())
    (tmp_path / "record.json").write_text(json.dumps({**values, "metrics": {**values["metrics"], "R1": rank_1}}))
    card, *_ = write_card(NewModel("mine", weights=WEIGHTS, records=(tmp_path / "record.json",)), tmp_path / "cards")
    assert read_card(card).results[0].metrics["R1"] == round(rank_1, 2)


def test_names_that_yaml_takes_for_something_else_are_quoted(tmp_path: Path) -> None:
    card, *_ = write_card(NewModel("mine", config="irra_tiny_synth.py", datasets=("null", "2024")), tmp_path)
    assert read_card(card).datasets == ("null", "2024")


def test_a_card_without_weights_is_written(tmp_path: Path) -> None:
    (path,) = write_card(NewModel("mine", config="irra_tiny_synth.py", datasets=("CUHK-PEDES",)), tmp_path)
    assert check_card(path, is_draft=True) == []
    card = read_card(path)
    assert (card.datasets, card.weights, card.results) == (("CUHK-PEDES",), None, ())
    assert todo_lines(path), "what only a person can know"


def test_weights_that_lie_there_are_not_copied(tmp_path: Path) -> None:
    weights = Path(shutil.copy(WEIGHTS, tmp_path / "best.safetensors"))
    assert write_card(NewModel("mine", config="irra_tiny_synth.py", weights=weights), tmp_path) == [
        tmp_path / "mine.md"
    ]
    assert check_card(tmp_path / "mine.md", is_draft=True) == []


WRONG = {
    "no recipe": ({}, ConfigError, "name the recipe with --config"),
    "unknown recipe": ({"config": "none.py"}, ConfigError, "config 'none.py' is not among the configs of the core"),
    "unknown plugin": ({"config": "x.py", "plugin": "senn"}, ConfigError, "unknown plugin 'senn'; did you mean 'sen'"),
    "licence": ({"config": "irra_tiny_synth.py", "license": "MIT"}, ConfigError, "did you mean 'mit'"),
    "records alone": ({"records": RECORDS}, ConfigError, "--record goes with --from-weights"),
    "no record": ({"records": (WEIGHTS,), "weights": WEIGHTS}, RecordError, "cannot be read as a record"),
    "record twice": ({"records": RECORDS[:1] * 2, "weights": WEIGHTS}, ConfigError, "leave one out"),
    "other weights": (
        {"records": RECORDS, "weights": CARDS / "weights" / "sen_tiny_synth.safetensors"},
        ConfigError,
        "measured with other weights",
    ),
    "other recipe": (
        {"records": RECORDS, "weights": WEIGHTS, "config": "irra_vitb16_cuhk.py"},
        ConfigError,
        "whose recipe is irra_tiny_synth.py of the core, not irra_vitb16_cuhk.py",
    ),
    "no safetensors": (
        {"weights": RECORDS[0], "config": "irra_tiny_synth.py"},
        ConfigError,
        "takes a safetensors file",
    ),
    "two data sets in one": (
        {"config": "irra_tiny_synth.py", "datasets": ("A, B",)},
        ConfigError,
        "'A, B' cannot name a data set on the Hub",
    ),
    "taken name": ({"name": MODEL, "config": "irra_tiny_synth.py"}, ConfigError, f"there is a model '{MODEL}' already"),
    "long name": ({"name": "n" * 97, "config": "irra_tiny_synth.py"}, ConfigError, "96 at most, got 'nnn"),
    "bad name": ({"name": "../x", "config": "irra_tiny_synth.py"}, ConfigError, "a model's name is made of letters"),
}


@pytest.mark.parametrize(("fields", "error", "message"), WRONG.values(), ids=WRONG)
def test_what_does_not_go_together_is_told_and_nothing_is_written(
    tmp_path: Path, fields: dict[str, object], error: type[TiprZooError], message: str
) -> None:
    with pytest.raises(error, match=message):
        write_card(NewModel(**{"name": "mine", **fields}), tmp_path / "cards")  # type: ignore[arg-type]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"direction": "image-to-text"}, "leave out the record that is image-to-text"),
        ({"overrides": {"model.losses.sdm": None}}, "measured with changes to the recipe"),
        ({"model": "no_such_model"}, "unknown model 'no_such_model'"),
    ],
)
def test_a_record_that_is_not_of_this_model_is_told(tmp_path: Path, change: dict[str, object], message: str) -> None:
    record = tmp_path / "record.json"
    record.write_text(json.dumps({**json.loads(RECORDS[0].read_text()), **change}))
    with pytest.raises((ConfigError, UnknownNameError), match=message):
        write_card(NewModel("mine", weights=WEIGHTS, records=(record,)), tmp_path / "cards")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    model = NewModel("mine", config="irra_tiny_synth.py")
    (path,) = write_card(model, tmp_path)
    before = path.read_text()
    with pytest.raises(ConfigError, match=r"mine\.md exists; choose another name or --folder"):
        write_card(model, tmp_path)
    assert path.read_text() == before


def test_files_of_a_command_that_was_killed_are_taken_and_others_are_not(tmp_path: Path) -> None:
    model = NewModel("mine", weights=WEIGHTS, records=(RECORDS[0],))
    card, *beside = write_card(model, tmp_path)
    before = {path: path.read_bytes() for path in (card, *beside)}
    card.unlink()
    write_card(model, tmp_path)
    assert {path: path.read_bytes() for path in before} == before
    for file in beside:
        card.unlink(missing_ok=True)
        file.write_bytes(b"precious")
        with pytest.raises(ConfigError, match=rf"{file.name} exists; choose another name or --folder"):
            write_card(model, tmp_path)
        assert file.read_bytes() == b"precious"
        file.write_bytes(before[file])


def test_new_says_what_is_left_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["cards", "new", "mine", "--from-weights", str(WEIGHTS), "--record", *map(str, RECORDS)]
    assert main([*words, "--dataset", "SynthPEDES", "--license", "mit", "--folder", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    lines = ", ".join(map(str, todo_lines(tmp_path / "mine.md")))
    assert f"to be written by hand: lines {lines} (TODO)" in printed
    assert f"tipr-zoo cards check {tmp_path / 'mine.md'}" in printed


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("!!timestamp foo", "front matter is not YAML: 'foo' cannot be read as !!timestamp"),
        ("{? !!timestamp foo : 1}", "front matter is not YAML: 'foo' cannot be read as !!timestamp"),
        ("{a: " * 100_000 + "1" + "}" * 100_000, "nested more than 64 levels deep"),
    ],
    ids=["a word that is no date", "a key that is no date", "100,000 maps deep"],
)
def test_what_a_parser_cannot_take_is_told_and_the_other_cards_are_checked(
    changed_card: Callable[..., Path], value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = changed_card(("language: en", f"language: {value}"))
    shutil.copy(path, path.with_name("other.md"))
    assert main(["cards", "check", str(path.parent)]) == 1
    *lines, summary = capsys.readouterr().out.splitlines()
    assert [message in line for line in lines] == [True, True]
    assert summary == "2 cards: 2 problems in 2"


def test_what_new_leaves_open_is_found_by_check_and_by_push_and_nothing_else_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["cards", "new", "mine", "--from-weights", str(WEIGHTS), "--record", *map(str, RECORDS)]
    assert main([*words, "--dataset", "SynthPEDES", "--license", "mit"]) == 0
    card = tmp_path / "mine.md"
    lines = todo_lines(card)
    capsys.readouterr()
    assert main(["cards", "check", "mine.md"]) == 1
    found = capsys.readouterr().out
    assert [line for line in lines if f"mine.md:{line}: still says TODO" in found] == lines
    assert main(["push", "mine", "me/mine", "--dry-run"]) == 2
    assert f"mine.md:{lines[0]}: still says TODO" in capsys.readouterr().err
    card.write_text("\n".join(line.replace("TODO", "It is") for line in card.read_text().splitlines()) + "\n")
    assert main(["cards", "check", "mine.md"]) == 0
    assert main(["push", "mine", "me/mine", "--dry-run"]) == 0
    assert "nothing was uploaded" in capsys.readouterr().out
