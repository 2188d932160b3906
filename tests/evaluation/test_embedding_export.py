"""Exported embeddings: whatever reads them can compute the very figures of the evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import tipr_zoo
from tipr_zoo.command_line import main
from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.weights.header import read_metadata

TINY_PRETRAINED = "a_tiny_pretrained_model"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIPR_ZOO_HOME", str(tmp_path / "home"))


def read_npz(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    with np.load(path) as file:  # refuses pickles
        arrays = dict(file)
    return arrays, json.loads(str(arrays.pop("metadata")))


def read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    metadata = read_metadata(path)
    lists = {name: np.array(json.loads(metadata.pop(name))) for name in ("captions", "picture_paths")}
    return safetensors.numpy.load_file(path) | lists, metadata


@pytest.mark.parametrize(("name", "read"), [("e.npz", read_npz), ("e.safetensors", read_safetensors)])
def test_the_figures_follow_from_the_file(
    tiny_zoo: Path,
    test_split: PersonDataset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    read: Any,
) -> None:
    path = tmp_path / name
    words = ["eval", TINY_PRETRAINED, "--data", str(test_split.root), "--device", "cpu", "--direction", "both"]
    assert main([*words, "--export", str(path), "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    arrays, metadata = read(path)

    captions, pictures = arrays["caption_embeddings"], arrays["picture_embeddings"]
    similarity = (captions / np.linalg.norm(captions, axis=1, keepdims=True)) @ (
        pictures / np.linalg.norm(pictures, axis=1, keepdims=True)
    ).T
    found = tipr_zoo.retrieval_metrics(similarity, arrays["caption_ids"], arrays["picture_ids"])
    assert found == pytest.approx(records[0]["metrics"], abs=1e-4)
    found = tipr_zoo.retrieval_metrics(similarity.T, arrays["picture_ids"], arrays["caption_ids"])
    assert found == pytest.approx(records[1]["metrics"], abs=1e-4)

    assert arrays["captions"].tolist() == test_split.captions
    assert [test_split.picture_folder / name for name in arrays["picture_paths"].tolist()] == test_split.pictures
    assert arrays["caption_picture_indices"].tolist() == test_split.caption_picture_indices
    described = arrays["picture_ids"][arrays["caption_picture_indices"]]
    assert described.tolist() == arrays["caption_ids"].tolist() == test_split.caption_ids
    for key in ("model", "weights_sha256", "dataset_sha256", "pictures_sha256"):
        assert metadata[key] == records[0][key]
    assert metadata["normalised"] in (False, "false")
    assert list(tmp_path.glob("*.part")) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("e.csv", "embeddings are written to a file that ends in .npz or .safetensors"),
        ("e", "embeddings are written to a file that ends in .npz or .safetensors"),
        ("none/e.npz", "the folder {folder}/none does not exist"),
        ("folder.npz", "is a folder; name a file in it"),
    ],
)
def test_a_place_that_cannot_hold_it_is_told_before_the_work(
    tiny_zoo: Path, synthpedes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    (tmp_path / "folder.npz").mkdir()
    words = ["eval", TINY_PRETRAINED, "--data", str(synthpedes), "--export", str(tmp_path / name)]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message.format(folder=tmp_path) in line
