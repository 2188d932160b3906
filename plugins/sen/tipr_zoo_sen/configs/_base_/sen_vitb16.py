"""SEN at full size: CLIP ViT-B/16 at 384 x 128, with SDM, ID, TIR and CMT (arXiv 2307.09059)."""

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
        sdm=dict(type="SDM"),
        cmt=dict(type="CrossModalTriplet", margin=0.05, weight=10.0),
    ),
    heads=dict(
        id=dict(type="IdentityClassification", embedding_size=512, num_identities=11003),
        tir=dict(
            type="TextGuidedRestoration", embedding_size=512, image_size=(384, 128), patch_size=16, depth=4, weight=10.0
        ),
    ),
)

training = dict(
    batch_size=128,
    max_epochs=60,
    optimizer=dict(type="Adam", lr=1e-5, betas=(0.9, 0.999), eps=1e-3, weight_decay=4e-5),
    # Factors of the learning rate for parameters that CLIP does not bring. Biases have no decay.
    parameter_groups=dict(cross=5.0, bias=2.0, classifier=5.0),
    schedule=dict(type="cosine", warmup_epochs=5, warmup_factor=0.1),
    masking=False,  # no objective predicts masked words
    augmentation=dict(flip=0.5, pad=10, erase=0.5),
    caption_augmentation=dict(type="PruningAugmentation", probability=0.2),
    sampler=dict(type="idrannum"),
)
