"""Who may have a call, and who is turned away before any session exists."""

from __future__ import annotations

from contextlib import suppress

import pytest
from websockets.exceptions import ConnectionClosed

from app.dial.call import DialError, Dialled, open_call, phone_at
from tests.app.transports.phone.calls import phoning
from tests.server import RunningServer, running

pytestmark = pytest.mark.timeout(60)

TWILIO: dict[str, object] = {"twilio": {"account_sid": "AC1", "auth_token": "twilio-secret"}}
SECRETS: dict[str, tuple[dict[str, object], str]] = {
    "twilio": (TWILIO, "twilio-secret"),
    "telnyx": ({"telnyx": {"stream_auth_token": "telnyx-secret"}}, "telnyx-secret"),
    "vonage": ({"vonage": {"signature_secret": "v" * 32}}, "v" * 32),
    "plivo": ({"plivo": {"auth_id": "MA1", "auth_token": "plivo-secret"}}, "plivo-secret"),
    "exotel": ({"exotel": {"username": "ann", "password": "exotel-secret"}}, "ann:exotel-secret"),
    "asterisk": ({"asterisk": {"username": "ann", "password": "asterisk-secret"}}, "ann:asterisk-secret"),
    "freeswitch": ({"freeswitch": {"username": "ann", "password": "fs-secret"}}, "ann:fs-secret"),
    "jambonz": ({"jambonz": {"username": "ann", "password": "jambonz-secret"}}, "ann:jambonz-secret"),
    "audiohook": ({"audiohook": {"api_key": "key", "client_secret": "c2VjcmV0"}}, "key:c2VjcmV0"),
}


def url_of(server: RunningServer, path: str) -> str:
    return f"{server.base_url.replace('http', 'ws', 1)}/v1/telephony{path}"


async def refused(server: RunningServer, gateway: str, path: str, secret: str | None = None) -> str:
    """Why a socket was not opened, or closed before there was a session."""
    given = Dialled(gateway, url_of(server, path), secret)
    phone = phone_at(given)
    try:
        socket = await open_call(given, phone)
    except DialError as error:
        return str(error).partition("HTTP ")[2][:3]
    with suppress(ConnectionClosed):
        for message in phone.first_messages():
            await socket.send(message)
    with suppress(ConnectionClosed):
        async for _ in socket:
            pass
    return f"{socket.close_code} {socket.close_reason}"


def refusals(server: RunningServer) -> list[str]:
    page = server.edge.metrics.render("")[0].decode()
    return [line for line in page.splitlines() if line.startswith("sessions_refused_total{")]


@pytest.mark.parametrize("gateway", SECRETS)
async def test_the_right_secret_opens_a_session(gateway: str) -> None:
    tables, secret = SECRETS[gateway]
    async with running(telephony=tables) as server, phoning(server, gateway, secret=secret) as phoned:
        assert phoned.call.session is not None


@pytest.mark.parametrize("gateway", SECRETS)
async def test_a_wrong_one_closes_the_socket_before_any_session_exists(gateway: str) -> None:
    tables, secret = SECRETS[gateway]
    wrong = "key:d3Jvbmc=" if gateway == "audiohook" else secret[:-1] + "x"
    async with running(telephony=tables) as server:
        why = await refused(server, gateway, f"/{gateway}", secret=wrong)

        assert ("403", 0) == (why, len(server.edge.calls))
        assert ['sessions_refused_total{reason="unauthorized"} 1.0'] == refusals(server)


async def test_none_at_all_is_a_wrong_one() -> None:
    async with running(telephony=TWILIO) as server:
        assert "403" == await refused(server, "twilio", "/twilio")


@pytest.mark.parametrize("gateway", [name for name in SECRETS if name != "freeswitch"])
async def test_a_gateway_is_recognised_and_then_its_secret_is_checked(gateway: str) -> None:
    tables, secret = SECRETS[gateway]
    async with running(telephony=tables) as server:
        async with phoning(server, gateway, path="/v1/telephony", secret=secret) as phoned:
            label = phoned.call.transport
        why = await refused(server, gateway, "")

        assert (gateway, "1008 a valid credential is needed") == (label, why)
        assert 0 == len(server.edge.calls)


async def test_a_token_in_the_path_opens_one_connection() -> None:
    async with running(auth={"api_keys": ["a key of mine"]}) as server:
        token = server.app.state.exchange.trust.stream_token("twilio")
        async with phoning(server, path=f"/v1/telephony/twilio/{token}") as phoned:
            has_session = phoned.call.session is not None
        again = await refused(server, "twilio", f"/twilio/{token}")

    assert (True, "403") == (has_session, again)


async def test_a_token_among_the_parameters_does_too_and_is_nobodys_business() -> None:
    async with running(auth={"api_keys": ["a key of mine"]}) as server:
        token = server.app.state.exchange.trust.stream_token("twilio")
        async with phoning(server, parameters={"token": token}) as phoned:
            parameters = phoned.call.metadata["parameters"]
        without = await refused(server, "twilio", "/twilio")

    assert ({}, "1008 a valid credential is needed") == (parameters, without)


async def test_an_api_key_will_do_where_the_gateway_signs_nothing() -> None:
    async with (
        running(auth={"api_keys": ["a key of mine"]}) as server,
        phoning(server, "freeswitch", token="a key of mine") as phoned,
    ):
        assert "freeswitch" == phoned.call.transport


async def test_an_unknown_gateway_is_refused() -> None:
    async with running() as server:
        assert "403" == await refused(server, "twilio", "/carrierpigeon")


async def test_a_full_server_says_so() -> None:
    async with running(limits={"max_sessions": 1}) as server, phoning(server):
        assert "1013 all sessions are taken" == await refused(server, "twilio", "/twilio")


async def test_too_many_starts_are_refused() -> None:
    async with running(limits={"starts_per_minute": 1}) as server, phoning(server):
        assert "1008 too many requests" == await refused(server, "twilio", "/twilio")


async def test_whoever_does_not_start_is_not_waited_for() -> None:
    async with running(limits={"start_within": 0.1}) as server:
        given = Dialled("twilio", url_of(server, "/twilio"))
        socket = await open_call(given, phone_at(given))
        with pytest.raises(ConnectionClosed):
            await socket.recv()

        assert (1008, "no start within 0.1 s") == (socket.close_code, socket.close_reason)
        assert 0 == len(server.edge.calls)


async def test_what_an_outbound_call_was_started_with_comes_back_with_it() -> None:
    async with running() as server:
        key = server.app.state.exchange.outbound.expect({"order": 7})
        async with phoning(server, parameters={"call": key}) as phoned:
            metadata = dict(phoned.call.metadata)

    assert (7, "twilio", {}) == (metadata["order"], metadata["gateway"], metadata["parameters"])


async def test_a_session_that_was_made_for_a_gateway_is_the_one_it_gets() -> None:
    async with running(auth={"api_keys": ["a key of mine"]}) as server:
        call = server.edge.calls.prepare(metadata={"order": 7})
        given = Dialled("jambonz", url_of(server, "/jambonz"), token=call.token)
        phone = phone_at(given)
        socket = await open_call(given, phone)
        for message in phone.first_messages():
            await socket.send(message)
        while call.session is None:
            await socket.send(bytes(320))
        await socket.close()

    assert (7, "jambonz") == (call.metadata["order"], call.transport)
