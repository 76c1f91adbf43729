"""An action call as Rasa makes it: what the SDK and the actions take for granted of it."""

from typing import Any

from pydantic import BaseModel, StrictBool, StrictStr


class _Named(BaseModel):
    name: StrictStr | None = None


class _Event(BaseModel):
    event: StrictStr


class _Message(BaseModel):
    text: StrictStr | None = None
    message_id: StrictStr | None = None
    intent: _Named | None = None
    entities: list[dict[str, Any]] = []
    metadata: dict[str, Any] | None = None


class _Tracker(BaseModel):
    sender_id: StrictStr
    slots: dict[str, Any] = {}
    latest_message: _Message | None = None
    events: list[_Event] = []
    paused: StrictBool = False
    followup_action: StrictStr | None = None
    active_loop: _Named = _Named()
    latest_action_name: StrictStr | None = None


class _Form(BaseModel):
    required_slots: list[StrictStr] = []


class _Domain(BaseModel):
    slots: dict[str, dict[str, Any]] = {}
    forms: dict[str, _Form] = {}


class Call(BaseModel):
    """What the webhook of the action server is sent."""

    next_action: StrictStr
    sender_id: StrictStr
    tracker: _Tracker
    domain: _Domain = _Domain()
    version: StrictStr | None = None
