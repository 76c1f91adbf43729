"""The settings of every process: each environment variable that is read, with its type, default and purpose.

`python -m service.settings` prints them as docs/settings.md holds them.
"""

import os
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BeforeValidator, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

Port = Annotated[int, Field(ge=1, le=65535)]
Upper = BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value)
Lower = BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value)


def _secret(purpose: str, default: str = "made once in `var/`", group: str | None = None) -> Any:
    return Field(None, description=purpose, repr=False, json_schema_extra=_shown(default, group))


def _setting(default: Any, purpose: str, shown: str | None = None, group: str | None = None) -> Any:
    return Field(default, description=purpose, json_schema_extra=_shown(shown, group))


def _shown(default: str | None, group: str | None) -> Any:
    return {"default": default, "group": group}


class SettingError(Exception):
    """A variable of the environment is missing or cannot be used; the message names it and never shows its value."""


class Settings(BaseSettings):
    """The variables of the environment, by their names in lower case; an empty one counts as not set."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True
    )

    host: str = _setting("127.0.0.1", "where the assistant's server listens", group="The assistant's server")
    port: Port | None = _setting(None, "the port that `make run` serves on, named once the server is ready", "5005")
    model_sha256: str | None = _setting(None, "the only model that the server may load", "any of our own build")
    session_secret: str | None = _secret("signs the tokens of the website's chats; at least 32 characters")
    public_url: str | None = _setting(
        None, "this server as the internet sees it, such as `https://chat.clinic.example`", "no messaging"
    )
    sanic_workers: int = _setting(1, "worker processes of one server; more than one need REDIS_URL")
    sanic_proxies_count: int = _setting(0, "how many proxies before the server write `X-Forwarded-For`")
    sanic_graceful_shutdown_timeout: int = _setting(8, "seconds that a running turn has at SIGTERM")

    action_host: str = _setting("127.0.0.1", "where the action server listens", group="The action server")
    action_port: Port = _setting(5055, "the port of the action server")
    action_url: str = _setting("http://127.0.0.1:5055/webhook", "where the assistant finds the action server")
    action_token: str | None = _secret("what the assistant shows to the action server")

    clinic_file: str | None = _setting(None, "the file of another clinic's details", "clinic.yml", "All processes")
    database_url: str | None = _setting(
        None, "the database of conversations and requests, such as `postgresql://…`", "SQLite files in `var/`"
    )
    redis_url: str | None = _setting(
        None,
        "the Redis in which several servers share locks and limits, such as `rediss://:password@host:6379/0`",
        "those of one server",
    )
    event_broker_url: Annotated[str, Field(pattern="^amqps?://")] | None = _setting(
        None,
        "the RabbitMQ that learns what happens in conversations, without anyone's words, in its queue "
        "`conversation_events`; such as `amqps://…`",
        "off",
    )
    sanic_request_timeout: int = _setting(15, "seconds that a request may take to arrive")
    messaging_secret: str | None = _secret("hashes phone numbers and encrypts what waits; the same on every server")
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], Upper] = _setting(
        "INFO", "how much is logged"
    )
    log_format: Annotated[Literal["text", "json"], Lower] = _setting("text", "lines for people, or JSON for machines")
    metrics_token: str | None = _secret("opens `/metrics` to clients that send it", "programs on the same machine")

    smtp_host: str | None = _setting(None, "the mail server", "requests are kept and listed", "Delivery by e-mail")
    smtp_port: Port | None = _setting(None, "its port", "587, 465 or 25, as SMTP_SECURITY says")
    smtp_security: Annotated[Literal["starttls", "tls", "none"], Lower] = _setting("starttls", "how it is encrypted")
    smtp_user: str | None = _setting(None, "the name to log in with", "no login")
    smtp_password: str | None = _secret("the password to log in with", "no login")
    smtp_from: str | None = _setting(None, "the sender of the mails", "`email` in clinic.yml")

    webhook_url: str | None = _setting(None, "the receiver", "requests are kept and listed", "Delivery by webhook")
    webhook_secret: str | None = _secret("signs what is sent, with HMAC-SHA256", "none")

    delivery_host: str = _setting("127.0.0.1", "where the delivery worker listens", group="The delivery worker")
    delivery_port: Port | None = _setting(None, "the port of its `/health`, `/ready` and `/metrics`", "off")

    frontdesk_user: str | None = _setting(None, "the login of the list at `/frontdesk`", "off", "The front desk")
    frontdesk_password: str | None = _secret("its password", "off")

    twilio_account_sid: str | None = _setting(None, "the account, from console.twilio.com", "off", "SMS and WhatsApp")
    twilio_auth_token: str | None = _secret("its token, from the same place", "off")
    twilio_api_url: str = _setting("https://api.twilio.com", "the address of the API, for tests")
    telegram_bot_token: str | None = _secret("the bot's token, from @BotFather", "off", "Telegram")
    telegram_webhook_secret: str | None = _secret("letters, digits, `-` and `_` of your own", "off")
    telegram_api_url: str = _setting("https://api.telegram.org", "the address of the API, for tests")
    messenger_page_token: str | None = _secret("the page's token, from developers.facebook.com", "off", "Messenger")
    messenger_app_secret: str | None = _secret("the app's secret, from its basic settings", "off")
    messenger_verify_token: str | None = _secret("words of your own", "off")
    messenger_api_url: str = _setting("https://graph.facebook.com/v25.0", "the address of the API, for tests")
    slack_bot_token: str | None = _secret("the bot's token, from OAuth & Permissions at api.slack.com", "off", "Slack")
    slack_signing_secret: str | None = _secret("the signing secret, from Basic Information", "off")
    slack_api_url: str = _setting("https://slack.com/api", "the address of the API, for tests")

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Settings":
        """Return the settings of an environment that is not this process's own.

        Raises:
            SettingError: a variable cannot be used.
        """
        given = {name.lower(): value for name, value in environment.items() if value}
        return _checked(lambda: _Given.model_validate(given))


class _Given(Settings):
    """Settings that are given, with nothing from the environment of this process."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


_VARIABLES = tuple(name.upper() for name in Settings.model_fields)


def settings() -> Settings:
    """Return the settings of this process's environment, as it is now.

    Raises:
        SettingError: a variable cannot be used.
    """
    return _read(*map(os.environ.get, _VARIABLES))


@lru_cache(maxsize=8)
def _read(*_values: str | None) -> Settings:
    """Return the settings, which take milliseconds to check, once for the same values of all variables."""
    return _checked(Settings)


def table() -> str:
    """Return all settings as Markdown, a table for each group."""
    lines: list[str] = []
    for name, field in Settings.model_fields.items():
        extra: dict[str, Any] = field.json_schema_extra  # type: ignore[assignment]
        if extra["group"]:
            lines += ["", f"## {extra['group']}", "", "| variable | type | for | unless set |", "|---|---|---|---|"]
        default = extra["default"] or f"`{field.default}`"
        lines.append(f"| `{name.upper()}` | {_kind(field)} | {field.description} | {default} |")
    return "\n".join(lines).strip() + "\n"


def _checked(read: Callable[[], Settings]) -> Settings:
    try:
        return read()
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0]).lower()
        raise SettingError(f"{name.upper()} must be {_kind(Settings.model_fields[name])}.") from None


def _kind(field: FieldInfo) -> str:
    """Return the type of a setting in words: a port, a number, a secret, a text, or the values that it may have."""
    if not field.repr:
        return "a secret"
    annotations = [field.annotation, *get_args(field.annotation)]
    choices = next((get_args(each) for each in annotations if get_origin(each) is Literal), ())
    if choices:
        return f"{', '.join(choices[:-1])} or {choices[-1]}"
    if Port in annotations or any(getattr(each, "le", None) for each in field.metadata):
        return "a port such as 5055"
    if "amqp" in str(field.annotation):
        return "an address that begins with amqp:// or amqps://"
    return "a whole number" if int in annotations else "a text"


if __name__ == "__main__":
    sys.stdout.write(table())
