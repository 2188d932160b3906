"""tipr-zoo: a plugin-based model zoo for text-to-image person retrieval.

Importing this package is light: torch, mmengine, timm, transformers and plugins are imported by the first
function that needs them.
"""

from __future__ import annotations

__version__ = "0.1.0"
