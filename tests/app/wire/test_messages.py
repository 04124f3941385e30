from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire import messages
from app.wire.messages import (
    AudioFormat,
    BadMessage,
    Dtmf,
    Interrupt,
    Ping,
    Playout,
    Start,
    Stop,
    TypedText,
    decode,
    encode,
)
from session.errors import ErrorCode
from session.notices import (
    AgentActed,
    Ended,
    EndReason,
    ErrorOccurred,
    InterruptionJudged,
    Latency,
    Notice,
    ProviderCalled,
    ReplyCleared,
    ReplyDone,
    ReplyPaused,
    ReplyResumed,
    ReplyStarted,
    ReplyText,
    SpeechStarted,
    SpeechStopped,
    StateChanged,
    TranscriptChanged,
    TurnDone,
    TurnOutcome,
)
from session.states import SessionState

PCM = {"encoding": "pcm_s16le", "sample_rate": 16000}


@pytest.mark.parametrize(
    ("sent", "understood"),
    [
        ({"type": "start", "audio": PCM}, Start("start", AudioFormat("pcm_s16le", 16000))),
        (
            {
                "type": "start",
                "audio": {"encoding": "mulaw", "sample_rate": 8000},
                "output": PCM,
                "metadata": {"a": [1]},
                "session_id": "s",
                "resume": "r",
                "echo_cancelled": True,
            },
            Start(
                "start",
                AudioFormat("mulaw", 8000),
                AudioFormat("pcm_s16le", 16000),
                {"a": [1]},
                "s",
                "r",
                echo_cancelled=True,
            ),
        ),
        ({"type": "text", "text": "hi"}, TypedText("text", "hi")),
        ({"type": "dtmf", "digit": "#"}, Dtmf("dtmf", "#")),
        ({"type": "interrupt"}, Interrupt("interrupt")),
        ({"type": "playout", "played_ms": 40.5}, Playout("playout", 40.5)),
        ({"type": "ping"}, Ping("ping")),
        ({"type": "stop"}, Stop("stop")),
    ],
)
def test_each_message_of_a_client_is_understood(sent: object, understood: object) -> None:
    assert understood == decode(json.dumps(sent))


def test_unknown_fields_are_ignored() -> None:
    assert Ping("ping") == decode('{"type": "ping", "of_tomorrow": 1}')


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000, 48000])
def test_pcm_comes_at_four_rates(rate_hz: int) -> None:
    message = decode(json.dumps({"type": "start", "audio": PCM | {"sample_rate": rate_hz}}))

    assert isinstance(message, Start)
    assert rate_hz == message.audio.sample_rate


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("null", "not an object"),
        ("{}", "type is missing"),
        ('{"type": 1}', "unknown type"),
        ('{"type": "start", "audio": null}', "start.audio"),
        ('{"type": "start", "audio": {"encoding": "alaw", "sample_rate": 48000}}', "sample_rate of alaw is 8000"),
        ('{"type": "start", "audio": {"encoding": "pcm_s16le", "sample_rate": 44100}}', "start.audio.sample_rate"),
        ('{"type": "start", "audio": {"encoding": "pcm_s16le", "sample_rate": 8000}, "metadata": 1}', "start.metadata"),
        ('{"type": "text", "text": ""}', "text.text"),
        ('{"type": "text", "text": "\\ud800"}', "not JSON"),
        ('{"type": "dtmf", "digit": "x"}', "dtmf.digit"),
        ('{"type": "playout", "played_ms": NaN}', "playout.played_ms"),
        ('{"type": "playout", "played_ms": 1e300}', "playout.played_ms"),
    ],
)
def test_a_mistake_is_named_by_its_field(sent: str, named: str) -> None:
    with pytest.raises(BadMessage, match=named):
        decode(sent)


def test_a_mistake_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(BadMessage) as raised:
        decode('{"type": "text", "text": ["my secret"]}')

    assert "secret" not in str(raised.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
kinds = st.sampled_from(["start", "text", "dtmf", "interrupt", "playout", "ping", "stop"])
fields = st.sampled_from(["audio", "output", "metadata", "session_id", "text", "digit", "played_ms"])
almost_messages = st.dictionaries(fields, json_values).flatmap(
    lambda given: kinds.map(lambda kind: json.dumps(given | {"type": kind}))
)


@given(st.text() | json_values.map(json.dumps) | almost_messages)
def test_whatever_is_sent_is_understood_or_a_bad_message(text: str) -> None:
    with suppress(BadMessage):
        assert decode(text).type in text


@pytest.mark.parametrize(
    ("notice", "sent"),
    [
        (
            StateChanged(SessionState.SPEAKING, SessionState.PROCESSING),
            {"type": "state", "state": "speaking", "previous": "processing"},
        ),
        (SpeechStarted(120), {"type": "speech", "event": "started", "at_ms": 120}),
        (SpeechStopped(900), {"type": "speech", "event": "stopped", "at_ms": 900}),
        (
            TranscriptChanged("1", "hi", final=False),
            {"type": "transcript", "turn_id": "1", "text": "hi", "final": False},
        ),
        (
            TranscriptChanged("1", "hi", final=True, language="en", confidence=0.5),
            {"type": "transcript", "turn_id": "1", "text": "hi", "final": True, "language": "en", "confidence": 0.5},
        ),
        (ReplyStarted("1"), {"type": "reply", "turn_id": "1", "event": "started"}),
        (ReplyText("1", "Sure."), {"type": "reply", "turn_id": "1", "event": "text", "text": "Sure."}),
        (
            ReplyDone("1", "Sure. Yes.", "Sure.", interrupted=True, latency=Latency(1, 2, 3, 4, 5), utterance_id="u"),
            {
                "type": "reply",
                "turn_id": "1",
                "event": "done",
                "text": "Sure. Yes.",
                "heard_text": "Sure.",
                "interrupted": True,
                "latency": {"endpoint_ms": 1, "stt_ms": 2, "agent_ms": 3, "tts_ms": 4, "response_ms": 5},
            },
        ),
        (ReplyCleared("1"), {"type": "clear"}),
        (ReplyPaused("1"), {"type": "paused"}),
        (ReplyResumed("1"), {"type": "resumed"}),
        (
            ErrorOccurred(ErrorCode.AGENT_ERROR, "no answer", retryable=True, fatal=False),
            {"type": "error", "code": "agent_error", "message": "no answer", "retryable": True, "fatal": False},
        ),
        (Ended(EndReason.TIMEOUT), {"type": "ended", "reason": "timeout"}),
    ],
)
def test_a_notice_is_told_with_exactly_these_fields(notice: Notice, sent: dict[str, object]) -> None:
    text = encode(notice)

    assert text is not None
    assert sent == json.loads(text)


@pytest.mark.parametrize(
    "notice",
    [
        TurnDone("1", TurnOutcome.EMPTY),
        InterruptionJudged(committed=True, stop_ms=1),
        ProviderCalled("stt", "fixed", 1),
        AgentActed("1", "transfer", to="x"),
    ],
)
def test_what_only_operators_measure_is_not_told(notice: Notice) -> None:
    assert encode(notice) is None


def test_ready_tells_what_the_server_sends() -> None:
    sent = json.loads(messages.ready("s", "r", AudioFormat("mulaw", 8000)))

    assert {
        "type": "ready",
        "session_id": "s",
        "resume_token": "r",
        "audio": {"encoding": "mulaw", "sample_rate": 8000, "frame_ms": 20},
    } == sent


def test_half_a_surrogate_pair_can_be_sent() -> None:
    text = encode(ReplyText("1", "\ud83d"))

    assert text is not None
    assert text.encode()


@pytest.mark.parametrize(
    ("text", "too_long"),
    [("a" * (1 << 20), False), ("a" * ((1 << 20) + 1), True), ("ä" * (1 << 19), False), ("ä" * ((1 << 19) + 1), True)],
)
def test_the_length_of_a_message_is_counted_in_bytes(text: str, *, too_long: bool) -> None:
    assert too_long == messages.is_too_long(text)
