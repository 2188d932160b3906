"""A small RDE: the towers, data and budget of irra_tiny_synth, with token selection, and TAL on both embeddings."""

model = dict(
    type="RobustDualEmbedding",
    selected_size=128,
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
    losses=dict(
        bge=dict(type="TripletAlignment", part="bge", temperature=0.05),
        tse=dict(type="TripletAlignment", part="tse", temperature=0.05),
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
    masking=False,
    augmentation=dict(flip=0.5, pad=6, erase=0.2, erased_area=(0.02, 0.15)),
    hooks=[dict(type="ConsensusDivision")],
    clip_gradient_norm=5.0,
    # The other tiny recipes trim. Here batch normalisation sees the padding that is chosen, as in the published code,
    # and would see another number of it in every batch.
    trim_padding=False,
    num_workers=0,
    weights_dtype="float16",
)
