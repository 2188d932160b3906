"""RDE at full size: CLIP ViT-B/16 at 384 x 128, with TAL on both embeddings (arXiv 2308.09911), as in its code."""

model = dict(
    type="RobustDualEmbedding",
    selected_size=1024,
    selected_share=0.3,
    image_encoder=dict(
        type="VisionTransformerEncoder",
        model_name="vit_base_patch16_clip_quickgelu_224",
        embedding_size=512,
        image_size=(384, 128),
        stride=16,
    ),
    text_encoder=dict(type="CLIPTextEncoder", embedding_size=512, vocabulary_size=49408, width=512, depth=12),
    tokenizer=dict(type="CLIPTokenizer", context_length=77),
    losses=dict(
        bge=dict(type="TripletAlignment", part="bge", temperature=0.015, margin=0.1),
        tse=dict(type="TripletAlignment", part="tse", temperature=0.015, margin=0.1),
    ),
)

training = dict(
    batch_size=64,
    max_epochs=60,
    optimizer=dict(type="Adam", lr=1e-5, betas=(0.9, 0.999), eps=1e-3, weight_decay=4e-5),
    # Token selection, which CLIP does not bring, learns at 1e-3; biases have no decay, and elsewhere twice the rate.
    parameter_groups=dict(bias=2.0, selection=100.0),
    schedule=dict(type="cosine", warmup_epochs=5, warmup_factor=0.1),
    masking=False,  # no objective predicts masked words
    augmentation=dict(flip=0.5, pad=10, erase=0.5),
    caption_augmentation=dict(type="TokenAugmentation", probability=0.2),
    hooks=[dict(type="ConsensusDivision", max_iter=10, tol=1e-2, reg_covar=5e-4)],
    # Batch normalisation sees the padding that is chosen, as in the published code, so that captions stay at 77 tokens.
    trim_padding=False,
)
