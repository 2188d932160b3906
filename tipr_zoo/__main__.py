"""``python -m tipr_zoo`` is ``tipr-zoo``."""

from __future__ import annotations

import sys

from tipr_zoo.command_line import main

if __name__ == "__main__":
    sys.exit(main())
