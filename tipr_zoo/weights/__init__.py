"""Files of weights: fetched, read, and their tensors named."""
