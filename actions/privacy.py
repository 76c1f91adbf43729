"""The erasure of what a conversation left here."""

import asyncio
from typing import Any

from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, Restarted
from rasa_sdk.executor import CollectingDispatcher

from actions.handoff import the_bookings
from actions.slots import last_said
from booking.store import Bookings
from service.database import StoreUnavailable


class DeleteMyData(Action):
    """Erases what the conversation left here, after a yes to that very question."""

    def __init__(self, bookings: Bookings | None = None) -> None:
        self._bookings = bookings or the_bookings()

    def name(self) -> str:
        return "action_delete_my_data"

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        if last_said(tracker) != "utter_delete_my_data":
            dispatcher.utter_message(response="utter_affirm")
            return []
        try:
            _, kept = await asyncio.to_thread(self._bookings.forget_conversation, tracker.sender_id)
        except StoreUnavailable:
            dispatcher.utter_message(response="utter_apology")
            return []
        dispatcher.utter_message(response="utter_data_deleted_but_kept" if kept else "utter_data_deleted")
        return [Restarted()]
