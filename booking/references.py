"""References of booking requests: short, and safe to read over a telephone."""

import secrets

# No letter that is taken for a figure or another letter, read or heard, and no vowel that could make a word.
ALPHABET = "CDFGHJKMPRTWXY34679"
REFERENCE_LENGTH = 6
# With the number of a follow-up behind it: ABCDEF-2.
LONGEST_REFERENCE = 9


def show_reference(reference: str) -> str:
    """Return a reference in two halves, as it is read over a telephone; that of a follow-up is its request's."""
    return f"{reference[:3]}-{reference[3:REFERENCE_LENGTH]}"


def follow_up(reference: str, number: int) -> str:
    """Return the reference of the `number`th follow-up of a request."""
    return f"{reference[:REFERENCE_LENGTH]}-{number}"


def read_reference(text: str) -> str:
    """Return a reference that was typed in any case, with or without its hyphen."""
    whole = "".join(mark for mark in text.upper() if mark.isalnum())
    first, number = whole[:REFERENCE_LENGTH], whole[REFERENCE_LENGTH:]
    return f"{first}-{number}" if number else first


def new_reference() -> str:
    """Return a random reference of six letters and figures."""
    return "".join(secrets.choice(ALPHABET) for _ in range(REFERENCE_LENGTH))
