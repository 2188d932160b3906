"""The reading of annotation files: JSON in every layout in which the published data sets circulate."""
