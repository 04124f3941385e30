from __future__ import annotations

from app.gateways.seen import SeenOnce


def test_a_name_is_good_once() -> None:
    seen = SeenOnce(10)

    assert seen.first("a", until_s=20, now_s=10)
    assert not seen.first("a", until_s=20, now_s=19)
    assert seen.first("b", until_s=20, now_s=19)


def test_what_has_expired_makes_room() -> None:
    seen = SeenOnce(1)

    assert seen.first("a", until_s=20, now_s=10)
    assert seen.first("b", until_s=30, now_s=20)


def test_a_full_memory_accepts_nothing_rather_than_forgets() -> None:
    seen = SeenOnce(1)
    seen.first("a", until_s=20, now_s=10)

    assert not seen.first("b", until_s=20, now_s=10)
    assert not seen.first("a", until_s=20, now_s=10)
