"""Starts the action server: `python -m actions`."""

import sys

from service import logs
from service.settings import SettingError

# The server imports every module of this package, this one too.
if __name__ == "__main__":
    # Before the import, whose libraries warn of one another.
    try:
        logs.configure()
    except SettingError as error:
        sys.exit(str(error))
    from actions.server import main

    sys.exit(main())
