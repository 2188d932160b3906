"""What keeps the rows and vectors of a gallery, registered in `tipr_zoo.registries.ENGINES`.

Importing this imports no server's library: the engines do so once one of their addresses is used.
"""

from tipr_zoo.gallery.engines.folder import FolderEngine
from tipr_zoo.gallery.engines.milvus import MilvusEngine
from tipr_zoo.gallery.engines.postgresql import PostgreSQLEngine

__all__ = ["FolderEngine", "MilvusEngine", "PostgreSQLEngine"]
