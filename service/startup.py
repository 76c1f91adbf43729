"""The checks before a server starts, so that a fault there is one sentence and not a traceback."""

import socket


class StartError(Exception):
    """A server cannot start; the message says why and what to do about it."""


def check_port(host: str, port: int) -> None:
    """Check that a server may listen there.

    Raises:
        StartError: it may not, mostly since another program does.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise StartError(f"Nothing can listen on {host}:{port} ({error.strerror}): choose another port.") from error
