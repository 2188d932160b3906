"""A small gallery of drawn people."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from tipr_zoo.datasets.person_dataset import PersonDataset
from tipr_zoo.gallery.gallery import Gallery

TINY_PRETRAINED = "a_tiny_pretrained_model"


def age(folder: Path) -> None:
    """Wait until the files of a folder are no news any more: a change of a new file may not change its times."""
    newest = max(os.stat(path).st_ctime for path in folder.rglob("*"))
    time.sleep(max(0.0, newest + 2.05 - time.time()))


@pytest.fixture
def people(test_split: PersonDataset, tmp_path: Path) -> Path:
    """Four pictures in two folders, one of each camera."""
    folder = tmp_path / "people"
    for index, picture in enumerate(test_split.pictures[:4]):
        place = folder / f"cam{index % 2 + 1}" / f"000{index // 2}_{index}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, place)
    return folder


@pytest.fixture
def gallery(tiny_zoo: Path, tmp_path: Path) -> Gallery:
    """An empty gallery."""
    return Gallery.create(tmp_path / "g", TINY_PRETRAINED)
