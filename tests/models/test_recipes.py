"""The recipes of the full-size models say what the authors' published code does."""

from __future__ import annotations

import re
from typing import Any

import pytest

import tipr_zoo
from tipr_zoo.commands.options import parse_option
from tipr_zoo.models.plugin_import import import_plugin
from tipr_zoo.models.recipe import load_recipe
from tipr_zoo.registries import LOSSES
from tipr_zoo.training.loop.schedule import Schedule
from tipr_zoo.training.pairs.augmentation import Augmentation

METHODS = ("irra", "sen", "rde", "fmfa", "fmfa_nam", "fmfa_ham")
DATA_SETS = {"cuhk": ("CUHK-PEDES", 11003), "icfg": ("ICFG-PEDES", 3102), "rstp": ("RSTPReid", 3701)}
MODELS = [f"{method}_vitb16_{data}" for method in METHODS for data in DATA_SETS]

BATCH_SIZE = {"irra": 64, "sen": 128, "rde": 64, "fmfa": 64, "fmfa_nam": 128, "fmfa_ham": 128}
RATE = {"irra": 1e-5, "sen": 1e-5, "rde": 1e-5, "fmfa": 5e-6, "fmfa_nam": 5e-6, "fmfa_ham": 5e-6}

OBJECTIVES = {
    "irra": {"sdm": 1, "id": 1, "irr": 1},
    "sen": {"sdm": 1, "id": 1, "tir": 10, "cmt": 10},
    "rde": {"bge": 1, "tse": 1},
    "fmfa": {"asdm": 1, "id": 1, "irr": 1, "efa": 1},
}
MULTIPLIERS = {
    "irra": {"cross": 5, "bias": 2, "classifier": 5},
    "sen": {"cross": 5, "bias": 2, "classifier": 5},
    "rde": {"bias": 2, "selection": 100},
}
PAPER_FORM_OF_FMFA = {  # alpha of A-SDM, margins of EFA for text and pictures
    "cuhk": (10, 0.1, 0.1),
    "icfg": (10, 0.2, 1.0),
    "rstp": (1, 0.2, 0.8),
}


def recipe_of(model: str) -> Any:
    return load_recipe(tipr_zoo.load_card(model))


def parts_of(model: str) -> tuple[str, str]:
    """The method and the data set in a model's name."""
    method, _, data = model.partition("_vitb16_")
    return method, data


def test_every_full_size_model_is_compared_here() -> None:
    """Those of TBPS-CLIP and RaSa, which share little with the others, are compared by their plugins' tests."""
    others = [*tipr_zoo.list_models("tbps_clip_*vitb16_*"), *tipr_zoo.list_models("rasa_vitb16_*")]
    assert tipr_zoo.list_models("*_vitb16_*") == sorted([*MODELS, *others])


@pytest.mark.parametrize("model", MODELS)
class TestTraining:
    def test_data_batch_and_epochs(self, model: str) -> None:
        method, data = parts_of(model)
        training, card = recipe_of(model).training, tipr_zoo.load_card(model)
        assert training.dataset == DATA_SETS[data][0]
        assert card.datasets == (training.dataset,)
        assert training.batch_size == BATCH_SIZE[method]
        assert training.max_epochs == (100 if method.startswith("fmfa") and data == "icfg" else 60)

    def test_optimiser_and_parameter_groups(self, model: str) -> None:
        method, _ = parts_of(model)
        training = recipe_of(model).training
        rest = {"betas": (0.9, 0.999), "eps": 1e-3, "weight_decay": 4e-5}
        assert training.optimizer == {"type": "Adam", "lr": RATE[method], **rest}
        assert training.get("parameter_groups", {}) == MULTIPLIERS.get(method, {})
        assert "clip_gradient_norm" not in training

    def test_schedule(self, model: str) -> None:
        schedule = Schedule(**recipe_of(model).training.schedule)
        assert schedule == Schedule("cosine", warmup_epochs=5, warmup_factor=0.1, every_step=False)

    def test_augmentation_and_masking(self, model: str) -> None:
        training = recipe_of(model).training
        expected = Augmentation(flip=0.5, pad=10, erase=0.5, erased_area=(0.02, 0.4), erased_aspect=(0.3, 3.3))
        assert Augmentation(**training.augmentation) == expected
        assert training.get("masking", True) == (not model.startswith(("sen", "rde"))), "they predict no masked words"
        assert not training.get("trim_padding", False), "EFA, TIR and TSE see all 77 tokens"


@pytest.mark.parametrize("model", MODELS)
class TestModel:
    def test_towers(self, model: str) -> None:
        recipe = recipe_of(model).model
        image, text = recipe.image_encoder, recipe.text_encoder
        assert image.model_name == "vit_base_patch16_clip_quickgelu_224"
        assert (image.image_size, image.stride, image.embedding_size) == ((384, 128), 16, 512)
        assert (text.width, text.depth, text.embedding_size, text.vocabulary_size) == (512, 12, 512, 49408)
        assert recipe.tokenizer == {"type": "CLIPTokenizer", "context_length": 77}
        assert not {"neck", "mean", "std"} & set(recipe), "pictures are normalised as CLIP's"

    def test_objectives_and_their_weights(self, model: str) -> None:
        method, data = parts_of(model)
        recipe = recipe_of(model).model
        heads = recipe.get("heads", {})
        objectives = {**recipe.losses, **heads}
        assert {key: entry.get("weight", 1) for key, entry in objectives.items()} == OBJECTIVES[method.split("_")[0]]
        if method != "rde":  # which has no heads
            assert heads.id.num_identities == DATA_SETS[data][1]
            assert heads["tir" if method == "sen" else "irr"].depth == 4


@pytest.mark.parametrize("model", [model for model in MODELS if model.startswith("fmfa")])
class TestFormsOfFMFA:
    """The recipes have the form of the published code; each card has the command that trains in the paper's."""

    def test_the_recipe_has_the_form_of_the_code(self, model: str) -> None:
        asdm, efa = self.losses(recipe_of(model))
        assert (asdm.variant, asdm.factor, asdm.scale) == ("code", 0.1, 50)
        assert (efa.variant, efa.text_margin, efa.image_margin) == ("code", 0.1, 0.9)

    def test_the_command_on_the_card_gives_the_form_of_the_paper(self, model: str) -> None:
        card = tipr_zoo.load_card(model)
        (command,) = re.findall(r"^(tipr-zoo train .+?--cfg-options.+?)\n```", card.description, re.M | re.S)
        words = command.replace("\\\n", " ").split()
        assert words[2] == model
        options = dict(parse_option(option) for option in words[words.index("--cfg-options") + 1 :])
        recipe = load_recipe(card, options)
        asdm, efa = self.losses(recipe)
        assert (asdm.variant, efa.variant) == ("paper", "paper")
        assert (asdm.alpha, efa.text_margin, efa.image_margin) == PAPER_FORM_OF_FMFA[parts_of(model)[1]]
        # After HAM the paper takes HAM's own rate (section 4.1), which is that of the code.
        assert recipe.training.optimizer.lr == (5e-6 if "_ham_" in model else 1e-5)

    def losses(self, recipe: Any) -> tuple[Any, Any]:
        import_plugin("fmfa")
        return LOSSES.build(recipe.model.losses.asdm), LOSSES.build(recipe.model.losses.efa)


@pytest.mark.parametrize("data", DATA_SETS)
def test_sen_has_the_margin_of_its_code(data: str) -> None:
    assert recipe_of(f"sen_vitb16_{data}").model.losses.cmt.margin == 0.05


@pytest.mark.parametrize("data", DATA_SETS)
def test_rde_has_the_form_of_its_code(data: str) -> None:
    recipe = recipe_of(f"rde_vitb16_{data}").model
    assert (recipe.type, recipe.selected_size, recipe.selected_share) == ("RobustDualEmbedding", 1024, 0.3)
    for part in ("bge", "tse"):
        expected = {"type": "TripletAlignment", "part": part, "temperature": 0.015, "margin": 0.1}
        assert recipe.losses[part] == expected
