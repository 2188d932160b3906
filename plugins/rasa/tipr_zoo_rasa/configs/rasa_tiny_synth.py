"""A small RaSa: the picture tower, data and budget of irra_tiny_synth, BERT as 2 + 2 layers, and all five losses."""

_base_ = ["core::_base_/tiny_synth.py"]

model = dict(
    type="RaSa",
    embedding_size=128,
    image_encoder=dict(
        _delete_=True,
        type="TokenVisionTransformer",
        model_name="vit_tiny_patch16_224",
        image_size=(128, 48),
        width=128,
        depth=3,
        num_heads=4,
        stem="convolution",
    ),
    text_encoder=dict(
        _delete_=True,
        type="TokenBert",
        vocabulary_size=347,
        context_length=60,
        positions=60,
        width=96,
        depth=2,
        num_heads=3,
        dropout=0.0,
    ),
    fusion_encoder=dict(type="CrossAttentionLayers", width=96, depth=2, image_width=128, num_heads=3, dropout=0.0),
    tokenizer=dict(
        _delete_=True,
        type="CleanedBertTokenizer",
        file="synthpedes_vocabulary.txt",
        vocabulary_size=347,
        context_length=60,
        special_ids=(2, 3, 4),
    ),
    neck=dict(type="BNNeck", embedding_size=128),  # as in irra_tiny_synth: towers from nothing begin to learn sooner
    heads=dict(
        cl=dict(type="MomentumContrast", queue_size=1024, weight=0.5),
        pitm=dict(type="ProbabilisticMatching"),
        mlm=dict(type="MomentumMaskedWords", width=96, vocabulary_size=347),
        prd=dict(type="PositiveRelationDetection", width=96, weight=0.5),
        mrtd=dict(type="ReplacedTokenDetection", width=96, weight=0.5),
    ),
    evenly_drawn=0.5,  # a cross-encoder from nothing learns little from wrong pairs that are all hard
    momentum=0.99,  # a short training has no time for a slow teacher
)

training = dict(
    views=dict(images_m=dict(flip=0.5, pad=6, erase=0.2, erased_area=(0.02, 0.15))),
    hooks=[dict(type="SoftLabelRamp", ratio=0.4)],
)
