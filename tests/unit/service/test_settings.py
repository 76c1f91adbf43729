"""Every variable of the environment is a setting, and docs/settings.md tells of each."""

import ast
from pathlib import Path

import pytest

from clinic.profile import ROOT
from service.settings import SettingError, Settings, settings, table

PACKAGES = ("actions", "assistant", "booking", "clinic", "service")
# What is read past the settings, and why.
ELSEWHERE = {
    # The clinic's room lies below that of the settings.
    "clinic/profile.py": {"CLINIC_FILE"},
}


def test_the_documentation_holds_every_setting() -> None:
    assert table() in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8"), "run `python -m service.settings`"


def names_read(path: Path) -> set[str]:
    """Return the variables that a module reads from the environment itself."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("os.environ.get", "os.getenv"):
            found.add(ast.unparse(node.args[0]).strip("'"))
        is_subscript = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)
        if is_subscript and ast.unparse(node.value) == "os.environ":
            found.add(ast.unparse(node.slice).strip("'"))
    return found


def test_no_module_reads_the_environment_past_the_settings() -> None:
    modules = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    read = {str(path.relative_to(ROOT)): names for path in modules if (names := names_read(path))}
    assert read == ELSEWHERE


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("ACTION_PORT", "many", "ACTION_PORT must be a port such as 5055."),
        ("DELIVERY_PORT", "70000", "DELIVERY_PORT must be a port such as 5055."),
        ("SMTP_SECURITY", "ssl", "SMTP_SECURITY must be starttls, tls or none."),
        ("SANIC_WORKERS", "two", "SANIC_WORKERS must be a whole number."),
        (
            "EVENT_BROKER_URL",
            "kafka://secret",
            "EVENT_BROKER_URL must be an address that begins with amqp:// or amqps://.",
        ),
    ],
)
def test_a_value_that_cannot_be_used_is_told_without_showing_it(variable: str, value: str, told: str) -> None:
    with pytest.raises(SettingError) as refused:
        Settings.of({variable: value})
    assert str(refused.value) == told


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTION_PORT", "")
    assert settings().action_port == Settings.of({"ACTION_PORT": ""}).action_port == 5055


def test_the_environment_may_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")
    assert settings().log_level == "DEBUG"
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    assert settings().log_level == "ERROR"


def test_secrets_do_not_show_in_what_is_printed() -> None:
    assert "hidden" not in repr(Settings.of({"SESSION_SECRET": "hidden", "SMTP_PASSWORD": "hidden"}))
