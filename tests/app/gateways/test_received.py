from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.gateways.received import Received, fields_of, received
from tests.app.gateways.asked import upgrade, webhook

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


def test_behind_a_proxy_the_url_is_the_public_one() -> None:
    request = received(webhook("/v1/x%20y?a=1&b=%2B", host="10.0.0.7:8080"), b"", "https://voice.example.com/")

    assert "https://voice.example.com/v1/x%20y?a=1&b=%2B" == request.url
    assert ("voice.example.com", "/v1/x%20y?a=1&b=%2B") == (request.authority, request.target)


def test_a_proxy_may_put_a_folder_in_front() -> None:
    request = received(upgrade("/v1/x"), b"", "https://example.com/voice")

    assert ("wss://example.com/voice/v1/x", "/voice/v1/x") == (request.url, request.target)


def test_without_a_public_url_the_host_is_believed_and_what_is_forwarded_is_not() -> None:
    forwarded = {"x-forwarded-host": "evil.example.com", "x-forwarded-proto": "https"}
    request = received(upgrade("/v1/x", forwarded, host="localhost:8080"), b"", None)

    assert "ws://localhost:8080/v1/x" == request.url


def test_a_webhooks_url_may_have_been_written_with_its_port() -> None:
    request = received(webhook("/v1/x?a=1"), b"", "https://voice.example.com")

    assert ["https://voice.example.com/v1/x?a=1", "https://voice.example.com:443/v1/x?a=1"] == request.urls()


def test_an_upgrades_url_may_also_have_been_written_as_https_and_with_a_slash() -> None:
    request = received(upgrade("/v1/x"), b"", "https://voice.example.com:8443")

    assert {
        f"{scheme}://voice.example.com:8443/v1/x{slash}" for scheme in ("wss", "https") for slash in ("", "/")
    } == set(request.urls())


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://Voice.Example.com:443/", "voice.example.com"),
        ("http://voice.example.com:443/", "voice.example.com:443"),
        ("ws://[::1]:8080/", "[::1]:8080"),
    ],
)
def test_an_authority_is_in_its_plain_form(url: str, authority: str) -> None:
    assert authority == Received("GET", url, {}).authority


@given(st.text(st.characters(codec="latin-1")))
@example("[::1")
@example("a:b")
@example("a:99999")
@example("a/b?c#d")
@example("a@b")
def test_no_host_whatever_breaks_anything(host: str) -> None:
    request = received(upgrade("/v1/x?a=1", host=host), b"", None)

    assert request.target.endswith("/v1/x?a=1")
    assert isinstance(request.authority, str)
    assert request.urls()


def test_a_form_keeps_what_is_empty_and_what_comes_twice() -> None:
    request = Received("POST", "https://a/", FORM, b"b=2&a=&b=%2B1")

    assert [("b", "2"), ("a", ""), ("b", "+1")] == request.form
    assert [] == Received("POST", "https://a/", {"content-type": "application/json"}, b'{"a": 1}').form


def test_fields_are_found_wherever_they_stand() -> None:
    assert {"a": "1", "b": "2"} == fields_of({"a": "1"}, FORM["content-type"], b"b=2")
    assert {"a": "1", "b": "2"} == fields_of({"a": "1"}, "application/json", b'{"b": "2", "c": 3}')


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_nonsense_has_no_fields(body: bytes) -> None:
    assert {} == fields_of({}, "application/json", body)
