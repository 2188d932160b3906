"""FMFA at full size: CLIP ViT-B/16 at 384 x 128, with A-SDM, ID, IRR and EFA (arXiv 2509.13754), as in its code."""

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
    losses=dict(
        asdm=dict(type="AdaptiveSDM"),
        efa=dict(type="ExplicitFineGrainedAlignment", text_margin=0.1, image_margin=0.9),
    ),
    heads=dict(
        id=dict(type="IdentityClassification", embedding_size=512, num_identities=11003),
        irr=dict(type="ImplicitRelationReasoning", embedding_size=512, vocabulary_size=49408, depth=4),
    ),
)

training = dict(
    batch_size=64,
    max_epochs=60,
    # The paper says 1e-5. There are no parameter_groups: every parameter has the same learning rate.
    optimizer=dict(type="Adam", lr=5e-6, betas=(0.9, 0.999), eps=1e-3, weight_decay=4e-5),
    schedule=dict(type="cosine", warmup_epochs=5, warmup_factor=0.1),
    augmentation=dict(flip=0.5, pad=10, erase=0.5),
)
