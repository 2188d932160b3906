"""CLIP as it is: a model of the zoo that takes CLIP's own weights and has nothing to train."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import open_clip
import pytest
import torch

import tipr_zoo
from tipr_zoo.command_line import main
from tipr_zoo.errors import WeightsError

SMALL = {
    "model.image_encoder.image_size": (64, 64),
    "model.image_encoder.width": 64,
    "model.image_encoder.depth": 1,
    "model.image_encoder.num_heads": 1,
    "model.image_encoder.embedding_size": 64,
    "model.text_encoder.width": 64,
    "model.text_encoder.depth": 1,
    "model.text_encoder.num_heads": 1,
    "model.text_encoder.embedding_size": 64,
}
OPTIONS = [f"{name}={value}".replace(" ", "") for name, value in SMALL.items()]


@pytest.fixture
def clip() -> open_clip.CLIP:
    torch.manual_seed(0)
    vision = {"layers": 1, "image_size": 64, "width": 64, "patch_size": 16, "head_width": 64}
    text = {"width": 64, "heads": 1, "layers": 1}
    return open_clip.CLIP(64, vision, text, quick_gelu=True).eval()


@pytest.fixture
def weights(clip: open_clip.CLIP, tmp_path: Path) -> Path:
    torch.save(clip.state_dict(), tmp_path / "clip.pt")
    return tmp_path / "clip.pt"


def test_it_gives_what_clip_gives(clip: open_clip.CLIP, weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = tipr_zoo.build("clip_vitb16", weights=weights, overrides=SMALL)
    images, ids = torch.randn(2, 3, 64, 64), model.tokenize(["a man in a red jacket", "a woman"])
    with torch.no_grad():
        torch.testing.assert_close(model.encode_image(images), clip.encode_image(images), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model.encode_text(ids), clip.encode_text(ids), rtol=1e-4, atol=1e-5)
    assert not caplog.messages


def test_resized_positions_are_told(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    changed = SMALL | {"model.image_encoder.image_size": (96, 32)}
    with caplog.at_level(logging.WARNING):
        tipr_zoo.build("clip_vitb16", weights=weights, overrides=changed)
    assert "positions resized from 4 x 4 to 6 x 2" in caplog.text


def test_weights_of_another_clip_are_refused(weights: Path) -> None:
    with pytest.raises(WeightsError, match="do not fit the model"):
        tipr_zoo.build("clip_vitb16", weights=weights)


def test_a_model_with_objectives_does_not_pass_clip_off_as_its_own_result(weights: Path) -> None:
    overrides = SMALL | {"model.losses": {"sdm": {"type": "SDM"}}}
    with pytest.raises(WeightsError, match=r"are CLIP's.* to measure CLIP as it is, take clip_vitb16"):
        tipr_zoo.build("clip_vitb16", weights=weights, overrides=overrides)


def test_eval_takes_clips_weights(
    weights: Path, synthpedes: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    given = ["--weights", str(weights), "--cfg-options", *OPTIONS]
    assert main(["eval", "clip_vitb16", "--data", str(synthpedes), "--records", str(tmp_path), *given]) == 0
    assert "clip_vitb16" in capsys.readouterr().out
    assert list(tmp_path.glob("clip_vitb16*.json"))


@pytest.mark.parametrize("size", ["small", "vitb16"])
def test_info_proposes_what_fits_alone(
    weights: Path, tmp_path: Path, size: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = weights
    if size == "vitb16":
        clip = open_clip.create_model("ViT-B-16-quickgelu", pretrained=None, device="meta")
        file = tmp_path / "big.pt"
        torch.save(
            {name: torch.zeros(tensor.shape, dtype=torch.float16) for name, tensor in clip.state_dict().items()}, file
        )
    assert main(["info", str(file)]) == 0
    text = capsys.readouterr().out
    assert ("tipr-zoo eval clip_vitb16" in text) == (size == "vitb16")
    assert f"tipr-zoo train NAME --data DIR --weights {file}" in text
    assert main(["info", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["zero_shot_models"] == (["clip_vitb16"] if size == "vitb16" else [])


@pytest.mark.slow  # OpenAI's size, as search takes no other
def test_search_takes_clips_weights_as_openai_has_them(
    synthpedes: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    vision = {"layers": 1, "image_size": 224, "width": 768, "patch_size": 16}
    clip = open_clip.CLIP(512, vision, {"width": 512, "heads": 8, "layers": 1}, quick_gelu=True)
    blocks = {"visual.transformer.resblocks.0.": range(1, 12), "transformer.resblocks.0.": range(1, 12)}
    state = {name: tensor.half() for name, tensor in clip.state_dict().items()}
    for prefix, numbers in blocks.items():
        for name in [name for name in state if name.startswith(prefix)]:
            state |= {name.replace("resblocks.0.", f"resblocks.{number}."): state[name].clone() for number in numbers}
    torch.save(state, tmp_path / "ViT-B-16.pt")
    words = ["search", "clip_vitb16", str(synthpedes / "imgs"), "a man", "--weights", str(tmp_path / "ViT-B-16.pt")]
    assert main([*words, "--top", "1", "--json"]) == 0
    assert ".jpg" in capsys.readouterr().out


def test_there_is_nothing_to_train_and_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "clip_vitb16"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "error: the recipe of clip_vitb16 has neither losses nor heads, so there is nothing to train;"
    )


def test_with_an_objective_it_says_what_else_training_needs(
    synthpedes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "clip_vitb16", "--data", str(synthpedes), "--cfg-options", "model.losses={'sdm':{'type':'SDM'}}"]
    assert main(words) == 2
    assert "training.batch_size" in capsys.readouterr().err.splitlines()[-1]
