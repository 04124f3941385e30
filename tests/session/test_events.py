"""Every event is a fact: frozen, slotted, a member of the sum, and exported."""

from __future__ import annotations

from typing import get_args

import pytest

from session import events
from session.events import Event
from tests.session.values import is_frozen_and_slotted, names_defined_in, values_of


@pytest.mark.parametrize("event", values_of(events))
def test_every_event_is_frozen_and_slotted(event: type) -> None:
    assert is_frozen_and_slotted(event)


def test_the_sum_has_every_event() -> None:
    assert set(values_of(events)) == set(get_args(Event))


def test_every_event_is_exported() -> None:
    assert names_defined_in(events) == set(events.__all__)
