"""Somebody opens the page in a real browser, speaks, types, breaks in, and meets what can go wrong."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Playwright

from tests.browser.chromium import AUDIBLE, LIMIT_S, browsing, visiting
from tests.recordings import BECKETT, word_error_rate
from tests.server import ServerHandle, serving

MUTE = "#mute"


def _is_the_sentence(said: str) -> bool:
    return word_error_rate(BECKETT.phrases[3].text, said) <= 0.5


def test_what_is_said_appears_and_is_answered_aloud(
    browser: Browser, echo_server: ServerHandle, transport: str
) -> None:
    with visiting(browser, echo_server.base_url, transport) as visitor:
        visitor.start()
        visitor.until_heard()
        visitor.until(lambda: visitor.page.locator(".latency").count() > 0)
        # The microphone speaks from when it is opened: of the first sentence the call may hear only the end.
        visitor.until(lambda: any(_is_the_sentence(said) for said in visitor.page.locator(".said").all_inner_texts()))
        said = visitor.page.locator(".said").first.inner_text()
        answer = visitor.page.locator(".answer").first.inner_text()
        stages = (
            visitor.page.locator(".latency").first.locator("i").evaluate_all("all => all.map(i => i.dataset.stage)")
        )

    assert said in answer
    assert ["endpoint", "stt", "agent", "tts"] == stages
    assert [] == visitor.errors


def test_breaking_in_stops_the_sound_and_shows_where(
    talker: Browser, demo_server: ServerHandle, transport: str
) -> None:
    with visiting(talker, demo_server.base_url, transport) as visitor:
        visitor.start()
        visitor.page.click(MUTE)
        visitor.until(lambda: visitor.page.locator(".answer").count() > 0)
        visitor.type("tell me a long story")
        visitor.until_said("lighthouse")
        visitor.until_heard()
        visitor.page.click(MUTE)
        visitor.until_heard(silent=True)
        visitor.until(lambda: visitor.page.locator(".cut").count() > 0)
        heard = visitor.page.locator(".answer", has=visitor.page.locator(".cut")).last.inner_text()

    assert re.search(r"you broke in", heard)
    assert "would you like to hear something else?" not in heard.lower()
    assert [] == visitor.errors


def test_the_stop_button_cuts_the_reply(browser: Browser, demo_server: ServerHandle, transport: str) -> None:
    with visiting(browser, demo_server.base_url, transport) as visitor:
        visitor.start()
        visitor.page.click(MUTE)
        visitor.type("tell me a long story")
        visitor.until_said("lighthouse")
        visitor.until_heard()
        visitor.page.click("#interrupt")
        visitor.until(lambda: visitor.page.locator(".unheard").count() > 0)
        visitor.until_heard(silent=True)

    assert [] == visitor.errors


def test_while_muted_nothing_is_heard_of_the_user(browser: Browser, quick_server: ServerHandle, transport: str) -> None:
    with visiting(browser, quick_server.base_url, transport) as visitor:
        visitor.start()
        visitor.page.click(MUTE)
        pressed = visitor.page.get_attribute(MUTE, "aria-pressed")
        visitor.until(lambda: visitor.loudest("microphone") < 0.0001)

    assert "true" == pressed


def test_another_microphone_is_heard_from_then_on(browser: Browser, quick_server: ServerHandle, transport: str) -> None:
    with visiting(browser, quick_server.base_url, transport) as visitor:
        visitor.start()
        before = visitor.evaluate("call.microphone")
        visitor.page.click("summary")
        visitor.page.select_option("#microphone", label="Fake Audio Input 2")
        visitor.until(lambda: visitor.evaluate("call.microphone") != before)
        visitor.evaluate("""(() => {
            globalThis.begun = 0;
            call.addEventListener("speech", ({ detail }) => { begun += detail.event === "started"; });
        })()""")
        visitor.until(lambda: visitor.loudest("microphone") > 0.01)
        visitor.until(lambda: visitor.page.evaluate("begun") > 0)

    assert [] == visitor.errors


def test_a_refused_microphone_is_explained_and_one_can_type(
    playwright: Playwright, quick_server: ServerHandle, transport: str
) -> None:
    with (
        browsing(playwright, None, refuse=True) as refusing,
        visiting(refusing, quick_server.base_url, transport) as visitor,
    ):
        visitor.start()
        told = visitor.page.inner_text("#problem")
        visitor.type("hello there")
        visitor.until_heard()
        visitor.until_said("hello there\n\nhello there")

    assert "The microphone was refused." in told
    assert [] == visitor.errors


def test_typing_starts_a_call(browser: Browser, quick_server: ServerHandle, transport: str) -> None:
    with visiting(browser, quick_server.base_url, transport) as visitor:
        visitor.choose_transport()
        visitor.type("good evening")
        visitor.until_said("good evening\n\ngood evening")

    assert [] == visitor.errors


def test_a_server_that_was_restarted_is_found_again(browser: Browser, transport: str) -> None:
    with serving(AUDIBLE) as server:
        port = server.base_url.rpartition(":")[2]
        with visiting(browser, server.base_url, transport) as visitor:
            visitor.start()
            server.process.kill()
            visitor.until(lambda: visitor.state == "reconnecting")
            with serving(AUDIBLE, ("--port", port)):
                visitor.until_said("this is a new one")
                visitor.type("are you back")
                visitor.until_said("are you back\n\nare you back")
                visitor.until_heard()

    assert [] == visitor.errors


def test_a_server_that_shuts_down_in_order_is_found_again_too(browser: Browser, transport: str) -> None:
    with serving(AUDIBLE | {"BELUGA_SERVER__SHUTDOWN_GRACE": "0s"}) as server:
        port = server.base_url.rpartition(":")[2]
        with visiting(browser, server.base_url, transport) as visitor:
            visitor.start()
            server.stop()
            with serving(AUDIBLE, ("--port", port)):
                visitor.until_said("this is a new one")

    assert [] == visitor.errors


def test_a_connection_that_was_lost_goes_on_with_the_same_session(browser: Browser, quick_server: ServerHandle) -> None:
    with visiting(browser, quick_server.base_url, "websocket") as visitor:
        visitor.start()
        session = visitor.evaluate("call.sessionId")
        visitor.type("before")
        visitor.until_said("before\n\nbefore")
        visitor.cut()
        visitor.until_said("Connected again.")
        visitor.type("after")
        visitor.until_said("after\n\nafter")
        same = visitor.evaluate("call.sessionId")

    assert session == same
    assert [] == visitor.errors


def test_a_server_that_is_not_there_is_explained(browser: Browser) -> None:
    with serving(AUDIBLE) as server, visiting(browser, server.base_url) as visitor:
        server.process.kill()
        server.process.wait()
        visitor.choose_transport()
        visitor.page.click("#talk")
        visitor.until(lambda: visitor.page.is_visible("#problem"))
        told = visitor.page.inner_text("#problem")

    assert "cannot be reached" in told


def test_a_token_is_asked_for_and_taken_from_the_fragment(browser: Browser, transport: str) -> None:
    with serving(AUDIBLE | {"BELUGA_AUTH__API_KEYS": '["open sesame=42"]'}) as server:
        with visiting(browser, server.base_url, transport) as visitor:
            visitor.choose_transport()
            visitor.page.click("#talk")
            visitor.until(lambda: visitor.page.is_visible("#token"))
            told = visitor.page.inner_text("#problem")
        with visiting(browser, f"{server.base_url}/#token=open%20sesame%3D42", transport) as visitor:
            visitor.start()
            address = visitor.page.url

    assert "asks for a token" in told
    assert "sesame" not in address


def test_hanging_up_ends_the_session_and_lets_go_of_the_microphone(
    browser: Browser, quick_server: ServerHandle, transport: str
) -> None:
    with visiting(browser, quick_server.base_url, transport) as visitor:
        visitor.start()
        session = f"{quick_server.base_url}/v1/sessions/{visitor.evaluate('(globalThis.before = call).sessionId')}"
        during = visitor.page.request.get(session).status
        visitor.page.click("#talk")
        visitor.until_said("You hung up.")
        visitor.until(lambda: visitor.page.request.get(session).status == 404)
        sound = visitor.evaluate("before.analysers.microphone.context.state")

    assert 200 == during
    assert "closed" == sound
    assert [] == visitor.errors


@pytest.mark.parametrize("size", [(1280, 800), (360, 640), (844, 390)])
def test_nothing_is_cut_off_at_any_size(browser: Browser, quick_server: ServerHandle, size: tuple[int, int]) -> None:
    viewport = {"width": size[0], "height": size[1]}
    with visiting(browser, quick_server.base_url, viewport=viewport) as visitor:
        wide = visitor.page.evaluate("document.documentElement.scrollWidth")
        visitor.page.locator("#text").scroll_into_view_if_needed()
        boxes = [visitor.page.locator(name).bounding_box() for name in ("#talk", "#mute", "#text", "#scroller")]

    assert wide <= size[0]
    assert all(box and box["width"] >= 24 and box["height"] >= 24 for box in boxes)


@pytest.mark.parametrize("size", [(1280, 800), (900, 600), (390, 844)])
def test_nothing_lies_on_the_button_whatever_is_shown(
    browser: Browser, quick_server: ServerHandle, size: tuple[int, int]
) -> None:
    viewport = {"width": size[0], "height": size[1]}
    with visiting(browser, quick_server.base_url, viewport=viewport) as visitor:
        visitor.start()
        visitor.page.click("summary")
        visitor.tell("ended", reason="network", message="The server cannot be reached.")
        visitor.page.locator("#talk").click(timeout=LIMIT_S * 1000)  # another element in its place would be an error
        visitor.until(lambda: visitor.state not in {"idle", "connecting"})
        tall = visitor.page.locator("#scroller").bounding_box()

    assert tall is not None
    assert tall["height"] > 100


def test_the_whole_call_can_be_made_by_keyboard(browser: Browser, quick_server: ServerHandle) -> None:
    with visiting(browser, quick_server.base_url) as visitor:
        focused = []
        for _ in range(8):
            visitor.page.keyboard.press("Tab")
            focused.append(visitor.page.evaluate("document.activeElement.id || document.activeElement.className"))
        visitor.page.focus("#talk")
        visitor.page.keyboard.press("Enter")
        visitor.until(lambda: visitor.state == "listening")
        visitor.page.keyboard.press("Enter")
        visitor.until_said("You hung up.")

    assert ["skip", "talk", "scroller", "text"] == focused[:4]


def test_a_screen_reader_is_told_what_is_final_and_nothing_else(browser: Browser, quick_server: ServerHandle) -> None:
    with visiting(browser, quick_server.base_url) as visitor:
        visitor.start()
        visitor.page.click(MUTE)
        visitor.tell("transcript", turn_id="9", text="good mor", final=False)
        visitor.tell("transcript", turn_id="9", text="good morning", final=True)
        visitor.tell("reply", turn_id="9", event="text", text="And to")
        visitor.tell("reply", turn_id="9", event="done", text="And to you.", heard_text="And to you.")
        told = [line for line in visitor.announced if "hello there" not in line]
        roles = [visitor.page.get_attribute(name, "role") for name in ("#announcer", "#problem", "#scroller")]

    assert ["Connected.", "You: good morning", "Agent: And to you."] == told
    assert ["log", "alert", "region"] == roles


def test_interims_grow_until_they_are_final(browser: Browser, quick_server: ServerHandle) -> None:
    shown = []
    with visiting(browser, quick_server.base_url) as visitor:
        visitor.start()
        visitor.page.click(MUTE)
        for text, final in (("ever", False), ("ever tried", False), ("Ever tried.", True)):
            visitor.tell("transcript", turn_id="9", text=text, final=final)
            shown.append([text for text in visitor.page.locator(".said").all_inner_texts() if "ever" in text.lower()])

    assert [["ever"], ["ever tried"], ["Ever tried."]] == shown


def test_a_sentence_that_goes_on_is_shown_once_and_one_that_is_repeated_twice(
    browser: Browser, quick_server: ServerHandle
) -> None:
    with visiting(browser, quick_server.base_url) as visitor:
        visitor.start()
        visitor.page.click(MUTE)
        for turn, text in enumerate(("In the night.", "In the night the whale sang.", "It sang.", "It sang.")):
            visitor.tell("transcript", turn_id=f"t{turn}", text=text, final=True)
        shown = [text for text in visitor.page.locator(".said").all_inner_texts() if text != "hello there"]

    assert ["In the night the whale sang.", "It sang.", "It sang."] == shown


def test_a_long_conversation_does_not_grow_for_ever(browser: Browser, quick_server: ServerHandle) -> None:
    with visiting(browser, quick_server.base_url) as visitor:
        visitor.start()
        visitor.page.click(MUTE)
        visitor.evaluate(
            """(() => {
                for (let turn = 0; turn < 3000; turn++) {
                    for (const message of [
                        { type: "transcript", turn_id: `t${turn}`, text: "so it goes", final: true },
                        { type: "reply", turn_id: `t${turn}`, event: "text", text: `and on, for the ${turn}th time` },
                    ]) call.dispatchEvent(new CustomEvent(message.type, { detail: message }));
                }
            })()"""
        )
        kept = visitor.page.locator("#transcript > li").count()
        announced = visitor.page.locator("#announcer > p").count()
        visitor.type("still there")
        visitor.until_said("still there\n\nstill there")

    assert 100 == kept
    assert announced <= 6


def test_nothing_is_drawn_while_nobody_calls(browser: Browser, quick_server: ServerHandle) -> None:
    with visiting(browser, quick_server.base_url) as visitor:
        visitor.page.evaluate("""() => {
            globalThis.drawn = 0;
            const clear = CanvasRenderingContext2D.prototype.clearRect;
            CanvasRenderingContext2D.prototype.clearRect = function (...box) { drawn++; clear.apply(this, box); };
        }""")
        visitor.start()
        visitor.until(lambda: visitor.page.evaluate("drawn") > 5)
        visitor.page.click("#talk")
        visitor.until_said("You hung up.")
        before = visitor.page.evaluate("new Promise((done) => setTimeout(() => done(drawn), 500))")
        after = visitor.page.evaluate("new Promise((done) => setTimeout(() => done(drawn), 500))")

    assert before == after


def test_what_is_typed_while_the_connection_is_lost_is_kept(browser: Browser) -> None:
    with serving(AUDIBLE) as server, visiting(browser, server.base_url) as visitor:
        visitor.start()
        server.process.kill()
        visitor.until(lambda: visitor.state == "reconnecting")
        visitor.type("do not lose this")
        kept = visitor.page.input_value("#text")

    assert "do not lose this" == kept


def test_the_end_stays_in_view_unless_somebody_reads_further_up(browser: Browser, quick_server: ServerHandle) -> None:
    with visiting(browser, quick_server.base_url) as visitor:
        visitor.start()
        visitor.page.click(MUTE)
        for turn in range(30):
            visitor.tell("transcript", turn_id=f"t{turn}", text=f"{turn} so it goes" * 10, final=True)
        visitor.page.set_viewport_size({"width": 390, "height": 700})
        visitor.until(lambda: visitor.page.evaluate(HIDDEN_BELOW) < 2)
        visitor.page.evaluate("() => { scroller.scrollTop = 100; }")
        visitor.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        visitor.tell("transcript", turn_id="last", text="and on", final=True)
        further_up = visitor.page.evaluate("scroller.scrollTop")

    assert 100 == further_up


HIDDEN_BELOW = "scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop"
