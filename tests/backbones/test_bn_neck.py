"""The neck after both towers: centred embeddings in training, the same affine map for every picture afterwards."""

from __future__ import annotations

import torch

from tipr_zoo.dual_encoder import DualEncoder
from tipr_zoo.registries import BACKBONES


def test_training_centres_and_scales_each_modality_over_the_batch() -> None:
    neck = BACKBONES.build({"type": "BNNeck", "embedding_size": 4}).train()
    generator = torch.Generator().manual_seed(0)
    image, text = (3 + 5 * torch.randn(64, 4, generator=generator) for _ in range(2))
    for embedding in neck(image, text):
        assert torch.allclose(embedding.mean(dim=0), torch.zeros(4), atol=1e-5)
        assert torch.allclose(embedding.std(dim=0, correction=0), torch.ones(4), atol=1e-4)


def test_a_picture_keeps_its_embedding_whatever_it_is_encoded_beside(tiny_model: DualEncoder) -> None:
    images = torch.randn(3, 3, *tiny_model.image_size, generator=torch.Generator().manual_seed(0))
    ids = tiny_model.tokenize(["a man in red", "a woman with a bag", "a man"])
    with torch.no_grad():
        for encode, inputs in ((tiny_model.encode_image, images), (tiny_model.encode_text, ids)):
            alone = torch.cat([encode(row[None]) for row in inputs])
            assert torch.allclose(encode(inputs), alone, atol=1e-5)


def test_losses_and_encoders_see_the_same_embeddings(tiny_model: DualEncoder) -> None:
    images = torch.randn(2, 3, *tiny_model.image_size, generator=torch.Generator().manual_seed(0))
    ids = tiny_model.tokenize(["a man in red", "a woman with a bag"])
    with torch.no_grad():
        tiny_model.neck.image.running_mean += 1.0
        tiny_model.neck.text.running_var += 1.0
        features = tiny_model.features({"images": images, "caption_ids": ids})
        torch.testing.assert_close(features.image_embedding, tiny_model.encode_image(images))
        torch.testing.assert_close(features.text_embedding, tiny_model.encode_text(ids))
        tower = tiny_model.image_encoder(images)[:, 0]
    assert torch.allclose(features.image_embedding, tower - 1.0, rtol=1e-4)


def test_one_pair_is_normalised_by_what_was_seen_before() -> None:
    neck = BACKBONES.build({"type": "BNNeck", "embedding_size": 4}).train()
    neck(torch.randn(8, 4, generator=torch.Generator().manual_seed(0)), torch.zeros(8, 4))
    one = torch.ones(1, 4)
    assert torch.equal(neck(one, one)[0], neck.eval()(one, one)[0])
