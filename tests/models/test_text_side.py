"""What embeds sentences alone gives what the whole model gives, and imports nothing of what it does not need."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tipr_zoo
from tipr_zoo.backbones import BertTextEncoder, CLIPTextEncoder
from tipr_zoo.backbones.plain_trunks import plain_trunks
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.models.resolved_model import resolve
from tipr_zoo.models.text_side import load_text_side
from tipr_zoo.registries import MODELS
from tipr_zoo.weights.fetching import fetch_weights

TINY = ["irra", "fmfa", "sen", "tbps_clip", "rde", "rasa"]

SENTENCES = ["a man", "A woman in a RED jacket, with a bag.", "blue " * 45]

CLOSE = 1e-6


def weights_of(name: str) -> Path:
    return fetch_weights(resolve(name).card)


def side_by_side(side: Any, whole: Any, sentences: list[str]) -> tuple[Tensor, Tensor]:
    with torch.inference_mode():
        own, given = (model.encode_text(model.tokenize(sentences)) for model in (side, whole))
    return nn.functional.normalize(own), nn.functional.normalize(given)


@pytest.mark.parametrize("method", TINY)
def test_a_sentence_is_embedded_as_by_the_whole_model(method: str) -> None:
    name = f"{method}_tiny_synth"
    side, whole = load_text_side(resolve(name), weights_of(name)), tipr_zoo.build(name, pretrained=True)
    assert side is not None
    for sentences in (SENTENCES, SENTENCES[:1]):
        own, given = side_by_side(side, whole, sentences)
        assert (own - given).abs().max() <= CLOSE


FULL: list[tuple[type, dict[str, Any]]] = [
    (CLIPTextEncoder, {"embedding_size": 512}),
    (CLIPTextEncoder, {"embedding_size": 24, "width": 64, "depth": 2, "activation": "gelu", "dropout": 0.1}),
    (BertTextEncoder, {"embedding_size": 256, "depth": 6}),
]


@pytest.mark.parametrize(("kind", "sizes"), FULL)
def test_plain_layers_compute_what_those_of_transformers_do(kind: Any, sizes: dict[str, Any]) -> None:
    ids = torch.randint(1, 1000, (3, 77))
    for row, end in enumerate((5, 40, 76)):
        ids[row, end], ids[row, end + 1 :] = 30521, 0
    usual = kind(vocabulary_size=30522, **sizes).eval()
    with plain_trunks():
        plain = kind(vocabulary_size=30522, **sizes).eval()
    assert "transformers" not in type(plain.trunk).__module__, "the plain tower is of transformers"
    plain.load_state_dict(usual.state_dict())
    with torch.inference_mode():
        for length in (77, 41):
            seen = ids[:2, :length] if length < 77 else ids
            own, given = (nn.functional.normalize(tower(seen), dim=-1) for tower in (plain, usual))
            assert (own - given).abs().max() <= CLOSE
            own, given = (tower.encode_with_attention(seen)[1] for tower in (plain, usual))
            assert (own - given).abs().max() <= CLOSE
            if kind is CLIPTextEncoder:
                own, given = (nn.functional.normalize(tower.encode_end(seen)) for tower in (plain, usual))
                assert (own - given).abs().max() <= CLOSE


@pytest.mark.parametrize(
    ("kind", "sizes"), [(CLIPTextEncoder, {"activation": "gelu_new"}), (type("Own", (CLIPTextEncoder,), {}), {})]
)
def test_what_is_not_known_to_do_without_transformers_has_its_layers(kind: Any, sizes: dict[str, Any]) -> None:
    with plain_trunks():
        tower = kind(8, vocabulary_size=99, width=16, depth=1, num_heads=1, **sizes)
    assert "transformers" in type(tower.trunk).__module__


class Shouting(DualEncoder):
    """A third party's model, which embeds sentences in its own way and says nothing of it."""

    def encode_text(self, ids: Tensor) -> Tensor:
        """Embed captions the other way round."""
        return -super().encode_text(ids)


@pytest.fixture
def shouting() -> Iterator[None]:
    MODELS.register_module(module=Shouting)
    yield
    del MODELS._module_dict["Shouting"], MODELS._places["Shouting"]


@pytest.mark.usefixtures("shouting")
def test_a_model_that_embeds_in_its_own_way_is_loaded_as_a_whole() -> None:
    resolved = resolve("irra_tiny_synth", {"model.type": "Shouting"})
    assert load_text_side(resolved, weights_of("irra_tiny_synth")) is None


def test_a_sentence_needs_neither_transformers_nor_timm() -> None:
    code = (
        "import sys; from tipr_zoo.command_line import main; import tipr_zoo.gallery.cached_gallery\n"
        "import tipr_zoo.commands.search_report; from tipr_zoo.models.text_side import load_text_side\n"
        "from tipr_zoo.models.resolved_model import resolve; from tipr_zoo.weights.fetching import fetch_weights\n"
        "for name in sys.argv[1:]:\n"
        "    model = load_text_side(resolve(name), fetch_weights(resolve(name).card))\n"
        "    model.encode_text(model.tokenize(['a man']))\n"
        "print(*sorted({'timm', 'transformers', 'scipy', 'matplotlib'} & set(sys.modules)))\n"
    )
    # RaSa's picture tower is registered with its text tower, and is a class of timm's.
    names = [f"{method}_tiny_synth" for method in TINY if method != "rasa"]
    told = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, timeout=300, check=True)
    assert not told.stdout.split()
