"""`python -m assistant.messaging register <platform>`: tells a platform where to send messages.

Where a platform has no call for it, it says what to enter where. PUBLIC_URL is this server as the internet sees it.
"""

import argparse
import asyncio
import re
import sys

from assistant.messaging.api import CallFailed, TryAgain
from assistant.messaging.telegram_api import ADDRESS, SECRET, TOKEN, TelegramApi
from service.settings import settings

_STEPS = {
    "messenger": """\
In your app at https://developers.facebook.com/apps, under Messenger, Messenger API Settings:
  Callback URL: {address}
  Verify token: the value of MESSENGER_VERIFY_TOKEN
  Webhook fields: messages, messaging_postbacks
Then add the page to the app's webhook. The server must be running, as the page tries the address at once.""",
    "slack": """\
In your app at https://api.slack.com/apps:
  Event Subscriptions, Request URL: {address}
  Subscribe to bot events: message.im, app_mention
  Interactivity & Shortcuts, Request URL: {address}
  Slash Commands (if you want one), Request URL: {address}
  OAuth & Permissions, Bot Token Scopes: chat:write, im:history, app_mentions:read, commands
  App Home, Messages Tab: let users send messages
The server must be running, as the page tries the address at once.""",
    "twilio": """\
In the console at https://console.twilio.com, for your number, or for its messaging service:
  A message comes in: Webhook, {address}, HTTP POST
For WhatsApp the same address, in the settings of the WhatsApp sender.""",
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m assistant.messaging", description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    register = commands.add_parser("register", help="tell a platform where to send what people write")
    register.add_argument("platform", choices=["telegram", *_STEPS])
    platform = parser.parse_args(arguments).platform
    found = settings()
    public = (found.public_url or "").rstrip("/")
    if not public.startswith("https://"):
        return _failed("Set PUBLIC_URL to this server's address on the internet, such as https://chat.clinic.example.")
    address = f"{public}/webhooks/{platform}/webhook"
    if platform in _STEPS:
        sys.stdout.write(_STEPS[platform].format(address=address) + "\n")
        return 0
    given = {TOKEN: found.telegram_bot_token, SECRET: found.telegram_webhook_secret, ADDRESS: found.telegram_api_url}
    settings_of_bot = {name: value or "" for name, value in given.items()}
    if not all(settings_of_bot.values()):
        return _failed(f"Set {TOKEN} and {SECRET} first.")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", settings_of_bot[SECRET]):
        return _failed(f"{SECRET} may hold only letters, digits, dashes and underscores, and no more than 256.")
    try:
        asyncio.run(_register(TelegramApi(settings_of_bot), address))
    except TryAgain as fault:
        return _failed(f"Telegram cannot be reached now ({fault.what}). Please try again.")
    except CallFailed as fault:
        return _failed(f"Telegram does not take the token or the address ({fault.what}).")
    sys.stdout.write(f"Telegram sends what people write to {address} from now on.\n")
    return 0


async def _register(telegram: TelegramApi, address: str) -> None:
    try:
        await telegram.register(address)
    finally:
        await telegram.close()


def _failed(reason: str) -> int:
    sys.stderr.write(f"{reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
