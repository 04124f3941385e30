"""A real browser with a fake microphone, and the page of a server in it."""

from __future__ import annotations

import json
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Playwright

from tests.server import QUICK

__all__ = ("AUDIBLE", "CHROMIUM", "LIMIT_S", "Visitor", "browsing", "until", "visiting", "write_microphone")

AUDIBLE = QUICK | {"BELUGA_TTS__OPTIONS": '{"duration_ms": 2000}'}
"""Settings of a server without models, whose replies last long enough to be met with."""

CHROMIUM = Path("/usr/bin/chromium")

LIMIT_S = 60.0
"""For anything to happen: machines that run tests are busy."""

_FLAGS = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--ignore-certificate-errors",  # of TURN servers with certificates that they made themselves
)


def write_microphone(path: Path, pcm: bytes, rate_hz: int = 48_000) -> Path:
    """What the fake microphone hears, over and over, from when it is opened. Signed 16-bit little-endian mono."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(pcm)
    return path


@contextmanager
def browsing(playwright: Playwright, microphone: Path | None, *, refuse: bool = False) -> Iterator[Browser]:
    """Chromium that hears ``microphone``; its user refuses the microphone, or allows it."""
    if not CHROMIUM.exists():
        raise FileNotFoundError(f"there is no {CHROMIUM}: apt-get install chromium")
    flags = [flag for flag in _FLAGS if not (refuse and flag == "--use-fake-ui-for-media-stream")]
    if refuse:
        flags.append("--deny-permission-prompts")
    if microphone is not None:
        flags.append(f"--use-file-for-fake-audio-capture={microphone}")
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
    try:
        yield browser
    finally:
        browser.close()


@dataclass(slots=True)
class Visitor:
    """Somebody with the page open. ``errors``: what the page threw, and what its policy refused."""

    page: Page
    transport: str
    errors: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.choose_transport()
        self.page.click("#talk")
        self.until(lambda: self.state not in {"idle", "connecting"})

    def choose_transport(self) -> None:
        """Where it stands in the closed settings."""
        self.page.eval_on_selector("#transport", "(select, value) => (select.value = value)", self.transport)

    @property
    def state(self) -> str:
        return str(self.page.get_attribute("#state", "data-state"))

    @property
    def transcript(self) -> str:
        return self.page.inner_text("#transcript")

    def type(self, text: str) -> None:
        self.page.fill("#text", text)
        self.page.press("#text", "Enter")

    def until(self, true: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
        until(true, limit_s, lambda: f"{self.state}: {self.transcript[-500:]!r} {self.errors}")

    def until_said(self, text: str) -> None:
        self.until(lambda: text.lower() in self.transcript.lower())

    def until_heard(self, *, silent: bool = False) -> None:
        """That sound comes out of the page, by its own meter; or that none does, for half a second."""
        self.until(lambda: (self.loudest("reply") < 0.005) == silent)

    def loudest(self, side: str) -> float:
        """Of ``microphone`` or ``reply``, within half a second: root mean square, 0 to 1."""
        return float(self.evaluate(_LOUDEST.replace("SIDE", side)))

    def evaluate(self, expression: str) -> Any:
        """In the page, where ``call`` is the call."""
        return self.page.evaluate(f"""async () => {{
            const {{ call }} = await import(new URL("static/page.js", document.baseURI));
            return await ({expression});
        }}""")

    def tell(self, type_: str, **fields: object) -> None:
        """A message, as if it had come from the server."""
        detail = json.dumps({"type": type_, **fields})
        self.evaluate(f'call.dispatchEvent(new CustomEvent("{type_}", {{ detail: {detail} }}))')

    @property
    def announced(self) -> list[str]:
        """What a screen reader was told last."""
        return self.page.locator("#announcer > p").all_text_contents()

    def cut(self) -> None:
        """The connection breaks off without a word."""
        self.page.evaluate("sockets.at(-1).close(4000)")


_LOUDEST = """(async () => {
    let loudest = 0;
    for (const end = performance.now() + 500; performance.now() < end; ) {
        loudest = Math.max(loudest, call?.levels().SIDE ?? 0);
        await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return loudest;
})()"""

_KEEP_SOCKETS = """
    globalThis.sockets = [];
    globalThis.WebSocket = class extends WebSocket {
        constructor(...args) {
            super(...args);
            sockets.push(this);
        }
    };
"""


@contextmanager
def visiting(browser: Browser, url: str, transport: str = "websocket", **options: Any) -> Iterator[Visitor]:
    """The page of the server at ``url``, in a window of its own."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.add_init_script(_KEEP_SOCKETS)
    visitor = Visitor(page, transport)
    page.on("pageerror", lambda error: visitor.errors.append(str(error)))
    page.on("console", lambda message: _note(visitor, message.type, message.text))
    page.goto(url)
    try:
        yield visitor
    finally:
        context.close()


def _note(visitor: Visitor, kind: str, text: str) -> None:
    """A server that is gone, which some tests bring about, is an error of the network, not of the page."""
    if kind == "error" and "WebSocket connection" not in text and "Failed to load resource" not in text:
        visitor.errors.append(text)


def until(true: Callable[[], bool], limit_s: float = LIMIT_S, told: Callable[[], str] = str) -> None:
    """Looked at again and again, from outside: the page's policy lets nothing evaluate code in it later."""
    end_s = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > end_s:
            raise AssertionError(f"not within {limit_s} s: {told()}")
        time.sleep(0.1)
