"""What holds for every test: nothing blocks the event loop, and hypothesis finds the same examples on every machine."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import settings

from tests.server import ServerHandle, serving

# The suite says the same today and tomorrow; HYPOTHESIS_PROFILE=explore looks for new examples, for longer.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


WITHOUT_A_CLOCK = re.compile(r"(fuzz|sim|traces)/|session/test_|test_")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What happens in real time can be late on a shared machine: it is tried once again, and the report says so."""
    for item in items:
        if not WITHOUT_A_CLOCK.match(item.path.relative_to(Path(__file__).parent).as_posix()):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session", autouse=True)
def blocking_calls_fail() -> Iterator[None]:
    """A call of ours that blocks while a loop runs in its thread (a file, a socket, a lock, ``time.sleep``) raises."""
    with blockbuster_ctx(["app", "providers", "session"]) as blocking:
        # aiortc joins its decoder's thread on the loop; ours has nothing to decode and ends at once.
        blocking.functions["threading.Lock.acquire"].can_block_in("aiortc/rtcrtpreceiver.py", "__stop_decoder")
        yield


@pytest.fixture(scope="module")
def echo_server() -> Iterator[ServerHandle]:
    """With real models, which take a few seconds to warm: once for a module."""
    with serving({"BELUGA_AGENT__PROVIDER": "echo"}) as server:
        yield server


@pytest.fixture(scope="module")
def demo_server() -> Iterator[ServerHandle]:
    with serving({}) as server:
        yield server
