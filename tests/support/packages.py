"""Programs from Debian's packages, installed where this may be done and they are missing."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

_FOLDERS = ("/usr/sbin", "/usr/bin")


def do_without(error: Exception) -> NoReturn:
    """Skip what needs a program that cannot be had; in CI, where it must be had, fail."""
    if os.environ.get("CI"):
        raise error
    pytest.skip(f"a program cannot be had: {error}")


class PackageUnavailable(Exception):
    """A program is neither here nor can be installed; the message says why."""


def program(name: str, package: str) -> Path:
    """Return the path of a program, after installing its package when it is missing.

    Raises:
        PackageUnavailable: it is neither here nor can be installed.
    """
    path = os.pathsep.join((os.environ.get("PATH", ""), *_FOLDERS))
    found = shutil.which(name, path=path)
    if not found:
        install(package)
        found = shutil.which(name, path=path)
    if not found:
        raise PackageUnavailable(f"the package {package} brings no {name}")
    return Path(found)


def install(package: str) -> None:
    """Install a package of Debian.

    Raises:
        PackageUnavailable: this is not Debian, or not run by root, or the package cannot be fetched.
    """
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise PackageUnavailable(f"{package} is missing: run `apt-get install {package}` as root")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Tests run in several processes, and apt-get does not wait for another one of itself.
    with (Path(tempfile.gettempdir()) / "apt-get.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (["update"], ["install", "-y", "--no-install-recommends", package]):
            done = subprocess.run(
                ["apt-get", "-q", *command], env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise PackageUnavailable(f"apt-get {command[0]} failed: {done.stderr.strip()[-300:]}")
