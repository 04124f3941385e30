"""The page for those who see, hear or move less: axe-core's rules, and the wish for less motion."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.chromium import Visitor, visiting
from tests.server import ServerHandle

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}

DRAWN = """async (ms) => {
    let drawn = 0, frames = 0;
    const clear = CanvasRenderingContext2D.prototype.clearRect;
    CanvasRenderingContext2D.prototype.clearRect = function (...box) { drawn++; clear.apply(this, box); };
    const began = performance.now();
    while (performance.now() < began + ms) {
        await new Promise(requestAnimationFrame);
        frames++;
    }
    CanvasRenderingContext2D.prototype.clearRect = clear;
    return { drawn, frames, ms: performance.now() - began };
}"""


def violations(visitor: Visitor) -> list[tuple[str, list[str]]]:
    """Of the rules of axe-core, those for good practice too."""
    found: list[dict[str, Any]] = Axe().run(visitor.page).response["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


def converse(visitor: Visitor) -> None:
    """All that a transcript can hold."""
    visitor.start()
    visitor.page.click("#mute")
    latency = {"endpoint_ms": 250, "stt_ms": 12, "agent_ms": 80, "tts_ms": 120, "response_ms": 471}
    answered = {"text": "And to you.", "heard_text": "And to you.", "interrupted": False, "latency": latency}
    visitor.tell("transcript", turn_id="9", text="good morning", final=True)
    visitor.tell("reply", turn_id="9", event="done", **answered)
    visitor.tell("transcript", turn_id="10", text="a story", final=True)
    cut = {"text": "Once upon a time.", "heard_text": "Once upon", "interrupted": True, "latency": latency}
    visitor.tell("reply", turn_id="10", event="done", **cut)
    visitor.tell("error", code="stt_error", message="the recogniser failed")
    visitor.tell("transcript", turn_id="11", text="and th", final=False)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_no_rule_of_accessibility_is_broken_before_in_or_after_a_call(
    browser: Browser, quick_server: ServerHandle, size: dict[str, int], scheme: str
) -> None:
    with visiting(browser, quick_server.base_url, viewport=size, color_scheme=scheme) as visitor:
        before = violations(visitor)
        visitor.page.click("summary")
        settings = violations(visitor)
        visitor.page.click("summary")
        converse(visitor)
        during = violations(visitor)
        visitor.tell("ended", reason="network", message="The server cannot be reached.")
        visitor.page.wait_for_selector("#problem")
        after = violations(visitor)

    assert ([], [], [], []) == (before, settings, during, after)


def test_the_page_is_told_by_its_roles_and_names(browser: Browser, quick_server: ServerHandle) -> None:
    with visiting(browser, quick_server.base_url) as visitor:
        told = visitor.page.locator("body").aria_snapshot()

    for part in (
        '- heading "Beluga Voice" [level=1]',
        '- button "Mute" [disabled]',
        '- button "Start talking"',
        '- button "Stop reply" [disabled]',
        '- region "What was said"',
        '- textbox "Type instead of speaking"',
        '- button "Send"',
    ):
        assert part in told


@pytest.mark.parametrize("wish", ["reduce", "no-preference"])
def test_less_motion_is_shown_to_those_who_want_less(browser: Browser, quick_server: ServerHandle, wish: str) -> None:
    with visiting(browser, quick_server.base_url, reduced_motion=wish) as visitor:
        visitor.start()
        shown = visitor.page.evaluate(DRAWN, 2_000)
        visitor.evaluate("document.getElementById('state').dataset.state = 'processing'")
        animations = visitor.page.evaluate("document.getAnimations().length")

    if wish == "reduce":
        assert shown["drawn"] <= shown["ms"] / 250 + 1
        assert 0 == animations
    else:
        assert shown["drawn"] >= shown["frames"] - 2
        assert 1 == animations
