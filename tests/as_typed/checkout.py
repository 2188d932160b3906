"""A copy of the packages in which full-size recipes are cut down, so that what pages say of them can be typed.

Names, commands and every other entry of the recipes stay. A recipe of the copy trains a narrow tower of one block on
eight people in one step, and what pages give as weights of that model is as narrow.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]

IDENTITIES = 8
"""People of the training split, in every stand-in for a data set."""

WIDTH = 64
"""Of both towers and of the embeddings."""

_CUT = f"""
model["image_encoder"].update(width={WIDTH}, depth=1, num_heads=1, embedding_size={WIDTH})
model["text_encoder"].update(width={WIDTH}, depth=1, embedding_size={WIDTH})
[head.update(embedding_size={WIDTH}) for head in model.get("heads", {{}}).values()]
[model["heads"][key].update(depth=1) for key in {{"irr", "tir"}} & set(model.get("heads", {{}}))]
"""

_CUT_OF_FUSION = f"""
model["image_encoder"].update(width={WIDTH}, depth=1, num_heads=1)
model["text_encoder"].update(width={WIDTH}, depth=1, num_heads=1)
model["fusion_encoder"].update(width={WIDTH}, depth=1, num_heads=1, image_width={WIDTH})
[model["heads"][key].update(width={WIDTH}) for key in ("mlm", "prd", "mrtd")]
model["heads"]["cl"].update(queue_size=64)
"""
"""Of a model with a cross-encoder, whose towers have projections to the embeddings."""

_FULL_SIZE = re.compile(r"_vit[bl]1[46]|clip_training")


def write_checkout(folder: Path) -> None:
    """Write the packages that the zoo and its plugins consist of, to be named in ``PYTHONPATH``."""
    caches = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "tipr_zoo", folder / "tipr_zoo", ignore=caches)
    shutil.copytree(ROOT / "model_cards", folder / "tipr_zoo" / "model_cards", ignore=caches)
    for package in sorted(ROOT.glob("plugins/*/tipr_zoo_*")):
        if package.is_dir() and package.suffix != ".egg-info":
            shutil.copytree(package, folder / package.name, ignore=caches)
    for recipe in sorted(folder.glob("*/configs/**/*.py")):
        if _FULL_SIZE.search(recipe.name):
            _cut_down(recipe)


def _cut_down(recipe: Path) -> None:
    """Cut a recipe down. What an entry is by default is cut down in the recipe that all others are based on."""
    text = re.sub(r"num_identities=\d+", f"num_identities={IDENTITIES}", recipe.read_text())
    text = re.sub(r"max_epochs=\d+", "max_epochs=1", text)
    text = re.sub(r"batch_size=\d+", f"batch_size={IDENTITIES}", text)
    if "_base_ =" not in text:
        cut = _CUT_OF_FUSION if "fusion_encoder=" in text else _CUT
        text += cut if "\nmodel =" in text else ""
        text += 'training["num_workers"] = 0\n' if "\ntraining =" in text else ""
    else:  # what it adds to its base, and SEN-XL's own sizes
        text = re.sub(r"(embedding_size|width)=\d+", rf"\1={WIDTH}", text)
        text = re.sub(r"\bdepth=\d+", "depth=1", text)
    recipe.write_text(text)
