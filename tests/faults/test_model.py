"""A model that is missing, damaged or not ours ends the server with one sentence that says what to do."""

import hashlib
import os
import secrets
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.startup import MODEL
from tests.support.servers import ROOT, free_port


def run(model: Path, *options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Start the Rasa server with a model and wait until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "assistant", "run", "--model", str(model), "-p", str(free_port()), *options],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": f"sqlite:///{model.parent / 'conversations.db'}",
            "SESSION_SECRET": secrets.token_hex(16),
            "ACTION_TOKEN": secrets.token_hex(16),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def assert_one_sentence(done: "subprocess.CompletedProcess[str]", *parts: str) -> None:
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for part in parts:
        assert part in done.stderr


def cut_short(path: Path) -> None:
    path.write_bytes(MODEL.read_bytes()[: MODEL.stat().st_size // 2])


def with_a_wrong_byte(path: Path) -> None:
    content = bytearray(MODEL.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.touch()


def no_archive(path: Path) -> None:
    path.write_text("not a model")


def an_archive_of_something_else(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        archive.add(ROOT / "clinic.yml", "clinic.yml")


@pytest.mark.parametrize("make", [cut_short, with_a_wrong_byte, empty, no_archive, an_archive_of_something_else])
def test_a_damaged_model_is_told(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "assistant.tar.gz")
    assert_one_sentence(run(tmp_path / "assistant.tar.gz"), "is damaged", "make train")


def test_a_missing_model_is_told(tmp_path: Path) -> None:
    assert_one_sentence(run(tmp_path / "assistant.tar.gz"), "There is no trained model", "make train")


def test_a_model_whose_content_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    with tarfile.open(MODEL) as archive:
        archive.extractall(tmp_path / "content")
    for kept in (tmp_path / "content" / "components").rglob("*"):
        if kept.is_file():
            kept.write_bytes(b"?")
    model = tmp_path / "assistant.tar.gz"
    with tarfile.open(model, "w:gz") as archive:
        archive.add(tmp_path / "content", ".")
    done = run(model)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    kind, sentence = done.stderr.splitlines()
    assert "GraphComponentException" in kind
    assert "cannot be loaded" in sentence
    assert "make train" in sentence


def test_a_model_that_is_not_the_one_deployed_is_told(tmp_path: Path) -> None:
    other = hashlib.sha256(b"another").hexdigest()
    assert_one_sentence(run(MODEL, MODEL_SHA256=other), "MODEL_SHA256")


@pytest.mark.parametrize("source", [("--remote-storage", "aws"), ("--endpoints", "{folder}/endpoints.yml")])
def test_no_model_is_fetched_from_elsewhere(tmp_path: Path, source: tuple[str, str]) -> None:
    own = (ROOT / "endpoints.yml").read_text()
    (tmp_path / "endpoints.yml").write_text(f"{own}\nmodels:\n  url: http://127.0.0.1:9/models\n")
    done = run(MODEL, *(word.format(folder=tmp_path) for word in source))
    assert_one_sentence(done, "own build only")


def test_the_http_api_needs_a_token() -> None:
    assert_one_sentence(run(MODEL, "--enable-api"), "--auth-token")
