"""Telegram's Bot API, as the channel and the command that registers its webhook call it."""

from collections.abc import Mapping
from typing import Any

from assistant.messaging.api import Api, TryAgain

TOKEN, SECRET, ADDRESS = "TELEGRAM_BOT_TOKEN", "TELEGRAM_WEBHOOK_SECRET", "TELEGRAM_API_URL"
# What Telegram is asked to send; of everything else nothing would come.
_UPDATES = ("message", "callback_query")
_COMMANDS = {"start": "Begin, or begin again", "help": "What I can answer"}


class TelegramApi:
    """The client of one bot. Every call may raise TryAgain or Refused (see `assistant.messaging.api`)."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Prepare a client from the values of TOKEN, SECRET and ADDRESS; nothing is connected yet."""
        self._api = Api(f"{settings[ADDRESS].rstrip('/')}/bot{settings[TOKEN]}")
        self._secret = settings[SECRET]

    async def call(self, method: str, **content: Any) -> Any:
        """Call a method and return its result."""
        try:
            return (await self._api.post(f"/{method}", json=content))["result"]
        except TryAgain as fault:
            parameters = fault.answer.get("parameters", {}) if isinstance(fault.answer, dict) else {}
            raise TryAgain(fault.what, wait=max(fault.wait, parameters.get("retry_after", 0))) from None

    async def register(self, address: str) -> None:
        """Ask Telegram to send updates to an address, and show the commands in its menu. Safe to repeat."""
        await self.call("setWebhook", url=address, secret_token=self._secret, allowed_updates=_UPDATES)
        commands = [{"command": name, "description": description} for name, description in _COMMANDS.items()]
        await self.call("setMyCommands", commands=commands)

    async def close(self) -> None:
        await self._api.close()
