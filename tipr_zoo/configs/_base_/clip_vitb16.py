"""What IRRA, SEN and FMFA share at full size: CLIP ViT-B/16 at 384 x 128, the identity classifier, and the training."""

model = dict(
    image_encoder=dict(
        type="VisionTransformerEncoder",
        model_name="vit_base_patch16_clip_quickgelu_224",
        embedding_size=512,
        image_size=(384, 128),
        stride=16,
    ),
    text_encoder=dict(type="CLIPTextEncoder", embedding_size=512, vocabulary_size=49408, width=512, depth=12),
    tokenizer=dict(type="CLIPTokenizer", context_length=77),
    heads=dict(id=dict(type="IdentityClassification", embedding_size=512, num_identities=11003)),
)

training = dict(
    batch_size=64,
    max_epochs=60,
    optimizer=dict(type="Adam", lr=1e-5, betas=(0.9, 0.999), eps=1e-3, weight_decay=4e-5),
    schedule=dict(type="cosine", warmup_epochs=5, warmup_factor=0.1),
    augmentation=dict(flip=0.5, pad=10, erase=0.5),
)
