"""`python -m alignment`, or `alignment-gate`: the commands of `alignment.commands`."""

from __future__ import annotations

import sys

from alignment.commands import main

if __name__ == "__main__":
    sys.exit(main())
