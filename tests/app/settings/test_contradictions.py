from __future__ import annotations

from typing import Any

import pytest

from app.settings import load
from tests.app.settings.given import mistakes


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"BELUGA_SERVER__HOST": "0.0.0.0"}, "server.host"),
        ({"BELUGA_AGENT__URL": "http://127.0.0.1"}, "agent.url"),
        ({"BELUGA_STT__FALLBACK": '["moonshine"]'}, "stt.fallback.0"),
        ({"BELUGA_TTS__FALLBACK": "tone,tone"}, "tts.fallback.1"),
        ({"BELUGA_AGENT__FALLBACK": '[{"provider": "echo", "url": "http://127.0.0.1"}]'}, "agent.fallback.0.url"),
        (
            {"BELUGA_AGENT__FALLBACK": '[{"provider": "webhook", "url": "u", "options": {"url": "u"}}]'},
            "agent.fallback.0.options.url",
        ),
        ({"BELUGA_SESSION__ENDPOINTING__MAXIMUM_SILENCE": "100ms"}, "session.endpointing.maximum_silence"),
    ],
)
def test_what_does_not_fit_together_is_refused(environment: dict[str, str], path: str) -> None:
    (line,) = mistakes(environment)

    assert path == line.split(":")[0]


def test_beyond_loopback_there_is_a_credential_or_the_flag() -> None:
    everywhere = {"BELUGA_SERVER__HOST": "0.0.0.0"}

    assert load(environment=everywhere | {"BELUGA_AUTH__API_KEYS": "a-good-key"})
    assert load(environment=everywhere, flags={"server": {"insecure": True}})


def webrtc(**given: object) -> dict[str, Any]:
    return {"webrtc": given}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (webrtc(port_min=5_000), "webrtc.port_min: given together with webrtc.port_max"),
        (webrtc(port_min=6_000, port_max=5_000), "webrtc.port_min: 6000 given, at most webrtc.port_max (5000)"),
        (webrtc(port_min=5_000, port_max=6_000, shared_port=7_000), "webrtc.shared_port: given together with"),
        (webrtc(port_min=0, port_max=6_000), "webrtc.port_min: 0 given, 1 to 65535 allowed"),
        (webrtc(stun=["turn:a:1"]), "webrtc.stun: 'turn:a:1' given"),
        (webrtc(turn=["turns:a?transport=udp"]), "webrtc.turn: 'turns:a?transport=udp' given"),
        (webrtc(turn=["turn:a:70000"]), "webrtc.turn: 'turn:a:70000' given"),
        (webrtc(turn=["turn:a:1"]), "webrtc.turn: given together with webrtc.turn_secret"),
        (webrtc(turn_secret="hush"), "webrtc.turn: given together with webrtc.turn_secret"),
        (webrtc(turn=["turn:a"], turn_username="me"), "webrtc.turn_username: given together with"),
        (
            webrtc(turn=["turn:a"], turn_secret="hush", turn_username="me", turn_password="hush"),
            "webrtc.turn_secret: given together with webrtc.turn_password",
        ),
        (webrtc(relay_only=True), "webrtc.relay_only: true given"),
        (webrtc(addresses=["localhost"]), "webrtc.addresses: 'localhost' given"),
        (webrtc(addresses=["0.0.0.0"]), "webrtc.addresses: '0.0.0.0' given"),
        (webrtc(addresses=["10.0.0.5"], advertised={"10.0.0.6": "1.2.3.4"}), "webrtc.advertised: '10.0.0.6' given"),
        (webrtc(advertised={"10.0.0.5": "2001:db8::1"}), "webrtc.advertised: 10.0.0.5=2001:db8::1 given"),
    ],
)
def test_what_webrtc_cannot_do_is_one_line(given: dict[str, Any], line: str) -> None:
    lines = mistakes(flags=given)

    assert any(each.startswith(line) for each in lines)
    assert "hush" not in str(lines)
