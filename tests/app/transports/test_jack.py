from __future__ import annotations

import json

import pytest

from app.transports.jack import MISSED_NOTICES, Jack
from app.wire import messages
from session.notices import (
    Latency,
    Notice,
    ReplyDone,
    ReplyPaused,
    ReplyText,
    SpeechStarted,
    StateChanged,
    TranscriptChanged,
)
from session.states import SessionState

LISTENING = StateChanged(SessionState.LISTENING, SessionState.INITIAL)
AWAY = StateChanged(SessionState.AWAY, SessionState.LISTENING)
FRAME = b"\1\0" * 160


class Connection:
    """A plug that keeps what it is given, in order."""

    rate_hz = 8000

    def __init__(self) -> None:
        self.given: list[object] = []

    def send_audio(self, frame: bytes) -> None:
        self.given.append(frame)

    def clear(self) -> None:
        self.given.append("cleared")

    async def aclose(self) -> None:
        self.given.append("closed by the session")

    def tell(self, notice: Notice) -> None:
        self.given.append(notice)

    def send(self, text: str) -> None:
        self.given.append(text)

    def close(self, code: int, reason: str) -> None:
        self.given.append(code)


async def test_everything_goes_to_whoever_is_plugged_in() -> None:
    first, second = Connection(), Connection()
    jack = Jack(first, input_rate_hz=16000)
    jack.send_audio(FRAME)
    jack.clear()
    jack.tell(LISTENING)
    await jack.aclose()
    jack.unplug()
    jack.send_audio(FRAME)
    jack.clear()
    await jack.aclose()
    jack.take_over(second, "ready")
    jack.send_audio(FRAME)

    assert [FRAME, "cleared", LISTENING, "closed by the session"] == first.given
    assert ["ready", LISTENING, FRAME] == second.given
    assert (8000, 16000) == (jack.rate_hz, jack.input_rate_hz)
    assert (False, True) == (jack.holds(first), jack.holds(second))


def test_one_who_comes_back_hears_the_present_state_and_what_was_said() -> None:
    said = TranscriptChanged("1", "hello", final=True)
    done = ReplyDone("1", "hi", "hi", interrupted=False, latency=Latency())
    jack, second = Jack(Connection(), input_rate_hz=8000), Connection()
    jack.tell(LISTENING)
    jack.unplug()
    passing = (SpeechStarted(10), TranscriptChanged("1", "hel", final=False), ReplyPaused("1"))
    for notice in (*passing, said, ReplyText("1", "hi"), done, AWAY):
        jack.tell(notice)
    jack.take_over(second, "ready")
    third = Connection()
    jack.take_over(third, "ready again")

    assert ["ready", AWAY, said, ReplyText("1", "hi"), done] == second.given[:5]
    assert ["ready again", AWAY] == third.given


def test_a_connection_that_is_taken_over_from_is_told_and_closed() -> None:
    first = Connection()
    jack = Jack(first, input_rate_hz=8000)
    jack.take_over(Connection(), "ready")
    jack.send_audio(FRAME)
    cleared, error, code = first.given

    assert ("cleared", 4409) == (cleared, code)
    assert "session_already_active" == json.loads(str(error))["code"]


@pytest.mark.parametrize("count", [MISSED_NOTICES, MISSED_NOTICES + 5])
def test_what_is_kept_for_one_who_may_never_come_back_is_bounded(count: int) -> None:
    jack, late = Jack(Connection(), input_rate_hz=8000), Connection()
    jack.unplug()
    for number in range(count):
        jack.tell(ReplyText("1", str(number)))
    jack.take_over(late, messages.pong())

    assert MISSED_NOTICES == len(late.given) - 1
    assert ReplyText("1", str(count - 1)) == late.given[-1]
