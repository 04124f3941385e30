"""A real voice for a test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from providers.tts.piper import Piper


@pytest.fixture
async def voice() -> AsyncIterator[Piper]:
    voice = Piper()
    await voice.warm_up()
    yield voice
    await voice.aclose()
