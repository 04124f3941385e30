from __future__ import annotations

import pytest

from app.gateways.received import Received
from app.gateways.signatures.jambonz import is_signed_by_jambonz

SECRET = "wh_secret"
BODY = b'{"call_sid":"c-1"}'
AT_S = 1_700_000_000
# printf '1700000000.{"call_sid":"c-1"}' | openssl dgst -sha256 -hmac wh_secret
SIGNATURE = "5b50c083a12f87a77c403c75942a344ad51a62beb137f06a1e7d7d57f46ad848"


def is_theirs(header: str, *, body: bytes = BODY, now_s: float = AT_S) -> bool:
    request = Received("POST", "https://voice.example.com/", {"jambonz-signature": header}, body)
    return is_signed_by_jambonz(request, SECRET, now_s)


def test_a_webhook_is_theirs() -> None:
    assert is_theirs(f"t={AT_S},v1={SIGNATURE}")
    assert is_theirs(f"t={AT_S}, v1={'0' * 64}, v1={SIGNATURE}", now_s=AT_S + 300)


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"v1={SIGNATURE}",
        f"t={AT_S}",
        f"t={AT_S + 1},v1={SIGNATURE}",
        f"t=x,v1={SIGNATURE}",
        f"t={'1' * 5_000},v1={SIGNATURE}",
        "t=1,v1=ü",
    ],
)
def test_a_webhook_of_somebody_else_is_not_theirs(header: str) -> None:
    assert not is_theirs(header)


def test_a_webhook_that_is_old_or_was_changed_is_not_theirs() -> None:
    assert not is_theirs(f"t={AT_S},v1={SIGNATURE}", now_s=AT_S + 301)
    assert not is_theirs(f"t={AT_S},v1={SIGNATURE}", body=b"{}")
