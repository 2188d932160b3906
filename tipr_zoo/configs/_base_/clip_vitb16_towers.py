"""CLIP ViT-B/16 at 384 x 128: both towers and the tokenizer."""

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
)
