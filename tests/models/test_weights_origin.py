"""Weights say which model they are of, and another model's are told wherever they are used."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch

import tipr_zoo
from tipr_zoo.command_line import main
from tipr_zoo.errors import WeightsError
from tipr_zoo.models.resolved_model import resolve
from tipr_zoo.models.weights_origin import CONVERTED_AS, origin_texts, other_model
from tipr_zoo.weights.tensors import write_weights

WEIGHTS = Path(tipr_zoo.load_card("fmfa_tiny_synth").path.parent / "weights" / "fmfa_tiny_synth.safetensors")
TOLD = "these weights are of fmfa_tiny_synth, not of irra_tiny_synth: what they give is no result of irra_tiny_synth"


@pytest.fixture
def renamed(tmp_path: Path) -> Path:
    """FMFA's shipped weights under a name that says nothing. Their header says nothing either."""
    return Path(shutil.copy(WEIGHTS, tmp_path / "best.safetensors"))


def test_build_tells_another_models_weights(renamed: Path, caplog: pytest.LogCaptureFixture) -> None:
    tipr_zoo.build("irra_tiny_synth", weights=renamed)
    assert f"{renamed}: {TOLD}" in caplog.messages
    caplog.clear()
    tipr_zoo.build("fmfa_tiny_synth", weights=renamed)
    assert "these weights are of" not in caplog.text


def test_eval_its_record_and_the_leaderboard_tell_them(
    renamed: Path,
    synthpedes: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["eval", "irra_tiny_synth", "--data", str(synthpedes), "--records", str(tmp_path / "records"), "--no-cache"]
    assert main([*words, "--weights", str(renamed), "--json", "--device", "cpu"]) == 0
    assert TOLD in caplog.text
    assert json.loads(capsys.readouterr().out)["weights_of"] == "fmfa_tiny_synth"
    assert main([*words, "--json", "--device", "cpu"]) == 0
    assert "weights_of" not in json.loads(capsys.readouterr().out)
    records = [json.loads(file.read_text()) for file in (tmp_path / "records").glob("*.json")]
    assert sorted(str(record.get("weights_of")) for record in records) == ["None", "fmfa_tiny_synth"]
    leaderboard = ["leaderboard", "--records", str(tmp_path / "records"), "--dataset", "SynthPEDES"]
    assert main([*leaderboard, "--format", "markdown"]) == 0
    text = capsys.readouterr().out
    assert (
        sum("irra_tiny_synth" in line and "§" in line.split("|")[1] for line in text.splitlines() if "|" in line) == 1
    )
    assert "§ measured with the weights of another model, which the record names" in text
    assert main([*leaderboard, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["weights_of"] for row in rows if "weights_of" in row] == ["fmfa_tiny_synth"]


def test_search_tells_them(
    renamed: Path, synthpedes: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = next(path for path in (synthpedes / "imgs").rglob("*") if path.is_file()).parent
    assert main(["search", "irra_tiny_synth", str(folder), "a man", "--weights", str(renamed), "--device", "cpu"]) == 0
    assert TOLD in caplog.text


def test_weights_that_do_not_fit_are_named_before_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    state = tipr_zoo.build("fmfa_tiny_synth", pretrained=True).state_dict()
    state.pop("image_encoder.trunk.norm.weight")
    write_weights(state, path, {"model": "fmfa_tiny_synth"})
    told = r"are of the model fmfa_tiny_synth, and do not fit the model: image_encoder\.trunk\.norm\.weight is missing"
    with pytest.raises(WeightsError, match=told):
        tipr_zoo.build("irra_tiny_synth", weights=path)


def test_a_header_decides_whose_weights_they_are(tmp_path: Path) -> None:
    path, irra = tmp_path / "w.safetensors", resolve("irra_tiny_synth")
    write_weights({"image_encoder.w": torch.ones(1)}, path)
    assert other_model(path, {}, irra) is None
    assert other_model(path, {"model": "irra_tiny_synth"}, irra) is None
    assert other_model(path, {"model": "fmfa_tiny_synth"}, irra) == "fmfa_tiny_synth"
    assert other_model(path, {"model": "somebodys_model"}, irra) == "somebodys_model"
    texts = origin_texts("my_model", None, irra.card.config, irra.recipe)
    assert other_model(path, texts, irra) is None  # another name of the same recipe, as after `cards new`
    assert other_model(path, texts, resolve("fmfa_tiny_synth")) == "my_model"
    converted = {"model": "mine", "plugin": "core", "recipe": "mine.py", CONVERTED_AS: irra.card.method.name}
    assert other_model(path, converted, irra) is None
    assert other_model(path, converted, resolve("sen_tiny_synth")) == "mine"


def test_the_hash_of_a_recipe_changes_with_what_is_trained() -> None:
    one, other = resolve("irra_tiny_synth"), resolve("irra_tiny_synth", {"training.seed": 7})
    texts = [origin_texts("a", None, "a.py", resolved.recipe)["recipe_sha256"] for resolved in (one, other, one)]
    assert texts[0] == texts[2] != texts[1]


# tipr-zoo info FILE


def test_info_says_what_a_file_is(renamed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(renamed)]) == 0
    text = capsys.readouterr().out
    assert "  what     a model of tipr-zoo (heads: id, irr)\n" in text
    assert "  model    fmfa_tiny_synth\n" in text
    assert f"tipr-zoo eval fmfa_tiny_synth --data DIR --weights {renamed}" in text
    assert main(["info", str(renamed), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["kind"], facts["container"], facts["header"]) == ("zoo", "safetensors", {})


def test_info_quotes_the_file_and_tells_where_the_tensors_stand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "it's; touch PWN.pt"
    clip = {"visual.conv1.weight": torch.zeros(4, 3, 16, 16), "visual.proj": torch.zeros(4, 2)}
    torch.save({"epoch": 3, "net": {"state_dict": {f"module.{name}": value for name, value in clip.items()}}}, path)
    assert main(["info", str(path)]) == 0
    text = capsys.readouterr().out
    assert "a CLIP, as OpenAI and open_clip name its tensors (ViT, patches of 16 pixels)" in text
    assert "net > state_dict" in text
    assert "it'\"'\"'s; touch PWN.pt'" in text


@pytest.mark.parametrize("name", ["none.safetensors", "./none", "none.pt"])
def test_info_of_a_file_that_is_not_there(
    name: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", name]) != 0
    assert capsys.readouterr().err.startswith(f"error: weights {Path(name)} do not exist; check the path")


def test_info_of_a_model_looks_at_no_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("irra_tiny_synth").touch()
    assert main(["info", "irra_tiny_synth"]) == 0
    assert "recipe" in capsys.readouterr().out


def test_nothing_is_logged_of_weights_that_a_card_names(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        tipr_zoo.build("irra_tiny_synth", pretrained=True)
    assert caplog.messages == []


# Not finite, in every command


def test_weights_that_are_not_finite_are_refused_in_every_command(
    synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tipr_zoo.build("irra_tiny_synth", pretrained=True).state_dict()
    state["image_encoder.trunk.norm.weight"][3] = torch.nan
    path = tmp_path / "w.safetensors"
    write_weights(state, path)
    data, weights = ["--data", str(synthpedes)], ["--weights", str(path)]
    commands = {
        "eval": ["eval", "irra_tiny_synth", *data, *weights],
        "search": ["search", "irra_tiny_synth", str(synthpedes), "a man", "--json", *weights],
        "train": ["train", "irra_tiny_synth", *data, *weights, "--work-dir", str(tmp_path / "run"), "--device", "cpu"],
        "convert": ["convert", str(path), "--method", "irra", "-o", str(tmp_path / "out.safetensors")],
        "info": ["info", str(path)],
        "cards new": ["cards", "new", "mine", "--config", "irra_tiny_synth.py", "--from-weights", str(path)],
    }
    for name, words in commands.items():
        assert main(words) != 0, name
        error = capsys.readouterr().err.splitlines()[-1]
        told = f"error: weights {path}: image_encoder.trunk.norm.weight has 1 of "
        assert error.startswith(told), name
    assert not (tmp_path / "out.safetensors").exists()


def test_cards_new_takes_no_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "clip.safetensors"
    write_weights({"visual.conv1.weight": torch.zeros(4, 3, 16, 16), "visual.proj": torch.zeros(4, 2)}, path)
    words = ["cards", "new", "mine", "--config", "irra_tiny_synth.py", "--from-weights", str(path)]
    assert main([*words, "--folder", str(tmp_path / "cards")]) != 0
    said = capsys.readouterr().err
    assert f"{path} is the image tower alone of a CLIP, as OpenAI and open_clip name its tensors" in said
    assert not (tmp_path / "cards").exists()
