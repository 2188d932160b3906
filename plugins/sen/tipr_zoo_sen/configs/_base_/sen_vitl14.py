"""SEN-XL: CLIP ViT-L/14 with the objectives and the training of SEN (arXiv 2307.09059).

Its image size is not published. 378 x 126 is 27 x 9 patches of 14 pixels. These are the multiples of 14 that are
nearest to SEN's 384 x 128 and have the same proportion.
"""

_base_ = ["./sen_vitb16.py"]

model = dict(
    image_encoder=dict(
        model_name="vit_large_patch14_clip_quickgelu_224", embedding_size=768, image_size=(378, 126), stride=14
    ),
    text_encoder=dict(embedding_size=768, width=768),
    heads=dict(
        id=dict(embedding_size=768),
        tir=dict(embedding_size=768, image_size=(378, 126), patch_size=14),
    ),
)
