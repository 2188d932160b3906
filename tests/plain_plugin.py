"""A third party's plugin ``plain``: a retriever that is a plain module, and a head with a slowly moving teacher."""

from __future__ import annotations

from pathlib import Path

COMPONENTS = '''
import copy
import torch
import torch.nn.functional as F
from torch import nn
from tipr_zoo.registries import HEADS, MODELS, TOKENIZERS

class Words:
    """Letters as ids: nothing but what a tokenizer is called for."""

    def __call__(self, captions):
        captions = [captions] if isinstance(captions, str) else captions
        rows = [[1 + ord(letter) % 62 for letter in caption[:15].ljust(15)] + [63] for caption in captions]
        return torch.tensor(rows, dtype=torch.int64).view(len(rows), 16)

@MODELS.register_module()
class Plain(nn.Module):
    def __init__(self, size: int = 12):
        super().__init__()
        self.image_size = (32, 16)
        self.tokenize = Words()
        self.colours = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 4, size), nn.BatchNorm1d(size))
        self.letters = nn.EmbeddingBag(64, size)
        self.parts = {"first": slice(0, 4), "rest": slice(4, size)}

    def preprocess(self, picture):
        picture = picture.convert("RGB").resize((16, 32))
        pixels = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(32, 16, 3)
        return pixels.permute(2, 0, 1) / 128 - 1

    def encode_image(self, images):
        return self.colours(F.avg_pool2d(images, 4))

    def encode_text(self, ids):
        return self.letters(ids)

    def loss(self, batch):
        image, text = self.encode_image(batch["images"]), self.encode_text(batch["caption_ids"])
        logits = 10 * F.normalize(image, dim=1) @ F.normalize(text, dim=1).t()
        return {"pairs": F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))}

class Memory(nn.Module):
    def setup(self, retriever):
        self.register_buffer("seen", torch.zeros(4, retriever.letters.embedding_dim))

@MODELS.register_module()
class Guided(Plain):
    def __init__(self):
        super().__init__()
        self.guides = nn.ModuleDict({"memory": Memory()})

    @property
    def objectives(self):
        return dict(self.guides)

@MODELS.register_module()
class WithoutText(Plain):
    encode_text = None

@MODELS.register_module()
class WithoutModule:
    image_size, tokenize = (32, 16), Words()
    preprocess = encode_image = encode_text = loss = lambda self, given: given

@MODELS.register_module()
class OddSize(Plain):
    def __init__(self):
        super().__init__()
        self.image_size = 32

@MODELS.register_module()
class OddLoss(Plain):
    loss = 0.5

@HEADS.register_module()
class Teacher(nn.Module):
    needs_patch_tokens = False

    def __init__(self, momentum: float = 0.9):
        super().__init__()
        self.momentum = momentum
        self.scale = nn.Parameter(torch.tensor(5.0))

    def setup(self, retriever):
        self.tower = copy.deepcopy(retriever.image_encoder).requires_grad_(False)
        self.register_buffer("queue", torch.zeros(4, 64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, features, batch, retriever):
        with torch.no_grad():
            for slow, fast in zip(self.tower.parameters(), retriever.image_encoder.parameters()):
                slow.lerp_(fast, 1 - self.momentum)
            seen = self.tower(batch["images"])[:, 0].float()
            self.queue.copy_(torch.cat([seen, self.queue])[:4])
            self.steps += 1
        image, text = features.image_embedding.float(), features.text_embedding.float()
        return (2 - F.cosine_similarity(text, seen) - F.cosine_similarity(text, image)).mean() * self.scale
'''

PLAIN_RECIPE = """
model = dict(type="Plain", size=12)
training = dict(
    dataset="SynthPEDES", batch_size=8, max_epochs=2, masking=False, num_workers=0,
    optimizer=dict(type="AdamW", lr=1e-2), augmentation=dict(flip=0.5, pad=2, erase=0.5),
)
"""

TEACHER_RECIPE = """
_base_ = "core::irra_tiny_synth.py"
model = dict(
    image_encoder=dict(width=32, depth=1, num_heads=2, embedding_size=64, image_size=(64, 32)),
    text_encoder=dict(width=32, depth=1, num_heads=2, embedding_size=64),
    neck=None,
    heads=dict(_delete_=True, teacher=dict(type="Teacher")),
)
training = dict(batch_size=8, max_epochs=2, validate_every=1, masking=False, weights_dtype="float32")
"""

CARD = """---
license: mit
datasets: [SynthPEDES]
tags: []
tipr_zoo: {{plugin: plain, config: {config}, weights: null, protocol: none}}
---
"""


def write_plugin(site: Path) -> None:
    """Write the plugin as pip would install it, with the models ``plain_model`` and ``taught_model``."""
    package, info = site / "plain_package", site / "tipr_zoo_plain-1.0.dist-info"
    files = {
        package / "__init__.py": 'PLUGIN_CONTRACT = "1.1"\n',
        package / "components.py": COMPONENTS,
        package / "configs" / "plain.py": PLAIN_RECIPE,
        package / "configs" / "taught.py": TEACHER_RECIPE,
        package / "model_cards" / "plain_model.md": CARD.format(config="plain.py"),
        package / "model_cards" / "taught_model.md": CARD.format(config="taught.py"),
        info / "METADATA": "Metadata-Version: 2.1\nName: tipr-zoo-plain\nVersion: 1.0\n",
        info / "entry_points.txt": "[tipr_zoo.plugins]\nplain = plain_package.components\n",
    }
    for file, text in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
