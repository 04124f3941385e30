from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from app.auth import AUDIENCE, Forbidden, Gate, Identity, Scope, Unauthorised, bearer, digest, mint
from app.settings import Auth

KEY = "a-key-for-tests"
SECRET = "a secret of thirty-two bytes and more"
LOCAL = {"host": "127.0.0.1:8080"}


def gate(*, keys: tuple[str, ...] = (), secret: str | None = None, **options: Any) -> Gate:
    origins = options.pop("origins", [])
    auth = Auth(
        api_keys=[SecretStr(key) for key in keys],
        jwt_secret=None if secret is None else SecretStr(secret),
        allowed_origins=origins,
    )
    sessions = {digest("token-of-one"): "one"}
    return Gate(auth, insecure=options.pop("insecure", False), session_of=sessions.get)


def claims(**changes: object) -> dict[str, object]:
    given = {"aud": AUDIENCE, "exp": int(time.time()) + 60, "scope": "talk read", "sub": "joe"} | changes
    return {name: value for name, value in given.items() if value is not None}


def signed(**changes: object) -> str:
    return jwt.encode(claims(**changes), SECRET, algorithm="HS256")


def test_an_open_server_takes_everybody_by_their_address() -> None:
    identity = gate().identify(None, "10.0.0.1")

    assert Identity("address:10.0.0.1", frozenset(Scope)) == identity
    assert gate().identify("whatever", "10.0.0.1") == identity


def test_any_of_the_api_keys_may_do_everything() -> None:
    identity = gate(keys=("another-key", KEY)).identify(KEY, "")

    assert identity.operator
    assert frozenset(Scope) == identity.scopes
    assert KEY not in identity.subject


@pytest.mark.parametrize("token", [None, "", "wrong", KEY[:-1], KEY + " ", digest(KEY)])
def test_anything_else_is_unauthorised(token: str | None) -> None:
    with pytest.raises(Unauthorised):
        gate(keys=(KEY,)).identify(token, "")


def test_a_signed_token_has_the_scopes_it_names() -> None:
    identity = gate(secret=SECRET).identify(signed(scope="talk dance"), "")

    assert Identity("jwt:joe", frozenset({Scope.TALK})) == identity


@pytest.mark.parametrize(
    "token",
    [
        signed(exp=int(time.time()) - 10),
        signed(aud="another"),
        signed(aud=None),
        signed(exp=None),
        signed(scope=None),
        signed() + "x",
        jwt.encode(claims(), "another secret of thirty-two bytes", algorithm="HS256"),
        jwt.encode(claims(), "", algorithm="none"),
        jwt.encode(claims(), SECRET * 2, algorithm="HS512"),
    ],
)
def test_a_token_that_is_late_foreign_incomplete_or_forged_is_unauthorised(token: str) -> None:
    with pytest.raises(Unauthorised):
        gate(secret=SECRET).identify(token, "")


def test_what_is_minted_is_taken_until_it_expires() -> None:
    fresh = mint(SECRET, frozenset({Scope.READ}), 60)
    stale = mint(SECRET, frozenset({Scope.READ}), 60, now_s=time.time() - 61)

    assert frozenset({Scope.READ}) == gate(secret=SECRET).identify(fresh, "").scopes
    with pytest.raises(Unauthorised):
        gate(secret=SECRET).identify(stale, "")


@pytest.mark.parametrize("options", [{}, {"keys": (KEY,)}, {"secret": SECRET}])
def test_the_token_of_a_session_is_for_that_session(options: dict[str, Any]) -> None:
    identity = gate(**options).identify("token-of-one", "")

    assert "one" == identity.session_id
    identity.require(Scope.MANAGE, "one")
    with pytest.raises(Forbidden):
        identity.require(Scope.READ, "two")
    with pytest.raises(Forbidden):
        identity.require(Scope.READ)


def test_a_scope_that_was_not_given_is_forbidden() -> None:
    identity = Identity("x", frozenset({Scope.READ}))
    identity.require(Scope.READ, "any")

    with pytest.raises(Forbidden):
        identity.require(Scope.MANAGE, "any")


@pytest.mark.parametrize(
    ("options", "headers", "allowed"),
    [
        ({}, LOCAL, True),
        ({}, {"host": "localhost:8080", "origin": "http://localhost:8080"}, True),
        ({}, LOCAL | {"origin": "http://localhost:3000"}, True),
        ({}, {"host": "[::1]:8080", "origin": "http://[::1]:8080"}, True),
        ({}, LOCAL | {"origin": "https://evil.example"}, False),
        ({}, LOCAL | {"origin": "null"}, False),
        ({}, LOCAL | {"origin": "http://localhost.evil.example"}, False),
        ({}, LOCAL | {"origin": "http://[broken"}, False),
        ({}, {"host": "evil.example", "origin": "http://evil.example"}, False),
        ({}, {"host": "evil.example"}, False),
        ({"keys": (KEY,)}, {"host": "voice.example", "origin": "https://voice.example"}, True),
        ({"keys": (KEY,)}, {"host": "voice.example", "origin": "https://evil.example"}, False),
        ({"keys": (KEY,), "origins": ["https://App.example"]}, LOCAL | {"origin": "https://app.example"}, True),
        ({"insecure": True}, {"host": "voice.example"}, True),
        ({"insecure": True}, {"host": "voice.example", "origin": "https://evil.example"}, False),
    ],
)
def test_a_foreign_site_is_kept_out(options: dict[str, Any], headers: dict[str, str], *, allowed: bool) -> None:
    if allowed:
        gate(**options).check_origin(headers)
    else:
        with pytest.raises(Forbidden):
            gate(**options).check_origin(headers)


@pytest.mark.parametrize(
    ("headers", "query", "subprotocols", "token"),
    [
        ({"authorization": "Bearer abc"}, {"token": "def"}, [], "abc"),
        ({"authorization": "bearer  abc "}, {}, [], "abc"),
        ({"authorization": "Basic abc"}, {"token": "def"}, [], "def"),
        ({}, {}, ["bearer", "ghi"], "ghi"),
        ({}, {}, ["other", "ghi"], None),
        ({}, {}, [], None),
    ],
)
def test_the_credential_stands_in_one_of_three_places(
    headers: dict[str, str], query: dict[str, str], subprotocols: list[str], token: str | None
) -> None:
    assert token == bearer(headers, query, subprotocols)
