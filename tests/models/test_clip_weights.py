"""Training starts from OpenAI-format CLIP weights, which compute in the zoo's towers what they compute in CLIP.

The reference is open_clip, which has OpenAI's architectures under OpenAI's names. Its models are small here and their
weights random, which is enough to tell one computation from another.
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import safetensors.torch
import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional as F

import tipr_zoo
from tipr_zoo.backbones import CLIPTextEncoder, VisionTransformerEncoder
from tipr_zoo.datasets import open_dataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import WeightsError
from tipr_zoo.models.clip_weights import load_clip_weights
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.models.starting_weights import load_starting_weights
from tipr_zoo.registries import BACKBONES
from tipr_zoo.training.train import train
from tipr_zoo.weights.opening import open_weights
from tipr_zoo.weights.tensors import read_weights

SIZE, WIDTH = 64, 128  # of the embeddings, and of both towers' tokens

# The parts of the five towers: structure and depths as in CLIP, but narrow and, where they are all alike, few blocks.
VIT_B16 = {"patch_size": 16, "image_size": 64, "width": WIDTH, "layers": 2}
VIT_B32 = {"patch_size": 32, "image_size": 128, "width": WIDTH, "layers": 2}
VIT_L14 = {"patch_size": 14, "image_size": 56, "width": WIDTH, "layers": 3}
RN50 = {"layers": (3, 4, 6, 3), "image_size": 128, "width": 8}
RN101 = {"layers": (3, 4, 23, 3), "image_size": 128, "width": 8}
RN_TINY = {"layers": (1, 1, 1, 1), "image_size": 128, "width": 8}

MODEL_NAMES = {
    14: "vit_large_patch14_clip_quickgelu_224",
    16: "vit_base_patch16_clip_quickgelu_224",
    32: "vit_base_patch32_clip_quickgelu_224",
}


def small_clip(vision: dict[str, Any], context_length: int = 77) -> open_clip.CLIP:
    """A CLIP of OpenAI's architecture. Nothing in it is zero or one, so that nothing can be left out unseen."""
    torch.manual_seed(0)
    text = {"width": WIDTH, "heads": WIDTH // 64, "layers": 2, "context_length": context_length}
    clip = open_clip.CLIP(SIZE, dict(vision), text, quick_gelu=True).eval()
    with torch.no_grad():
        for name, parameter in clip.named_parameters():
            if name != "token_embedding.weight":
                parameter += 0.05 * torch.randn_like(parameter)
        for name, buffer in clip.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer += torch.rand_like(buffer)
    return clip


def image_entry(vision: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The image tower of a recipe that fits a CLIP's, at CLIP's own picture size where `options` say no other."""
    sizes = {"embedding_size": SIZE, "image_size": (vision["image_size"],) * 2, "width": vision["width"]}
    if "patch_size" in vision:
        tower = {"type": "VisionTransformerEncoder", "model_name": MODEL_NAMES[vision["patch_size"]]}
        tower |= {"depth": vision["layers"], "num_heads": vision["width"] // 64}
    else:
        tower = {"type": "ModifiedResNetEncoder", "depths": vision["layers"]}
        tower["model_name"] = "resnet101_clip" if vision["layers"][2] == 23 else "resnet50_clip"
    return tower | sizes | options


def zoo_model(image_encoder: dict[str, Any], **entries: Any) -> DualEncoder:
    """A model of the zoo with this image tower and a text tower as small as that of `small_clip`."""
    text_encoder = {"type": "CLIPTextEncoder", "embedding_size": SIZE, "width": WIDTH, "depth": 2}
    model = {"image_encoder": image_encoder, "text_encoder": text_encoder, "tokenizer": {"type": "CLIPTokenizer"}}
    return build_retriever(model | entries).eval()


def clip_image_tokens(clip: open_clip.CLIP, images: Tensor) -> Tensor:
    """All tokens of CLIP's image tower, projected, from its own modules."""
    tower = clip.visual
    if hasattr(tower, "attnpool"):
        squares = tower.layer4(tower.layer3(tower.layer2(tower.layer1(tower.stem(images))))).flatten(2).mT
        return attention_pooling(tower.attnpool, squares)
    tower.output_tokens = True
    embedding, patches = tower(images)
    tower.output_tokens = False
    return torch.cat([embedding.unsqueeze(1), patches @ tower.proj], dim=1)


def attention_pooling(pooling: nn.Module, squares: Tensor) -> Tensor:
    """CLIP's attention pooling in PyTorch's own attention: the mean and every square ask, not the mean alone."""
    attention = nn.MultiheadAttention(squares.shape[2], pooling.num_heads, batch_first=True).eval()
    projections = [pooling.q_proj, pooling.k_proj, pooling.v_proj]
    attention.in_proj_weight.data = torch.cat([projection.weight for projection in projections])
    attention.in_proj_bias.data = torch.cat([projection.bias for projection in projections])
    nn.init.eye_(attention.out_proj.weight)
    tokens = torch.cat([squares.mean(dim=1, keepdim=True), squares], dim=1) + pooling.positional_embedding
    return pooling.c_proj(attention(tokens, tokens, tokens)[0])


def assert_close(found: Tensor, expected: Tensor) -> None:
    """Equal but for the order of additions: to 1e-5 of the largest value."""
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) < 1e-5 * float(expected.abs().max())


# Exactness

TOWERS = {"ViT-B/16": VIT_B16, "ViT-B/32": VIT_B32, "ViT-L/14": VIT_L14, "RN50": RN50, "RN101": RN101}


@pytest.mark.parametrize("vision", TOWERS.values(), ids=TOWERS)
@torch.no_grad()
def test_every_image_tower_computes_what_clip_computes(vision: dict[str, Any]) -> None:
    clip, model = small_clip(vision), zoo_model(image_entry(vision))
    load_clip_weights(model, clip.state_dict())
    images = torch.randn(2, 3, *model.image_size)
    assert_close(model.encode_image(images), clip.encode_image(images))
    assert_close(model.image_encoder(images), clip_image_tokens(clip, images))


@torch.no_grad()
def test_the_text_tower_computes_what_clip_computes() -> None:
    clip, model = small_clip(VIT_B32), zoo_model(image_entry(VIT_B32))
    load_clip_weights(model, clip.state_dict())
    captions = ["a man in a red jacket", "", "a woman with a black bag and white shoes " * 9]
    ids = model.tokenize(captions)
    assert torch.equal(ids, open_clip.tokenizer.SimpleTokenizer()(captions))
    assert_close(model.encode_text(ids), clip.encode_text(ids))

    every_token: list[Tensor] = []
    clip.ln_final.register_forward_hook(lambda module, inputs, output: every_token.append(output))
    clip.encode_text(ids)
    assert_close(model.text_encoder(ids), every_token[0] @ clip.text_projection)


OTHER_SIZES = {
    "ViT-B/16": (VIT_B16, (96, 32), 16, (6, 2)),
    "ViT-B/16 overlapping": (VIT_B16, (96, 32), 12, (7, 2)),
    "ViT-B/32": (VIT_B32, (192, 64), 32, (6, 2)),
    "ViT-B/32 overlapping": (VIT_B32, (192, 64), 16, (11, 3)),
    "ViT-L/14": (VIT_L14, (98, 42), 14, (7, 3)),
    "ViT-L/14 overlapping": (VIT_L14, (98, 42), 12, (8, 3)),
    "RN50": (RN_TINY, (192, 64), None, (6, 2)),
}


@pytest.mark.parametrize(("vision", "image_size", "stride", "grid"), OTHER_SIZES.values(), ids=OTHER_SIZES)
@torch.no_grad()
def test_the_positions_are_resized_to_pictures_of_another_size(
    vision: dict[str, Any], image_size: tuple[int, int], stride: int | None, grid: tuple[int, int]
) -> None:
    options = {"image_size": image_size} | ({} if stride is None else {"stride": stride})
    clip, model = small_clip(vision), zoo_model(image_entry(vision, **options))
    loaded = load_clip_weights(model, clip.state_dict())
    assert loaded.grids == ((4, 4), grid)

    owner = clip.visual if stride else clip.visual.attnpool
    class_position, grid_positions = owner.positional_embedding[:1], owner.positional_embedding[1:]
    resized = F.interpolate(grid_positions.T.reshape(1, -1, 4, 4), size=grid, mode="bilinear").flatten(2)[0].T
    owner.positional_embedding = nn.Parameter(torch.cat([class_position, resized]))
    if stride:
        clip.visual.conv1.stride = (stride, stride)
    images = torch.randn(2, 3, *image_size)
    assert_close(model.image_encoder(images), clip_image_tokens(clip, images))


FULL_SIZES = {
    "ViT-B-16-quickgelu": (MODEL_NAMES[16], (384, 128), (14, 14), (24, 8)),
    "ViT-B-32-quickgelu": (MODEL_NAMES[32], (384, 128), (7, 7), (12, 4)),
    "ViT-L-14-quickgelu": (MODEL_NAMES[14], (378, 126), (16, 16), (27, 9)),
    "RN50-quickgelu": ("resnet50_clip", (384, 128), (7, 7), (12, 4)),
    "RN101-quickgelu": ("resnet101_clip", (384, 128), (7, 7), (12, 4)),
}


@pytest.mark.parametrize(("name", "case"), FULL_SIZES.items(), ids=FULL_SIZES)
def test_the_towers_have_clips_full_size_where_a_recipe_names_no_other(name: str, case: tuple[Any, ...]) -> None:
    model_name, image_size, *grids = case
    with torch.device("meta"):  # names and shapes alone, without numbers
        clip = open_clip.create_model(name, pretrained=None, device="meta")
        embedding_size, text_width = clip.text_projection.shape[1], clip.text_projection.shape[0]
        image = {"type": "VisionTransformerEncoder" if "patch" in model_name else "ModifiedResNetEncoder"}
        image |= {"model_name": model_name, "embedding_size": embedding_size, "image_size": image_size}
        text = {"type": "CLIPTextEncoder", "embedding_size": embedding_size, "width": text_width}
        model = zoo_model(image, text_encoder=text)
    loaded = load_clip_weights(model, clip.state_dict())
    assert loaded.grids == tuple(grids)
    assert loaded.activations == {}


def test_positions_that_were_fitted_to_the_models_grid_before_are_taken_as_they_are() -> None:
    model = zoo_model(image_entry(VIT_B16, image_size=(96, 32)))
    positions = torch.randn(1 + 6 * 2, WIDTH)
    state = small_clip(VIT_B16).state_dict() | {"visual.positional_embedding": positions}
    assert load_clip_weights(model, state).grids == ((6, 2), (6, 2))
    assert torch.equal(model.image_encoder.trunk.pos_embed[0], positions)


# Files


@pytest.fixture(scope="module")
def clip_state() -> dict[str, Tensor]:
    """The tensors of a small CLIP."""
    return small_clip(VIT_B32).state_dict()


@pytest.mark.parametrize("name", ["clip.safetensors", "clip.pth"])
def test_half_precision_weights_become_the_models_type(
    clip_state: dict[str, Tensor], tmp_path: Path, name: str
) -> None:
    half = {key: value.half().contiguous() for key, value in clip_state.items()}
    path = tmp_path / name
    safetensors.torch.save_file(half, path) if path.suffix == ".safetensors" else torch.save(half, path)
    model, same = zoo_model(image_entry(VIT_B32)), zoo_model(image_entry(VIT_B32))
    load_clip_weights(model, path)
    load_clip_weights(same, {key: value.float() for key, value in half.items()})
    assert {value.dtype for value in model.state_dict().values() if value.is_floating_point()} == {torch.float32}
    assert all(torch.equal(value, same.state_dict()[key]) for key, value in model.state_dict().items())


def test_the_log_tells_what_was_resized_what_is_random_and_what_is_not_used(
    clip_state: dict[str, Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    heads = {"id": {"type": "IdentityClassification", "embedding_size": SIZE, "num_identities": 3}}
    neck = {"type": "BNNeck", "embedding_size": SIZE}
    model = zoo_model(image_entry(VIT_B32, image_size=(192, 64)), heads=heads, neck=neck)
    classifier = model.heads["id"].classifier.weight.clone()
    state = clip_state | {name: torch.tensor(7) for name in ("input_resolution", "context_length", "vocab_size")}
    with caplog.at_level(logging.WARNING, logger="tipr_zoo"):
        load_clip_weights(model, state)
    assert [record.getMessage() for record in caplog.records] == [
        "the CLIP weights: both towers have CLIP's weights; positions resized from 4 x 4 to 6 x 2;"
        " still random: neck, heads.id; not used: logit_scale, input_resolution, context_length, vocab_size"
    ]
    assert torch.equal(model.heads["id"].classifier.weight, classifier)


def test_the_log_tells_an_activation_that_openai_did_not_train_with(clip_state: dict[str, Tensor]) -> None:
    loaded = load_clip_weights(zoo_model(image_entry(VIT_B32, model_name="vit_base_patch32_clip_224")), clip_state)
    assert loaded.activations == {"image tower": "GELU"}
    assert "the image tower has GELU, OpenAI's has QuickGELU" in str(loaded)


def test_a_batch_normalisations_counter_may_be_missing() -> None:
    state = {key: value for key, value in small_clip(RN_TINY).state_dict().items() if "num_batches" not in key}
    load_clip_weights(zoo_model(image_entry(RN_TINY)), state)


# What does not fit


BLOCK = "transformer.resblocks.2."
MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"visual.ln_post.bias": None}, "do not fit the model: image_encoder.trunk.norm.bias is missing"),
    "missing in the text tower": (
        {"transformer.resblocks.1.attn.in_proj_bias": None},
        "text_encoder.trunk.text_model.encoder.layers.1.self_attn.k_proj.bias is missing; ",
    ),
    "left over": ({"visual.extra": torch.zeros(1)}, "do not fit the model: visual.extra is left over"),
    "a deeper tower": ({BLOCK + "ln_1.bias": torch.zeros(WIDTH)}, BLOCK + "ln_1.bias is left over"),
    "several": (
        {f"a{index}": torch.zeros(1) for index in range(5)},
        "do not fit the model: a0 is left over; a1 is left over; a2 is left over and 2 more",
    ),
    "another patch size": (
        {"visual.conv1.weight": torch.zeros(WIDTH, 3, 16, 16)},
        f"visual.conv1.weight has shape ({WIDTH}, 3, 16, 16), the model ({WIDTH}, 3, 32, 32)",
    ),
    "another embedding size": (
        {"text_projection": torch.zeros(WIDTH, 512)},
        f"text_projection has shape ({WIDTH}, 512), the model ({WIDTH}, {SIZE})",
    ),
    "another context": (
        {"positional_embedding": torch.zeros(64, WIDTH)},
        f"positional_embedding has shape (64, {WIDTH}), the model (77, {WIDTH})",
    ),
    "another vocabulary": (
        {"token_embedding.weight": torch.zeros(800, WIDTH)},
        "know 800 token ids, the model's tokenizer 49408",
    ),
    "another number of dimensions": (
        {"visual.proj": torch.zeros(WIDTH * SIZE), "token_embedding.weight": torch.tensor(1.0)},
        f"visual.proj has shape ({WIDTH * SIZE},), the model ({WIDTH}, {SIZE})",
    ),
    "positions of no grid": (
        {"visual.positional_embedding": torch.zeros(1 + 15, WIDTH)},
        "visual.positional_embedding: 15 positions are neither those of a square grid of patches nor of the model's"
        " 4 x 4",
    ),
    "positions without patches": (
        {"visual.positional_embedding": torch.zeros(1, WIDTH)},
        "0 positions are neither those of a square grid",
    ),
    "no positions": (
        {"visual.positional_embedding": torch.zeros(0, WIDTH)},
        "0 positions are neither those of a square grid",
    ),
    "whole numbers": ({"visual.proj": torch.zeros(WIDTH, SIZE, dtype=torch.int8)}, "visual.proj is torch.int8"),
    "no tensor": ({"visual.proj": "text"}, "visual.proj is str; weights are floating-point numbers"),
    "no CLIP": (
        {"visual.conv1.weight": None, "visual.proj": None},
        "are not in OpenAI's format: they have no entry visual.conv1.weight",
    ),
}


@pytest.mark.parametrize(("changes", "message"), MISFITS.values(), ids=MISFITS)
def test_weights_that_do_not_fit_are_told_and_change_nothing(
    clip_state: dict[str, Tensor], changes: dict[str, Any], message: str
) -> None:
    model = zoo_model(image_entry(VIT_B32))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = {name: value for name, value in (clip_state | changes).items() if value is not None}
    with pytest.raises(WeightsError) as raised:
        load_clip_weights(model, state)
    assert str(raised.value).startswith("the CLIP weights")
    assert message in str(raised.value)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("vision", "entries", "message"),
    [
        (RN_TINY, {}, "have a vision transformer for an image tower, the model a ModifiedResNetEncoder"),
        (
            VIT_B32,
            {"text_encoder": {"type": "CLIPTextEncoder", "embedding_size": SIZE, "width": WIDTH, "num_heads": 4}},
            "need one attention head per 64 of the width: 2 for a width of 128, the model has 4;"
            " see model.text_encoder.num_heads",
        ),
        (
            VIT_B32,
            {"tokenizer": {"type": "SmallTokenizer", "file": "synthpedes.json"}},
            "know 49408 token ids, the model's tokenizer 800",
        ),
    ],
    ids=["transformer into ResNet", "other heads", "other tokenizer"],
)
def test_models_that_are_no_clip_are_told(
    clip_state: dict[str, Tensor], vision: dict[str, Any], entries: dict[str, Any], message: str
) -> None:
    with pytest.raises(WeightsError) as raised:
        load_clip_weights(zoo_model(image_entry(vision), **entries), clip_state)
    assert message in str(raised.value)


def test_resnet_weights_do_not_fit_a_vision_transformer() -> None:
    with pytest.raises(WeightsError, match="have a ModifiedResNet for an image tower, the model a VisionTransformer"):
        load_clip_weights(zoo_model(image_entry(VIT_B32)), small_clip(RN_TINY).state_dict())


# Through the zoo's own doors

SMALL = {
    "model.image_encoder": image_entry(VIT_B32, image_size=(192, 64)),
    "model.text_encoder": {"type": "CLIPTextEncoder", "embedding_size": SIZE, "width": WIDTH, "depth": 2},
    "model.heads": {"id": {"type": "IdentityClassification", "embedding_size": SIZE, "num_identities": 6}},
    "training.optimizer.lr": 0.0,  # so that what comes out is what training started from
    "training.num_workers": 0,
    "training.max_epochs": 1,
    "training.batch_size": 4,
}


@pytest.fixture
def clip_file(clip_state: dict[str, Tensor], tmp_path: Path) -> Path:
    """The same tensors in a file."""
    torch.save(clip_state, tmp_path / "clip.pth")
    return tmp_path / "clip.pth"


def test_training_starts_from_clip_weights(
    clip_file: Path, clip_state: dict[str, Tensor], synthpedes: Path, tmp_path: Path
) -> None:
    train_set = open_dataset(str(synthpedes), split="train")
    result = train("irra_vitb16_cuhk", train_set, None, tmp_path / "run", weights=clip_file, overrides=SMALL)
    trained = tipr_zoo.build("irra_vitb16_cuhk", weights=result.weights, overrides=SMALL)
    model = zoo_model(image_entry(VIT_B32, image_size=(192, 64)))
    load_clip_weights(model, clip_state)
    ids = model.tokenize(["a man in a red jacket"])
    with torch.no_grad():
        assert torch.equal(trained.encode_text(ids), model.encode_text(ids))


def test_training_still_starts_from_a_models_own_weights(synthpedes: Path, tmp_path: Path) -> None:
    train_set = open_dataset(str(synthpedes), split="train")
    own = tipr_zoo.build("irra_vitb16_cuhk", overrides=SMALL).state_dict()
    torch.save(own, tmp_path / "own.pth")
    train("irra_vitb16_cuhk", train_set, None, tmp_path / "run", weights=tmp_path / "own.pth", overrides=SMALL)
    state = safetensors.torch.load_file(tmp_path / "run" / "irra_vitb16_cuhk.safetensors")
    assert all(torch.equal(state[name], value) for name, value in own.items())


def test_build_does_not_take_clip_weights_for_a_models_own(clip_file: Path) -> None:
    with pytest.raises(WeightsError) as raised:
        tipr_zoo.build("irra_vitb16_cuhk", weights=clip_file, overrides=SMALL)
    assert f"weights {clip_file} are CLIP's" in str(raised.value)
    assert f"to start from: tipr-zoo train NAME --weights {clip_file}" in str(raised.value)


class Program(nn.Module):
    """What becomes a TorchScript archive, with weights in half precision as in OpenAI's."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = nn.Linear(3, 2).half()

    def forward(self, images: Tensor) -> Tensor:
        return self.visual(images)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PyTorch has announced the end of TorchScript
def test_a_torchscript_archive_that_is_no_clip_is_told_and_not_run(tmp_path: Path) -> None:
    program, path = Program(), tmp_path / "ViT-B-32.pt"
    torch.jit.save(torch.jit.script(program), path)
    with pytest.raises(WeightsError, match=r"are not in OpenAI's format: they have no entry visual\.conv1\.weight"):
        load_clip_weights(zoo_model(image_entry(VIT_B32)), path)
    tensors = read_weights(path)
    assert all(torch.equal(tensors[name], value) for name, value in program.state_dict().items())


# As people have them


def hugging_face_clip(clip: open_clip.CLIP) -> transformers.CLIPModel:
    """A CLIPModel of transformers that has the tensors of a CLIP, put there one by one."""
    side = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": 2, "projection_dim": SIZE}
    side |= {"num_attention_heads": WIDTH // 64, "hidden_act": "quick_gelu"}
    config = transformers.CLIPConfig(
        text_config=side | {"vocab_size": 49408}, vision_config=side | {"image_size": 128, "patch_size": 32}
    )
    config.projection_dim = SIZE
    model = transformers.CLIPModel(config).eval()
    state = model.state_dict()
    with torch.no_grad():
        for tower, source in ((model.vision_model, clip.visual), (model.text_model, clip)):
            for layer, block in zip(tower.encoder.layers, source.transformer.resblocks, strict=True):
                attention = layer.self_attn
                for part, weight, bias in zip(
                    "qkv", block.attn.in_proj_weight.chunk(3), block.attn.in_proj_bias.chunk(3), strict=True
                ):
                    getattr(attention, f"{part}_proj").weight.copy_(weight)
                    getattr(attention, f"{part}_proj").bias.copy_(bias)
                attention.out_proj.load_state_dict(block.attn.out_proj.state_dict())
                layer.layer_norm1.load_state_dict(block.ln_1.state_dict())
                layer.layer_norm2.load_state_dict(block.ln_2.state_dict())
                layer.mlp.fc1.load_state_dict(block.mlp.c_fc.state_dict())
                layer.mlp.fc2.load_state_dict(block.mlp.c_proj.state_dict())
        vision, text, visual = model.vision_model, model.text_model, clip.visual
        vision.embeddings.class_embedding.copy_(visual.class_embedding)
        vision.embeddings.patch_embedding.weight.copy_(visual.conv1.weight)
        vision.embeddings.position_embedding.weight.copy_(visual.positional_embedding)
        vision.pre_layrnorm.load_state_dict(visual.ln_pre.state_dict())
        vision.post_layernorm.load_state_dict(visual.ln_post.state_dict())
        text.embeddings.token_embedding.weight.copy_(clip.token_embedding.weight)
        text.embeddings.position_embedding.weight.copy_(clip.positional_embedding)
        text.final_layer_norm.load_state_dict(clip.ln_final.state_dict())
        model.visual_projection.weight.copy_(visual.proj.T)
        model.text_projection.weight.copy_(clip.text_projection.T)
    assert len(state) == len(list(model.parameters()))
    return model


class Encoder(nn.Module):
    """Runs an image tower, so that a whole CLIP can be traced."""

    def __init__(self, clip: open_clip.CLIP) -> None:
        super().__init__()
        for name, module in clip.named_children():
            setattr(self, name, module)
        for name in ("positional_embedding", "text_projection", "logit_scale"):
            setattr(self, name, getattr(clip, name))
        self.register_buffer("input_resolution", torch.tensor(128))

    def forward(self, images: Tensor) -> Tensor:
        return self.visual(images)


def with_prefix(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {prefix + name: value for name, value in state.items()}


def openai_archive(clip: open_clip.CLIP, path: Path) -> None:
    traced = torch.jit.trace(Encoder(clip), torch.randn(1, 3, 128, 128), check_trace=False)
    torch.jit.save(traced.half(), path)


def _newer_open_clip(state: dict[str, Any]) -> dict[str, Any]:
    return {
        name if name.startswith(("visual.", "logit_")) else f"text.{name}": value for name, value in state.items()
    } | {"logit_bias": torch.tensor(-10.0), "text.attn_mask": torch.full((77, 77), -torch.inf).triu(1)}


FORMS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "open_clip's checkpoint": lambda state: {
        "epoch": 3,
        "name": "run",
        "state_dict": with_prefix(state, "module."),
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-4}]},
    },
    "compiled, then spread": lambda state: {"model_state_dict": with_prefix(state, "module._orig_mod.")},
    "spread, then compiled": lambda state: with_prefix(state, "_orig_mod.module."),
    "a compiled tower": lambda state: {
        name.replace("visual.", "visual._orig_mod."): value for name, value in state.items()
    },
    "Lightning": lambda state: {"state_dict": with_prefix(state, "model.clip."), "hyper_parameters": {"lr": 1e-4}},
    "averaged": lambda state: {"ema": with_prefix(state, "module.") | {"n_averaged": torch.tensor(7)}},
    "model and its average": lambda state: {
        "ema": {name: torch.zeros_like(value) for name, value in state.items()},
        "net": {"model": state},
    },
    "an entry of another name": lambda state: {"my_clip": state, "step": 3},
    "numpy beside": lambda state: {
        "model": state,
        "best": np.float64(70.1),
        "curve": np.arange(3.0),
        "step": np.int64(3),
    },
    "open_clip with a text tower of its own": _newer_open_clip,
    "parameters": lambda state: {
        name: nn.Parameter(value.clone(), value.is_floating_point()) for name, value in state.items()
    },
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "as before PyTorch 1.6"])
@pytest.mark.parametrize("form", FORMS)
def test_clip_is_found_in_whatever_is_around_it(
    clip_state: dict[str, Tensor], form: str, legacy: bool, tmp_path: Path
) -> None:
    torch.save(FORMS[form](clip_state), tmp_path / "clip.pt", _use_new_zipfile_serialization=not legacy)
    model, expected = zoo_model(image_entry(VIT_B32)), zoo_model(image_entry(VIT_B32))
    load_clip_weights(expected, clip_state)
    load_starting_weights(model, tmp_path / "clip.pt")
    assert_same(model, expected)


@pytest.mark.parametrize("form", ["compiled, then spread", "Lightning", "open_clip with a text tower of its own"])
def test_a_mapping_is_unwrapped_as_a_file_is(clip_state: dict[str, Tensor], form: str) -> None:
    model, expected = zoo_model(image_entry(VIT_B32)), zoo_model(image_entry(VIT_B32))
    load_clip_weights(expected, clip_state)
    load_clip_weights(model, FORMS[form](clip_state))
    assert_same(model, expected)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # the announced end of TorchScript
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_the_torchscript_archive_that_openai_hands_out_is_read_bit_for_bit_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, path = small_clip(VIT_B32), tmp_path / "ViT-B-32.pt"
    openai_archive(clip, path)
    monkeypatch.setattr(torch.jit, "load", None)
    monkeypatch.setattr(torch, "load", None)
    opened = open_weights(path)
    assert opened.container == "TorchScript"
    assert opened.recognised.words == "OpenAI's CLIP (ViT, patches of 32 pixels)"
    expected = {name: value.half() for name, value in clip.state_dict().items()}
    expected["input_resolution"] = torch.tensor(128)
    assert opened.tensors.keys() == expected.keys()
    assert {name: value.dtype for name, value in opened.tensors.items()} == {
        name: value.dtype for name, value in expected.items()
    }
    assert all(torch.equal(opened.tensors[name], value) for name, value in expected.items())
    model, same = zoo_model(image_entry(VIT_B32)), zoo_model(image_entry(VIT_B32))
    load_starting_weights(model, path)
    load_clip_weights(same, expected)
    assert_same(model, same)


@pytest.mark.parametrize("wrap", ["bare", "module.", "clip.", "position_ids"])
def test_a_clip_model_of_transformers_computes_the_same_here(tmp_path: Path, wrap: str) -> None:
    clip = small_clip(VIT_B32)
    theirs = hugging_face_clip(clip)
    state = theirs.state_dict()
    if wrap == "position_ids":
        state["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    path = tmp_path / "pytorch_model.bin"
    torch.save(with_prefix(state, wrap) if wrap.endswith(".") else state, path)
    assert open_weights(path).recognised.words == "a CLIPModel of transformers (ViT, patches of 32 pixels)"
    model, expected = zoo_model(image_entry(VIT_B32)), zoo_model(image_entry(VIT_B32))
    load_starting_weights(model, path)
    load_clip_weights(expected, clip.state_dict())
    assert_same(model, expected)
    images = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        pictures = theirs.visual_projection(theirs.vision_model(images).pooler_output)
        torch.testing.assert_close(model.eval().encode_image(images), pictures, rtol=1e-4, atol=1e-5)


def test_of_a_model_and_its_average_the_model_is_read_and_the_log_says_so(
    clip_state: dict[str, Tensor], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.save(FORMS["model and its average"](clip_state), tmp_path / "clip.pt")
    open_weights(tmp_path / "clip.pt")
    assert caplog.messages == [f"weights {tmp_path / 'clip.pt'}: of its entries net, ema the first is read"]


def test_build_tells_a_clip_model_of_transformers_as_it_tells_openais(tmp_path: Path) -> None:
    state = hugging_face_clip(small_clip(VIT_B32)).state_dict()
    path = tmp_path / "it's a clip.safetensors"
    safetensors.torch.save_file(state, path)
    with pytest.raises(WeightsError, match="are CLIP's, which have no heads") as raised:
        tipr_zoo.build("irra_vitb16_cuhk", weights=path, overrides=SMALL)
    command = str(raised.value).rpartition("start from: ")[2].partition("; to measure")[0]
    assert shlex.split(command)[-1] == str(path)


def test_query_without_key_is_left_over(tmp_path: Path) -> None:
    state = hugging_face_clip(small_clip(VIT_B32)).state_dict()
    del state["vision_model.encoder.layers.1.self_attn.k_proj.bias"]
    with pytest.raises(WeightsError, match=r"vision_model\.encoder\.layers\.1\.self_attn\.v_proj\.bias is left over"):
        load_clip_weights(zoo_model(image_entry(VIT_B32)), state)


def assert_same(model: DualEncoder, expected: DualEncoder) -> None:
    own = expected.state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(value, own[name]), name


# Towers with parameters of their own


@BACKBONES.register_module()
class PromptedImageTower(VisionTransformerEncoder):
    """Adds prompts to CLIP's image tower, and a small adapter to each block."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        width = self.trunk.embed_dim
        self.prompts = nn.Parameter(torch.randn(1, 2, width))
        for block in self.trunk.blocks:
            block.adapter = nn.Sequential(nn.Linear(width, 4), nn.BatchNorm1d(4), nn.Linear(4, width))


@BACKBONES.register_module()
class ScaledTextTower(CLIPTextEncoder):
    """Adds a scale to CLIP's text tower."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.scale = nn.Parameter(torch.rand(self.embedding_size))


def own_towers(**image: Any) -> DualEncoder:
    text = {"type": "ScaledTextTower", "embedding_size": SIZE, "width": WIDTH, "depth": 2}
    return zoo_model(image_entry(VIT_B32, **image) | {"type": "PromptedImageTower"}, text_encoder=text)


STARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "OpenAI": lambda: dict(small_clip(VIT_B32).state_dict()),
    "open_clip": lambda: {"state_dict": {f"module.{k}": v for k, v in small_clip(VIT_B32).state_dict().items()}},
    "Hugging Face": lambda: dict(hugging_face_clip(small_clip(VIT_B32)).state_dict()),
}


@pytest.mark.parametrize("source", STARTS.values(), ids=STARTS)
def test_what_towers_hold_besides_clip_is_left_alone_and_told(
    source: Callable[[], dict[str, Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.save(source(), tmp_path / "clip.pth")
    plain, model = zoo_model(image_entry(VIT_B32, image_size=(192, 64))), own_towers(image_size=(192, 64))
    load_starting_weights(plain, tmp_path / "clip.pth")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    caplog.clear()
    load_starting_weights(model, tmp_path / "clip.pth")
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "still random: image_encoder.prompts, image_encoder.trunk.blocks.*.adapter.*, text_encoder.scale" in told[0]
    for name, value in model.state_dict().items():
        expected = plain.state_dict()[name] if name in plain.state_dict() else before[name]
        assert torch.equal(value, expected), name


@pytest.mark.parametrize("source", STARTS.values(), ids=STARTS)
def test_rdes_model_starts_from_clip(
    source: Callable[[], dict[str, Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import_plugin("rde")
    torch.save(source(), tmp_path / "clip.pth")
    model = zoo_model(image_entry(VIT_B32), type="RobustDualEmbedding", selected_size=8)
    plain = zoo_model(image_entry(VIT_B32))
    load_starting_weights(plain, tmp_path / "clip.pth")
    caplog.clear()
    load_starting_weights(model, tmp_path / "clip.pth")
    assert [record.getMessage().split("still random: ")[1].split(";")[0] for record in caplog.records] == [
        "image_selection, text_selection"
    ]
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in plain.state_dict().items())


def test_a_deeper_tower_is_refused_whatever_it_holds_besides() -> None:
    with pytest.raises(WeightsError, match=r"image_encoder\.trunk\.blocks\.2\.norm1\.weight is missing"):
        load_clip_weights(own_towers(depth=3), small_clip(VIT_B32).state_dict())
