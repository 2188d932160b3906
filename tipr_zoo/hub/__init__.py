"""The read side of the Hugging Face Hub: cards and weights."""
