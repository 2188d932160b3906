"""The published data sets, read in their authors' layouts and in those that others made of them."""
