"""A small SEN: towers, data and budget of irra_tiny_synth, with CMT, TIR, pruning and SEN's sampler in place of IRR."""

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
    neck=dict(type="BNNeck", embedding_size=128),
    losses=dict(
        sdm=dict(type="SDM", scale=12.0),
        cmt=dict(type="CrossModalTriplet", margin=0.05, weight=1.0),
    ),
    heads=dict(
        id=dict(type="IdentityClassification", embedding_size=128, num_identities=3000),
        tir=dict(
            type="TextGuidedRestoration",
            embedding_size=128,
            image_size=(128, 48),
            patch_size=16,
            depth=1,
            weight=1.0,
        ),
    ),
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
    masking=False,  # no objective predicts masked words
    augmentation=dict(flip=0.5, pad=6, erase=0.2, erased_area=(0.02, 0.15)),
    caption_augmentation=dict(type="PruningAugmentation", probability=0.2),
    sampler=dict(type="idrannum"),
    clip_gradient_norm=5.0,
    trim_padding=True,
    num_workers=0,
    weights_dtype="float16",
)
