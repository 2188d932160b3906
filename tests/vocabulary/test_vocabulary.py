"""The words of captions: counted, kept as JSON, told from words that were never seen, and from those that negate."""

from __future__ import annotations

import random
import string

import pytest

from tipr_zoo.vocabulary.describing_words import cut_after, describing_words
from tipr_zoo.vocabulary.near_words import near_words
from tipr_zoo.vocabulary.negations import is_negation, negated_phrases
from tipr_zoo.vocabulary.similar_words import SIMILAR_WORDS
from tipr_zoo.vocabulary.vocabulary import Vocabulary, parse_vocabulary, vocabulary_of
from tipr_zoo.vocabulary.words import words_of
from tools.negation_counts import SENTENCES, sentences

KNOWN = vocabulary_of(
    ["A man in a red t-shirt, blue jeans and brown shoes.", "A woman with a black jacket and a backpack; no hat."]
)


def test_words_are_counted_whatever_their_case_and_form() -> None:
    assert vocabulary_of(["A Cafe\u0301 man", "a caf\u00e9 MAN", "a man\u2019s hat"]).counts == {
        "a": 3,
        "caf\u00e9": 2,
        "man": 2,
        "man's": 1,
        "hat": 1,
    }


def test_what_is_written_is_read_again() -> None:
    assert parse_vocabulary(KNOWN.text()) == KNOWN
    assert KNOWN.text() == Vocabulary(dict(reversed(KNOWN.counts.items()))).text()  # the same words, the same bytes


@pytest.mark.parametrize(
    "text",
    ["", "[]", "5", "{}", '{"a": 0}', '{"a": -1}', '{"a": true}', '{"a": 1.5}', '{"a": "1"}', '{"a": NaN}', "[" * 100],
)
def test_what_is_no_vocabulary_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each in words of its own
        parse_vocabulary(text)


@pytest.mark.parametrize(
    ("word", "count"), [("red", 1), ("man's", 1), ("dark-blue", 0), ("red-brown", 1), ("scarlet", 0), ("-", 0)]
)
def test_words_of_known_parts_are_known(word: str, count: int) -> None:
    assert KNOWN.count(word) == count


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("scarlet", "red"),
        ("scarlett", "red"),  # a misspelt word that the weights do not know either
        ("jaket", "jacket"),
        ("tshirt", "t-shirt"),
        ("jackets", "jacket"),
        ("knapsack", "backpack"),
        ("trousers", None),  # nothing of that kind was seen
        ("qqqq", None),
        ("\u4ed6", None),
    ],
)
def test_the_nearest_known_word_is_found(word: str, near: str | None) -> None:
    found = near_words(word, KNOWN)
    assert found[:1] == ([near] if near else [])
    assert all(each in KNOWN.counts for each in found)


def test_most_misspelt_words_are_found_again() -> None:
    chance = random.Random(0)
    words = [word for word in KNOWN.counts if len(word) > 3]
    found = 0
    for word in words:
        place = chance.randrange(1, len(word))
        found += near_words(word[:place] + chance.choice(string.ascii_lowercase) + word[place:], KNOWN)[:1] == [word]
    assert found >= 0.9 * len(words)


def test_similar_words_are_plain_lower_case_words_and_no_word_is_its_own() -> None:
    for word, similar in SIMILAR_WORDS.items():
        assert similar, word
        assert word not in similar
        assert words_of(" ".join((word, *similar))) == [word, *similar]


@pytest.mark.parametrize("word", ["no", "not", "without", "isn't", "doesnt", "non-striped", "never"])
def test_negations(word: str) -> None:
    assert is_negation(word)


@pytest.mark.parametrize("word", ["knot", "note", "north", "now", "none-such"])
def test_words_that_only_look_like_negations(word: str) -> None:
    assert not is_negation(word)


NEGATING = [
    "a man with no hair",
    "a woman without a bag",
    "he isn't wearing a hat",
    "he isn\u2019t wearing a hat",
    "HE IS NOT WEARING A COAT",
    "she doesn't carry anything",
    "they don't wear shoes",
    "nothing on his head",
    "with nothing in her hands",
    "neither a hat nor glasses",
    "a man wearing no jacket",
    "a person who never wears black",
    "none of them red",
    "a shirt lacking sleeves",
    "minus the tie",
    "jeans instead of a skirt",
    "sneakers rather than boots",
    "a head free of hair",
    "devoid of accessories",
    "hardly any hair",
    "she cannot be seen carrying a bag",
    "a man who is not tall",
    "not in blue",
    "non-striped shirt",
    "a girl w/o a bag",
    "he ain't got a bag",
    "he aint got a bag",
    "she hasn't got glasses",
    "nobody beside him",
    "no visible logo",
    "no one with her",
    "a jacket that's not zipped",
    "no backpack, no hat",
    "shoes, not boots",
    "anything but black trousers",
    "can not see a bag",
    "lack of hair",
    "sans glasses",
    "never a skirt",
    "with neither scarf nor gloves",
    "no-one near her",
    "a boy wearing nothing red",
    "not a single stripe",
]
HARMLESS = [
    "a knot in the scarf",
    "No. 7 shirt",
    "a shirt with No.7 on it",
    "no 23 jersey",
    "not only a hat but also a scarf",
    "without a doubt a tall man",
    "without doubt the man in red",
    "no doubt a student",
    'a shirt that says "NO"',
    'a shirt with "no fear" printed on it',
    "a notebook in his hand",
    "north face jacket",
    "none other than a red coat",
    "a large if not huge bag",
    "whether or not he wears a hat, the coat is red",
    "no more than one bag",
    "no taller than a child",
    "no older than thirty",
    "a not unlike blue coat",
    "he is wearing nothing but shorts",
    "I am not sure but the coat is red",
    "I don't know the brand of the red coat",
    "you can't miss his yellow coat",
    "not to mention his red scarf",
    "not just jeans but torn jeans",
    "a man in a nonslip shoe",
    "a noted brand",
    "nonetheless a red bag",
    "nevertheless he wears red",
    "a nordic sweater",
    "no-show socks",
    "no matter what, a red coat",
    "No, he wears a red hat",
    "non-slip shoes",
    "all black except white shoes",
    "all red excluding the shoes",
    "a knotted tie",
    "a forget-me-not pattern",
    "a never-ending scarf",
    "a No 1 fan shirt",
    "why not look for the red hat",
    "cannot be missed with a yellow coat",
    "an unknown brand",
    "no wonder: he wears a red coat",
]


@pytest.mark.parametrize("sentence", NEGATING)
def test_a_sentence_that_negates_is_told(sentence: str) -> None:
    assert negated_phrases(sentence)


@pytest.mark.parametrize("sentence", HARMLESS)
def test_a_sentence_that_only_looks_like_it_is_not(sentence: str) -> None:
    assert negated_phrases(sentence) == []


@pytest.mark.parametrize(
    ("sentence", "phrases"),
    [
        ("a man without a hat and with no bag", ["without a hat", "no bag"]),
        ("a man, not not", ["not", "not"]),
        ("without a hat, black shoes", ["without a hat"]),
        ("jeans instead of a skirt", ["instead of a skirt"]),
        ("No, he has a bag and no hat", ["no hat"]),
        ("she isn\u2019t wearing red shoes today", ["isn't wearing red shoes"]),
        ("a man", []),
    ],
)
def test_negated_phrases(sentence: str, phrases: list[str]) -> None:
    assert negated_phrases(sentence) == phrases


def test_a_cut_caption_has_so_many_describing_words() -> None:
    caption = "A slim man is wearing a red t-shirt, blue jeans and red shoes."
    for count in range(1, len(describing_words(caption)) + 1):
        cut = cut_after(caption, count)
        assert len(describing_words(cut)) == count
        assert caption.startswith(cut)
    assert cut_after(caption, 99) == caption


def test_an_empty_vocabulary_knows_nothing() -> None:
    assert near_words("red", Vocabulary({})) == []


@pytest.mark.parametrize(
    ("file", "share"), [("negating_sentences.txt", "43 of the 50"), ("affirming_sentences.txt", "2 of the 50")]
)
def test_the_documentation_says_how_many_sentences_are_told(file: str, share: str) -> None:
    told = [sentence for sentence in sentences(file) if negated_phrases(sentence)]
    assert f"{len(told)} of the {len(sentences(file))}" == share
    assert share in (SENTENCES.parents[1] / "docs" / "answers.md").read_text("utf-8")
