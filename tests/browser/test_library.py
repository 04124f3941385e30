"""The client library by itself: sound to the sample, the connection by WebRTC, the types beside it."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.app.transports.ice.coturn import SECRET, coturn_process, free_udp_port
from tests.browser.chromium import AUDIBLE, LIMIT_S, until
from tests.server import ServerHandle, serving

STATIC = Path(__file__).parents[2] / "app" / "static"
TYPES = (STATIC / "beluga-voice.d.ts").read_text("utf-8")

WORKLET = """
    globalThis.registered = {};
    globalThis.sampleRate = RATE;
    globalThis.currentTime = 0;
    globalThis.registerProcessor = (name, made) => (registered[name] = made);
    globalThis.AudioWorkletProcessor = class {
        port = { sent: [], postMessage: (message) => this.port.sent.push(message), onmessage: null };
    };
"""

PEER = """
    globalThis.told = [];
    globalThis.peers = [];
    globalThis.posted = [];
    const elsewhere = fetch;
    globalThis.fetch = async (url, options) => {
        if (!String(url).endsWith("/v1/webrtc") || options.method !== "POST") return elsewhere(url, options);
        const offer = JSON.parse(options.body);
        posted.push(offer);
        const peer = new RTCPeerConnection();
        const context = new AudioContext();
        const tone = context.createOscillator();
        const out = context.createMediaStreamDestination();
        tone.connect(out);
        tone.start();
        peer.addTrack(out.stream.getAudioTracks()[0], out.stream);
        peer.ondatachannel = ({ channel }) => {
            peer.events = channel;
            channel.onopen = () => channel.send(JSON.stringify({
                type: "ready", session_id: "s1", resume_token: `t${peers.length}`, audio: {}
            }));
            channel.onmessage = ({ data }) => told.push(JSON.parse(data));
        };
        peers.push(peer);
        await peer.setRemoteDescription(offer);
        await peer.setLocalDescription();
        await new Promise((resolve) => (peer.onicegatheringstatechange = () =>
            peer.iceGatheringState === "complete" && resolve()));
        const { sdp, type } = peer.localDescription;
        return Response.json({ sdp, type, session_id: "s1" });
    };
"""
"""A server's end of WebRTC, in the page itself: a real connection, over the machine's own network."""


@pytest.fixture
def page(browser: Browser, quick_server: ServerHandle) -> Iterator[Page]:
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(quick_server.base_url)
    yield opened
    context.close()


def worklet(page: Page, rate_hz: int, code: str) -> Any:
    """What ``code`` returns, beside a worklet at this rate; time stands still."""
    page.evaluate(f"() => {{ {WORKLET.replace('RATE', str(rate_hz))} }}")
    return page.evaluate(f'async () => {{ await import(new URL("static/worklet.js", location)); {code} }}')


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000, 96_000])
def test_the_microphone_becomes_frames_of_20_ms_at_16_khz(page: Page, rate_hz: int) -> None:
    sent = worklet(
        page,
        rate_hz,
        """
        const microphone = new registered["beluga-microphone"]({ processorOptions: { rateHz: 16000 } });
        const heard = (hz, seconds) => {
            microphone.port.sent.length = 0;
            for (let at = 0; at < seconds * sampleRate; at += 128) {
                const wave = (_, n) => Math.sin(2 * Math.PI * hz * (at + n) / sampleRate) / 2;
                microphone.process([[Float32Array.from({ length: 128 }, wave)]]);
            }
            const samples = microphone.port.sent.slice(10).flatMap((buffer) => [...new Int16Array(buffer)]);
            return Math.sqrt(samples.reduce((sum, each) => sum + each * each, 0) / samples.length) / 32768;
        };
        const passed = heard(1000, 1);
        const frames = microphone.port.sent.length;
        const bytes = microphone.port.sent.map((buffer) => buffer.byteLength);
        return { passed, frames, bytes, aliased: sampleRate > 24000 ? heard(10000, 1) : 0 };
        """,
    )

    assert {640} == set(sent["bytes"])
    assert sent["frames"] in {49, 50}
    assert pytest.approx(0.5 / 2**0.5, rel=0.02) == sent["passed"]
    assert sent["aliased"] < 0.001


SPEAKER = """
    const speaker = new registered["beluga-speaker"]({ processorOptions: { rateHz: 24000 } });
    const say = (data) => speaker.port.onmessage({ data });
    const add = (ms) => say({ audio: new Int16Array(24 * ms).fill(16384).buffer });
    const play = (blocks) => {
        const out = [];
        for (let n = 0; n < blocks; n++) {
            const block = new Float32Array(128);
            speaker.process([], [[block]]);
            currentTime += 128 / sampleRate;
            out.push(...block);
        }
        return out;
    };
    const loudest = (samples) => Math.max(0, ...samples.map(Math.abs));
    const played = () => speaker.port.sent.at(-1)?.playedMs ?? null;
"""


@pytest.mark.parametrize("rate_hz", [24_000, 44_100, 48_000])
def test_what_was_played_is_told_exactly_when_all_of_it_was(page: Page, rate_hz: int) -> None:
    told = worklet(
        page,
        rate_hz,
        SPEAKER
        + """
        add(100); play(500);
        say({ order: "mark", epoch: 1 });
        add(1000); play(10);
        const early = played();
        play(2000);
        return { early, all: played(), loudest: loudest(play(10)) };
        """,
    )

    assert 0 < told["early"] < 100
    assert 1000 == told["all"]
    assert 0 == told["loudest"]


def test_a_clear_silences_within_one_block_and_keeps_what_comes_after(page: Page) -> None:
    told = worklet(
        page,
        48_000,
        SPEAKER
        + """
        say({ order: "mark", epoch: 1 });
        add(1000);
        const before = loudest(play(20));
        say({ order: "clear" });
        say({ order: "mark", epoch: 2 });
        add(40);
        const fading = play(1);
        const next = play(1);
        play(100);
        return { before, last: Math.abs(fading.at(-1)), next: loudest(next), all: played(), then: loudest(play(5)) };
        """,
    )

    assert pytest.approx(0.5, rel=0.05) == told["before"]
    assert told["last"] < 0.01
    assert pytest.approx(0.5, rel=0.05) == told["next"]
    assert (40, 0) == (told["all"], told["then"])


def test_a_pause_holds_the_position_and_a_resume_goes_on_from_it(page: Page) -> None:
    told = worklet(
        page,
        48_000,
        SPEAKER
        + """
        say({ order: "mark", epoch: 1 });
        add(1000);
        play(20);
        say({ order: "pause" });
        play(2);
        const held = speaker.held;
        const quiet = loudest(play(50));
        const still = speaker.held === held;
        say({ order: "resume" });
        const first = Math.abs(play(1)[0]);
        const again = loudest(play(20));
        play(1000);
        return { quiet, still, first, again, all: played() };
        """,
    )

    assert (0, True) == (told["quiet"], told["still"])
    assert told["first"] < 0.01
    assert pytest.approx(0.5, rel=0.05) == told["again"]
    assert 1000 == told["all"]


def test_what_waits_to_be_heard_is_bounded(page: Page) -> None:
    held_s = worklet(page, 48_000, SPEAKER + "for (let n = 0; n < 30; n++) add(1000); return speaker.held / 48000;")

    assert 10 == held_s


CALL = """async () => {
    const { connect } = await import(new URL("static/beluga-voice.js", location));
    const call = await connect({ transport: "auto" });
    const { transport } = call;
    await call.hangUp();
    return transport;
}"""


def test_a_server_with_webrtc_is_called_by_it(page: Page) -> None:
    assert "webrtc" == page.evaluate(CALL)


def test_a_server_without_webrtc_is_called_by_websocket(browser: Browser) -> None:
    with serving({**AUDIBLE, "BELUGA_WEBRTC__ENABLED": "false"}) as server:
        page = browser.new_page()
        page.goto(server.base_url)
        name = page.evaluate(CALL)
        page.close()

    assert "websocket" == name


def test_by_webrtc_sound_and_messages_go_both_ways_and_a_loss_is_resumed(page: Page) -> None:
    page.evaluate(PEER)
    page.evaluate("""async () => {
        const { connect } = await import(new URL("static/beluga-voice.js", location));
        globalThis.events = [];
        globalThis.call = await connect({ transport: "webrtc", metadata: { from: "a test" } });
        for (const type of ["state", "transcript", "reconnecting", "reconnected", "ended"]) {
            call.addEventListener(type, ({ detail }) => events.push(detail));
        }
    }""")
    begun = page.evaluate("({ transport: call.transport, id: call.sessionId, metadata: posted[0].metadata })")
    until(lambda: page.evaluate("call.levels().reply") > 0.1, LIMIT_S)
    page.evaluate("""() => {
        call.send("hello");
        peers[0].events.send(JSON.stringify({ type: "transcript", turn_id: "1", text: "hello", final: true }));
    }""")
    until(lambda: page.evaluate("told.length > 0 && events.length > 0"), LIMIT_S)
    told, events = page.evaluate("[told, events]")
    page.evaluate("peers[0].close()")
    until(lambda: page.evaluate("events.some(({ type }) => type === 'reconnected')"), LIMIT_S)
    resumed = page.evaluate("posted[1].resume")
    page.evaluate("call.hangUp()")
    until(lambda: page.evaluate("told.some(({ type }) => type === 'stop')"), LIMIT_S)

    assert {"transport": "webrtc", "id": "s1", "metadata": {"from": "a test"}} == begun
    assert {"type": "text", "text": "hello"} == told[0]
    assert "hello" == events[0]["text"]
    assert "t1" == resumed


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("{ transport: 'pigeon' }", "transport is"),
        ("{ transport: 'websocket', sessionId: 'no-such-session' }", "there is no such session"),
        ("{ transport: 'websocket', url: 'http://127.0.0.1:9/' }", "cannot be reached"),
        ("{ transport: 'websocket', microphone: 'no-such-device' }", "microphone is not there"),
    ],
)
def test_a_call_that_does_not_come_about_says_why(
    browser: Browser, quick_server: ServerHandle, options: str, why: str
) -> None:
    context = browser.new_context(bypass_csp=True)  # as a page that may connect elsewhere
    page = context.new_page()
    page.goto(quick_server.base_url)
    told = page.evaluate(f"""async () => {{
        const {{ connect }} = await import(new URL("static/beluga-voice.js", location));
        return connect({options}).then(() => "connected", (error) => error.message);
    }}""")
    context.close()

    assert why in told


BLOCKED = """
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(configuration) {
            super({ ...configuration, iceTransportPolicy: "relay" }); // and there is no relay
        }
    };
"""


def test_a_network_without_webrtc_is_left_to_the_websocket(page: Page) -> None:
    page.evaluate(f"() => {{ {BLOCKED} }}")

    assert "websocket" == page.evaluate(CALL)


RELAYED = """
    globalThis.given = [];
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(configuration) {
            super({ ...configuration, iceTransportPolicy: "relay" });
            given.push(configuration.iceServers);
        }
    };
"""
"""As in a network that lets nothing through but what goes to a TURN server."""


@pytest.mark.parametrize(("scheme", "transport"), [("turn", "udp"), ("turn", "tcp"), ("turns", "tcp")])
def test_behind_a_firewall_the_relay_that_the_server_names_is_used(
    browser: Browser, scheme: str, transport: str
) -> None:
    port = free_udp_port()
    url = f"{scheme}:127.0.0.1:{port}?transport={transport}"
    turn = {"BELUGA_WEBRTC__TURN": url, "BELUGA_WEBRTC__TURN_SECRET": SECRET}
    with coturn_process(port, encrypted=scheme == "turns"), serving(AUDIBLE | turn) as server:
        page = browser.new_page()
        page.add_init_script(RELAYED)
        page.goto(server.base_url)
        name = page.evaluate(CALL.replace('"auto"', '"webrtc"'))
        ((given,),) = page.evaluate("given")
        page.close()

    assert "webrtc" == name
    assert {"urls", "username", "credential"} == set(given)
    assert url == given["urls"]


TRICKLED = """
    globalThis.requests = [];
    const fetched = fetch;
    globalThis.fetch = async (url, options) => {
        const response = await fetched(url, options);
        requests.push({ method: options.method, body: options.body ?? "", status: response.status });
        return response;
    };
"""


def test_nobody_waits_for_a_stun_server_that_does_not_answer(browser: Browser) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        stun = {"BELUGA_WEBRTC__STUN": f"stun:127.0.0.1:{silent.getsockname()[1]}"}
        with serving(AUDIBLE | stun) as server:
            page = browser.new_page()
            page.add_init_script(TRICKLED)
            page.goto(server.base_url)
            name = page.evaluate(CALL.replace('"auto"', '"webrtc"'))
            requests = page.evaluate("requests")
            page.close()

    (offer,) = [each["body"] for each in requests if each["method"] == "POST"]
    told = [each for each in requests if each["method"] == "PATCH"]
    assert "webrtc" == name
    assert "a=candidate" not in offer
    assert any("a=candidate" in each["body"] for each in told)
    assert {204} == {each["status"] for each in told}


def test_the_server_is_told_by_websocket_that_the_browser_cancels_the_echo(page: Page) -> None:
    page.evaluate("""() => {
        globalThis.sent = [];
        const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (data) { sent.push(data); send.call(this, data); };
    }""")
    page.evaluate("""async () => {
        const { connect } = await import(new URL("static/beluga-voice.js", location));
        for (const options of [{}, { audio: { echoCancellation: false } }, { microphone: false }]) {
            const call = await connect({ transport: "websocket", ...options });
            await call.hangUp();
        }
    }""")
    told = page.evaluate("sent.filter((data) => typeof data === 'string').map(JSON.parse)")

    assert [True, False, False] == [each["echo_cancelled"] for each in told if each["type"] == "start"]


def test_say_has_the_agents_voice_say_it(page: Page) -> None:
    told = page.evaluate("""async () => {
        const { connect } = await import(new URL("static/beluga-voice.js", location));
        const call = await connect({ transport: "websocket", microphone: false });
        const said = new Promise((resolve) => call.addEventListener("reply", ({ detail }) => {
            if (detail.event === "done") resolve(detail.heard_text);
        }));
        const id = await call.say("This is an announcement.");
        const heard = await said;
        await call.hangUp();
        return { id, heard };
    }""")

    assert told["id"]
    assert "This is an announcement." == told["heard"]


# --- types --------------------------------------------------------------------------------------------------------


def test_the_types_name_what_the_module_exports(page: Page) -> None:
    built = page.evaluate('async () => Object.keys(await import(new URL("static/beluga-voice.js", location)))')
    told = re.findall(r"^export (?:class|function) (\w+)", TYPES, re.MULTILINE)

    assert sorted(built) == sorted(told)


def test_the_types_name_what_a_call_has(page: Page) -> None:
    built = page.evaluate("""async () => {
        const { Call } = await import(new URL("static/beluga-voice.js", location));
        return Object.getOwnPropertyNames(Call.prototype).filter((name) => name !== "constructor");
    }""")
    body = TYPES.split("export class Call", 1)[1].split("\n}\n", 1)[0]
    told = re.findall(r"^  (?:readonly )?(\w+)[(:<]", body, re.MULTILINE)
    inherited = {"addEventListener", "removeEventListener"}

    assert set(built) == set(told) - inherited


def test_the_types_name_every_event() -> None:
    source = (STATIC / "beluga-voice.js").read_text("utf-8")
    body = TYPES.split("export interface CallEvents {", 1)[1].split("\n}\n", 1)[0]
    told = set(re.findall(r"^  (\w+): ", body, re.MULTILINE))
    own = set(re.findall(r'#tell\("(\w+)"', source)) | {"reconnected", "restarted"}
    of_the_server = {"speech", "transcript", "reply", "clear", "paused", "resumed", "error"}

    assert own | of_the_server == told
