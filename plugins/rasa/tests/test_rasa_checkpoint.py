"""Checkpoints of RaSa, with and without what training needs, and their relatives: ALBEF's and MARS's."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import tipr_zoo
from tipr_zoo.command_line import main
from tipr_zoo.errors import TiprZooError, WeightsError
from tipr_zoo.models.building import build
from tipr_zoo.models.official_checkpoint import read_official
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.models.starting_weights import load_starting_weights

WIDTH, SIDE, WORDS = 64, 48, 120


def checkpoint(side: int = SIDE, words: int = WORDS, queue: int = 24) -> dict[str, Tensor]:
    """A small one: a block of a ViT, and a layer of BERT each for the caption and for the pair."""
    generator = torch.Generator().manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {}

    def linear(name: str, out: int, into: int) -> None:
        shapes.update({f"{name}.weight": (out, into), f"{name}.bias": (out,)})

    def norm(name: str) -> None:
        shapes.update({f"{name}.weight": (WIDTH,), f"{name}.bias": (WIDTH,)})

    for m in ("", "_m"):
        visual, text = f"visual_encoder{m}", f"text_encoder{m}.bert"
        shapes |= {f"{visual}.cls_token": (1, 1, WIDTH), f"{visual}.pos_embed": (1, (side // 16) ** 2 + 1, WIDTH)}
        shapes |= {f"{visual}.patch_embed.proj.weight": (WIDTH, 3, 16, 16), f"{visual}.patch_embed.proj.bias": (WIDTH,)}
        for name in ("blocks.0.norm1", "blocks.0.norm2", "norm"):
            norm(f"{visual}.{name}")
        for name, out, into in (("attn.qkv", 3, 1), ("attn.proj", 1, 1), ("mlp.fc1", 4, 1), ("mlp.fc2", 1, 4)):
            linear(f"{visual}.blocks.0.{name}", out * WIDTH, into * WIDTH)
        for name, count in (("word", words), ("position", 512), ("token_type", 2)):
            shapes[f"{text}.embeddings.{name}_embeddings.weight"] = (count, WIDTH)
        norm(f"{text}.embeddings.LayerNorm")
        for index in range(2):
            layer = f"{text}.encoder.layer.{index}"
            for kind in ("attention", "crossattention")[: index + 1]:
                for name in ("self.query", "self.key", "self.value", "output.dense"):
                    linear(f"{layer}.{kind}.{name}", WIDTH, WIDTH)
                norm(f"{layer}.{kind}.output.LayerNorm")
            linear(f"{layer}.intermediate.dense", 4 * WIDTH, WIDTH)
            linear(f"{layer}.output.dense", WIDTH, 4 * WIDTH)
            norm(f"{layer}.output.LayerNorm")
        head = f"text_encoder{m}.cls.predictions"
        linear(f"{head}.transform.dense", WIDTH, WIDTH)
        norm(f"{head}.transform.LayerNorm")
        shapes[f"{head}.bias"] = (words,)
        for name in ("vision_proj", "text_proj"):
            linear(f"{name}{m}", 32, WIDTH)
    for name in ("itm_head", "prd_head", "mrtd_head"):
        linear(name, 2, WIDTH)
    tensors = {name: 0.1 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    tensors["temp"] = torch.tensor(0.06)
    tensors["text_encoder.bert.embeddings.position_ids"] = torch.arange(512).unsqueeze(0)
    tensors["text_encoder.cls.predictions.decoder.weight"] = torch.zeros(words, WIDTH)
    queues = {name: torch.randn(32, queue, generator=generator) for name in ("image_queue", "text_queue")}
    return tensors | queues | {"idx_queue": torch.full((1, queue), 7), "queue_ptr": torch.tensor([4])}


def for_inference(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    left_out = ("_m.", "_queue", "queue_ptr", "prd_head", "mrtd_head")
    return {name: tensor for name, tensor in tensors.items() if not any(part in name for part in left_out)}


def of_albef(side: int = 32) -> dict[str, Tensor]:
    return {
        name: tensor
        for name, tensor in checkpoint(side).items()
        if not name.startswith(("prd_head", "mrtd_head", "idx_queue"))
    }


def of_mars() -> dict[str, Tensor]:
    tensors = checkpoint()
    start = "text_encoder.bert.encoder.layer."
    further = {name: tensor for name, tensor in tensors.items() if name.startswith(f"{start}1.crossattention.")}
    return tensors | {name.replace(f"{start}1.", f"{start}0."): tensor for name, tensor in further.items()}


@pytest.fixture
def model() -> Any:
    """A model of the checkpoint's sizes, with other numbers, as a training has it."""
    torch.manual_seed(1)
    return build_retriever(read_official(checkpoint(), "rasa", (SIDE, SIDE)).model)


def test_a_checkpoint_becomes_a_model_that_ranks(caplog: pytest.LogCaptureFixture) -> None:
    model = tipr_zoo.from_official({"model": checkpoint(), "epoch": 29}, "rasa", (SIDE, SIDE))
    assert "left over, not needed by rasa: visual_encoder_m, text_encoder_m" in caplog.text
    images, ids = torch.randn(2, 3, SIDE, SIDE), torch.tensor([[5, 9, 6, 0], [5, 9, 8, 6]])
    assert model.score_pairs(ids, images).shape == (2,)
    assert model.encode_image(images).shape == model.encode_text(ids).shape == (2, 32)
    assert model.momentum is None


def test_the_momentum_copy_and_the_queues_come_with_it_for_training() -> None:
    official = checkpoint()
    model = tipr_zoo.from_official(official, "rasa", (SIDE, SIDE), training=True)
    model.heads["cl"].setup(model)
    assert torch.equal(model.momentum.image_projection.weight, official["vision_proj_m.weight"])
    assert torch.equal(model.heads["cl"].image_queue, official["image_queue"])
    assert model.heads["cl"].queue_ptr.tolist() == [4]
    assert model.heads["cl"].queue_size == 24


def test_a_checkpoint_for_inference_says_so_where_a_training_is_meant(caplog: pytest.LogCaptureFixture) -> None:
    tensors = for_inference(checkpoint())
    model = tipr_zoo.from_official(tensors, "rasa", (SIDE, SIDE))
    assert {"prd", "mrtd"}.isdisjoint(model.heads)
    assert "model.heads.prd is left out: the checkpoint has no weights of it" in caplog.text
    with pytest.raises(WeightsError, match="cannot be trained on as rasa, for its head 'prd': the checkpoint has no"):
        tipr_zoo.from_official(tensors, "rasa", (SIDE, SIDE), training=True)
    whole = {name: tensor for name, tensor in checkpoint().items() if "_m." not in name and "queue" not in name}
    model = tipr_zoo.from_official(whole, "rasa", (SIDE, SIDE), training=True)
    assert "it is for inference alone: a training begins with a new momentum copy" in caplog.text
    model.add_momentum()
    assert torch.equal(model.momentum.image_projection.weight, model.image_projection.weight)


def test_a_training_starts_from_it(model: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    official = checkpoint()
    torch.save({"model": official}, tmp_path / "rasa.pth")
    load_starting_weights(model, tmp_path / "rasa.pth")
    assert "the model has the weights of RaSa's kind" in caplog.text
    assert "still random" not in caplog.text
    model.heads["cl"].setup(model)
    assert torch.equal(model.momentum.text_projection.weight, official["text_proj_m.weight"])
    assert model.heads["cl"].idx_queue.unique().tolist() == [7]


def test_a_queue_of_another_size_starts_anew(model: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    torch.save(checkpoint(queue=48), tmp_path / "rasa.pth")
    load_starting_weights(model, tmp_path / "rasa.pth")
    model.heads["cl"].setup(model)
    assert "heads.cl: another size in the checkpoint" in caplog.text
    assert model.heads["cl"].idx_queue.unique().tolist() == [-100]
    assert model.heads["cl"].queue_ptr.tolist() == [0]


def test_albefs_checkpoint_is_a_start(model: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    official = of_albef()
    torch.save({"model": official}, tmp_path / "ALBEF.pth")
    load_starting_weights(model, tmp_path / "ALBEF.pth")
    assert "visual_encoder.pos_embed resized from 2 x 2 to 3 x 3" in caplog.text
    assert "still random: heads.prd, heads.mrtd" in caplog.text
    positions = model.image_encoder.trunk.pos_embed
    expected = torch.nn.functional.interpolate(
        official["visual_encoder.pos_embed"][:, 1:].reshape(1, 2, 2, WIDTH).permute(0, 3, 1, 2), (3, 3), mode="bicubic"
    )
    assert torch.allclose(positions[:, 1:], expected.flatten(2).transpose(1, 2), atol=1e-6)
    assert torch.equal(positions[:, 0], official["visual_encoder.pos_embed"][:, 0])
    model.heads["cl"].setup(model)
    assert torch.equal(model.momentum.image_projection.bias, official["vision_proj_m.bias"])
    assert model.heads["cl"].idx_queue.unique().tolist() == [-100]
    assert "the checkpoint has no queues that are whole: they start empty" in caplog.text


def test_half_of_what_a_training_needs_is_told(caplog: pytest.LogCaptureFixture) -> None:
    tensors = {name: tensor for name, tensor in checkpoint().items() if not name.startswith("vision_proj_m")}
    model = tipr_zoo.from_official(tensors, "rasa", (SIDE, SIDE), training=True)
    assert "the checkpoint has no whole momentum copy: it starts from the weights" in caplog.text
    model.heads["cl"].setup(model)
    assert torch.equal(model.momentum.image_projection.weight, model.image_projection.weight)
    assert model.heads["cl"].idx_queue.unique().tolist() == [7]


@pytest.mark.parametrize("part", ["bias", "transform.dense.weight"])
def test_without_a_whole_head_of_words_none_is_replaced(part: str, caplog: pytest.LogCaptureFixture) -> None:
    tensors = checkpoint()
    name = f"text_encoder.cls.predictions.{part}"
    tensors[name] = torch.zeros(99, *tensors[name].shape[1:])
    if part != "bias":
        del tensors[name]
    model = tipr_zoo.from_official(tensors, "rasa", (SIDE, SIDE))
    assert {"mlm", "mrtd"}.isdisjoint(model.heads)
    assert "it lets the head mlm write words, which the checkpoint has not whole" in caplog.text


def test_a_vocabulary_too_small_for_its_special_tokens_is_told_by_its_size() -> None:
    with pytest.raises(TiprZooError, match="three ids above 0 and below the vocabulary_size, 77, got"):
        tipr_zoo.from_official(checkpoint(words=77), "rasa", (SIDE, SIDE))


@pytest.mark.parametrize(
    ("tensors", "options", "message"),
    [
        (of_mars, {}, "it is a checkpoint of MARS, whose caption attends to the picture in all layers"),
        (checkpoint, {"image_size": None}, r"pictures of 48 x 48 pixels, not 384 x 384; pass image_size=\(48, 48\)"),
        (
            lambda: {"model": {"visual.conv1.weight": torch.zeros(4, 3, 16, 16)}},
            {},
            "no checkpoint of rasa: it looks like",
        ),
        (lambda: {"image_encoder.a": torch.zeros(1)}, {}, "it has the zoo's own names already"),
    ],
)
def test_what_is_none_of_rasas_is_told(tensors: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(TiprZooError, match=message) as told:
        tipr_zoo.from_official(tensors(), "rasa", **{"image_size": (SIDE, SIDE), **options})
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        ("visual_encoder.pos_embed", "lacks visual_encoder.pos_embed"),
        ("itm_head.weight", "incomplete: no tensor of it becomes matching_head.weight"),
        ("text_encoder.bert.encoder.layer.1.output.dense.bias", "becomes fusion_encoder.layer.0.output.dense.bias"),
        ("vision_proj.weight", "lacks vision_proj.weight"),
    ],
)
def test_what_is_missing_is_told(left_out: str, message: str) -> None:
    tensors = checkpoint()
    del tensors[left_out]
    with pytest.raises(WeightsError, match=message):
        tipr_zoo.from_official(tensors, "rasa", (SIDE, SIDE))


def test_a_start_that_does_not_fit_is_told(model: Any, tmp_path: Path) -> None:
    torch.save(of_mars(), tmp_path / "mars.pth")
    with pytest.raises(WeightsError, match=r"mars\.pth: it is a checkpoint of MARS"):
        load_starting_weights(model, tmp_path / "mars.pth")
    torch.save(checkpoint(words=121), tmp_path / "words.pth")
    with pytest.raises(WeightsError, match=r"word_embeddings.weight has shape \(121, 64\), the model \(120, 64\)"):
        load_starting_weights(model, tmp_path / "words.pth")
    clip = build("irra_tiny_synth")
    torch.save(checkpoint(), tmp_path / "rasa.pth")
    with pytest.raises(WeightsError, match="does not fit the model"):
        load_starting_weights(clip, tmp_path / "rasa.pth")


def test_info_and_convert_know_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    file, output = tmp_path / "rasa.pth", tmp_path / "mine.safetensors"
    torch.save({"model": checkpoint()}, file)
    assert main(["info", str(file)]) == 0
    assert "a checkpoint of the official code of RaSa" in capsys.readouterr().out
    words = ["convert", str(file), "--method", "rasa", "-o", str(output), "--image-size", str(SIDE), str(SIDE)]
    assert main(words) == 0, caplog.text
    out = capsys.readouterr().out
    assert "heads: cl, pitm, mlm, prd, mrtd" in out
    assert "3 x 3 patches every 16 pixels" in out
    caplog.set_level(logging.WARNING)
    assert (tmp_path / "mine.py").is_file()
