"""Checks for a plugin's tests. They try every promise of the plugin contract on the plugin's components.

Each check takes a component and tries one promise after the other on copies of it. It raises a `BrokenPromiseError` of
one line that names the first broken promise. Random numbers are the same every time. The caller's random state stays
as it was.
"""

from tipr_zoo.errors import BrokenPromiseError
from tipr_zoo.testing.engine_check import check_engine
from tipr_zoo.testing.head_check import check_head
from tipr_zoo.testing.image_tower_check import check_image_tower
from tipr_zoo.testing.loss_check import check_loss
from tipr_zoo.testing.plugin_check import check_plugin
from tipr_zoo.testing.retriever_check import check_retriever
from tipr_zoo.testing.text_tower_check import check_text_tower

__all__ = [
    "BrokenPromiseError",
    "check_engine",
    "check_head",
    "check_image_tower",
    "check_loss",
    "check_plugin",
    "check_retriever",
    "check_text_tower",
]
