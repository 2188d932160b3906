"""The published data sets, read in their authors' layouts and in the layouts of others."""
