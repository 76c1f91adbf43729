"""The browsers that tests are run in."""

import os

from tests.support.packages import PackageUnavailable, program

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Web sites of other names are on this machine too.
    "--host-resolver-rules=MAP *.example 127.0.0.1",
]


def chromium() -> str | None:
    """Return the path of a Chromium, installed from Debian when missing; None means Playwright's own."""
    try:
        return os.environ.get("CHROMIUM") or str(program("chromium", "chromium"))
    except PackageUnavailable:
        return None
