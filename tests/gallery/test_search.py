"""Searching a folder: ranked pictures, a clean JSON, a picture of the hits, and mistakes that name their place."""

from __future__ import annotations

import copy
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from tipr_zoo.command_line import main
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, DataError, TiprZooError, WeightsError
from tipr_zoo.gallery.search import search
from tipr_zoo.pictures.files import open_picture

TINY_PRETRAINED = "a_tiny_pretrained_model"
TEXT = "a man in a red jacket and blue jeans"


@pytest.fixture
def folder(test_split: PersonDataset, tmp_path: Path) -> Path:
    """Four pictures, one of them twice, two of them in a sub-folder, and a file that is no picture."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for index, picture in enumerate(test_split.pictures):
        shutil.copy(picture, folder / ("more" if index > 1 else "") / f"{index}.jpg")
    shutil.copy(test_split.pictures[0], folder / "again.jpg")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def test_hits_are_ranked_by_cosine_and_equal_ones_by_path(tiny_model: DualEncoder, folder: Path) -> None:
    hits = search(tiny_model, folder, TEXT)
    with torch.inference_mode():
        sentence = tiny_model.encode_text(tiny_model.tokenize(TEXT))
        expected = {
            path: F.cosine_similarity(
                tiny_model.encode_image(tiny_model.preprocess(open_picture(path)).unsqueeze(0)), sentence
            ).item()
            for path in folder.rglob("*.jpg")
        }
    assert [hit.rank for hit in hits] == [1, 2, 3, 4, 5]
    assert {hit.picture: hit.score for hit in hits} == pytest.approx(expected, abs=1e-5)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    names = [hit.picture.name for hit in hits]
    assert names.index("again.jpg") == names.index("0.jpg") + (-1 if "0.jpg" > "again.jpg" else 1)


@pytest.mark.parametrize("top", [1, 2, 100])
def test_at_most_as_many_hits_as_asked_for(tiny_model: DualEncoder, folder: Path, top: int) -> None:
    hits = search(tiny_model, folder, TEXT, top=top)
    assert hits == search(tiny_model, folder, TEXT)[:top]
    assert len(hits) == min(top, 5)


@pytest.mark.parametrize(
    ("text", "top", "error", "message"),
    [
        ("", 10, ConfigError, "the sentence to search for is empty"),
        (" \n", 10, ConfigError, "the sentence to search for is empty"),
        ("... !", 10, ConfigError, "the sentence to search for has no word; describe the person"),
        (TEXT, 0, ConfigError, "the number of hits must be at least 1, got 0"),
        (TEXT, -3, ConfigError, "the number of hits must be at least 1, got -3"),
    ],
)
def test_a_search_for_nothing_is_told(
    tiny_model: DualEncoder, folder: Path, text: str, top: int, error: type[TiprZooError], message: str
) -> None:
    with pytest.raises(error, match=message):
        search(tiny_model, folder, text, top=top)


@pytest.mark.parametrize("content", [b"", b"no picture", None], ids=["empty", "text", "truncated"])
def test_a_broken_picture_is_left_out_and_named(
    tiny_model: DualEncoder, folder: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    whole = search(tiny_model, folder, TEXT)
    broken = folder / "more" / "2.jpg"
    broken.write_bytes(broken.read_bytes()[:500] if content is None else content)
    hits = search(tiny_model, folder, TEXT)
    assert [hit.picture for hit in hits] == [hit.picture for hit in whole if hit.picture != broken]
    (message,) = caplog.messages
    assert message.startswith(f"{broken} is ")


def test_pictures_that_cannot_be_decoded_here_are_counted_and_named(
    tiny_model: DualEncoder, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "0.jpg").rename(folder / "0.JFIF")
    for name in ("a.jxl", "b.psd"):
        (folder / name).touch()
    hits = search(tiny_model, folder, TEXT)
    assert len(hits) == 5
    assert folder / "0.JFIF" in [hit.picture for hit in hits]
    (message,) = caplog.messages
    assert message.startswith("2 pictures are left out, in formats that cannot be decoded here: 1 .jxl")
    assert message.endswith(f"; {folder / 'a.jxl'}, {folder / 'b.psd'}")


def test_a_pipe_among_the_pictures_is_left_out_and_named(
    tiny_model: DualEncoder, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(folder / "pipe.jpg")
    assert len(search(tiny_model, folder, TEXT)) == 5
    (message,) = caplog.messages
    assert message.startswith(f"{folder / 'pipe.jpg'} is not a picture (it is a named pipe")


@pytest.mark.parametrize("tower", ["image_encoder", "text_encoder"])
def test_weights_that_give_no_numbers_are_told(tiny_model: DualEncoder, folder: Path, tower: str) -> None:
    damaged = copy.deepcopy(tiny_model)
    with torch.no_grad():
        for parameter in getattr(damaged, tower).parameters():
            parameter.fill_(torch.nan)
    with pytest.raises(WeightsError, match=r"the model embeds .* as numbers that are not finite"):
        search(damaged, folder, TEXT)


def test_a_folder_of_broken_pictures_is_told(tiny_model: DualEncoder, tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=f"none of the 1 pictures can be read, {tmp_path / '1.jpg'} among them"):
        search(tiny_model, tmp_path, TEXT)


def test_pictures_of_every_mode_are_searched(tiny_model: DualEncoder, tmp_path: Path) -> None:
    for mode in ("L", "RGB", "RGBA", "P", "1", "I;16"):
        Image.new(mode, (30, 70)).save(tmp_path / f"{mode.replace(';', '')}.png")
    Image.new("CMYK", (30, 70)).save(tmp_path / "CMYK.jpg")
    Image.new("RGB", (1, 1)).save(tmp_path / "one_pixel.png")
    assert len(search(tiny_model, tmp_path, TEXT)) == 8


@pytest.mark.parametrize("text", ["red " * 500, "\u7a7f\u7ea2\u8272\u5916\u5957\u7684\u7537\u4eba", "<|endoftext|>"])
def test_any_sentence_can_be_searched_for(tiny_model: DualEncoder, folder: Path, text: str) -> None:
    assert all(abs(hit.score) <= 1.0001 for hit in search(tiny_model, folder, text))


# The command


def test_the_command_prints_a_table(tiny_zoo: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", TINY_PRETRAINED, str(folder), TEXT, "--top", "2", "--device", "cpu"]) == 0
    header, _, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["rank", "score", "picture"]
    assert [row.split()[0] for row in rows if row.split()[0].isdigit()] == ["1", "2"]


def test_the_command_prints_clean_json_and_draws_the_hits(
    tiny_zoo: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "hits.jpg"
    words = ["search", TINY_PRETRAINED, str(folder), TEXT, "--json", "--picture", str(picture), "--device", "cpu"]
    assert main(words) == 0
    printed = capsys.readouterr()
    hits = json.loads(printed.out)
    assert [hit["rank"] for hit in hits] == [1, 2, 3, 4, 5]
    assert all(set(hit) == {"rank", "picture", "score"} and Path(hit["picture"]).is_file() for hit in hits)
    assert f"drawn: {picture}" in printed.err
    with Image.open(picture) as drawn:
        assert drawn.format == "JPEG"
        assert drawn.width > 5 * 86


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a_tiny_model", "{folder}", TEXT], "no weights of a_tiny_model are published"),
        ([TINY_PRETRAINED, "{folder}/none", TEXT], "no folder at {folder}/none; check the path"),
        ([TINY_PRETRAINED, "{folder}/0.jpg", TEXT], "{folder}/0.jpg is a file, not a folder"),
        ([TINY_PRETRAINED, "{empty}", TEXT], "no picture in {empty} or the folders below it"),
        ([TINY_PRETRAINED, "{folder}", ""], "the sentence to search for is empty"),
        ([TINY_PRETRAINED, "{folder}", "..."], "the sentence to search for has no word"),
        ([TINY_PRETRAINED, "{folder}", TEXT, "--top", "0"], "the number of hits must be at least 1, got 0"),
        ([TINY_PRETRAINED, "{folder}", TEXT, "--top", "few"], "argument --top: invalid int value: 'few'"),
        ([TINY_PRETRAINED, "{folder}", TEXT, "--picture", "hits.gif"], "hits.gif: a picture's file name ends in"),
        ([TINY_PRETRAINED, "{folder}", TEXT, "--picture", "{folder}/none/a.png"], "does not exist; make it first"),
        (["a_tinny_pretrained_model", "{folder}", TEXT], "did you mean 'a_tiny_pretrained_model'"),
    ],
)
def test_a_mistake_is_one_line(
    tiny_zoo: Path,
    folder: Path,
    tmp_path: Path,
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"folder": folder, "empty": tmp_path / "empty"}
    assert main(["search", *(word.format(**places) for word in words)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert message.format(**places) in printed.err
    assert printed.err.count("\n") == 1
