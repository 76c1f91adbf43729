"""What `rasa run` keeps to here."""

import argparse
import re
import socket
from pathlib import Path

import pytest

from assistant import startup
from assistant.startup import MODEL
from clinic.profile import ROOT
from service import logs
from service.startup import StartError, check_port


def arguments(**other: object) -> argparse.Namespace:
    given = {"model": "models", "enable_api": False, "auth_token": None, "jwt_secret": None, "remote_storage": None}
    where = {"endpoints": str(ROOT / "endpoints.yml"), "interface": "127.0.0.1", "port": 0}
    return argparse.Namespace(**{**given, **where, **other})


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The models that were looked at."""
    seen: list[Path] = []
    for name in re.findall(r"\${(\w+)}", (ROOT / "endpoints.yml").read_text(encoding="utf-8")):
        monkeypatch.setenv(name, "http://127.0.0.1:9/webhook")
    monkeypatch.setattr(logs, "configure", lambda: None)
    monkeypatch.setattr(startup, "check_model", seen.append)
    monkeypatch.setattr(startup, "_check_store", lambda: None)
    return seen


def test_our_own_model_is_served_and_not_the_newest_in_its_folder(checked: list[Path]) -> None:
    given = arguments()
    startup.Serving().configure_commandline(given)
    assert given.model == str(MODEL)
    assert checked == [MODEL]


def test_another_model_can_be_named(checked: list[Path], tmp_path: Path) -> None:
    given = arguments(model=str(tmp_path / "other.tar.gz"))
    startup.Serving().configure_commandline(given)
    assert given.model == str(tmp_path / "other.tar.gz")


def test_the_http_api_may_be_on_with_a_token(checked: list[Path]) -> None:
    startup.Serving().configure_commandline(arguments(enable_api=True, auth_token="a secret"))
    with pytest.raises(SystemExit):
        startup.Serving().configure_commandline(arguments(enable_api=True))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_that_is_taken_is_told(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"{host}:{port} .*choose another port"):
            check_port(host, port)
    check_port(host, port)
