"""What callers give a gallery by mistake: each is told in one line, and changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tipr_zoo.command_line import main
from tipr_zoo.errors import TiprZooError
from tipr_zoo.gallery.gallery import Gallery
from tipr_zoo.gallery.querying import QueryWeights

MODEL = "a_tiny_pretrained_model"
NAMES = ["a.jpg", "b.jpg", "c.jpg"]


@pytest.fixture(scope="module")
def gallery(tiny_zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """Three embeddings with facts, of pictures that are nowhere."""
    gallery = Gallery.create(tmp_path_factory.mktemp("inputs") / "g", MODEL)
    vectors = np.random.default_rng(0).normal(size=(3, gallery.header.dimension))
    facts: list[dict[str, Any]] = [{"camera": number, "person": f"p{number}"} for number in range(3)]
    gallery.add_embeddings(vectors, [f"/nowhere/{name}" for name in NAMES], facts)
    return gallery


def ones(*shape: int) -> Any:
    return np.ones(shape)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: g.search(5), "must be text, got a int"),
        (lambda g: g.search(["a man"]), "must be text, got a list"),
        (lambda g: g.search("red " * 30_000), "has 120,000 letters, and 100,000 are the limit"),
        (lambda g: g.search(minus="a man"), "nothing to search for"),
        (lambda g: g.search("a man", minus=""), "the sentence to take away is empty"),
        (lambda g: g.search_many(None), "takes a list of sentences"),
        (lambda g: g.search_many(["a man", "...", "a woman"]), "sentence 2 of 3 has no word"),
        (lambda g: g.search_many(["a man", None]), "sentence 2 of 2 must be text"),
        (lambda g: g.search("a man", top=2.0), "a whole number from 1, got 2.0"),
        (lambda g: g.search("a man", top="5"), "a whole number from 1, got '5'"),
        (lambda g: g.search("a man", threshold=2), "a number from -1 to 1, got 2"),
        (lambda g: g.search("a man", threshold=True), "a number from -1 to 1, got True"),
        (lambda g: g.search("a man", group="camra"), "did you mean 'camera'"),
        (lambda g: g.search("a man", group=["camera"]), "cannot be grouped by"),
        (lambda g: g.search("a man", group="content; --"), "cannot be grouped by"),
        (lambda g: g.search("a man", where={"camera": 10**400}), "a whole number beyond 2\\^53"),
        (lambda g: g.search("a man", where={"camera": 10**5000}), "a whole number beyond 2\\^53"),
        (lambda g: g.search("a man", weights={"text": 1}), "weights are QueryWeights"),
        (lambda g: g.search("a man", weights=(1, 1, 1)), "weights are QueryWeights"),
        (lambda g: g.search(picture=5), "named by its path, got a int"),
        (lambda g: QueryWeights(text=10**400), "must be a number from 0"),
        (lambda g: g.add_embeddings(ones(1, 8), "a.jpg"), "are a list; give \\[path\\] for one"),
        (lambda g: g.add_embeddings(ones(1, 8), [5]), "named by its path, got a int"),
        (lambda g: g.add_embeddings([[1.0], [1.0, 2.0]], ["d.jpg", "e.jpg"]), "are an array of numbers"),
        (lambda g: g.add_embeddings(ones(1, g.header.dimension), ["d.jpg"], [5]), "are a dict of values by name"),
        (lambda g: g.add_embeddings(ones(1, 8), ["d.jpg"], weights_sha256=5), "are of weights 5"),
        (lambda g: Gallery.open(5), "the address of a gallery is text or a path"),
        (lambda g: g.add_embeddings(np.full((1, g.header.dimension), 1e300), ["d.jpg"]), "is not finite, or zero"),
        (lambda g: Gallery.open(g.address, device="gpu7"), "device 'gpu7' cannot be used here"),
        (lambda g: g.remove([""]), "a path is empty"),
        (lambda g: g.remove(5), "named by their paths, got a int"),
        (lambda g: g.remove([5]), "named by its path, got a int"),
    ],
)
def test_a_mistake_is_told_and_changes_nothing(
    gallery: Gallery, call: Callable[[Gallery], object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    with pytest.raises(TiprZooError, match=message) as told:
        call(gallery)
    assert "\n" not in str(told.value)
    assert len(gallery) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"facts": 5}, "facts are a dict by path"),
        ({"facts": {"a.jpg": 5}}, "facts are a dict of values by name"),
        ({"boxes": [1]}, "boxes are a dict of lists by path"),
        ({"boxes": {"cam1/0000_0.jpg": 5}}, "boxes are a list, each of four numbers"),
        ({"pattern": 5}, "a pattern is text"),
        ({"part": "1/4"}, "a part is two whole numbers"),
        ({"part": (1.5, 2)}, "a part is two whole numbers"),
        ({"part": (0, 0)}, "part 0 of 0 makes no sense"),
        ({"settings": 5}, "settings are EmbeddingSettings"),
    ],
)
def test_what_is_said_of_a_folder_by_mistake_is_told(
    gallery: Gallery, people: Path, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(TiprZooError, match=message):
        gallery.add(people, **given)
    assert len(gallery) == 3


def test_numbers_of_other_kinds_are_numbers(gallery: Gallery) -> None:
    plain = gallery.search("a man", top=2, threshold=-0.5)
    assert gallery.search("a man", top=np.int64(2), threshold=np.float32(-0.5)) == plain
    assert len(gallery.search("a man", top=10**30)) == 3
    assert gallery.search_many(sentence for sentence in ["a man"])[0] == gallery.search("a man")
    parts = {"text": "a man", "minus": "a woman"}
    expected = [hit.picture for hit in gallery.search(**parts, weights=QueryWeights(text=1, minus=0.5))]
    for scale in (1e308, 1e-320):
        weights = QueryWeights(text=np.float64(scale), minus=scale / 2)
        assert [hit.picture for hit in gallery.search(**parts, weights=weights)] == expected


@pytest.mark.parametrize(
    "sentence",
    [
        " ".join(f"word{number}" for number in range(500)),
        "a man " * 10_000,
        "\u4e00\u4e2a\u7a7f\u7ea2\u8863\u7684\u4eba",
        "a \udcff man",
        "a man\x1b[31m\nin\x00red",
        "'; DROP TABLE pictures; --",
        "%s {0} <|endoftext|> </s>",
    ],
)
def test_any_text_with_a_word_is_a_sentence(gallery: Gallery, sentence: str) -> None:
    assert len(gallery.search(sentence)) == 3
    assert gallery.search(sentence, where={"person": "' OR 1=1 --"}) == []


def test_threads_get_the_same_answers_while_others_make_mistakes(gallery: Gallery) -> None:
    expected, wrong = gallery.search("a man in red"), []

    def ask(number: int) -> None:
        for _ in range(5):
            try:
                gallery.search("a man", where={"camra": number})
                wrong.append("a mistake was not told")
            except TiprZooError:
                pass
            if gallery.search("a man in red") != expected:
                wrong.append("another answer")
            if len(gallery.search_many(["a man", "a bag"], group="person", where={"camera": number % 3})[1]) != 1:
                wrong.append("another group")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_empty_gallery_says_so(tiny_zoo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Gallery.create(tmp_path / "empty", MODEL).close()
    assert main(["search", str(tmp_path / "empty"), "a man", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == "[]"
    assert "note: the gallery holds no picture yet; tipr-zoo gallery add" in printed.err
