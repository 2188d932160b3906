"""The pixels of training and evaluation: torchvision's to the last bit, and augmented as they were when models learned.

No tolerance is stated because none is needed: every value is compared for equality.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from tipr_zoo.pictures.files import open_picture
from tipr_zoo.pictures.preprocessing import ImageNormalisation, preprocess_picture, resize_picture
from tipr_zoo.training.pairs.augmentation import Augmentation

CLIP = ImageNormalisation()
OTHER = ImageNormalisation(mean=(0.5, 0.25, 0.1), std=(0.2, 0.3, 0.7))


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture with many values beside each other, as resizing and rounding go wrong on them first."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def reference(
    pixels: np.ndarray, augmentation: Augmentation, normalisation: ImageNormalisation, generator: torch.Generator
) -> np.ndarray:
    """What training does to an (H, W, 3) uint8 picture, written down once more, one draw and one step at a time."""

    def uniform(low: float = 0.0, high: float = 1.0) -> float:
        return low + (high - low) * torch.rand((), generator=generator).item()

    def below(end: int) -> int:
        return torch.randint(end, (), generator=generator).item()

    height, width, _ = pixels.shape
    mean, std = np.float32(normalisation.mean), np.float32(normalisation.std)
    if uniform() < augmentation.flip:
        pixels = pixels[:, ::-1]
    if augmentation.pad:
        black = np.pad(pixels, ((augmentation.pad,) * 2, (augmentation.pad,) * 2, (0, 0)))
        top, left = below(2 * augmentation.pad + 1), below(2 * augmentation.pad + 1)
        pixels = black[top : top + height, left : left + width]
    picture = (pixels.astype(np.float32) / np.float32(255) - mean) / std
    if uniform() < augmentation.erase:
        for _ in range(10):
            area = height * width * uniform(*augmentation.erased_area)
            aspect = math.exp(uniform(*np.log(augmentation.erased_aspect)))
            rows, columns = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if rows < height and columns < width:
                top, left = below(height - rows + 1), below(width - columns + 1)
                picture[top : top + rows, left : left + columns] = mean  # raw, as in the official code
                break
    return picture.transpose(2, 0, 1)


class TestPicturesForEvaluation:
    @pytest.mark.parametrize("normalisation", [CLIP, OTHER], ids=["CLIP's", "another"])
    @pytest.mark.parametrize("size", [(60, 150), (128, 384), (250, 800), (37, 1000), (500, 200), (1, 1)])
    @pytest.mark.parametrize(
        ("mode", "name"),
        [("RGB", "a.jpg"), ("L", "a.jpg"), ("CMYK", "a.jpg"), ("RGB", "a.png"), ("P", "a.png"), ("1", "a.png")],
    )
    def test_they_are_torchvisions(
        self, tmp_path: Path, mode: str, name: str, size: tuple[int, int], normalisation: ImageNormalisation
    ) -> None:
        noise(*size).convert(mode).save(tmp_path / name)
        usual = transforms.Compose(
            [
                transforms.Resize((384, 128)),
                transforms.ToTensor(),
                transforms.Normalize(normalisation.mean, normalisation.std),
            ]
        )
        expected = usual(Image.open(tmp_path / name).convert("RGB"))
        assert torch.equal(preprocess_picture(open_picture(tmp_path / name), (384, 128), normalisation), expected)

    def test_the_picture_stays_as_it_was(self) -> None:
        picture = noise(20, 30)
        before = picture.copy()
        resize_picture(picture, (30, 20)).zero_()
        preprocess_picture(picture, (30, 20), CLIP).zero_()
        assert picture == before

    def test_a_picture_of_the_right_size_keeps_its_pixels(self) -> None:
        picture = noise(20, 30)
        pixels = resize_picture(picture, (30, 20))
        assert (pixels.dtype, pixels.is_contiguous()) == (torch.uint8, True)
        assert (pixels.permute(1, 2, 0).numpy() == np.array(picture)).all()


class TestNormalisation:
    LEVELS = torch.arange(256, dtype=torch.uint8).expand(3, 2, 256)

    @pytest.mark.parametrize("normalisation", [CLIP, OTHER], ids=["CLIP's", "another"])
    @pytest.mark.parametrize("pixels", [LEVELS, LEVELS.flip(-1)[..., 5:], torch.stack([LEVELS] * 2).transpose(2, 3)])
    def test_bytes_become_what_their_share_of_255_becomes(
        self, normalisation: ImageNormalisation, pixels: torch.Tensor
    ) -> None:
        images = normalisation.of_bytes(pixels)
        assert torch.equal(images, normalisation(pixels.float() / 255))
        assert images.is_contiguous()

    def test_what_is_normalised_stays_as_it_was(self) -> None:
        pixels = self.LEVELS.clone()
        CLIP.of_bytes(pixels)
        assert torch.equal(pixels, self.LEVELS)


class TestAugmentedPictures:
    @pytest.mark.parametrize("normalisation", [CLIP, OTHER], ids=["CLIP's", "another"])
    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"flip": 0.0, "erase": 0.0},
            {"flip": 1.0, "pad": 0, "erase": 1.0},
            {"pad": 30},
            {"erase": 1.0, "erased_area": (0.3, 0.9), "erased_aspect": (0.1, 5.0)},
        ],
        ids=["as in the papers", "shift", "flip and erase", "shift out of sight", "rectangles that do not fit"],
    )
    def test_they_are_what_they_have_always_been(
        self, settings: dict[str, Any], normalisation: ImageNormalisation
    ) -> None:
        augmentation, picture = Augmentation(**settings), noise(24, 48)
        pixels = resize_picture(picture, (48, 24))
        for seed in range(100):
            ours, theirs = (torch.Generator().manual_seed(seed) for _ in range(2))
            augmented = augmentation(pixels, normalisation, ours)
            expected = reference(np.array(picture), augmentation, normalisation, theirs)
            assert torch.equal(augmented, torch.from_numpy(expected.copy()))
            # The mask of the caption is drawn next.
            assert torch.equal(ours.get_state(), theirs.get_state())
        assert (pixels.permute(1, 2, 0).numpy() == np.array(picture)).all(), "the picture itself was changed"
