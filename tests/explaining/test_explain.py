"""Explaining a score: the words of a caption, how much each matters, the patches it is similar to, and the drawing."""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import tipr_zoo
from tipr_zoo.backbones import CLIPTextEncoder, ModifiedResNetEncoder, VisionTransformerEncoder
from tipr_zoo.command_line import main
from tipr_zoo.datasets import open_dataset
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.display.explanation_picture import draw_explanation
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, WeightsError
from tipr_zoo.explaining.explanation import MAPS, explain
from tipr_zoo.explaining.faithfulness import share_beaten
from tipr_zoo.explaining.occlusion import hiding_grid
from tipr_zoo.explaining.patch_grid import PatchGrid, patch_grid
from tipr_zoo.pictures.files import open_picture
from tipr_zoo.pictures.preprocessing import ImageNormalisation
from tipr_zoo.registries import TOKENIZERS
from tipr_zoo.synthpedes import draw_synthpedes
from tipr_zoo.token_patch_map import token_patch_map
from tipr_zoo.tokenizers import CaptionTokenizer, CLIPTokenizer

TINY_PRETRAINED = "a_tiny_pretrained_model"
TEXT = "a man in a red jacket and blue jeans"
TOKENIZER_CONFIGS = {"clip": {"type": "CLIPTokenizer"}, "small": {"type": "SmallTokenizer", "file": "synthpedes.json"}}


@pytest.fixture(scope="module", params=TOKENIZER_CONFIGS)
def tokenizer(request: pytest.FixtureRequest) -> CaptionTokenizer:
    return TOKENIZERS.build(TOKENIZER_CONFIGS[request.param])


@pytest.fixture
def image(test_split: PersonDataset) -> Path:
    return Path(test_split.pictures[0])


# The map


def test_a_map_by_hand() -> None:
    patches = torch.tensor([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    words = torch.tensor([[1.0, 0.0], [-2.0, 7.0], [0.0, 3.0]])
    # Dot products with the first word are 0, 1, 2, 4, which scaled are 0, 1/4, 1/2, 1; the second is not above 1/4.
    # With the second they are scaled to 1, 3/4, 1/2, 0, and with the third all are equal.
    expected = [[0, 0, 1 / 3, 2 / 3], [4 / 9, 3 / 9, 2 / 9, 0], [1 / 4, 1 / 4, 1 / 4, 1 / 4]]
    torch.testing.assert_close(token_patch_map(words, patches), torch.tensor(expected))


def test_a_batch_of_maps_is_each_map_and_has_a_finite_gradient() -> None:
    torch.manual_seed(0)
    words, patches = torch.randn(3, 5, 8, requires_grad=True), torch.randn(3, 6, 8)
    maps = token_patch_map(words, torch.cat([patches[:2], torch.ones(1, 6, 8)]))
    torch.testing.assert_close(maps[1], token_patch_map(words[1], patches[1]))
    torch.testing.assert_close(maps.sum(dim=2), torch.ones(3, 5))
    torch.testing.assert_close(maps[2], torch.full((5, 6), 1 / 6))
    (maps * torch.arange(6)).sum().backward()
    assert words.grad is not None
    assert words.grad[:2].abs().sum() > 0
    assert words.grad.isfinite().all()


# Where patches lie


def test_touching_patches_fill_their_own_pixels() -> None:
    grid = PatchGrid(image_size=(4, 2), grid_size=(2, 1), patch_size=2, stride=2)
    assert grid.pixel_map(torch.tensor([[0.25], [0.75]])).tolist() == [[0.25, 0.25]] * 2 + [[0.75, 0.75]] * 2


def test_a_pixel_of_overlapping_patches_has_their_mean_and_one_of_none_has_0() -> None:
    # Patches begin at 0 and 2, three pixels long; the last pixel of six is seen by none.
    grid = PatchGrid(image_size=(6, 3), grid_size=(2, 1), patch_size=3, stride=2)
    column = [0.25, 0.25, 0.5, 0.75, 0.75, 0.0]
    assert grid.pixel_map(torch.tensor([[0.25], [0.75]])).tolist() == [[value] * 3 for value in column]


def test_the_grid_of_a_tower_with_overlapping_patches() -> None:
    tower = VisionTransformerEncoder("vit_tiny_patch16_224", 16, (64, 32), stride=12, width=32, depth=1, num_heads=2)
    assert patch_grid(tower) == PatchGrid((64, 32), grid_size=(5, 2), patch_size=16, stride=12)


def test_a_tower_that_does_not_say_where_its_patches_lie_is_told(tiny_model: DualEncoder, image: Path) -> None:
    del tiny_model.image_encoder.grid_size
    with pytest.raises(ConfigError, match="does not say where its patches lie; it needs the attributes grid_size"):
        explain(tiny_model, open_picture(image), TEXT, map="tokens")
    assert explain(tiny_model, open_picture(image), TEXT).grid.grid_size == (4, 2)  # occlusion needs none of it


def test_a_grid_of_another_number_of_patches_is_told(tiny_model: DualEncoder, image: Path) -> None:
    tiny_model.image_encoder.grid_size = (4, 3)
    with pytest.raises(ConfigError, match="gives 9 tokens, but a class token and 4 x 3 patches are 13"):
        explain(tiny_model, open_picture(image), TEXT, map="tokens")


# Words


def test_words_are_runs_of_letters_and_digits(tokenizer: CaptionTokenizer) -> None:
    words = tokenizer.words("A man's T-shirt,  red/blue (size 42) - & a &lt;hat&gt;.")
    assert [word.text for word in words] == ["a", "man's", "t-shirt", "red", "blue", "size", "42", "a", "hat"]
    caption = "a man's t-shirt, red/blue (size 42) - & a <hat>."
    assert [caption[word.start : word.end] for word in words] == [word.text for word in words]


@pytest.mark.parametrize(
    "caption", [TEXT, "zyzzyva's t-shirt 42", "na\u00efve fa\u00e7ade", "\u7ea2\u8272 \u5916\u5957"]
)
def test_a_word_has_the_tokens_that_it_has_alone(tokenizer: CaptionTokenizer, caption: str) -> None:
    row = tokenizer(caption)[0].tolist()
    words = tokenizer.words(caption)
    assert [word.text for word in words] == caption.split()
    for word in words:
        alone = tokenizer(word.text)[0].tolist()
        assert [row[position] for position in word.tokens] == alone[1 : alone.index(tokenizer.end_id)]
    assert [position for word in words for position in word.tokens] == list(range(1, row.index(tokenizer.end_id)))


def test_punctuation_belongs_to_no_word(tokenizer: CaptionTokenizer) -> None:
    with_comma, without = tokenizer.words("red, blue"), tokenizer.words("red blue")
    assert [len(word.tokens) for word in with_comma] == [len(word.tokens) for word in without]
    assert with_comma[1].tokens.start == with_comma[0].tokens.stop + 1


@pytest.mark.parametrize("caption", ["", "  \n", "?!", "\U0001f600 ..."])
def test_there_may_be_no_word(tokenizer: CaptionTokenizer, caption: str) -> None:
    assert tokenizer.words(caption) == []


def test_words_that_are_cut_off_have_no_tokens(tokenizer: CaptionTokenizer) -> None:
    words = tokenizer.words("red " * 500)
    read = [word for word in words if word.tokens]
    assert len(words) == 500
    assert words[: len(read)] == read
    assert read[-1].tokens.stop == 76  # the end token is the last of 77


# Importance and maps


def test_the_score_is_the_cosine_and_importance_its_fall_without_the_word(tiny_model: DualEncoder, image: Path) -> None:
    explanation = explain(tiny_model, open_picture(image), TEXT)
    with torch.inference_mode():
        picture = tiny_model.encode_image(tiny_model.preprocess(open_picture(image)).unsqueeze(0))

        def score(caption: str) -> float:
            return F.cosine_similarity(tiny_model.encode_text(tiny_model.tokenize(caption)), picture).item()

        words = TEXT.split()
        falls = [score(TEXT) - score(" ".join(words[:index] + words[index + 1 :])) for index in range(len(words))]
        assert explanation.score == pytest.approx(score(TEXT), abs=1e-6)
    assert [word.word.text for word in explanation.words] == words
    assert [word.importance for word in explanation.words] == pytest.approx(falls, abs=1e-6)
    assert max(falls) - min(falls) > 1e-3


def test_the_most_important_words_come_first(tiny_model: DualEncoder, image: Path) -> None:
    explanation = explain(tiny_model, open_picture(image), TEXT)
    telling = [word for word in explanation.words if not word.carries_nothing]
    falls = sorted((word.importance for word in telling), reverse=True)
    assert 2 <= len(telling) < len(explanation.words)
    for count in (1, 5, 100):
        assert [word.importance for word in explanation.most_important(count)] == falls[:count]
    with pytest.raises(ConfigError, match="the number of words must be at least 1, got 0"):
        explanation.most_important(0)


def test_the_map_of_a_word_is_the_mean_of_its_pieces(tiny_model: DualEncoder, image: Path) -> None:
    word = explain(tiny_model, open_picture(image), "a zyzzyva", map="tokens").words[1]
    assert len(word.word.tokens) > 1
    with torch.inference_mode():
        images = tiny_model.preprocess(open_picture(image)).unsqueeze(0)
        tokens = tiny_model.image_encoder(images)[0, 1:]
        pieces = tiny_model.text_encoder(tiny_model.tokenize("a zyzzyva"))[0, list(word.word.tokens)]
    expected = token_patch_map(pieces, tokens).mean(dim=0).view(4, 2)
    torch.testing.assert_close(word.weights, expected)
    assert word.weights.sum().item() == pytest.approx(1)


@pytest.mark.parametrize("tower", ["image_encoder", "text_encoder"])
def test_damaged_weights_explain_nothing(tower: str, tiny_model: DualEncoder, image: Path) -> None:
    with torch.no_grad():
        for parameter in getattr(tiny_model, tower).parameters():
            parameter.fill_(torch.finfo(torch.float32).max)
    with pytest.raises(WeightsError, match="numbers that are not finite; its weights are damaged"):
        explain(tiny_model, open_picture(image), TEXT)


@pytest.mark.parametrize("map", MAPS)
@pytest.mark.parametrize("tower", ["overlapping patches", "resnet"])
def test_any_dual_encoder_can_be_explained(tower: str, map: str, image: Path) -> None:
    torch.manual_seed(0)
    towers = {
        "overlapping patches": lambda: VisionTransformerEncoder(
            "vit_tiny_patch16_224", 16, (64, 32), stride=12, width=32, depth=1, num_heads=2
        ),
        "resnet": lambda: ModifiedResNetEncoder("resnet50_clip", 16, (64, 32), width=8, depths=(1, 1, 1, 1)),
    }
    text_encoder = CLIPTextEncoder(16, width=32, depth=1, num_heads=2)
    model = DualEncoder(towers[tower](), text_encoder, CLIPTokenizer(), {}, {}, {}, ImageNormalisation()).eval()
    explanation = explain(model, open_picture(image), TEXT, map=map)
    assert [word.word.text for word in explanation.words] == TEXT.split()
    for word in explanation.words:
        assert tuple(word.weights.shape) == explanation.grid.grid_size
        if map == "tokens":
            assert explanation.grid.grid_size == model.image_encoder.grid_size
            assert word.weights.sum().item() == pytest.approx(1)
    assert draw_explanation(explanation, open_picture(image)).width == 900


def test_what_is_cut_off_is_told_and_not_explained(
    tiny_model: DualEncoder, image: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="tipr_zoo"):
        explanation = explain(tiny_model, open_picture(image), "red " * 500)
    assert [record.getMessage() for record in caplog.records] == ["1 of 1 captions exceed 75 tokens and were cut"]
    assert len(explanation.words) <= 75
    assert explanation.read == len("red ") * len(explanation.words)
    assert explain(tiny_model, open_picture(image), "A man.").read == len("a man.")


def test_a_caption_of_one_word_is_compared_with_none(tiny_model: DualEncoder, image: Path) -> None:
    explanation = explain(tiny_model, open_picture(image), "red")
    nothing = tiny_model.encode_text(tiny_model.tokenize(""))
    picture = tiny_model.encode_image(tiny_model.preprocess(open_picture(image)).unsqueeze(0))
    fall = explanation.score - F.cosine_similarity(nothing, picture).item()
    assert [word.importance for word in explanation.words] == pytest.approx([fall], abs=1e-6)


def test_words_of_grammar_and_those_that_change_nothing_are_left_out(tiny_model: DualEncoder, image: Path) -> None:
    explanation = explain(tiny_model, open_picture(image), TEXT)
    most = max(abs(word.importance) for word in explanation.words)
    for word in explanation.words:
        assert word.carries_nothing == (word.word.text in {"a", "in", "and"} or abs(word.importance) < most / 20)
    assert [word.word.text for word in explanation.left_out()][:2] == ["a", "in"]
    only_grammar = explain(tiny_model, open_picture(image), "he is in the")
    assert len(only_grammar.most_important(9)) == 4
    assert only_grammar.left_out() == []


# Occlusion


def test_a_map_by_occlusion_is_the_fall_of_a_words_importance(tiny_model: DualEncoder, image: Path) -> None:
    explanation = explain(tiny_model, open_picture(image), "red jacket")
    pixels = tiny_model.preprocess(open_picture(image))
    height, width = pixels.shape[1:]
    side = tiny_model.image_encoder.patch_size
    assert explanation.grid == PatchGrid((height, width), (4, 2), side, side)

    def importance(picture: torch.Tensor) -> tuple[float, float]:
        with torch.inference_mode():
            found = tiny_model.encode_image(picture.unsqueeze(0))
            whole, rest = (
                F.cosine_similarity(tiny_model.encode_text(tiny_model.tokenize(text)), found).item()
                for text in ("red jacket", "jacket")
            )
        return whole, whole - rest

    score, of_red = importance(pixels)
    falls, falls_of_red = torch.zeros(4, 2), torch.zeros(4, 2)
    for row, column in itertools.product(range(-1, 4), range(-1, 2)):
        hidden = pixels.clone()
        square = (slice(max(0, row * side), (row + 2) * side), slice(max(0, column * side), (column + 2) * side))
        for channel in hidden:
            channel[square] = channel.mean()
        now, of_red_now = importance(hidden)
        covered = (slice(max(0, row), row + 2), slice(max(0, column), column + 2))
        falls[covered] += (score - now) / 4
        falls_of_red[covered] += (of_red - of_red_now) / 4
    assert explanation.weights is not None
    torch.testing.assert_close(explanation.weights, falls, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(explanation.words[0].weights, falls_of_red, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("image_size", "patch", "grid"),
    [
        ((128, 48), 16, ((8, 3), 16)),
        ((384, 128), 16, ((24, 8), 16)),
        ((384, 384), 16, ((12, 12), 32)),
        ((224, 224), None, ((8, 8), 28)),
        ((50, 20), 16, ((4, 2), 16)),
        ((3, 3), None, ((3, 3), 1)),
    ],
)
def test_the_squares_cover_the_picture_and_are_not_too_many(
    image_size: tuple[int, int], patch: int | None, grid: tuple[tuple[int, int], int]
) -> None:
    found = hiding_grid(image_size, patch)
    assert (found.grid_size, found.patch_size) == grid
    assert bool((found.pixel_map(torch.ones(found.grid_size)) == 1).all())


@pytest.mark.parametrize("model_name", ["irra_tiny_synth", "fmfa_tiny_synth"])
def test_hiding_what_a_map_names_lowers_the_score_more_than_hiding_another_part(
    model_name: str, tmp_path: Path
) -> None:
    draw_synthpedes(tmp_path, seed=7, train=2, val=2, test=10, pictures=2, workers=1)
    data = open_dataset(str(tmp_path), split="test")
    model = tipr_zoo.build(model_name, pretrained=True)
    shares: dict[str, list[float]] = {name: [] for name in MAPS}
    for picture_index, path in enumerate(data.pictures):
        picture, caption = open_picture(path), data.captions[data.caption_picture_indices.index(picture_index)]
        for name in MAPS:
            shares[name].append(share_beaten(model, picture, explain(model, picture, caption, map=name)))
    means = {name: sum(values) / len(values) for name, values in shares.items()}
    assert len(shares["occlusion"]) == 20
    assert means["occlusion"] > 0.75, means
    assert means["tokens"] < means["occlusion"] - 0.1, means


def test_a_map_of_the_wrong_place_is_not_faithful(test_split: PersonDataset) -> None:
    model = tipr_zoo.build("irra_tiny_synth", pretrained=True)
    found, turned = 0.0, 0.0
    for path in test_split.pictures:
        picture = open_picture(path)
        explanation = explain(model, picture, test_split.captions[test_split.pictures.index(path) * 2])
        assert explanation.weights is not None
        found += share_beaten(model, picture, explanation) / 4
        turned += share_beaten(model, picture, dataclasses.replace(explanation, weights=-explanation.weights)) / 4
    assert turned < 0.5 < found - 0.1


# The score of pairs


class PairScoring(DualEncoder):
    """A dual encoder that scores pairs, by the cosine doubled."""

    def score_pairs(self, ids: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        return 2 * F.cosine_similarity(self.encode_text(ids), self.encode_image(images))


class TokenScoring(PairScoring):
    """The same, each picture encoded once."""

    def encode_caption_tokens(self, ids: torch.Tensor) -> torch.Tensor:
        return self.encode_text(ids).unsqueeze(1)

    def encode_picture_tokens(self, images: torch.Tensor) -> torch.Tensor:
        return self.encode_image(images).unsqueeze(1)

    def score_captions(self, ids: torch.Tensor, caption_tokens: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        return 2 * F.cosine_similarity(caption_tokens[:, 0], tokens)


@pytest.mark.parametrize("kind", [PairScoring, TokenScoring])
def test_the_score_of_a_reranker_is_explained(kind: type[DualEncoder], tiny_model: DualEncoder, image: Path) -> None:
    by_cosine = explain(tiny_model, open_picture(image), TEXT)
    tiny_model.__class__ = kind
    by_pairs = explain(tiny_model, open_picture(image), TEXT, score="pairs")
    assert by_pairs.score == pytest.approx(2 * by_cosine.score, abs=1e-5)
    for doubled, word in zip(by_pairs.words, by_cosine.words, strict=True):
        torch.testing.assert_close(doubled.weights, 2 * word.weights, atol=1e-5, rtol=1e-4)


def test_who_scores_no_pairs_is_told(tiny_model: DualEncoder, image: Path) -> None:
    with pytest.raises(ConfigError, match="DualEncoder scores no pairs, for it has no score_pairs; explain its cosine"):
        explain(tiny_model, open_picture(image), TEXT, score="pairs")


# The command


def test_the_command_draws_and_prints_the_words(
    tiny_zoo: Path, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "why.png"
    words = ["explain", TINY_PRETRAINED, str(image), TEXT, "-o", str(file), "--words", "3", "--device", "cpu"]
    assert main(words) == 0
    printed = capsys.readouterr()
    score, header, _, *rows = [line for line in printed.out.splitlines() if line.strip()]
    assert score.startswith("score ")
    assert header.split() == ["word", "change", "without", "it"]
    *rows, left_out = rows
    assert len([row for row in rows if row.split()[0] in TEXT.split()]) == 3
    assert left_out.startswith("left out, for they carry nothing: a, in, ")
    assert f"drawn: {file}" in printed.err
    with Image.open(file) as drawn:
        assert (drawn.format, drawn.width) == ("PNG", 900)


def test_the_command_prints_clean_json(
    tiny_zoo: Path, image: Path, tiny_model: DualEncoder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(["explain", TINY_PRETRAINED, str(image), f"{TEXT}!", "--json", "--words", "100", "--device", "cpu"]) == 0
    )
    printed = json.loads(capsys.readouterr().out)
    explanation = explain(tiny_model, open_picture(image), f"{TEXT}!")
    assert (printed["picture"], printed["caption"]) == (str(image), f"{TEXT}!")
    assert printed["score"] == pytest.approx(explanation.score, abs=1e-6)
    assert sorted([word["word"] for word in printed["words"]] + printed["left_out"]) == sorted(TEXT.split())
    assert printed["map"] == "occlusion"
    torch.testing.assert_close(torch.tensor(printed["weights"]), explanation.weights)
    for word, expected in zip(printed["words"], explanation.most_important(100), strict=True):
        assert printed["caption"][word["start"] : word["end"]] == word["word"] == expected.word.text
        assert word["importance"] == pytest.approx(expected.importance, abs=1e-6)
        torch.testing.assert_close(torch.tensor(word["map"]), expected.weights)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a_tiny_model", "{image}", TEXT, "-o", "{folder}/a.png"], "no weights of a_tiny_model are published"),
        ([TINY_PRETRAINED, "{folder}/none.jpg", TEXT, "-o", "{folder}/a.png"], "no picture at {folder}/none.jpg"),
        ([TINY_PRETRAINED, "{folder}/text.jpg", TEXT, "-o", "{folder}/a.png"], "{folder}/text.jpg is not a picture"),
        ([TINY_PRETRAINED, "{image}", "", "-o", "{folder}/a.png"], "the caption is empty; describe the person"),
        ([TINY_PRETRAINED, "{image}", " \n", "--json"], "the caption is empty; describe the person"),
        ([TINY_PRETRAINED, "{image}", "?!", "--json"], "the caption has no word that the model reads"),
        ([TINY_PRETRAINED, "{image}", "!? " * 99 + "red", "--json"], "the caption has no word that the model reads"),
        ([TINY_PRETRAINED, "{image}", TEXT, "--words", "0", "--json"], "the number of words must be at least 1, got 0"),
        ([TINY_PRETRAINED, "{image}", TEXT, "--map", "tokns", "--json"], "unknown map 'tokns'; did you mean 'tokens'?"),
        (
            [TINY_PRETRAINED, "{image}", TEXT, "--score", "pair", "--json"],
            "unknown score 'pair'; did you mean",
        ),
        ([TINY_PRETRAINED, "{image}", TEXT], "name the file to draw into with -o FILE, or ask for --json"),
        ([TINY_PRETRAINED, "{folder}/none.jpg", TEXT, "-o", "a.gif"], "a.gif: a picture's file name ends in"),
        ([TINY_PRETRAINED, "{image}", TEXT, "-o", "{folder}/none/a.png"], "does not exist; make it first"),
        (["a_tinny_pretrained_model", "{image}", TEXT, "--json"], "did you mean 'a_tiny_pretrained_model'"),
    ],
)
def test_a_mistake_is_one_line(
    tiny_zoo: Path, image: Path, tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    places = {"image": image, "folder": tmp_path}
    assert main(["explain", *(word.format(**places) for word in words)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    last = printed.err.splitlines()[-1]
    assert last.startswith("error: ")
    assert message.format(**places) in last
    assert not (tmp_path / "a.png").exists()
