from __future__ import annotations

import json

from app.transports.farewell import Farewell, too_long
from session.errors import ErrorCode


def test_a_farewell_is_a_fatal_error_in_words() -> None:
    told = json.loads(Farewell(4429, ErrorCode.CAPACITY, "too many messages", retryable=True).text)

    assert ("capacity", "too many messages", True, True) == (
        told["code"],
        told["message"],
        told["retryable"],
        told["fatal"],
    )


def test_too_long_has_its_own_close_code() -> None:
    assert 4413 == too_long().code
