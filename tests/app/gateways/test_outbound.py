from __future__ import annotations

from app.gateways import outbound
from app.gateways.outbound import OutboundCalls


def test_what_was_said_of_a_call_comes_back_with_it_once() -> None:
    calls = OutboundCalls()
    key = calls.expect({"name": "Joe"})

    assert calls.knows(key)
    assert {"name": "Joe"} == calls.take(key)
    assert not calls.knows(key)
    assert {} == calls.take(key)


def test_a_key_of_nobody_is_nothing() -> None:
    calls = OutboundCalls()

    assert not calls.knows("")
    assert {} == calls.take("guess")


def test_a_call_that_nobody_answers_is_forgotten() -> None:
    now_s = 0.0
    calls = OutboundCalls(clock_s=lambda: now_s)
    key = calls.expect({"name": "Joe"})
    now_s = outbound.TTL_S

    assert not calls.knows(key)


def test_the_oldest_make_room() -> None:
    calls = OutboundCalls()
    keys = [calls.expect({"at": at}) for at in range(outbound._MOST + 1)]

    assert not calls.knows(keys[0])
    assert {"at": outbound._MOST} == calls.take(keys[-1])


def test_a_key_has_letters_and_digits_only() -> None:
    assert OutboundCalls().expect({}).isalnum()
