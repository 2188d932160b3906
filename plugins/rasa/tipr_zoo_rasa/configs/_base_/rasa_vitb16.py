"""RaSa at full size: ViT-B/16 at 384 x 384 and BERT-base as 6 + 6 layers (arXiv 2305.13653), as in its code."""

model = dict(
    type="RaSa",
    embedding_size=256,
    image_encoder=dict(
        type="TokenVisionTransformer", model_name="vit_base_patch16_384", image_size=(384, 384), width=768
    ),
    text_encoder=dict(type="TokenBert", vocabulary_size=30522, context_length=50, positions=512, width=768, depth=6),
    fusion_encoder=dict(type="CrossAttentionLayers", width=768, depth=6, image_width=768),
    tokenizer=dict(
        type="CleanedBertTokenizer",
        file="hub:google-bert/bert-base-uncased:vocab.txt",
        vocabulary_size=30522,
        context_length=50,
    ),
    heads=dict(
        cl=dict(type="MomentumContrast", queue_size=65536, weight=0.5),
        pitm=dict(type="ProbabilisticMatching", weight=1.0),
        mlm=dict(type="MomentumMaskedWords", width=768, vocabulary_size=30522, weight=1.0),
        prd=dict(type="PositiveRelationDetection", width=768, weight=0.5),
        mrtd=dict(type="ReplacedTokenDetection", width=768, weight=0.5),
    ),
    momentum=0.995,
    soft_label_ratio=0.4,
    weak_probability=0.1,
    replaced_share=0.3,
)

training = dict(
    batch_size=52,
    max_epochs=30,
    optimizer=dict(type="AdamW", lr=1e-5, weight_decay=0.02),
    # What ALBEF's weights do not bring learns ten times as fast. Biases and normalisations have no decay.
    parameter_patterns=[
        *(dict(pattern=f"heads.{name}.weight", rate=10.0) for name in ("prd.relation", "mrtd.detection")),
        *(
            dict(pattern=f"heads.{name}.bias", rate=10.0, weight_decay=0.0)
            for name in ("prd.relation", "mrtd.detection")
        ),
        *(
            dict(pattern=pattern, weight_decay=0.0)
            for pattern in (
                *("image_encoder.*.bias", "text_encoder.*.bias", "fusion_encoder.*.bias", "heads.mlm.*bias"),
                *("image_projection.bias", "text_projection.bias", "matching_head.bias"),
                *("image_encoder.trunk.*norm*.weight", "text_encoder.*LayerNorm.weight"),
                *("fusion_encoder.*LayerNorm.weight", "heads.mlm.*LayerNorm.weight"),
            )
        ),
    ],
    schedule=dict(type="CosineAnnealingLR", eta_min=1e-6),
    views=dict(images_m=dict(flip=0.5, pad=0, erase=0.0)),
    augmentation=dict(flip=0.5, pad=0, erase=0.0),
    hooks=[dict(type="SoftLabelRamp", ratio=0.4)],
    masking=True,
    trim_padding=True,
)

evaluation = dict(rerank=128)
