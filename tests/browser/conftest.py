"""One browser for a module: it takes seconds to start. Tests here are synchronous, as their driver is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.browser.chromium import AUDIBLE, browsing, write_microphone
from tests.recordings import BECKETT, TWO_CITIES, silence
from tests.server import ServerHandle, serving

RATE_HZ = 48_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(params=["websocket", "webrtc"])
def transport(request: pytest.FixtureRequest) -> str:
    """Every way to connect that the server has."""
    return str(request.param)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Its microphone hears one short sentence, then silence, again and again."""
    said = BECKETT.phrase(3, RATE_HZ) + silence(8_000, RATE_HZ)
    with browsing(playwright, write_microphone(tmp_path_factory.mktemp("short") / "microphone.wav", said)) as opened:
        yield opened


@pytest.fixture(scope="module")
def talker(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Its microphone hears somebody who hardly ever pauses."""
    said = TWO_CITIES.pcm(RATE_HZ, from_ms=1_200, to_ms=12_720)
    with browsing(playwright, write_microphone(tmp_path_factory.mktemp("long") / "microphone.wav", said)) as opened:
        yield opened


@pytest.fixture(scope="module")
def quick_server() -> Iterator[ServerHandle]:
    """Without models: every utterance is the same, every reply a tone."""
    with serving(AUDIBLE) as server:
        yield server
