"""sen_tiny_synth, trained for three more epochs, until its restoration follows the words.

Start it from the weights of sen_tiny_synth. Pictures are not padded and no part is erased, so that the picture itself
is restored. TIR has the weight of the full-size models. Its decoder has their learning rate, which is five times as
high.
"""

_base_ = ["./sen_tiny_synth.py"]

model = dict(heads=dict(tir=dict(weight=10.0)))
training = dict(
    max_epochs=3,
    parameter_groups=dict(cross=5.0),
    augmentation=dict(pad=0, erase=0.0),
)
