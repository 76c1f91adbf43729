"""Starts the action server: `python -m actions`."""

import sys

from actions.server import main

# The server imports every module of this package, this one too.
if __name__ == "__main__":
    sys.exit(main())
