"""The front desk's page at /frontdesk, on the same server as the chat."""

from collections.abc import Awaitable, Callable
from typing import Any

from rasa.core.channels.channel import InputChannel, UserMessage
from sanic import Blueprint

from booking.frontdesk.page import blueprint
from booking.store import open_bookings
from clinic.profile import the_clinic


class FrontDesk(InputChannel):
    """Serves the list of booking requests; no conversation comes through it."""

    @classmethod
    def name(cls) -> str:
        return "frontdesk"

    def url_prefix(self) -> str:
        return "/frontdesk"

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        clinic = the_clinic()
        return blueprint(lambda: open_bookings(clinic), clinic)
