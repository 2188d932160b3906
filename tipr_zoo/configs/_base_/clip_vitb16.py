"""What IRRA, SEN and FMFA share at full size: CLIP ViT-B/16 at 384 x 128, the identity classifier, and the training."""

_base_ = ["./clip_vitb16_towers.py", "./clip_training.py"]

model = dict(heads=dict(id=dict(type="IdentityClassification", embedding_size=512, num_identities=11003)))
