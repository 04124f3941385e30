"""Jobs, commands and numbers."""

from __future__ import annotations

from session.commands import Cancel, Pause, Tell
from session.desk import Desk
from session.notices import ReplyPaused


def test_jobs_are_numbered_and_never_again() -> None:
    desk = Desk()
    first = desk.open("stt")
    desk.close(first)

    assert first + 1 == desk.open("agent")


def test_a_job_is_known_by_its_stage_until_it_is_closed() -> None:
    desk = Desk()
    job = desk.open("tts")

    assert "tts" == desk.stage(job)

    desk.close(job)

    assert None is desk.stage(job)
    assert None is desk.stage(12_345)


def test_closing_gives_no_command() -> None:
    desk = Desk()
    desk.close(desk.open("tts"))
    desk.close(None)

    assert [] == desk.drain()


def test_cancelling_an_open_job_gives_one_command() -> None:
    desk = Desk()
    job = desk.open("agent")
    desk.cancel(job)
    desk.cancel(job)
    desk.cancel(None)

    assert [Cancel(job)] == desk.drain()
    assert None is desk.stage(job)


def test_a_closed_job_cannot_be_cancelled() -> None:
    desk = Desk()
    job = desk.open("agent")
    desk.close(job)
    desk.cancel(job)

    assert [] == desk.drain()


def test_everything_open_can_be_cancelled() -> None:
    desk = Desk()
    first, closed, last = desk.open("stt"), desk.open("turn"), desk.open("tts")
    desk.close(closed)
    desk.cancel_all()

    assert [Cancel(first), Cancel(last)] == desk.drain()


def test_commands_are_handed_over_once_in_the_order_given() -> None:
    desk = Desk()
    desk.give(Pause())
    desk.tell(ReplyPaused("1"))

    assert [Pause(), Tell(ReplyPaused("1"))] == desk.drain()
    assert [] == desk.drain()


def test_turns_are_numbered_from_one() -> None:
    desk = Desk()

    assert ["1", "2", "3"] == [desk.next_turn_id() for _ in range(3)]
