"""Two evaluations of the same queries side by side: how far apart they are, and whether chance explains it."""
