"""CLIP ViT-B/16 as OpenAI published it, at 224 x 224, without objectives (arXiv 2103.00020)."""

model = dict(
    image_encoder=dict(
        type="VisionTransformerEncoder",
        model_name="vit_base_patch16_clip_quickgelu_224",
        embedding_size=512,
        image_size=(224, 224),
        stride=16,
    ),
    text_encoder=dict(type="CLIPTextEncoder", embedding_size=512, vocabulary_size=49408, width=512, depth=12),
    tokenizer=dict(type="CLIPTokenizer", context_length=77),
)
