"""SynthPEDES: who is drawn, what the captions say, and that the same seed always gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import PIL
import pytest
from PIL import Image

from tipr_zoo.command_line import main
from tipr_zoo.errors import ConfigError, DataError, UnknownNameError
from tipr_zoo.synthpedes import draw_synthpedes, drawing, identities
from tipr_zoo.synthpedes.captions import caption, tokens
from tipr_zoo.synthpedes.identity import twin_attribute
from tipr_zoo.synthpedes.phrases import COLOUR, HAIR_COLOUR, PATTERN_AFTER
from tipr_zoo.synthpedes.shot import shots
from tipr_zoo.synthpedes.streams import stream

SMALL = {"train": 6, "val": 2, "test": 4, "pictures": 2, "workers": 1}
# Of the data set of these settings; whatever changes them raises VERSION in tipr_zoo/synthpedes/dataset.py.
ANNOTATION_SHA256 = "079be7c540da820dc88fcff7b7f7d07720e11ed326c606ca1094d936559d6af2"
PICTURES_SHA256 = "1c6bf8261e37891e25f173382c2226e0792b500ef659fa58cc8d39d68ad11cb1"
SMALL_OPTIONS = ["--train", "6", "--val", "2", "--test", "4", "--pictures", "2"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 12 identities with all three splits; not to be changed."""
    folder = tmp_path_factory.mktemp("synthpedes") / "small"
    draw_synthpedes(folder, **SMALL)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def records(folder: Path, split: str | None = None) -> list[dict]:
    every = json.loads((folder / "reid_raw.json").read_text())
    return [record for record in every if split in (None, record["split"])]


# Who is drawn


@pytest.mark.parametrize("seed", [0, 1, 20])
def test_every_test_identity_has_a_twin_that_differs_in_exactly_one_attribute(seed: int) -> None:
    people = identities("test", 200, seed=seed)
    for first, second in zip(people[::2], people[1::2], strict=True):
        assert len(first.differences(second)) == 1


@pytest.mark.parametrize(("split", "count"), [("train", 1000), ("val", 100), ("test", 200)])
def test_no_two_identities_of_a_split_are_equal(split: str, count: int) -> None:
    people = identities(split, count)
    assert len(people) == len(set(people)) == count


@pytest.mark.parametrize("split", ["train", "val"])
def test_half_of_the_other_splits_are_twins_too(split: str) -> None:
    people = identities(split, 100)
    twins = [twin_attribute(split, index, people) != "none" for index in range(100)]
    assert sum(twins) == 50


def test_more_identities_never_change_the_first_ones() -> None:
    assert identities("train", 400)[:100] == identities("train", 100)


def test_another_seed_gives_other_people() -> None:
    assert not set(identities("test", 200, seed=0)) & set(identities("test", 200, seed=1))


# The layout of CUHK-PEDES


def test_records_are_those_of_cuhk_pedes(small: Path) -> None:
    for record in records(small):
        assert sorted(record) == ["captions", "file_path", "id", "processed_tokens", "split"]
        assert len(record["captions"]) == len(record["processed_tokens"]) == 2
        with Image.open(small / "imgs" / record["file_path"]) as picture:
            assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (64, 192))


def test_ids_count_from_one_without_a_gap(small: Path) -> None:
    assert [record["id"] for record in records(small)] == [n for n in range(1, 13) for _ in range(2)]
    assert {record["id"] for record in records(small, "train")} == set(range(1, 7))
    assert {record["id"] for record in records(small, "test")} == set(range(9, 13))


def test_the_summary_and_the_file_beside_the_annotation_say_what_it_is(small: Path) -> None:
    about = json.loads((small / "synthpedes.json").read_text())
    assert (about["name"], about["seed"], about["counts"]["test"]) == ("SynthPEDES", 0, 4)
    assert about["splits"]["train"] == {"identities": 6, "pictures": 12, "captions": 24}
    assert about["sha256"] == hashlib.sha256((small / "reid_raw.json").read_bytes()).hexdigest()


# Same seed, same bytes


def test_the_test_split_alone_is_the_test_split_of_the_whole(small: Path, tmp_path: Path) -> None:
    draw_synthpedes(tmp_path, splits=["test"], **SMALL)
    assert records(tmp_path) == records(small, "test")
    assert files(tmp_path / "imgs" / "test") == files(small / "imgs" / "test")
    assert not (tmp_path / "imgs" / "train").exists()


def test_more_training_identities_change_nothing_but_the_ids_behind_them(small: Path, tmp_path: Path) -> None:
    draw_synthpedes(tmp_path, **SMALL | {"train": 9})
    assert records(tmp_path, "train")[:12] == records(small, "train")
    for split in ("val", "test"):
        assert files(tmp_path / "imgs" / split) == files(small / "imgs" / split)
        shifted = [record | {"id": record["id"] + 3} for record in records(small, split)]
        assert records(tmp_path, split) == shifted


def test_several_processes_draw_the_same_bytes_as_one(small: Path, tmp_path: Path) -> None:
    draw_synthpedes(tmp_path, **SMALL | {"workers": 2})
    assert files(tmp_path) == files(small)


def test_a_script_from_stdin_without_a_main_guard_may_draw_with_several_processes(small: Path, tmp_path: Path) -> None:
    settings = SMALL | {"workers": 2}
    script = f"from tipr_zoo.synthpedes import draw_synthpedes; draw_synthpedes({str(tmp_path)!r}, **{settings})"
    subprocess.run([sys.executable, "-"], input=script, text=True, check=True, timeout=300)
    assert files(tmp_path) == files(small)


def test_another_seed_draws_other_pictures(small: Path, tmp_path: Path) -> None:
    draw_synthpedes(tmp_path, seed=1, splits="test", **SMALL)
    assert not set(files(tmp_path).values()) & set(files(small).values())


def test_captions_are_the_published_ones(small: Path) -> None:
    assert hashlib.sha256((small / "reid_raw.json").read_bytes()).hexdigest() == ANNOTATION_SHA256


@pytest.mark.skipif(PIL.__version__ != "12.3.0", reason="the pinned bytes are those of the pinned Pillow")
def test_pictures_are_the_published_ones(small: Path) -> None:
    assert hashlib.sha256(b"".join(files(small / "imgs").values())).hexdigest() == PICTURES_SHA256


# Drawing again, and into folders that hold something


def test_drawing_again_leaves_everything_as_it_is(small: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in small.rglob("*")}
    assert draw_synthpedes(small, **SMALL)["drawn"] == 0
    assert draw_synthpedes(small, splits=["test"], **SMALL)["drawn"] == 0
    assert {path: path.stat().st_mtime_ns for path in small.rglob("*")} == before


def test_an_interrupted_drawing_looks_incomplete_and_is_resumed(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Path] = []
    write = drawing.write_whole

    def interrupted(path: Path, content: bytes, **options: bool) -> None:
        if len(drawn) == 5:
            raise KeyboardInterrupt
        drawn.append(path)
        write(path, content, **options)

    monkeypatch.setattr(drawing, "write_whole", interrupted)
    with pytest.raises(KeyboardInterrupt):
        draw_synthpedes(tmp_path, **SMALL)
    assert not (tmp_path / "reid_raw.json").exists()
    monkeypatch.undo()
    assert draw_synthpedes(tmp_path, **SMALL)["drawn"] == 20  # two whole identities were there already
    assert files(tmp_path) == files(small)


@pytest.mark.parametrize("pauses", [(), (0,), (0, 0.01, 0.03)], ids=["once", "twice", "often"])
def test_ctrl_c_ends_the_command_and_its_workers(tmp_path: Path, pauses: tuple[float, ...]) -> None:
    options = ["--train", "400", "--val", "2", "--test", "2", "--workers", "2"]
    # A shell has its background jobs ignore Ctrl-C, and children inherit that, so that the command is asked not to.
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code += "; from tipr_zoo.command_line import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "data", "synth", str(tmp_path / "data"), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("data/imgs/train/*.jpg")):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        for pause in pauses:
            time.sleep(pause)
            process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "interrupted"
    assert not (tmp_path / "data" / "reid_raw.json").exists()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_missing_or_empty_picture_is_drawn_again(small: Path, tmp_path: Path, damage) -> None:
    draw_synthpedes(tmp_path, **SMALL)
    damage(tmp_path / "imgs" / "val" / "00001_1.jpg")
    assert draw_synthpedes(tmp_path, **SMALL)["drawn"] == 2
    assert files(tmp_path) == files(small)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "reid_raw.json").write_text("[]")
    with pytest.raises(DataError, match=r"already holds other files \(reid_raw.json, ...\); nothing was written"):
        draw_synthpedes(tmp_path, **SMALL)
    assert files(tmp_path) == {"reid_raw.json": b"[]"}


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"seed": 5}, "seed 0 instead of 5"),
        ({"train": 7}, "train 6 instead of 7"),
        ({"pictures": 3}, "pictures 2 instead of 3"),
    ],
)
def test_a_folder_with_other_settings_is_left_alone(small: Path, changed: dict, what: str) -> None:
    before = files(small)
    with pytest.raises(DataError, match=f"holds SynthPEDES with {what}; nothing was written: name another folder"):
        draw_synthpedes(small, **SMALL | changed)
    assert files(small) == before


def test_a_changed_annotation_is_not_overwritten(tmp_path: Path) -> None:
    draw_synthpedes(tmp_path, splits=["val"], **SMALL)
    (tmp_path / "reid_raw.json").write_text("[]")
    with pytest.raises(DataError, match=r"is not the one that synthpedes\.json beside it describes"):
        draw_synthpedes(tmp_path, splits=["val"], **SMALL)
    assert (tmp_path / "reid_raw.json").read_text() == "[]"


def test_a_folder_whose_description_is_broken_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "synthpedes.json").write_text("{")
    with pytest.raises(DataError, match=r"synthpedes\.json is not JSON"):
        draw_synthpedes(tmp_path, **SMALL)
    (tmp_path / "synthpedes.json").write_text('{"counts": []}')
    with pytest.raises(DataError, match=r"synthpedes\.json does not describe SynthPEDES"):
        draw_synthpedes(tmp_path, **SMALL)


def test_a_finished_part_does_not_pass_for_the_whole(tmp_path: Path) -> None:
    draw_synthpedes(tmp_path, splits=["val"], **SMALL)
    with pytest.raises(DataError, match="splits val instead of train,val,test"):
        draw_synthpedes(tmp_path, **SMALL)


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("")
    with pytest.raises(DataError, match="here is a file; name a folder"):
        draw_synthpedes(tmp_path / "here", **SMALL)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"test": 3}, ConfigError, "test of SynthPEDES is 3; its identities are pairs of twins: use an even number"),
        ({"train": 0}, ConfigError, "train of SynthPEDES is 0; it must be at least 1"),
        ({"pictures": 0}, ConfigError, "pictures of SynthPEDES is 0; it must be at least 1"),
        ({"workers": 0}, ConfigError, "workers is 0; use at least 1"),
        ({"splits": []}, ConfigError, "no split of SynthPEDES to draw"),
        ({"splits": ["tset"]}, UnknownNameError, "unknown split of SynthPEDES 'tset'; did you mean 'test'"),
    ],
)
def test_settings_that_make_no_sense(tmp_path: Path, settings: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        draw_synthpedes(tmp_path, **SMALL | settings)
    assert not list(tmp_path.iterdir())


# What the captions say


def written(split: str, count: int):
    """(identity, shot, twin attribute, caption) for every caption of a split, without drawing the pictures."""
    people = identities(split, count)
    for index, identity in enumerate(people):
        twin = twin_attribute(split, index, people)
        for picture, shot in enumerate(shots(identity, split, index, 4)):
            for number in range(2):
                chance = stream(0, split, index, "caption", picture, number)
                yield identity, shot, twin, caption(identity, shot, twin, chance)


def test_captions_have_15_to_50_words_in_at_most_three_sentences() -> None:
    for *_, text in written("test", 100):
        assert 15 <= len(tokens(text)) <= 50
        assert 1 <= text.count(".") <= 3
        assert text.endswith(".")
        assert text[0].isupper()


def test_the_vocabulary_is_that_of_people_who_describe_people() -> None:
    words = {word for *_, text in written("train", 300) for word in tokens(text)}
    assert 230 <= len(words) <= 450


def test_captions_differ_even_between_two_of_one_picture() -> None:
    texts = [text for *_, text in written("test", 100)]
    assert len(set(texts)) > 0.99 * len(texts)


def test_captions_say_only_what_the_picture_shows() -> None:
    for identity, shot, _, text in written("test", 200):
        if shot.shows_back:
            assert not any(words in text for words in PATTERN_AFTER["logo"])
            assert "glasses" not in text
            assert "facing the camera" not in text
        if shot.occluder == "box":
            assert not any(word in tokens(text) for word in ("shoes", "boots", "sneakers", "sandals", "trainers"))
        if shot.pose != "walking":
            assert "walking" not in text
            assert "strolling" not in text
        if identity.bag != "backpack":
            assert "backpack" not in text
        words = tokens(text)
        assert not set(words) & ({"she", "her"} if identity.gender == "man" else {"he", "his"})


def test_captions_seldom_leave_out_what_tells_twins_apart() -> None:
    said = []
    for identity, _, twin, text in written("test", 200):
        if twin in ("top_colour", "bottom_colour", "bag_colour", "hat_colour"):
            said.append(any(word in text.lower() for word in COLOUR[getattr(identity, twin)]))
        elif twin == "hair_colour":
            said.append(any(word in text.lower() for word in HAIR_COLOUR[identity.hair_colour]))
    assert len(said) > 500
    assert sum(said) > 0.88 * len(said)


# The command


def test_the_command_prints_clean_json(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "synth", str(small), *SMALL_OPTIONS, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["name"], summary["drawn"], summary["splits"]["test"]["captions"]) == ("SynthPEDES", 0, 16)


def test_the_command_says_what_is_there(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "synth", str(small), *SMALL_OPTIONS]) == 0
    out = capsys.readouterr().out
    assert "already there, nothing to draw" in out
    assert "test: 4 identities, 8 pictures, 16 captions" in out


def test_the_command_tells_a_mistake_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "synth", str(tmp_path), "--test", "3"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
