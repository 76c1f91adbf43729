"""Sealing: people and what they wrote, as it may stand in a database or a log.

The processes of one installation share the secret MESSAGING_SECRET, made once in `var/` unless it is set.
"""

import base64
import hashlib
import hmac
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken

from service.secrets import secret

# The purposes of sealing, so that one kind of token is no good for another.
CONTACT = "contact"
INBOX = "inbox"
_VARIABLE = "MESSAGING_SECRET"
_PSEUDONYM_LENGTH = 32


class Unreadable(ValueError):
    """A sealed text cannot be read: it was changed, or the secret was."""


def conversation_id(channel: str, person: str, is_phone: bool = False) -> str:
    """Return the id of a person's conversation on a channel, which the gate takes.

    Args:
        channel: lower-case letters, such as `telegram`.
        person: the platform's id of the person or chat; one of other than letters, digits, dots, dashes and
            underscores is replaced by its keyed hash too.
        is_phone: the id is a telephone number, so that only its keyed hash may be kept.
    """
    plain = person.replace(".", "").replace("-", "").replace("_", "")
    if is_phone or not (plain.isascii() and plain.isalnum() and len(person) <= 100):
        person = pseudonym(f"{channel}:{person}", "conversation")
    return f"{channel}:{person}"


def pseudonym(identity: str, purpose: str) -> str:
    """Return a keyed hash of an identity. It is stable per purpose and meaningless without the secret."""
    return hmac.new(_key(purpose), identity.encode(), hashlib.sha256).hexdigest()[:_PSEUDONYM_LENGTH]


def seal(text: str, purpose: str) -> str:
    """Encrypt a text; only `unseal` with the same purpose reads it."""
    return _fernet(purpose).encrypt(text.encode()).decode()


def unseal(token: str, purpose: str) -> str:
    """Return the text that `seal` encrypted.

    Raises:
        Unreadable: it was sealed by another secret or for another purpose, or changed.
    """
    try:
        return _fernet(purpose).decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise Unreadable from error


@lru_cache
def _key(purpose: str) -> bytes:
    return hmac.new(secret(_VARIABLE).encode(), purpose.encode(), hashlib.sha256).digest()


@lru_cache
def _fernet(purpose: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_key(purpose)))
