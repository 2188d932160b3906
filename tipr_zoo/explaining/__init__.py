"""Why a picture fits a caption, and what a model makes of a hidden one."""
