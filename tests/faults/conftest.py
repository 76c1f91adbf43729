import secrets
from collections.abc import Iterator

import pytest

from tests.support.servers import Server, actions, rasa


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """The Rasa server and its action server, with one folder for both."""
    folder = tmp_path_factory.mktemp("faults")
    token = secrets.token_hex(16)
    helper = actions(folder, {"ACTION_TOKEN": token})
    server = rasa(folder, {"ACTION_TOKEN": token, "ACTION_URL": f"{helper.url}/webhook"})
    for one in (helper, server):
        one.start()
    yield server, helper
    for one in (server, helper):
        one.kill()
