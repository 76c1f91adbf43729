"""The sessions of web site visitors: signed tokens, the replies a retry gets again, and ratings without text."""

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from itsdangerous import BadSignature, TimestampSigner

from service.database import Database

_SWEPT_AT_ONCE = 50
_metadata = sa.MetaData()
_sessions = sa.Table(
    "website_sessions",
    _metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("expires_at", sa.Float, nullable=False, index=True),
)
_replies = sa.Table(
    "website_replies",
    _metadata,
    sa.Column("session", sa.String(64), primary_key=True),
    sa.Column("message", sa.String(64), primary_key=True),
    sa.Column("said", sa.Text, nullable=False),
)
_ratings = sa.Table(
    "website_ratings",
    _metadata,
    sa.Column("answer", sa.String(80), primary_key=True),
    sa.Column("response", sa.String(128), nullable=False),
    sa.Column("verdict", sa.String(8), nullable=False),
    sa.Column("rated_at", sa.Float, nullable=False),
)
# A table of its own, so that databases made before reasons were asked for need no change.
_reasons = sa.Table(
    "website_reasons",
    _metadata,
    sa.Column("answer", sa.String(80), primary_key=True),
    sa.Column("reason", sa.String(16), nullable=False),
)

# Made once, as SQLAlchemy takes longer to put a statement together than SQLite to do it.
_SELECT_SESSION = sa.select(_sessions.c.id).where(
    _sessions.c.id == sa.bindparam("session"), _sessions.c.expires_at > sa.bindparam("now")
)
_PROLONG_SESSION = (
    sa.update(_sessions).where(_sessions.c.id == sa.bindparam("session")).values(expires_at=sa.bindparam("until"))
)
_SELECT_REPLY = sa.select(_replies.c.said).where(
    _replies.c.session == sa.bindparam("session"), _replies.c.message == sa.bindparam("message")
)
_INSERT_REPLY = sa.insert(_replies)

Reply = list[dict[str, Any]]


class Signer(TimestampSigner):
    """Signs session ids for the website, with the time by a clock that tests can set."""

    def __init__(self, secret: str, clock: Callable[[], float] = time.time, salt: str = "website") -> None:
        super().__init__(secret, salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)
        self._clock = clock

    def get_timestamp(self) -> int:
        return int(self._clock())


class Sessions:
    """Who may speak in which conversation, until when.

    A token names its session and is worth nothing without the session's row, so that clearing ends every copy of it.
    Every method that touches the database may raise StoreUnavailable.
    """

    def __init__(self, database: Database, secret: str, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self.seconds = seconds
        self._database = database
        self._signer = Signer(secret, clock)
        self._clock = clock

    async def prepare(self) -> None:
        """Make the tables that are missing."""
        await asyncio.to_thread(self._database.create_all, _metadata)

    async def open(self) -> str:
        """Begin a session and return its id."""
        session = secrets.token_urlsafe(24)
        row = {"id": session, "expires_at": self._clock() + self.seconds}
        await self._database.transact(lambda connection: connection.execute(sa.insert(_sessions).values(**row)))
        return session

    def token(self, session: str) -> str:
        """Return a token that is good for `seconds` from now: the session's id, the time and a signature.

        The balancer reads the id, so that a conversation stays at one server (deploy/nginx/chat.conf.template).
        """
        return self._signer.sign(session).decode()

    async def of(self, token: str) -> str | None:
        """Return the session a token is good for, or None when it is forged, expired or cleared."""
        try:
            signed, signed_at = self._signer.unsign(token, return_timestamp=True)
        except (BadSignature, ValueError):
            return None
        # Another server's clock may be ahead, which `max_age` would not allow.
        if self._clock() - signed_at.timestamp() > self.seconds:
            return None
        session = signed.decode()
        named = {"session": session, "now": self._clock()}
        return await self._database.read(lambda connection: connection.execute(_SELECT_SESSION, named).scalar())

    async def reply(self, session: str, message: str) -> Reply | None:
        """Return the reply to a message that was answered before, or None when it is new."""
        to = {"session": session, "message": message}
        said = await self._database.read(lambda connection: connection.execute(_SELECT_REPLY, to).scalar())
        return None if said is None else json.loads(said)

    async def keep(self, session: str, message: str, said: Reply) -> Reply | None:
        """Keep the reply to a message, and let the session last `seconds` from now.

        Returns:
            What is said to it for good: what another server has kept before, when one has. None when the session has
            been closed; then nothing is kept.
        """
        to = {"session": session, "message": message}
        until = {"session": session, "until": self._clock() + self.seconds}

        def write(connection: sa.engine.Connection) -> Reply | None:
            if not connection.execute(_PROLONG_SESSION, until).rowcount:
                return None
            kept = connection.execute(_SELECT_REPLY, to).scalar()
            if kept is not None:
                return json.loads(kept)
            connection.execute(_INSERT_REPLY, {**to, "said": json.dumps(said)})
            return said

        return await self._database.transact(write)

    async def rate(self, session: str, answer: str, verdict: str | None, reason: str | None = None) -> bool:
        """Keep a verdict on an answer this session was given, and its reason; a later one replaces it, None ends it.

        Returns:
            Whether the session was given such an answer, and it is one to be rated.
        """
        said = await self.reply(session, answer.rpartition(".")[0]) or []
        response = next((each["response"] for each in said if each["id"] == answer and each.get("response")), None)
        if response is None:
            return False
        row = {"answer": answer, "response": response, "verdict": verdict, "rated_at": self._clock()}

        def write(connection: sa.engine.Connection) -> None:
            for table in (_ratings, _reasons):
                connection.execute(sa.delete(table).where(table.c.answer == answer))
            if verdict:
                connection.execute(sa.insert(_ratings).values(**row))
            if reason:
                connection.execute(sa.insert(_reasons).values(answer=answer, reason=reason))

        await self._database.transact(write)
        return True

    async def close(self, sessions: list[str]) -> None:
        """End sessions and delete their replies."""

        def write(connection: sa.engine.Connection) -> None:
            connection.execute(sa.delete(_replies).where(_replies.c.session.in_(sessions)))
            connection.execute(sa.delete(_sessions).where(_sessions.c.id.in_(sessions)))

        await self._database.transact(write)

    async def expired(self) -> list[str]:
        """Return some sessions whose time is over and that are not closed yet."""
        query = sa.select(_sessions.c.id).where(_sessions.c.expires_at <= self._clock()).limit(_SWEPT_AT_ONCE)
        return list(await self._database.read(lambda connection: connection.execute(query).scalars().all()))
