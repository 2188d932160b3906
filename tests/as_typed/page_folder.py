"""The files that pages speak of as the reader's own, each with something that stands in for it."""

from __future__ import annotations

import importlib.util
import json
import shutil
import warnings
from pathlib import Path

import open_clip
import safetensors.torch
import torch
from as_typed.checkout import IDENTITIES, ROOT, WIDTH
from torch import Tensor, nn

from tipr_zoo.synthpedes import draw_synthpedes

STANDS_FOR = {
    "data/CUHK-PEDES": "real people, given out on request only: drawn ones under that data set's file names",
    "data/RSTPReid": "the same",
    "DIR": "on a card the data set of its model, ICFG-PEDES among them: the same",
    "data/other": "any further data set: drawn people of another seed",
    "data/synthpedes": "SynthPEDES, with far fewer people",
    "FOLDER": "the reader's own pictures: drawn ones",
    "person.jpg": "the reader's own picture: a drawn one",
    "ViT-B-16.pt": "OpenAI's weights, 335 MB to download: a narrow CLIP with random weights, saved as OpenAI does",
    "best.pth": "hours of training with the code of IRRA's authors: random weights under its names",
    "checkpoint_best.pth": "what TBPS-CLIP's authors published: random weights under its names",
    "nam.pth": "what NAM's authors publish, which is a checkpoint of that code: the same",
    "best0.pth": "the same",
    "best1.pth": "the same",
    "best2.pth": "the same",
    "HAM.pth": "what HAM's authors publish, likewise: the same",
    "mine.safetensors": "what an earlier page converts: the same, converted",
    "mine": "the reader's own pictures and their table, in folders with names that the zoo does not know: drawn ones",
    "best.safetensors": "weights that somebody has trained: the shipped ones of irra_tiny_synth",
    "one.safetensors": "weights of an epoch, or of one training: the shipped ones of irra_tiny_synth",
    "other.safetensors": "those of the next epoch: the same, with other last digits",
    "records": "records of somebody's evaluation: the shipped ones of irra_tiny_synth",
}
"""Why each of them is no real one."""

MADE_BY = {
    "data/synthpedes": "tipr-zoo data synth data/synthpedes",
    "mine.safetensors": "-o mine.safetensors",
    "mine.md": "-o mine.safetensors",
    "mine.py": "-o mine.safetensors",
}
"""Where a page has such a command, it makes that by itself."""

_PARITY_INPUTS = ROOT / "tests" / "parity" / "files" / "parity_inputs.py"


def write_page_folder(folder: Path) -> None:
    """Write all of them."""
    data = folder / "data"
    draw_synthpedes(data / "synthpedes", train=IDENTITIES, val=4, test=16, pictures=2, workers=1)
    draw_synthpedes(data / "other", train=IDENTITIES, val=4, test=16, pictures=2, seed=1, workers=1)
    _write_as_published(data / "synthpedes", data / "CUHK-PEDES", "reid_raw.json", "file_path")
    _write_as_published(data / "synthpedes", data / "ICFG-PEDES", "ICFG-PEDES.json", "file_path")
    _write_as_published(data / "synthpedes", data / "RSTPReid", "data_captions.json", "img_path")
    shutil.copytree(data / "synthpedes" / "imgs" / "test", folder / "FOLDER")
    shutil.copy(data / "synthpedes" / "imgs" / "test" / "00010_0.jpg", folder / "person.jpg")
    _write_own_table(data / "synthpedes", folder / "mine")
    _write_clip(folder / "ViT-B-16.pt")
    _write_official_checkpoint(folder / "best.pth", "irra", "vitb16")
    _write_official_checkpoint(folder / "checkpoint_best.pth", "tbps_clip", "vitb16_square")
    for name in ("nam.pth", "best0.pth", "best1.pth", "best2.pth", "HAM.pth"):
        shutil.copy(folder / "best.pth", folder / name)
    shutil.copy(ROOT / "model_cards" / "weights" / "irra_tiny_synth.safetensors", folder / "best.safetensors")
    _write_two_epochs(folder)
    (folder / "records").mkdir()
    for record in (ROOT / "model_cards" / "records").glob("irra_tiny_synth_*.json"):
        shutil.copy(record, folder / "records")


def _write_two_epochs(folder: Path) -> None:
    """Write weights twice, the second time with other numbers."""
    tensors = safetensors.torch.load_file(folder / "best.safetensors")
    for name, factor in (("one", 1.0), ("other", 1.01)):
        safetensors.torch.save_file(
            {key: value * factor for key, value in tensors.items()}, folder / f"{name}.safetensors"
        )


def _write_as_published(drawn: Path, folder: Path, annotations: str, path_entry: str) -> None:
    """Write drawn people as a published data set names its files and entries."""
    shutil.copytree(drawn / "imgs", folder / "imgs")
    people = json.loads((drawn / "reid_raw.json").read_text())
    first = min(person["id"] for person in people) if annotations != "reid_raw.json" else 0
    for person in people:
        person[path_entry] = person.pop("file_path")
        person["id"] -= first
        if annotations == "ICFG-PEDES.json":
            person["captions"] = person["captions"][:1]
            person["split"] = person["split"].replace("val", "test")
    (folder / annotations).write_text(json.dumps(people))


def _write_own_table(drawn: Path, folder: Path) -> None:
    """Write a table of drawn pictures, and the pictures where it does not look for them."""
    shutil.copytree(drawn / "imgs" / "val", folder / "photos")
    people = [person for person in json.loads((drawn / "reid_raw.json").read_text()) if person["split"] == "val"]
    rows = [
        f'{Path(person["file_path"]).name},"{caption}",{person["id"]}\n'
        for person in people
        for caption in person["captions"]
    ]
    (folder / "people.csv").write_text("image,caption,person\n" + "".join(rows))


class _ImageTowerOf(nn.Module):
    """A CLIP that runs its image tower alone, so that all of it can be traced."""

    def __init__(self, clip: open_clip.CLIP) -> None:
        super().__init__()
        for name, module in clip.named_children():
            setattr(self, name, module)
        for name in ("positional_embedding", "text_projection", "logit_scale"):
            setattr(self, name, getattr(clip, name))

    def forward(self, images: Tensor) -> Tensor:
        return self.visual(images)


def _write_clip(path: Path) -> None:
    """Write a CLIP as OpenAI hands it out: an archive of TorchScript, in half precision."""
    torch.manual_seed(0)
    vision = {"patch_size": 16, "image_size": 224, "width": WIDTH, "head_width": WIDTH, "layers": 1}
    text = {"width": WIDTH, "heads": 1, "layers": 1, "context_length": 77}
    clip = open_clip.CLIP(WIDTH, vision, text, quick_gelu=True).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that TorchScript is of the past
        traced = torch.jit.trace(_ImageTowerOf(clip), torch.randn(1, 3, 224, 224), check_trace=False)
        torch.jit.save(traced.half(), path)


def _write_official_checkpoint(path: Path, method: str, config: str) -> None:
    """Write a checkpoint with the names of a method's official code, as in the parity tests."""
    specification = importlib.util.spec_from_file_location("parity_inputs", _PARITY_INPUTS)
    assert specification is not None
    assert specification.loader is not None
    inputs = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(inputs)
    sizes = {**inputs.CONFIGS[config], **dict.fromkeys(("embed_dim", "vision_width", "text_width"), WIDTH)}
    sizes |= {**dict.fromkeys(("vision_layers", "text_layers", "cmt_depth"), 1), "num_classes": IDENTITIES}
    weights = inputs.state_dict(inputs.model_shapes(method, sizes), 0)
    torch.save({"model": {name: torch.as_tensor(weight) for name, weight in weights.items()}}, path)
