"""The logs of every server: one line an event, and nothing that a person typed.

`LOG_FORMAT=json` makes each line a JSON object; `LOG_LEVEL` says how much is told.
"""

import hashlib
import hmac
import logging
import os
import sys
import threading
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog

from service.settings import settings

_OWN = frozenset({"actions", "assistant", "booking", "clinic", "service"})
_EXTRA = ("channel", "outcome", "seconds")
_FRAMES_SHOWN = 3

Fault = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def configure() -> None:
    """Send every log, warning and uncaught fault of this process to standard error as lines without personal data.

    Of what a library logs only the place and the kind of fault remain, since its words may be a visitor's, and below
    `LOG_LEVEL=DEBUG` only its warnings and errors.

    Raises:
        SettingError: a variable of the environment cannot be used.
    """
    level = logging.getLevelNamesMapping()[settings().log_level]
    is_json = settings().log_format == "json"
    render: Any = structlog.processors.JSONRenderer()
    if not is_json:
        render = structlog.dev.ConsoleRenderer(colors=False, pad_event=0)
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(level)
    handler.addFilter(lambda record: level <= logging.DEBUG or _is_worth_a_line(record))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(_EXTRA),
                structlog.processors.TimeStamper("iso" if is_json else "%H:%M:%S", utc=is_json),
            ],
            processors=[_without_words, structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    logging.getLogger().handlers = [handler]
    logging.getLogger().setLevel(level)
    # For loggers that hand nothing on and have no handler; and a line that cannot be formatted is not shown raw.
    logging.lastResort = handler
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    sys.excepthook = lambda *fault: _uncaught(fault)
    threading.excepthook = lambda fault: _uncaught((fault.exc_type, fault.exc_value, fault.exc_traceback))
    sys.unraisablehook = lambda fault: _uncaught((fault.exc_type, fault.exc_value, fault.exc_traceback))


def turn_id(conversation: str, message: str) -> str:
    """Return the id of a turn in the lines of every server; without ACTION_TOKEN it tells nothing."""
    key = (settings().action_token or "").encode()
    return hmac.new(key, f"{conversation}\0{message}".encode(errors="replace"), hashlib.sha256).hexdigest()[:12]


def fault_of(fault: Fault) -> str:
    """Return the kinds of a fault and of its causes, and where the last was raised, without their words."""
    kind, error, trace = fault
    if kind is None:
        return "unknown"
    kinds, seen = [kind.__name__], error
    while seen is not None and (seen := seen.__cause__ or seen.__context__):
        kinds.append(type(seen).__name__)
    frames = traceback.extract_tb(trace)[-_FRAMES_SHOWN:]
    places = (f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in frames)
    return f"{' < '.join(kinds)} at {', '.join(places) or 'an unknown place'}"


def _is_own(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in _OWN


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    is_an_end = bool(record.exc_info and record.exc_info[0] is SystemExit)
    return _is_own(record) or (record.levelno >= logging.WARNING and record.name != "py.warnings" and not is_an_end)


def _without_words(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave of another package's record only where it was made, and of a fault only its kind and place."""
    record: logging.LogRecord = event["_record"]
    if not _is_own(record):
        event["event"] = f"{record.funcName} in line {record.lineno}"
    fault = event.pop("exc_info", None) or record.exc_info
    event.pop("stack_info", None)
    if fault:
        event["fault"] = fault_of(fault)
    return event


def _uncaught(fault: Any) -> None:
    if issubclass(fault[0], KeyboardInterrupt):
        return
    logging.getLogger(__name__).critical("A fault that nothing here expects.", exc_info=fault)
