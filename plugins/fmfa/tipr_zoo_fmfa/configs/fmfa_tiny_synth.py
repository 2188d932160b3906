"""A small FMFA: the towers, data and budget of irra_tiny_synth, with A-SDM in place of SDM, and with EFA."""

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
        asdm=dict(type="AdaptiveSDM", scale=12.0),
        efa=dict(type="ExplicitFineGrainedAlignment", text_margin=0.1, image_margin=0.9),
    ),
    heads=dict(
        id=dict(type="IdentityClassification", embedding_size=128, num_identities=3000),
        irr=dict(
            type="ImplicitRelationReasoning",
            embedding_size=128,
            vocabulary_size=800,
            depth=1,
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
    augmentation=dict(flip=0.5, pad=6, erase=0.2, erased_area=(0.02, 0.15)),
    clip_gradient_norm=5.0,
    trim_padding=True,
    num_workers=0,
    weights_dtype="float16",
)
