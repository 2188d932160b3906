"""Why a picture fits a caption, and how a model restores hidden patches of a picture."""
