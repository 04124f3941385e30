from __future__ import annotations

import httpx2
import pytest

from app.gateways.received import Received
from app.gateways.signatures.basic import basic, has_password


def is_let_in(authorization: str) -> bool:
    request = Received("GET", "wss://voice.example.com/", {"authorization": authorization})
    return has_password(request, "jörg", "pa:ss")


def by_httpx(username: str, password: str) -> str:
    request = httpx2.Request("GET", "https://voice.example.com/")
    return next(httpx2.BasicAuth(username, password).auth_flow(request)).headers["authorization"]


def test_the_right_password_is_let_in() -> None:
    assert is_let_in(by_httpx("jörg", "pa:ss"))
    assert is_let_in(by_httpx("jörg", "pa:ss").replace("Basic", "basic"))


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Basic !", "Bearer amVyZw==", by_httpx("jörg", "wrong"), by_httpx("jorg", "pa:ss"), by_httpx("", "")],
)
def test_nobody_else_is(authorization: str) -> None:
    assert not is_let_in(authorization)


def test_what_we_send_is_what_httpx_sends() -> None:
    assert {"Authorization": by_httpx("jörg", "pa:ss")} == basic("jörg", "pa:ss")
