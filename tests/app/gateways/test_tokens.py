from __future__ import annotations

import pytest

from app.auth import Scope, mint
from app.gateways.tokens import OneShotTokens

SECRET = "a secret of thirty-two bytes and more"


def test_a_token_is_good_once() -> None:
    tokens = OneShotTokens(SECRET)
    token = tokens.mint("twilio", 60)

    assert tokens.use("twilio", token)
    assert not tokens.use("twilio", token)


def test_a_token_is_good_for_its_gateway_only() -> None:
    tokens = OneShotTokens(SECRET)
    token = tokens.mint("twilio", 60)

    assert not tokens.use("telnyx", token)
    assert tokens.use("twilio", token)


def test_a_token_ends() -> None:
    now_s = 1000.0
    tokens = OneShotTokens(SECRET, clock_s=lambda: now_s)
    token = tokens.mint("twilio", 60)
    now_s = 1060.0

    assert not tokens.use("twilio", token)


def test_a_token_of_another_process_is_good_where_the_secret_is_shared() -> None:
    token = OneShotTokens(SECRET).mint("twilio", 60)

    assert OneShotTokens(SECRET).use("twilio", token)
    assert not OneShotTokens(None).use("twilio", token)


def test_without_a_secret_the_process_has_its_own() -> None:
    tokens = OneShotTokens(None)

    assert tokens.use("twilio", tokens.mint("twilio", 60))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", mint(SECRET, frozenset(Scope), 60)])
def test_nothing_else_is_a_token(token: str) -> None:
    assert not OneShotTokens(SECRET).use("twilio", token)


def test_a_token_fits_into_a_url() -> None:
    token = OneShotTokens(SECRET).mint("freeswitch", 300)

    assert len(token) <= 200
    assert token.replace("-", "").replace("_", "").replace(".", "").isalnum()
