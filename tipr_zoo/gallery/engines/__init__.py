"""What keeps the rows and vectors of a gallery, registered in `tipr_zoo.registries.ENGINES`."""

from tipr_zoo.gallery.engines.folder import FolderEngine

__all__ = ["FolderEngine"]
