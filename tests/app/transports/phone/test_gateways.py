from __future__ import annotations

import pytest

from app.settings.telephony import Telephony
from app.transports.phone.gateways import codec_of, subprotocol, which
from app.wire.phone.api import SoundFormat, Started
from app.wire.phone.catalogue import CODECS


@pytest.mark.parametrize("gateway", CODECS)
def test_each_gateway_has_a_codec_of_its_own_for_each_connection(gateway: str) -> None:
    one, other = codec_of(gateway, Telephony()), codec_of(gateway, Telephony())

    assert (gateway, gateway) == (one.name, other.name)
    assert one is not other


@pytest.mark.parametrize("gateway", ["freeswitch", "freeswitch-fork"])
def test_what_a_stream_does_not_tell_of_itself_is_in_the_settings(gateway: str) -> None:
    codec = codec_of(gateway, Telephony.model_validate({"freeswitch": {"rate": 16000}}))
    (started,) = codec.decode("{}")

    assert isinstance(started, Started)
    assert SoundFormat("l16le", 16_000) == started.call.input == started.call.output


@pytest.mark.parametrize(
    ("gateway", "offered", "chosen"),
    [
        ("jambonz", ["audio.jambonz.org"], "audio.jambonz.org"),
        (None, ["audio.jambonz.org"], "audio.jambonz.org"),
        (None, ["audio.drachtio.org"], "audio.drachtio.org"),
        ("freeswitch", ["audio.drachtio.org"], "audio.drachtio.org"),
        ("freeswitch", [], None),
        ("twilio", [], None),
        ("twilio", ["something"], None),
        ("twilio", ["bearer", "a token"], "bearer"),
        (None, ["bearer", "a token"], "bearer"),
    ],
)
def test_the_subprotocol_is_the_gateways_or_the_credentials(
    gateway: str | None, offered: list[str], chosen: str | None
) -> None:
    assert chosen == subprotocol(which(gateway, offered), offered)


def test_each_of_freeswitchs_modules_is_known_by_its_subprotocol() -> None:
    assert "freeswitch-fork" == which("freeswitch", ["audio.drachtio.org"])
    assert "freeswitch" == which("freeswitch", [])
    assert "twilio" == which("twilio", ["audio.drachtio.org"])
    assert which(None, []) is None
