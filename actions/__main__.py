"""Starts the action server: `python -m actions`."""

import sys

from service import logs

# The server imports every module of this package, this one too.
if __name__ == "__main__":
    # Before the import, whose libraries warn of one another.
    logs.configure()
    from actions.server import main

    sys.exit(main())
