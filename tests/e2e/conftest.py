"""Servers with real models, started once; they take a few seconds to warm."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from providers.tts.piper import Piper
from tests.server import ServerHandle, serving


@pytest.fixture(scope="module")
def echo_server() -> Iterator[ServerHandle]:
    with serving({"BELUGA_AGENT__PROVIDER": "echo"}) as server:
        yield server


@pytest.fixture(scope="module")
def demo_server() -> Iterator[ServerHandle]:
    with serving({}) as server:
        yield server


@pytest.fixture
async def voice() -> AsyncIterator[Piper]:
    voice = Piper()
    await voice.warm_up()
    yield voice
    await voice.aclose()
