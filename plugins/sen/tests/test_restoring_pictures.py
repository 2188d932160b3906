"""Hiding patches of a picture and restoring them from a caption, in Python and on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from tipr_zoo_sen.text_guided_restoration import patchify, unpatchify

import tipr_zoo
from tipr_zoo.command_line import main
from tipr_zoo.display.restoration_picture import draw_restoration
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError
from tipr_zoo.explaining.colour_words import ANOTHER_COLOUR, change_colour
from tipr_zoo.explaining.restoration import HIDDEN_COLOUR, restore

TEXT = "A man in a red jacket and blue jeans."


@pytest.fixture(scope="module")
def model() -> DualEncoder:
    torch.manual_seed(0)
    return tipr_zoo.build("sen_tiny_synth")


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (128, 48, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def files(tmp_path: Path, model: DualEncoder, picture: Image.Image) -> tuple[Path, Path]:
    """A picture and weights on disk."""
    picture.save(tmp_path / "person.png")
    safetensors.torch.save_file(model.state_dict(), tmp_path / "sen.safetensors")
    return tmp_path / "person.png", tmp_path / "sen.safetensors"


def test_patches_put_together_again_are_the_picture() -> None:
    images = torch.randn(2, 3, 64, 48)
    assert torch.equal(unpatchify(patchify(images, 16), (4, 3)), images)


def test_seen_patches_are_grey_and_the_same_are_hidden_for_every_caption(
    model: DualEncoder, picture: Image.Image
) -> None:
    restored = restore(model, picture, [TEXT, "a woman in a green dress"])
    assert restored.hidden_share == 18 / 24  # of 25 tokens 7 are seen, the class token among them
    first, second = (np.asarray(each.picture).astype(int) for each in restored.restorations)
    seen = np.asarray(restored.seen)
    is_hidden = (seen == HIDDEN_COLOUR).all(axis=2)
    assert is_hidden.mean() == pytest.approx(18 / 24)
    assert (seen[~is_hidden] == seen[~is_hidden][:, :1]).all()
    assert (first[~is_hidden] == seen[~is_hidden]).all()
    assert (second[~is_hidden] == seen[~is_hidden]).all()
    assert (first[is_hidden] != second[is_hidden]).any()


def test_what_is_hidden_depends_on_the_seed_alone(model: DualEncoder, picture: Image.Image) -> None:
    seen = [restore(model, picture, [text], seed).seen for text, seed in ((TEXT, 0), ("a boy", 0), (TEXT, 1))]
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])


def test_the_error_is_that_of_the_hidden_patches_and_no_pixel_of_them_was_seen(
    model: DualEncoder, picture: Image.Image
) -> None:
    restored = restore(model, picture, [TEXT])
    pixels = np.array(picture)
    is_hidden = (np.asarray(restored.seen) == HIDDEN_COLOUR).all(axis=2)
    pixels[is_hidden] = 255 - pixels[is_hidden]
    other = restore(model, Image.fromarray(pixels), [TEXT])
    drawn = [np.asarray(each.restorations[0].picture)[is_hidden] for each in (restored, other)]
    assert np.array_equal(*drawn)
    assert restored.restorations[0].error != other.restorations[0].error


@pytest.mark.parametrize(
    ("caption", "changed"),
    [
        (TEXT, "A man in a blue jacket and blue jeans."),
        ("Grey hair, RED shoes", "Red hair, RED shoes"),
        ("RED shoes", "BLUE shoes"),
        ("a navy blue jacket", "a red jacket"),
        ("black and white shoes", "red and white shoes"),
        ("red/blue stripes", "green/blue stripes"),
        ("jet black and off-white plaid", "red and off-white plaid"),
        ("an orange bag", "a blue bag"),
        ("a coloured shirt, bored, greenish", None),
        ("", None),
    ],
)
def test_the_first_colour_word_changes(caption: str, changed: str | None) -> None:
    assert change_colour(caption) == changed


def test_a_colour_changes_into_another_one() -> None:
    assert all(colour != other and other in ANOTHER_COLOUR for colour, other in ANOTHER_COLOUR.items())


@pytest.mark.parametrize("options", [[], ["--instead", "a woman in a yellow dress", "--instead", "a child"]])
def test_the_command_draws_and_tells_the_errors(
    options: list[str], files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image, weights = files
    drawing = tmp_path / "restored.png"
    command = ["restore", "sen_tiny_synth", str(image), TEXT, "--weights", str(weights), "--json", "-o", str(drawing)]
    assert main([*command, *options]) == 0
    found = json.loads(capsys.readouterr().out)["restorations"]
    others = options[1::2] or ["A man in a blue jacket and blue jeans."]
    assert [each["caption"] for each in found] == [TEXT, *others]
    assert Image.open(drawing).width == 2 * 24 + (3 + len(others)) * 200 + (2 + len(others)) * 18
    assert main(["restore", "sen_tiny_synth", str(image), TEXT, "--weights", str(weights), "-o", str(drawing)]) == 0
    assert f"{found[0]['error']:.4f}" in capsys.readouterr().out


def test_words_that_differ_are_marked(model: DualEncoder, picture: Image.Image) -> None:
    marked = (255, 226, 138)
    same, other = (restore(model, picture, [TEXT, text]) for text in (TEXT, TEXT.replace("red", "blue")))
    assert marked not in {color for _, color in draw_restoration(same).getcolors(10**6)}
    assert marked in {color for _, color in draw_restoration(other).getcolors(10**6)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["irra_tiny_synth", "IMAGE", TEXT, "-o", "x.png"], "no head that restores pictures, or its weights have none"),
        (["sen_tiny_synth", "IMAGE", " ", "--weights", "WEIGHTS", "--json"], "the caption is empty"),
        (["sen_tiny_synth", "IMAGE", TEXT, "--weights", "WEIGHTS"], "name the file to draw into with -o FILE"),
        (["sen_tiny_synth", "IMAGE", TEXT, "--weights", "WEIGHTS", "-o", "x.txt"], "a picture's file name ends in"),
        (["sen_tiny_synth", "none.png", TEXT, "--weights", "WEIGHTS", "--json"], "none.png"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    arguments: list[str], message: str, files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    image, weights = files
    places: dict[str, Any] = {"IMAGE": str(image), "WEIGHTS": str(weights)}
    assert main(["restore", *(places.get(argument, argument) for argument in arguments)]) != 0
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("captions", "seed", "message"),
    [
        (TEXT, 0, "captions must be a list of sentences"),
        ([None], 0, "captions must be a list of sentences"),
        ([], 0, "the caption is empty"),
        ([TEXT], -1, "the seed must be a whole number"),
        ([TEXT], 2**64, "the seed must be a whole number"),
        ([TEXT], 1.5, "the seed must be a whole number"),
    ],
)
def test_arguments_that_make_no_sense(
    model: DualEncoder, picture: Image.Image, captions: Any, seed: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        restore(model, picture, captions, seed)


def test_a_model_without_such_a_head(picture: Image.Image) -> None:
    with pytest.raises(ConfigError, match="no head that restores pictures"):
        restore(tipr_zoo.build("irra_tiny_synth"), picture, [TEXT])
