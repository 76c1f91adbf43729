"""Which texts a regular expression cannot do without: a search for them tells faster that it does not match."""

import re
import sre_parse
from sre_constants import BRANCH, LITERAL, MAX_REPEAT, SUBPATTERN
from typing import Any


def needed_texts(pattern: re.Pattern[str]) -> frozenset[str]:
    """Return texts of which all that a pattern matches holds at least one; "" where nothing is sure.

    Raises:
        ValueError: the pattern does not heed upper and lower case.
    """
    if pattern.flags & re.IGNORECASE:
        raise ValueError(f"{pattern.pattern} matches letters that it does not name.")
    texts = _needed(sre_parse.parse(pattern.pattern, pattern.flags))
    return frozenset(text for text in texts if not any(other in text for other in texts - {text}))


def _needed(parsed: Any) -> frozenset[str]:
    """Of all that must come one after another, return what is longest."""
    in_turn = [frozenset({""})]
    run = ""
    for operator, argument in parsed:
        run = run + chr(argument) if operator is LITERAL else ""
        if operator is LITERAL:
            in_turn.append(frozenset({run}))
        elif operator is SUBPATTERN:
            _, added_flags, _, inner = argument
            in_turn.append(frozenset({""}) if added_flags & re.IGNORECASE else _needed(inner))
        elif operator is BRANCH:
            in_turn.append(frozenset().union(*map(_needed, argument[1])))
        elif operator is MAX_REPEAT and argument[0]:
            in_turn.append(_needed(argument[2]))
    return max(in_turn, key=lambda texts: min(map(len, texts)))
