"""Parts of speech: the words of a caption, each with its Penn Treebank tag. There are several taggers."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable

from tipr_zoo.close_matches import unknown_name
from tipr_zoo.errors import ConfigError

TaggedWords = list[tuple[str, str]]

Tagger = Callable[[list[str]], TaggedWords]
"""Maps the words of one sentence to pairs of a word and its tag."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")

_WORD = re.compile(
    r"""
    \w+(?=n['\u2019]t\b)                   # the verb before n't
    | n['\u2019]t\b
    | ['\u2019](?:s|m|d|re|ve|ll)\b        # of "woman's" and "she's"
    | \d+(?:[.,]\d+)+
    | \w+(?:[-/]\w+)*                 # "t-shirt" and "black/white" are one word each
    | \S                              # every mark is a word of its own
    """,
    re.VERBOSE | re.IGNORECASE,
)


def split_words(caption: str) -> list[list[str]]:
    """Return the words of each sentence, cut like in the Penn Treebank. Marks, ``n't`` and ``'s`` are single words.

    A full stop also ends a word where no space follows. In the data sets' captions this space is often missing.

    >>> split_words("The man's bag is red.He walks.")
    [['The', 'man', "'s", 'bag', 'is', 'red', '.', 'He', 'walks', '.']]
    """
    sentences = [_WORD.findall(sentence) for sentence in _SENTENCE_END.split(caption)]
    return [words for words in sentences if words]


def tag_caption(caption: str, tagger: Tagger) -> TaggedWords:
    """Return every word of a caption with its tag, in order."""
    return [pair for words in split_words(caption) for pair in tagger(words)]


def load_tagger(name: str) -> Tagger:
    """Load a tagger by name.

    Args:
        name: ``"pattern"`` or ``"nltk"``. ``"pattern"`` means TextBlob's rules. Their model comes with the package.
            ``"nltk"`` means NLTK's averaged perceptron. Its model must be fetched with NLTK's own downloader.

    Raises:
        UnknownNameError: There is no such tagger.
        ConfigError: NLTK's model is not on this machine.
    """
    check_tagger(name)
    return _LOADERS[name]()


def check_tagger(name: str) -> None:
    """Raise UnknownNameError where there is no such tagger."""
    if name not in _LOADERS:
        raise unknown_name("tagger", str(name), _LOADERS)


def tagger_version(name: str) -> str:
    """Return the name and version of a tagger's distribution."""
    check_tagger(name)
    distribution = {"pattern": "textblob", "nltk": "nltk"}[name]
    return f"{distribution} {importlib.metadata.version(distribution)}"


def _pattern_tagger() -> Tagger:
    # Not at the top: it imports NLTK, which takes half a second. Only a training with this augmentation should wait.
    from textblob.en.taggers import PatternTagger

    tagger = PatternTagger()

    def tag(words: list[str]) -> TaggedWords:
        # In lower case: the tagger takes an unknown word with a capital, such as "Carrying", for a name.
        tagged = tagger.tag(" ".join(words).lower().replace("\u2019", "'"), tokenize=False)
        return [(word, tag) for word, (_, tag) in zip(words, tagged, strict=True)]

    return tag


def _nltk_tagger() -> Tagger:
    from nltk.tag.perceptron import PerceptronTagger  # not at the top: only this tagger needs NLTK

    try:
        tagger = PerceptronTagger(lang="eng")
    except LookupError as error:
        raise ConfigError(
            "tagger 'nltk' needs NLTK's model averaged_perceptron_tagger_eng, which is not on this machine; fetch it"
            " with `python -m nltk.downloader averaged_perceptron_tagger_eng`, or take tagger 'pattern'"
        ) from error
    return lambda words: list(tagger.tag(words))


_LOADERS: dict[str, Callable[[], Tagger]] = {"pattern": _pattern_tagger, "nltk": _nltk_tagger}
