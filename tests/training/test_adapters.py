"""Adapters by peft: what learns, what is saved, and that merging changes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import tipr_zoo
from tipr_zoo.command_line import main
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.errors import ConfigError, TiprZooError, WeightsError
from tipr_zoo.models.resolved_model import resolve
from tipr_zoo.models.retriever_building import build_retriever
from tipr_zoo.training.adapters import MERGED, Adapters, add_adapters, load_adapters, merge_adapters
from tipr_zoo.training.train import train
from tipr_zoo.weights.header import read_metadata

pytest.importorskip("peft")

TINY, TINY_PRETRAINED = "a_tiny_model", "a_tiny_pretrained_model"

LORA = {"type": "lora", "r": 2, "targets": ["attn.qkv", "q_proj", "mlp.fc*"]}
STATISTICS = (
    "running_mean",
    "running_var",
    "num_batches_tracked",
)  # of batch normalisations, which no gradient changes
Splits = tuple[PersonDataset, PersonDataset]


def start(cards: Path) -> Path:
    return cards / "tiny.safetensors"


def embeddings(model: DualEncoder) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(3, 3, *model.image_size, generator=generator)
    with torch.no_grad():
        return model.encode_image(images), model.encode_text(model.tokenize(["a man", "a woman in a red dress", ""]))


@pytest.fixture(scope="module")
def trained(tiny_zoo: Path, splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work dir with a training of two epochs on adapters, from the tiny model's weights."""
    folder = tmp_path_factory.mktemp("adapters")
    train(TINY, *splits, folder, weights=start(tiny_zoo), overrides={"training.adapters": LORA})
    return folder


def test_only_adapters_and_heads_learn_and_the_merged_file_is_a_plain_models(trained: Path, tiny_zoo: Path) -> None:
    before, after = (safetensors.torch.load_file(file) for file in (start(tiny_zoo), trained / f"{TINY}.safetensors"))
    assert before.keys() == after.keys()
    changed = {
        name for name in before if before[name].shape == after[name].shape and not before[name].equal(after[name])
    }
    towers = {name for name in changed if "_encoder." in name and not name.endswith(STATISTICS)}
    ends = ("attn.qkv.weight", "q_proj.weight", "mlp.fc1.weight", "mlp.fc2.weight")
    assert towers == {name for name in before if name.endswith(ends) and "_encoder." in name}
    assert "heads.irr.mlm_head.fc.weight" in changed
    assert read_metadata(trained / f"{TINY}.safetensors")[MERGED] == "lora of rank 2 on attn.qkv, q_proj, mlp.fc*"


def test_merged_and_unmerged_embeddings_are_equal(trained: Path, tiny_zoo: Path) -> None:
    merged = tipr_zoo.build(TINY, weights=trained / f"{TINY}.safetensors")
    unmerged = tipr_zoo.build(TINY, weights=start(tiny_zoo))
    untouched = embeddings(unmerged)
    load_adapters(unmerged, trained / f"{TINY}.adapter.safetensors")
    unmerged.neck.load_state_dict(merged.neck.state_dict())  # it learns beside the adapters
    for found, expected, before in zip(embeddings(unmerged.eval()), embeddings(merged), untouched, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        assert (found - before).abs().max() > 1e-4


def test_adapters_are_a_small_file_that_says_what_it_belongs_to(trained: Path, tiny_zoo: Path, tmp_path: Path) -> None:
    file = trained / f"{TINY}.adapter.safetensors"
    about = read_metadata(file)
    assert json.loads(about["adapter"])["targets"] == LORA["targets"]
    assert about["model"] == TINY
    assert all("lora_" in name or name.endswith(STATISTICS) for name in safetensors.torch.load_file(file))
    assert file.stat().st_size < start(tiny_zoo).stat().st_size / 4
    torch.manual_seed(3)
    with pytest.raises(WeightsError, match="belongs to another base: to weights of a_tiny_model with the hash"):
        load_adapters(build_retriever(resolve(TINY).copied_recipe().model), file)


def test_an_unmerged_file_given_as_weights_is_told_what_to_do(
    trained: Path, synthpedes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file, told in (
        (f"{TINY}.adapter.safetensors", f"take {TINY}.safetensors, which its training wrote beside it"),
        ("epoch_2.pth", "let its training end, which writes the merged weights: tipr-zoo train NAME --resume"),
    ):
        arguments = ["eval", TINY, "--data", str(synthpedes), "--split", "test", "--weights", str(trained / file)]
        assert main(arguments) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert "are a LoRA adapter, which is to be merged into its model first" in error
        assert told in error


def test_a_resumed_training_ends_with_the_same_bits(
    trained: Path, tiny_zoo: Path, splits: Splits, tmp_path: Path
) -> None:
    work_dir = tmp_path / "again"
    overrides: dict[str, Any] = {"training.adapters": LORA}
    train(TINY, *splits, work_dir, weights=start(tiny_zoo), overrides={**overrides, "training.max_epochs": 1})
    train(TINY, *splits, work_dir, weights=start(tiny_zoo), resume=True, overrides=overrides)
    for name in (f"{TINY}.safetensors", f"{TINY}.adapter.safetensors"):
        one, other = (safetensors.torch.load_file(folder / name) for folder in (trained, work_dir))
        assert all(torch.equal(value, other[key]) for key, value in one.items())
    assert one.keys() == other.keys()


def test_other_adapters_do_not_go_on_from_a_checkpoint(trained: Path, splits: Splits, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "copy")
    with pytest.raises(ConfigError, match="is of another model or data set"):
        train(TINY, *splits, tmp_path / "copy", resume=True, overrides={"training.adapters": LORA | {"r": 3}})


def test_the_base_may_learn_as_well(tiny_zoo: Path, splits: Splits, tmp_path: Path, caplog: Any) -> None:
    overrides = {"training.adapters": LORA | {"train_base": True}, "training.max_epochs": 1}
    train(TINY, *splits, tmp_path / "run", weights=start(tiny_zoo), overrides=overrides)
    before, after = (
        safetensors.torch.load_file(file) for file in (start(tiny_zoo), tmp_path / "run" / f"{TINY}.safetensors")
    )
    name = "text_encoder.trunk.text_model.embeddings.token_embedding.weight"
    assert not torch.equal(before[name], after[name])
    assert not (tmp_path / "run" / f"{TINY}.adapter.safetensors").exists()
    assert "no file has the adapters alone" in caplog.text


TOWERS = {
    "timm": {"type": "TimmEncoder", "model_name": "test_vit", "image_size": (64, 32)},
    "resnet": {
        **{"type": "ModifiedResNetEncoder", "model_name": "resnet50_clip", "image_size": (64, 32)},
        **{"width": 8, "depths": (1,) * 4},
    },
}


@pytest.mark.parametrize("tower", [None, *TOWERS])
def test_adapters_on_everything_take_effect_and_are_merged(tiny_zoo: Path, tower: str | None) -> None:
    entry = resolve(TINY).copied_recipe().model
    if tower is not None:
        entry.pop("image_encoder")
        entry.pop("heads")
        entry.image_encoder = TOWERS[tower] | {"embedding_size": 64}
    torch.manual_seed(0)
    model = build_retriever(entry).eval()
    names, before = set(model.state_dict()), embeddings(model)
    add_adapters(model, Adapters(targets=["*"], r=1))
    model.eval()
    for found, expected in zip(embeddings(model), before, strict=True):
        torch.testing.assert_close(found, expected)
    adapters = {name: value for name, value in model.named_parameters() if ".lora_B." in name}
    for name, parameter in adapters.items():
        torch.nn.init.normal_(parameter, std=0.05)
        for found, expected in zip(embeddings(model), before, strict=True):
            if not torch.allclose(found, expected, atol=1e-7, rtol=1e-6):
                break
        else:
            pytest.fail(f"{name} has no effect")
        before = embeddings(model)
    merge_adapters(model)
    assert set(model.state_dict()) == names
    for found, expected in zip(embeddings(model), before, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


WRONG: dict[str, tuple[Any, str]] = {
    "not there": (
        {"targets": ["qvk"]},
        r"unknown layer of the towers .* 'qvk'; did you mean .*'qkv'",
    ),
    "no linear layer": (
        {"targets": ["norm1"]},
        "'norm1' names image_encoder.trunk.blocks.0.norm1, a LayerNorm; adapters go on",
    ),
    "twice": ({"targets": ["qkv", "attn.qkv"]}, "'qkv' and 'attn.qkv' both name image_encoder.trunk.blocks.0.attn.qkv"),
    "a head": ({"targets": ["classifier"]}, "unknown layer of the towers"),
    "no targets": ({}, r"targets must be names of layers, e\.g\. \['qkv', 'q_proj', 'v_proj'\], got \(\)"),
    "a text": ({"targets": "qkv"}, "targets must be names of layers.*, got 'qkv'"),
    "rank 0": ({"targets": ["qkv"], "r": 0}, r"training\.adapters\.r must be"),
    "a rank too large": ({"targets": ["qkv"], "r": 4096}, "training.adapters.r is 4096, more than .* smaller side: 32"),
    "another type": ({"type": "lora2", "targets": ["qkv"]}, "unknown type of adapters .* 'lora2'; did you mean 'lora'"),
    "another entry": ({"target": ["qkv"]}, r"unknown entry of training\.adapters 'target'; did you mean 'targets'"),
    "dropout 1": ({"targets": ["qkv"], "dropout": 1.0}, "dropout must be a number from 0 to below 1, got 1.0"),
    "alpha 0": ({"targets": ["qkv"], "alpha": 0}, "training.adapters.alpha must be a number above 0, or None, got 0"),
    "alpha nan": ({"targets": ["qkv"], "alpha": float("nan")}, "alpha must be a number above 0, or None, got nan"),
    "alpha infinite": ({"targets": ["qkv"], "alpha": float("inf")}, "alpha must be a number above 0, or None, got inf"),
    "alpha a text": ({"targets": ["qkv"], "alpha": "16"}, "alpha must be a number above 0, or None, got '16'"),
    "alpha true": ({"targets": ["qkv"], "alpha": True}, "alpha must be a number above 0, or None, got True"),
    "rank 2.5": ({"targets": ["qkv"], "r": 2.5}, r"training\.adapters\.r must be a whole number above 0, got 2.5"),
    "rank a text": ({"targets": ["qkv"], "r": "8"}, "r must be a whole number above 0, got '8'"),
    "dropout nan": ({"targets": ["qkv"], "dropout": float("nan")}, "dropout must be a number from 0 to below 1, got n"),
    "dropout a text": ({"targets": ["qkv"], "dropout": "x"}, "dropout must be a number from 0 to below 1, got 'x'"),
    "the base yes": ({"targets": ["qkv"], "train_base": "yes"}, "train_base must be True or False, got 'yes'"),
    "a type that is no text": ({"targets": ["qkv"], "type": 3}, "type must be the name of a kind, 'lora', got 3"),
    "a number as target": ({"targets": [3]}, r"targets must be names of layers.*, got \[3\]"),
    "an empty target": ({"targets": [""]}, "unknown layer of the towers .* ''"),
    "no dict": ("lora", "training.adapters must be a dict, got 'lora'"),
}


@pytest.mark.parametrize(("entry", "told"), WRONG.values(), ids=WRONG)
def test_what_makes_no_sense_is_told(tiny_zoo: Path, splits: Splits, tmp_path: Path, entry: Any, told: str) -> None:
    with pytest.raises(TiprZooError, match=told):
        train(TINY, *splits, tmp_path / "run", overrides={"training.adapters": entry})


TAMPERED: dict[str, tuple[dict[str, Any], str]] = {
    "no adapters": ({"adapter": None}, "holds no adapters that tipr-zoo wrote: its header does not say which"),
    "no JSON": ({"adapter": "{"}, "its header does not say which"),
    "null": ({"adapter": "null"}, "its header says that there are none"),
    "a list": ({"adapter": "[]"}, "does not say which adapters it holds: training.adapters must be a dict, got"),
    "a rank below 0": ({"adapter": {"r": -2}}, "training.adapters.r must be a whole number above 0, got -2"),
    "a rank as text": ({"adapter": {"r": "2"}}, "training.adapters.r must be a whole number above 0, got '2'"),
    "another rank": ({"adapter": {"r": 3}}, "do not fit the model: image_encoder.* has another shape"),
    "alpha 0": ({"adapter": {"alpha": 0}}, "training.adapters.alpha must be a number above 0, or None, got 0"),
    "no targets": ({"adapter": {"targets": []}}, "targets must be names of layers"),
    "a target as text": ({"adapter": {"targets": "qkv"}}, "targets must be names of layers"),
    "a target that is not there": ({"adapter": {"targets": ["qvk"]}}, "adapters .*: unknown layer of the towers"),
    "one target fewer": ({"adapter": {"targets": ["qkv"]}}, "do not fit the model: .* is left over"),
    "an unknown entry": ({"adapter": {"rank": 2}}, "unknown entry of training.adapters 'rank'"),
    "another type": ({"adapter": {"type": "dora"}}, "unknown type of adapters .* 'dora'"),
    "no hash": ({"base_sha256": None}, "belongs to another base"),
    "another hash": ({"base_sha256": "0" * 64}, "belongs to another base"),
    "no number": ({"base_sha256": 3}, "must be texts by name, got"),
}


@pytest.mark.parametrize(("change", "told"), TAMPERED.values(), ids=TAMPERED)
def test_a_header_that_was_tampered_with_is_told_and_changes_nothing(
    trained: Path, tiny_zoo: Path, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    file = trained / f"{TINY}.adapter.safetensors"
    about: dict[str, Any] = dict(read_metadata(file))
    for name, value in change.items():
        is_part = isinstance(value, dict)
        about[name] = json.dumps(json.loads(about[name]) | value) if is_part else value
    header = {"tipr_zoo": json.dumps({name: text for name, text in about.items() if text is not None})}
    safetensors.torch.save_file(safetensors.torch.load_file(file), tmp_path / "t.safetensors", header)
    model = tipr_zoo.build(TINY, weights=start(tiny_zoo))
    names = set(model.state_dict())
    with pytest.raises(TiprZooError, match=told) as caught:
        load_adapters(model, tmp_path / "t.safetensors")
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "t.safetensors") in str(caught.value)
    assert set(model.state_dict()) == names
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_adapters_are_added_once(tiny_zoo: Path) -> None:
    model = tipr_zoo.build(TINY_PRETRAINED, pretrained=True)
    add_adapters(model, Adapters(targets=["qkv"], r=1))
    with pytest.raises(ConfigError, match="the model has adapters already"):
        add_adapters(model, Adapters(targets=["q_proj"], r=1))


def test_without_peft_the_extra_is_named(tiny_zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(ConfigError, match=r"pip install 'tipr-zoo\[adapters\]'"):
        add_adapters(tipr_zoo.build(TINY_PRETRAINED, pretrained=True), Adapters(targets=["qkv"]))
