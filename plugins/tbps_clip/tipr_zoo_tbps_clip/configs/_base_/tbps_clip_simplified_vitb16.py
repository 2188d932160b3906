"""The simplified TBPS-CLIP at full size: CLIP ViT-B/16 at 224 x 224, N-ITC and R-ITC (arXiv 2308.10045)."""

_base_ = ["core::_base_/clip_vitb16_towers.py"]

model = dict(
    type="LearnedScaleDualEncoder",
    # ImageNet's, and not CLIP's.
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    image_encoder=dict(image_size=(224, 224)),
    text_encoder=dict(dropout=0.05),
    tokenizer=dict(removed='.!"()*#:;~'),
    heads=dict(nitc=dict(type="NormalisedITC"), ritc=dict(type="ReversedITC")),
)

training = dict(
    batch_size=320,
    max_epochs=5,
    seed=0,
    optimizer=dict(type="AdamW", lr=1e-4, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.02),
    # From 1e-6 over the first epoch, and down to 5e-6.
    schedule=dict(type="cosine", warmup_epochs=1, warmup_factor=0.01, final_factor=0.05, every_step=True),
    parameter_patterns=[
        dict(pattern="image_encoder.trunk.patch_embed.proj.weight", frozen=True),
        # What has no decay: biases, normalisations, and all else that is no matrix in CLIP.
        dict(pattern="image_encoder.trunk.cls_token", weight_decay=0.0),
        dict(pattern="*norm*.weight", weight_decay=0.0),
        dict(pattern="*.bias", weight_decay=0.0),
        dict(pattern="logit_scale", weight_decay=0.0),
    ],
    augmentation=dict(type="DrawnChanges"),
    caption_augmentation=dict(type="RewordedCaptions"),
    hooks=[dict(type="SoftLabelRamp")],
    masking=False,  # no objective predicts masked words
    trim_padding=True,  # nothing sees padding: the text tower is causal, and end tokens alone are compared
)
