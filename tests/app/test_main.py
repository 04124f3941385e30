from __future__ import annotations

import httpx2
import pytest

from app.main import create_app
from app.settings import WrongSettings, load
from tests.server import QUICK, running

DOCUMENTED = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/v1/sessions",
    "/v1/sessions/{session_id}",
    "/v1/sessions/{session_id}/say",
    "/v1/sessions/{session_id}/interrupt",
    "/v1/sessions/{session_id}/transcript",
    "/v1/sessions/{session_id}/events",
    "/v1/webrtc",
    "/v1/webrtc/{session_id}",
    "/v1/calls",
    "/v1/telephony/twilio/voice",
    "/v1/telephony/telnyx/voice",
    "/v1/telephony/vonage/voice",
    "/v1/telephony/plivo/voice",
    "/v1/telephony/plivo/dial",
    "/v1/telephony/exotel/voice",
    "/v1/telephony/jambonz/voice",
    "/v1/telephony/jambonz/dial",
}


def test_every_route_of_the_api_is_documented() -> None:
    app = create_app(load(environment=QUICK))

    assert DOCUMENTED == set(app.openapi()["paths"])


def test_a_provider_that_cannot_be_made_is_a_wrong_setting() -> None:
    settings = load(environment=QUICK | {"BELUGA_STT__OPTIONS": '{"colour": 1}'})

    with pytest.raises(WrongSettings, match=r"stt\.options\.colour: unknown"):
        create_app(settings)


async def test_the_root_says_where_to_go_and_the_docs_are_there() -> None:
    async with running() as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        root, docs, schema = [await http.get(path) for path in ("/", "/docs", "/openapi.json")]

        assert "beluga-voice talk" in root.text
        assert (200, 200) == (docs.status_code, schema.status_code)
