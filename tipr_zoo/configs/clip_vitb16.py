"""CLIP ViT-B/16 as OpenAI published it, at 224 x 224, without objectives (arXiv 2103.00020)."""

_base_ = ["./_base_/clip_vitb16_towers.py"]

model = dict(image_encoder=dict(image_size=(224, 224)))
