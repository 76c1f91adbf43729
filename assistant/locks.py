"""The lock store: one message of a conversation at a time."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from rasa.core.lock import TicketLock
from rasa.core.lock_store import LOCK_LIFETIME, InMemoryLockStore
from rasa.utils.endpoints import EndpointConfig

_POLL_SECONDS = 0.02


class PromptLockStore(InMemoryLockStore):
    """Rasa's lock of one process, which looks every 20 ms instead of every second whether it is its turn."""

    def __init__(self, endpoint_config: EndpointConfig | None = None) -> None:
        super().__init__()

    @asynccontextmanager
    async def lock(
        self,
        conversation_id: str,
        lock_lifetime: float = LOCK_LIFETIME,
        wait_time_in_seconds: float = _POLL_SECONDS,
    ) -> AsyncGenerator[TicketLock, None]:
        async with super().lock(conversation_id, lock_lifetime, wait_time_in_seconds) as ticket:
            yield ticket
