from __future__ import annotations

import pytest

from app.admission import Admission, Bucket, Reason, Refused
from app.settings import Limits


class Hotel:
    def __init__(self, **limits: int) -> None:
        self.now_s = 0.0
        self.guests = 0
        self.admission = Admission(Limits(**limits), sessions=lambda: self.guests, clock_s=lambda: self.now_s)
        self.admission.warm = True

    def refusal(self, caller: str = "joe") -> Refused | None:
        try:
            self.admission.admit(caller)
        except Refused as refused:
            return refused
        return None


@pytest.mark.parametrize("reason", [Reason.WARMING, Reason.FULL, Reason.DRAINING])
def test_there_is_no_room_for_a_reason(reason: Reason) -> None:
    hotel = Hotel(max_sessions=2)
    hotel.admission.warm = reason is not Reason.WARMING
    hotel.admission.draining = reason is Reason.DRAINING
    hotel.guests = 2 if reason is Reason.FULL else 1
    refusal = hotel.refusal()

    assert refusal is not None
    assert (reason, reason) == (refusal.reason, hotel.admission.obstacle())
    assert refusal.retry_after_s > 0


def test_a_warm_server_with_room_takes_one_more() -> None:
    hotel = Hotel(max_sessions=2)
    hotel.guests = 1

    assert hotel.admission.obstacle() is None
    assert hotel.refusal() is None


def test_each_caller_has_a_rate_of_their_own() -> None:
    hotel = Hotel(starts_per_minute=2)
    results = [hotel.refusal("joe") for _ in range(3)]
    ann = hotel.refusal("ann")
    hotel.now_s = 30.0
    later = hotel.refusal("joe")

    assert [None, None] == results[:2]
    assert results[2] is not None
    assert (Reason.RATE, 30) == (results[2].reason, results[2].retry_after_s)
    assert ann is None
    assert later is None


def test_the_callers_of_long_ago_are_forgotten() -> None:
    hotel = Hotel(starts_per_minute=1)
    for number in range(20_000):
        hotel.refusal(str(number))

    assert 10_000 == len(hotel.admission._callers)


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    bucket = Bucket(rate=2, burst=3)
    at_once = [bucket.take(0.0) for _ in range(4)]
    later = [bucket.take(0.5), bucket.take(0.5)]

    assert [True, True, True, False] == at_once
    assert [True, False] == later


def test_the_messages_of_a_connection_may_come_in_bursts_of_ten_seconds() -> None:
    hotel = Hotel(messages_per_second=3)
    bucket = hotel.admission.message_bucket()

    assert 30 == sum(bucket.take(0.0) for _ in range(100))
