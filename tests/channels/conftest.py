import pytest

pytest.register_assert_rewrite("tests.channels.journeys", "tests.channels.people")
