"""How IRRA, SEN, FMFA and RDE train CLIP's towers."""

training = dict(
    batch_size=64,
    max_epochs=60,
    optimizer=dict(type="Adam", lr=1e-5, betas=(0.9, 0.999), eps=1e-3, weight_decay=4e-5),
    schedule=dict(type="cosine", warmup_epochs=5, warmup_factor=0.1),
    augmentation=dict(flip=0.5, pad=10, erase=0.5),
)
