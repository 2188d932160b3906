"""What the tiny models share: small towers from nothing, and their training on SynthPEDES in minutes."""

model = dict(
    image_encoder=dict(
        type="VisionTransformerEncoder",
        model_name="vit_tiny_patch16_224",
        embedding_size=128,
        image_size=(128, 48),
        width=128,
        depth=3,
        num_heads=4,
        stem="convolution",
    ),
    text_encoder=dict(
        type="CLIPTextEncoder",
        embedding_size=128,
        vocabulary_size=800,
        width=96,
        depth=2,
        num_heads=3,
    ),
    tokenizer=dict(type="SmallTokenizer", file="synthpedes.json"),
)

training = dict(
    dataset="SynthPEDES",
    dataset_arguments=dict(train=3000),
    batch_size=128,
    max_epochs=6,
    seed=0,
    validate_every=2,
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.02),
    schedule=dict(type="cosine", warmup_epochs=1, every_step=True),
    augmentation=dict(flip=0.5, pad=6, erase=0.2, erased_area=(0.02, 0.15)),
    clip_gradient_norm=5.0,
    trim_padding=True,
    num_workers=0,
    weights_dtype="float16",
)
