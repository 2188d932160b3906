"""Galleries: pictures are known by content and embedded once, and queries find what an exact search finds."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from PIL import Image

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, DataError, GalleryError, TiprZooError
from tipr_zoo.evaluation.embedding import embed_captions, embed_pictures
from tipr_zoo.gallery.gallery import Gallery
from tipr_zoo.gallery.hits import Hit
from tipr_zoo.gallery.picture_embedding import EmbeddingSettings
from tipr_zoo.gallery.querying import QueryWeights

TEXT, OTHER = "a man in a red jacket and blue jeans", "a woman with a yellow bag"
PATTERN = "cam{camera}/{person}_*"


def cosines(model: DualEncoder, folder: Path, text: str) -> dict[str, float]:
    paths = sorted(folder.rglob("*.jpg"))
    pictures = F.normalize(embed_pictures(model, paths), dim=1)
    sentence = F.normalize(embed_captions(model, [text]), dim=1)[0]
    return {path.name: float(score) for path, score in zip(paths, pictures @ sentence, strict=True)}


def names(hits: list[Hit]) -> list[str]:
    return [hit.picture.name for hit in hits]


def test_a_search_finds_what_cosines_say(gallery: Gallery, people: Path, tiny_model: DualEncoder) -> None:
    report = gallery.add(people, pattern=PATTERN)
    assert (report.embedded, report.unchanged, len(gallery)) == (4, 0, 4)
    expected = cosines(tiny_model, people, TEXT)
    hits = gallery.search(TEXT)
    assert {hit.picture.name: hit.score for hit in hits} == pytest.approx(expected, abs=1e-5)
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    assert names(hits) == sorted(expected, key=lambda name: -expected[name])
    assert hits[0].facts == {"camera": int(hits[0].picture.parent.name[3:]), "person": hits[0].picture.name[:4]}
    again = Gallery.open(gallery.address)
    assert again.search(TEXT) == hits
    many = again.search_many([TEXT, OTHER, TEXT], top=2)
    assert [names(found) for found in many] == [names(hits)[:2], names(again.search(OTHER, top=2)), names(hits)[:2]]
    with ThreadPoolExecutor(4) as pool:
        assert all(found == hits for found in pool.map(lambda _: again.search(TEXT), range(12)))


def test_only_what_is_new_or_changed_by_content_is_embedded(gallery: Gallery, people: Path) -> None:
    gallery.add(people, pattern=PATTERN)
    before = {hit.picture: hit.score for hit in gallery.search(TEXT)}
    files = sorted(before)
    contents = [file.read_bytes() for file in files]
    os.rename(files[0], people / "moved.jpg")
    shutil.copy(files[1], people / "copy.jpg")
    states = [os.stat(file) for file in files[2:4]]
    for file, content, state in zip(files[2:4], contents[3:1:-1], states, strict=True):  # swapped, with the same times
        file.write_bytes(content)
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    report = gallery.refresh()
    assert (report.embedded, report.copies, report.removed) == (0, 4, 1)
    found = {hit.picture: hit.score for hit in gallery.search(TEXT)}
    expected = {people / "moved.jpg": before[files[0]], people / "copy.jpg": before[files[1]]}
    expected |= {files[1]: before[files[1]], files[2]: before[files[3]], files[3]: before[files[2]]}
    assert found == expected
    assert gallery.check().is_sound
    assert gallery.status().contents == 4
    assert len(gallery.search(TEXT, group="content")) == 4
    (shared,) = [hit for hit in gallery.search(TEXT, group="content") if hit.alike]
    assert {shared.picture, *shared.alike} == {files[1], people / "copy.jpg"}  # type: ignore[misc]


def test_a_picture_replaced_by_one_of_equal_size_and_time_is_found_out(gallery: Gallery, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    file = folder / "a.bmp"
    Image.new("RGB", (16, 32), "red").save(file)
    state = os.stat(file)
    gallery.add(folder)
    red = gallery.search(TEXT)[0].score
    Image.new("RGB", (16, 32), "blue").save(file)
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert os.stat(file).st_size == state.st_size
    assert gallery.check().changed == [file]
    assert gallery.refresh().embedded == 1
    assert gallery.search(TEXT)[0].score != red
    assert gallery.check().is_sound


def test_what_cannot_be_read_is_named_and_what_was_known_of_it_goes(gallery: Gallery, people: Path) -> None:
    gallery.add(people)
    broken = sorted(people.rglob("*.jpg"))[0]
    broken.write_bytes(b"no picture")
    os.mkfifo(people / "pipe.jpg")
    (people / "a.psd").touch()
    os.symlink(people, people / "cam1" / "circle")
    os.symlink("nowhere", people / "dead.jpg")
    report = gallery.refresh()
    assert set(report.unreadable) == {broken, people / "pipe.jpg", people / "dead.jpg"}
    assert report.left_out == [people / "a.psd"]
    assert (report.removed, len(gallery)) == (1, 3)
    assert any("1 .psd" in line for line in report.problems())
    for picture in people.rglob("*.jpg"):
        picture.unlink()
    with pytest.raises(DataError, match="no picture in"):
        gallery.refresh()
    assert len(gallery) == 3


def test_names_of_any_bytes_and_deep_folders(gallery: Gallery, people: Path, tmp_path: Path) -> None:
    picture = next(people.rglob("*.jpg"))
    folder = tmp_path / "odd"
    odd = ["caf\udce9.jpg", "new\nline.jpg", "'; DROP TABLE rows; --.jpg", "人.jpg", "-x.jpg", "e\u0301.jpg", " .jpg"]
    deep = folder.joinpath(*["d"] * 200)
    deep.mkdir(parents=True)
    for name in odd:
        shutil.copy(picture, folder / name)
    shutil.copy(picture, deep / "deep.jpg")
    report = gallery.add(folder, pattern="{name}.jpg")
    assert (report.embedded, report.copies) == (1, 7)
    assert {hit.picture for hit in gallery.search(TEXT)} == {*(folder / name for name in odd), deep / "deep.jpg"}
    assert gallery.status().facts == {"name": "text"}
    assert names(gallery.search(TEXT, where={"name": "caf\\xe9"})) == [odd[0]]
    assert gallery.check().is_sound


def test_a_gallery_refuses_other_weights(
    gallery: Gallery, people: Path, tiny_model: DualEncoder, tmp_path: Path
) -> None:
    gallery.add(people)
    other = {
        name: value * 1.01 if value.is_floating_point() else value for name, value in tiny_model.state_dict().items()
    }
    safetensors.torch.save_file(other, tmp_path / "other.safetensors")
    changed = Gallery.open(gallery.address, weights=tmp_path / "other.safetensors")
    for what in (lambda: changed.search(TEXT), lambda: changed.add(people.parent)):
        with pytest.raises(GalleryError, match="is of other weights"):
            what()
    mine = Gallery.create(tmp_path / "mine", "a_tiny_model", tmp_path / "other.safetensors")
    with pytest.raises(GalleryError, match="whose embeddings cannot be compared"):
        gallery.copy(tmp_path / "mine")
    with pytest.raises(GalleryError, match="are of weights"):
        mine.add_embeddings(np.ones((1, 64)), ["a.jpg"], weights_sha256=gallery.header.weights_sha256)


def test_filters_are_exact_and_mistakes_in_them_are_told(gallery: Gallery, people: Path) -> None:
    gallery.add(people, pattern=PATTERN)
    assert {hit.picture.parent.name for hit in gallery.search(TEXT, where={"camera": 2})} == {"cam2"}
    assert len(gallery.search(TEXT, where=["camera>=1", "person!=0000"])) == 2
    assert gallery.search(TEXT, where="person=nobody") == []
    assert len(gallery.search(TEXT, group="person")) == 2
    mistakes: list[tuple[Any, str]] = [
        ({"camra": 1}, "unknown fact 'camra'; did you mean 'camera'"),
        ({"camera": "1"}, "is compared with the text '1'"),
        (["camera=x"], "the fact 'camera' is a number, got 'x'"),
        (["camera"], "a condition is FACT"),
        (["camera=1 OR 1=1"], "is a number, got '1 OR 1=1'"),
        (["x' OR '1'='1"], "unknown fact"),
        (7, "where takes a dict of facts"),
    ]
    for where, message in mistakes:
        with pytest.raises(GalleryError, match=message):
            gallery.search(TEXT, where=where)
    with pytest.raises(GalleryError, match="cannot be grouped by 'shoe'"):
        gallery.search(TEXT, group="shoe")


def test_pictures_sentences_and_what_is_taken_away_add_up(
    gallery: Gallery, people: Path, tiny_model: DualEncoder
) -> None:
    gallery.add(people)
    picture = gallery.search(TEXT)[-1].picture
    like = gallery.search(picture=picture)
    assert like[0].picture == picture
    assert like[0].score == pytest.approx(1, abs=1e-5)
    unit = F.normalize(
        torch.cat([embed_captions(tiny_model, [TEXT, OTHER]), embed_pictures(tiny_model, [picture])]), dim=1
    )
    query = F.normalize(2 * unit[0] + 0.5 * unit[2] - 0.25 * unit[1], dim=0)
    paths = sorted(people.rglob("*.jpg"))
    scores = F.normalize(embed_pictures(tiny_model, paths), dim=1) @ query
    found = gallery.search(TEXT, picture=picture, minus=OTHER, weights=QueryWeights(2, 0.5, 0.25))
    assert {hit.picture: hit.score for hit in found} == pytest.approx(
        dict(zip(paths, scores.tolist(), strict=True)), abs=1e-5
    )
    threshold = found[1].score
    assert (
        len(gallery.search(TEXT, picture=picture, minus=OTHER, weights=QueryWeights(2, 0.5, 0.25), threshold=threshold))
        == 2
    )


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"text": " "}, ConfigError, "the sentence to search for is empty"),
        ({"text": "... !"}, ConfigError, "the sentence to search for has no word"),
        ({"text": 3}, ConfigError, "the sentence to search for must be text"),
        ({}, ConfigError, "there is nothing to search for"),
        ({"text": TEXT, "top": 0}, ConfigError, "the number of hits must be at least 1, got 0"),
        ({"text": TEXT, "rerank": -1}, ConfigError, "rerank must be a whole number from 0"),
        ({"text": TEXT, "rerank": 2}, ConfigError, "has no score of pairs"),
        ({"picture": "none.jpg"}, DataError, "no picture at none.jpg"),
        ({"text": TEXT, "minus": TEXT, "weights": QueryWeights(minus=1)}, ConfigError, "cancel each other out"),
        ({"text": TEXT, "threshold": float("nan")}, ConfigError, "the threshold is a cosine"),
    ],
)
def test_a_query_that_makes_no_sense_is_told(
    gallery: Gallery, people: Path, asked: dict[str, Any], error: type[TiprZooError], message: str
) -> None:
    gallery.add(people)
    with pytest.raises(error, match=message):
        gallery.search(**asked)


def test_an_empty_gallery_and_long_sentences(gallery: Gallery, people: Path) -> None:
    assert gallery.search(TEXT) == []
    assert gallery.search_many([]) == []
    with pytest.raises(GalleryError, match="no folder was added"):
        gallery.refresh()
    gallery.add(people)
    assert len(gallery.search("red " * 500)) == 4
    (people / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match=r"notes.txt is not a picture"):
        gallery.search(picture=people / "notes.txt")


def test_boxes_are_pictures_of_their_own(gallery: Gallery, people: Path, tiny_model: DualEncoder) -> None:
    file = sorted(people.rglob("*.jpg"))[0]
    with Image.open(file) as picture:
        width, height = picture.size
    boxes = {file: [(0, 0, width // 2, height), (width // 2, 0, width, height)]}
    report = gallery.add(people, boxes=boxes)
    assert (report.found, report.embedded, len(gallery)) == (5, 5, 5)
    assert {hit.box for hit in gallery.search(TEXT) if hit.picture == file} == set(boxes[file])
    assert gallery.refresh().unchanged == 5
    assert gallery.refresh(people, boxes={file: boxes[file][:1]}).removed == 1
    report = gallery.add(people, boxes={file: [(0, 0, width + 1, height)]})
    assert "leads out of the picture" in report.unreadable[file]
    with pytest.raises(GalleryError, match="has no area"):
        gallery.add(people, boxes={file: [(5, 5, 5, 9)]})
    with pytest.raises(DataError, match="holds no such picture"):
        gallery.add(people, boxes={"none.jpg": [(0, 0, 1, 1)]})


def test_embeddings_made_elsewhere_are_the_same(
    gallery: Gallery, people: Path, tiny_model: DualEncoder, tmp_path: Path
) -> None:
    paths = sorted(people.rglob("*.jpg"))
    other = Gallery.create(tmp_path / "other", "a_tiny_pretrained_model")
    facts = [{"camera": 1}] * 4
    assert other.add_embeddings(embed_pictures(tiny_model, paths), paths, facts, weights_sha256=None) == 4
    gallery.add(people)
    assert names(other.search(TEXT)) == names(gallery.search(TEXT))
    assert other.add(people).unchanged == 4
    wrong: list[tuple[Any, Any, str]] = [
        (np.ones((1, 64)), paths, r"need embeddings of shape \(4, 64\)"),
        (np.ones((2, 64)), [paths[0]] * 2, "a path stands twice"),
        (np.full((1, 64), np.nan), paths[:1], "is not finite, or zero"),
        (np.ones((1, 64), int), paths[:1], "are floating-point numbers"),
    ]
    for vectors, own, message in wrong:
        with pytest.raises(GalleryError, match=message):
            other.add_embeddings(vectors, own)


def test_parts_of_several_machines_join(gallery: Gallery, people: Path, tmp_path: Path) -> None:
    parts = [Gallery.create(tmp_path / f"part{number}", "a_tiny_pretrained_model") for number in (1, 2)]
    counts = [
        part.add(people, part=(number, 2), pattern=PATTERN).embedded for number, part in enumerate(parts, start=1)
    ]
    assert sum(counts) == 4
    whole = tmp_path / "whole"
    for part in (*parts, parts[0]):
        part.copy(whole).close()
    gallery.add(people, pattern=PATTERN)
    copied = Gallery.open(whole)
    assert [hit.facts for hit in copied.search(TEXT)] == [hit.facts for hit in gallery.search(TEXT)]
    assert names(copied.search(TEXT)) == names(gallery.search(TEXT))
    report = copied.refresh()
    assert (report.embedded, report.unchanged) == (0, 4)
    with pytest.raises(GalleryError, match="part 3 of 2"):
        gallery.add(people, part=(3, 2))


def test_pictures_are_removed_by_path_and_folder(gallery: Gallery, people: Path) -> None:
    gallery.add(people)
    assert gallery.remove([people / "cam1"]) == 2
    assert {hit.picture.parent.name for hit in gallery.search(TEXT)} == {"cam2"}
    with pytest.raises(GalleryError, match="holds no picture"):
        gallery.remove([people / "cam1"])
    assert gallery.remove(people) == 2
    assert gallery.status().folders == []


def test_decoding_processes_change_nothing(gallery: Gallery, people: Path, tmp_path: Path) -> None:
    gallery.add(people)
    other = Gallery.create(tmp_path / "other", "a_tiny_pretrained_model")
    other.add(people, settings=EmbeddingSettings(batch_size=3, workers=1))
    assert names(other.search(TEXT)) == names(gallery.search(TEXT))


def test_an_address_of_no_engine_is_told(tiny_zoo: Path) -> None:
    with pytest.raises(GalleryError, match="unknown kind of address 'ftp://'"):
        Gallery.open("ftp://h/g")
