from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from pydantic import SecretStr
from starlette.types import Scope as AsgiScope
from twilio.request_validator import RequestValidator

from app.auth import Forbidden, Gate, Identity, Scope, Unauthorised, mint
from app.gateways import trust as module
from app.gateways.outbound import OutboundCalls
from app.gateways.tokens import OneShotTokens
from app.gateways.trust import Trust
from app.settings import Auth
from app.settings.telephony import Telephony
from tests.app.gateways.asked import upgrade, webhook

SECRET = "a secret of thirty-two bytes and more"
KEY = "a-key-for-tests"
OF_TWILIO = Identity("gateway:twilio", frozenset({Scope.TALK}))
TOKENS = OneShotTokens(SECRET)


def made(
    tables: Mapping[str, object] | None = None, *, open_: bool = False, outbound: OutboundCalls | None = None
) -> Trust:
    auth = Auth() if open_ else Auth(api_keys=[SecretStr(KEY)], jwt_secret=SecretStr(SECRET))
    gate = Gate(auth, insecure=False, session_of=lambda _digest: None)
    settings = Telephony.model_validate({"public_url": "https://voice.example.com", **(tables or {})})
    return Trust(settings, gate, TOKENS, outbound or OutboundCalls())


def token(gateway: str = "twilio") -> str:
    return TOKENS.mint(gateway, 60)


def signature(url: str = "wss://voice.example.com/v1/telephony/twilio") -> dict[str, str]:
    return {"X-Twilio-Signature": RequestValidator("12345").compute_signature(url, {})}


TWILIO = {"twilio": {"auth_token": "12345"}}
STREAM = "/v1/telephony/twilio"


async def refused(trust: Trust, scope: AsgiScope, gateway: str = "twilio") -> bool:
    with pytest.raises((Unauthorised, Forbidden)):
        await trust.check_upgrade(gateway, scope)
    return True


async def test_a_right_signature_is_enough() -> None:
    assert OF_TWILIO == await made(TWILIO).check_upgrade("twilio", upgrade(STREAM, signature()))


async def test_where_the_secret_is_set_nothing_else_counts() -> None:
    trust = made(TWILIO)

    assert await refused(trust, upgrade(STREAM))
    assert await refused(trust, upgrade(STREAM, {"X-Twilio-Signature": "wrong"}))
    assert await refused(trust, upgrade(STREAM, {"Authorization": f"Bearer {KEY}"}))
    assert await refused(trust, upgrade(f"{STREAM}?token={token()}"))
    assert await refused(made(TWILIO, open_=True), upgrade(STREAM, host="localhost"))


@pytest.mark.parametrize("place", ["path", "query", "header"])
async def test_a_one_shot_token_opens_one_connection(place: str) -> None:
    trust, once = made(), token()
    scope = {
        "path": upgrade(f"{STREAM}/{once}", token=once),
        "query": upgrade(f"{STREAM}?token={once}"),
        "header": upgrade(STREAM, {"Authorization": f"Bearer {once}"}),
    }[place]

    assert OF_TWILIO == await trust.check_upgrade("twilio", scope)
    assert await refused(trust, scope)


async def test_a_token_of_another_gateway_opens_nothing() -> None:
    assert await refused(made(), upgrade(f"{STREAM}?token={token('telnyx')}"))


async def test_a_token_may_come_with_the_start() -> None:
    trust, parameters = made(), {"token": token(), "from": "+15550100"}

    assert await trust.check_upgrade("twilio", upgrade(STREAM)) is None
    assert OF_TWILIO == await trust.check_start("twilio", upgrade(STREAM), parameters, None)
    with pytest.raises(Unauthorised):
        await trust.check_start("twilio", upgrade(STREAM), parameters, None)


@pytest.mark.parametrize("parameters", [{}, {"token": ""}, {"token": "guess"}])
async def test_a_start_without_a_good_token_is_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(Unauthorised):
        await made().check_start("twilio", upgrade(STREAM), parameters, None)


async def test_who_was_let_in_at_the_upgrade_needs_no_token() -> None:
    assert OF_TWILIO == await made().check_start("twilio", upgrade(STREAM), {}, OF_TWILIO)


async def test_an_ordinary_credential_is_one_here_too() -> None:
    trust = made()
    identity = await trust.check_upgrade("twilio", upgrade(STREAM, {"Authorization": f"Bearer {KEY}"}))
    talker = mint(SECRET, frozenset({Scope.TALK}), 60)

    assert identity is not None
    assert identity.operator
    assert await trust.check_upgrade("twilio", upgrade(f"{STREAM}?token={talker}")) is not None
    assert await trust.check_start("twilio", upgrade(STREAM), {"token": talker}, None) is not None


async def test_a_credential_that_may_not_talk_is_refused() -> None:
    reader = mint(SECRET, frozenset({Scope.READ}), 60)

    assert await refused(made(), upgrade(f"{STREAM}?token={reader}"))


async def test_an_open_server_takes_who_is_on_the_same_machine() -> None:
    identity = await made(open_=True).check_upgrade("twilio", upgrade(STREAM, host="localhost:8080"))

    assert identity is not None
    assert identity.subject == "address:127.0.0.1"


async def test_an_open_server_does_not_take_who_comes_through_a_tunnel() -> None:
    trust = made(open_=True)
    scope = upgrade(STREAM, host="abc.tunnel.example.com")

    assert await trust.check_upgrade("twilio", scope) is None
    with pytest.raises(Unauthorised):
        await trust.check_start("twilio", scope, {}, None)
    assert OF_TWILIO == await trust.check_start("twilio", scope, {"token": token()}, None)


async def test_a_web_site_cannot_use_the_credential_of_its_visitor() -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Origin": "https://evil.example.com"}

    assert await refused(made(), upgrade(STREAM, headers))


async def test_where_the_gateway_is_not_known_yet_all_is_decided_at_the_start() -> None:
    trust, once = made(TWILIO), token("telnyx")
    of_telnyx = upgrade(f"/v1/telephony?token={once}")

    assert await trust.check_upgrade(None, of_telnyx) is None
    assert Identity("gateway:telnyx", frozenset({Scope.TALK})) == await trust.check_start("telnyx", of_telnyx, {}, None)
    signed = upgrade("/v1/telephony", signature("wss://voice.example.com/v1/telephony"))
    assert OF_TWILIO == await trust.check_start("twilio", signed, {}, None)
    with pytest.raises(Unauthorised):
        await trust.check_start("twilio", upgrade("/v1/telephony"), {"token": token()}, None)


async def test_telnyx_brings_the_agreed_token_or_one_of_ours() -> None:
    trust = made({"telnyx": {"stream_auth_token": "agreed"}})
    path = "/v1/telephony/telnyx"
    agreed = upgrade(path, {"x-telnyx-streaming-auth-token": "agreed"})

    assert await trust.check_upgrade("telnyx", agreed) is not None
    assert await refused(trust, upgrade(path, {"x-telnyx-streaming-auth-token": "wrong"}), "telnyx")
    assert await refused(trust, upgrade(path, {"Authorization": f"Bearer {KEY}"}), "telnyx")
    assert await trust.check_upgrade("telnyx", upgrade(path)) is None
    assert await trust.check_start("telnyx", upgrade(path), {"token": token("telnyx")}, None) is not None
    with pytest.raises(Unauthorised):
        await trust.check_start("telnyx", upgrade(path), {"token": KEY}, None)


async def test_a_refusal_of_audiohook_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GENESYS_DELAY_S", 0.2)
    trust = made({"audiohook": {"api_key": "key", "client_secret": "Zg=="}})
    loop = asyncio.get_running_loop()
    began_s = loop.time()

    assert await refused(trust, upgrade("/v1/telephony/audiohook", {"x-api-key": "key"}), "audiohook")
    assert loop.time() - began_s >= 0.19  # timers have whole milliseconds


def test_a_webhook_is_signed() -> None:
    trust = made(TWILIO)
    url = "https://voice.example.com/v1/telephony/twilio/voice"
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": RequestValidator("12345").compute_signature(url, {"From": "+15550100"}),
    }
    scope = webhook("/v1/telephony/twilio/voice", headers)

    assert OF_TWILIO == trust.check_webhook("twilio", scope, b"From=%2B15550100")
    with pytest.raises(Unauthorised):
        trust.check_webhook("twilio", scope, b"From=%2B15550101")


def test_a_webhook_without_a_secret_needs_a_credential() -> None:
    trust = made()

    assert trust.check_webhook("vonage", webhook(f"/v1/telephony/vonage/voice?token={KEY}"), b"").operator
    with pytest.raises(Unauthorised):
        trust.check_webhook("vonage", webhook("/v1/telephony/vonage/voice"), b"")
    with pytest.raises(Unauthorised):
        trust.check_webhook("vonage", webhook(f"/v1/telephony/vonage/voice?token={token('vonage')}"), b"")
    with pytest.raises(Forbidden):
        made(open_=True).check_webhook("vonage", webhook("/v1/telephony/vonage/voice", host="a.example.com"), b"")


def test_the_webhook_of_a_call_that_was_started_here_is_known_by_its_key() -> None:
    outbound = OutboundCalls()
    key = outbound.expect({})
    scope = webhook(f"/v1/telephony/vonage/voice?call={key}")

    assert "gateway:vonage" == made(outbound=outbound).check_webhook("vonage", scope, b"").subject
    with pytest.raises(Unauthorised):
        made({"vonage": {"signature_secret": SECRET}}, outbound=outbound).check_webhook("vonage", scope, b"")


def test_a_stream_that_is_signed_needs_no_token() -> None:
    trust = made({"telnyx": {"stream_auth_token": "agreed"}, **TWILIO})
    given = {name: trust.stream_token(name) for name in ("twilio", "telnyx", "vonage")}

    assert given["twilio"] is None
    assert all(TOKENS.use(name, given[name] or "") for name in ("telnyx", "vonage"))
