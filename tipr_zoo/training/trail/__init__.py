"""What a training leaves besides its weights: what it was, what it said, and how it went."""
