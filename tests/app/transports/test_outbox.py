from __future__ import annotations

from app.transports.outbox import MAX_PENDING_BYTES, Outbox


def drained(outbox: Outbox[str]) -> list[str | bytes]:
    items = []
    while (item := outbox.take(0.0)) is not None:
        outbox.done()
        items.append(item)
    return items


def outbox(max_frames: int = 3) -> Outbox[str]:
    return Outbox(max_frames=max_frames, stalled_after_s=10, size_bytes=len)


def test_messages_and_audio_leave_in_the_order_in_which_they_came() -> None:
    box = outbox()
    box.put_message("one", 0)
    box.put_audio(b"two", 0)
    box.put_message("three", 0)

    assert ["one", b"two", "three"] == drained(box)


def test_past_its_bound_the_oldest_audio_goes_and_no_message_does() -> None:
    box = outbox(max_frames=2)
    box.put_message("first", 0)
    for frame in (b"1", b"2", b"3", b"4"):
        box.put_audio(frame, 0)

    assert 2 == box.dropped_frames
    assert 3 == len(box)
    assert ["first", b"3", b"4"] == drained(box)
    assert not box.stalled


def test_clearing_drops_the_audio_only() -> None:
    box = outbox()
    box.put_audio(b"1", 0)
    box.put_message("clear", 0)
    box.clear_audio()
    box.put_audio(b"2", 0)

    assert ["clear", b"2"] == drained(box)
    assert 0 == box.dropped_frames


def test_a_write_that_takes_too_long_is_a_stall() -> None:
    box = outbox()
    box.put_audio(b"1", 0)
    box.take(1.0)
    box.put_audio(b"2", 11.0)
    in_time = box.stalled
    box.put_audio(b"3", 11.1)

    assert not in_time
    assert box.stalled


def test_a_pause_between_writes_is_none() -> None:
    box = outbox()
    box.put_audio(b"1", 0)
    box.take(1.0)
    box.done()
    box.put_audio(b"2", 100.0)

    assert not box.stalled


def test_too_many_messages_are_a_stall() -> None:
    box = outbox()
    box.put_message("x" * MAX_PENDING_BYTES, 0)
    full = box.stalled
    box.put_message("x", 0)

    assert not full
    assert box.stalled


def test_messages_that_were_taken_do_not_count() -> None:
    box = outbox()
    for _ in range(3):
        box.put_message("x" * MAX_PENDING_BYTES, 0)
        drained(box)
        assert not box.stalled
