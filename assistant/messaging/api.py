"""Calls to the platforms' own APIs: time-outs, and failures that tell whether to try again."""

import logging
from collections.abc import Mapping
from typing import Any

import aiohttp

# Long, since what a slow platform took all the same would be sent twice.
SECONDS = 15.0
SECONDS_TO_CONNECT = 5.0
LONGEST_WAIT = 120.0
_TOO_MANY = 429

logger = logging.getLogger(__name__)


class CallFailed(Exception):
    """A platform did not take a call.

    Attributes:
        what: the kind of fault, such as `HTTP 500`; never a text or an id.
        answer: the platform's answer where it gave one in JSON; not for logs.
    """

    def __init__(self, what: str, answer: Any = None) -> None:
        super().__init__(what)
        self.what = what
        self.answer = answer


class TryAgain(CallFailed):
    """The platform is away, slow or busy; `wait` is how many seconds it asked to be left alone (0: it named none)."""

    def __init__(self, what: str, answer: Any = None, wait: float = 0.0) -> None:
        super().__init__(what, answer)
        self.wait = min(max(wait, 0.0), LONGEST_WAIT)


class Refused(CallFailed):
    """The platform will not take this call however often it is made: the person blocked us, the number is none."""


class Unwanted(Refused):
    """The person has told the platform that they want no messages of ours, until they ask for them again."""


class Api:
    """The client of one platform's API."""

    def __init__(
        self, url: str, headers: Mapping[str, str] | None = None, auth: aiohttp.BasicAuth | None = None
    ) -> None:
        """Prepare a client; nothing is connected yet.

        Args:
            url: the start of every address, without a slash at its end.
        """
        self._url = url.rstrip("/")
        self._headers = headers
        self._auth = auth
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, **content: Any) -> Any:
        """Call once; return the JSON of the answer (None for no JSON).

        Args:
            path: begins with a slash.
            content: `json=` or `data=`, and `params=` or `headers=`, as aiohttp takes them.

        Raises:
            TryAgain: no answer within `SECONDS`, no connection, 429 or a fault of the platform.
            Refused: any other status than 2xx.
        """
        try:
            async with self._open().post(self._url + path, **content) as response:
                answer = await _json(response)
                status, wait = response.status, response.headers.get("Retry-After", "")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            # Neither the exception's own text, which holds the address and so perhaps a token, nor its chain.
            raise TryAgain(type(error).__name__) from None
        if status == _TOO_MANY or status >= 500:
            raise TryAgain(f"HTTP {status}", answer, float(wait) if wait.isdecimal() else 0.0)
        if not 200 <= status < 300:
            raise Refused(f"HTTP {status}", answer)
        return answer

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        if self._session:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            timeout = aiohttp.ClientTimeout(total=SECONDS, sock_connect=SECONDS_TO_CONNECT)
            self._session = aiohttp.ClientSession(timeout=timeout, headers=self._headers, auth=self._auth)
        return self._session


async def _json(response: aiohttp.ClientResponse) -> Any:
    try:
        return await response.json(content_type=None)
    except ValueError:
        return None
