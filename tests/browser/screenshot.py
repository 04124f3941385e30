"""Makes ``docs/page.png``, of a real conversation: ``python -m tests.browser.screenshot``."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.chromium import browsing, visiting, write_microphone
from tests.documents import ROOT
from tests.recordings import ENDGAME, silence
from tests.server import serving

__all__ = ("main",)

RATE_HZ = 48_000
ASKED = silence(8_500, RATE_HZ) + ENDGAME.phrase(0, RATE_HZ)
BROKEN_IN = silence(15_500, RATE_HZ) + ENDGAME.phrase(8, RATE_HZ) + silence(90_000, RATE_HZ)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, serving({}) as server, sync_playwright() as playwright:
        said = write_microphone(Path(folder, "microphone.wav"), ASKED + BROKEN_IN)
        size = {"width": 1180, "height": 760}
        with (
            browsing(playwright, said) as browser,
            visiting(browser, server.base_url, viewport=size, device_scale_factor=1.5) as visitor,
        ):
            visitor.start()
            visitor.until(lambda: visitor.page.locator(".latency").count() > 0)
            visitor.type("tell me a story")
            visitor.page.evaluate("document.activeElement.blur()")
            visitor.until(lambda: "talking" in visitor.transcript.rpartition("story")[2])
            visitor.until(lambda: visitor.state == "speaking")
            time.sleep(1.5)  # for the answer to be seen as well
            visitor.page.screenshot(path=ROOT / "docs" / "page.png")


if __name__ == "__main__":
    main()
