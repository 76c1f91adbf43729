"""What Rasa's command `run` keeps to here: our own model and no other, a port of this machine, logs without words."""

import argparse
import os
import sys
from pathlib import Path

import pluggy
from rasa.core.utils import AvailableEndpoints
from rasa.shared.constants import DEFAULT_MODELS_PATH

from assistant.rasa import tuning
from service import logs
from service.database import Database, StoreUnavailable, database_url
from service.startup import MODEL, StartError, check_model, check_port, check_sharing

_hook = pluggy.HookimplMarker("rasa")


class Serving:
    """Rasa's plugin that looks at the arguments of `run` before anything is loaded."""

    @_hook
    def configure_commandline(self, cmdline_arguments: argparse.Namespace) -> None:
        """Set up logs and engine and check what the server needs; end with one sentence when it cannot serve."""
        logs.configure()
        tuning.install()
        if cmdline_arguments.model == DEFAULT_MODELS_PATH:
            cmdline_arguments.model = str(MODEL)
        try:
            _check(cmdline_arguments)
        except StartError as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(1) from error


def _check(arguments: argparse.Namespace) -> None:
    if arguments.enable_api and not (arguments.auth_token or arguments.jwt_secret):
        raise StartError("Rasa's HTTP API shows every conversation: switch it on with --auth-token, or not at all.")
    endpoints = AvailableEndpoints.read_endpoints(arguments.endpoints)
    if arguments.remote_storage or endpoints.model:
        raise StartError("A model comes from this project's own build only: set no model server and no remote storage.")
    check_sharing(os.environ)
    check_model(Path(arguments.model))
    check_port(arguments.interface, int(arguments.port))
    _check_store()


def _check_store() -> None:
    database = Database(database_url("conversations"))
    try:
        with database.reading():
            pass
    except StoreUnavailable as error:
        raise StartError(f"The conversation store cannot be reached ({error}): check DATABASE_URL.") from error
    finally:
        database.close()
