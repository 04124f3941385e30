from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from plivo import plivoxml
from pydantic import SecretStr
from twilio.twiml.voice_response import Connect, VoiceResponse

from app.gateways import answers
from app.gateways.control import GatewayError
from app.settings.telephony import Exotel, Jambonz, Plivo, Telnyx, Vonage

URL = "wss://voice.example.com/v1/telephony/here"
NASTY = "\"><Hangup/>&'\x00"


def same(theirs: str, ours: bytes) -> bool:
    """As documents, whatever the order of attributes."""
    return ET.canonicalize(theirs) == ET.canonicalize(ours.decode())


def test_twiml_is_what_twilios_own_library_writes() -> None:
    connect = Connect()
    stream = connect.stream(url=URL)
    stream.parameter(name="from", value="+15550100")
    stream.parameter(name="token", value="abc")
    theirs = VoiceResponse()
    theirs.append(connect)

    assert same(str(theirs), answers.twiml_stream(URL, {"from": "+15550100", "token": "abc"}))


@pytest.mark.parametrize("to", ["+15550100", "sip:joe@example.com?a=1&b=2"])
def test_twiml_dials_as_twilios_own_library_does(to: str) -> None:
    theirs = VoiceResponse()
    dial = theirs.dial()
    if to.startswith("sip"):
        dial.sip(to)
    else:
        dial.number(to)

    assert same(str(theirs), answers.twiml_dial(to))


def test_what_a_caller_calls_themselves_cannot_become_an_instruction() -> None:
    document = ET.fromstring(answers.twiml_stream(URL, {"from": NASTY}))

    assert ["Response", "Connect", "Stream", "Parameter"] == [element.tag for element in document.iter()]
    assert NASTY.rstrip("\x00") == document.find("Connect/Stream/Parameter").get("value")  # type: ignore[union-attr] # it is there


def test_texml_streams_both_ways_in_the_configured_sound() -> None:
    document = ET.fromstring(answers.texml_stream(URL, {"token": "abc"}, Telnyx(codec="L16", rate=16000)))
    stream = document.find("Connect/Stream")

    assert stream is not None
    assert {
        "url": URL,
        "track": "inbound_track",
        "codec": "L16",
        "bidirectionalMode": "rtp",
        "bidirectionalCodec": "L16",
        "bidirectionalSamplingRate": "16000",
        "enableReconnect": "false",
    } == stream.attrib
    assert [{"name": "token", "value": "abc"}] == [parameter.attrib for parameter in stream]


def test_plivo_xml_is_what_plivos_own_library_writes() -> None:
    theirs = plivoxml.ResponseElement()
    theirs.add(
        plivoxml.StreamElement(
            URL,
            bidirectional=True,
            keepCallAlive=True,
            audioTrack="inbound",
            contentType="audio/x-l16;rate=16000",
            extraHeaders="from=15550100,call=ab12",
        )
    )
    ours = answers.plivo_stream(
        URL, {"from": "+15550100", "call": "ab12", "to": "sip:joe@example.com"}, Plivo(codec="l16", rate=16000)
    )

    assert same(theirs.to_string(pretty=False), ours)


@pytest.mark.parametrize("to", ["+15550100", "sip:joe@example.com"])
def test_plivo_xml_dials_as_plivos_own_library_does(to: str) -> None:
    dial = plivoxml.DialElement()
    dial.add(plivoxml.UserElement(to) if to.startswith("sip") else plivoxml.NumberElement(to))
    theirs = plivoxml.ResponseElement()
    theirs.add(dial)

    assert same(theirs.to_string(pretty=False), answers.plivo_dial(to))


def test_an_ncco_connects_a_websocket() -> None:
    (connect,) = answers.ncco_connect(URL, {"from": "15550100"}, Vonage(rate=8000))

    assert {
        "action": "connect",
        "endpoint": [
            {
                "type": "websocket",
                "uri": URL,
                "content-type": "audio/l16;rate=8000",
                "headers": {"from": "15550100"},
            }
        ],
    } == connect


def test_vonage_is_asked_to_sign_where_the_signature_can_be_checked() -> None:
    (connect,) = answers.ncco_connect(URL, {}, Vonage(signature_secret=SecretStr("secret")))

    assert {"type": "vonage"} == connect["endpoint"][0]["authorization"]  # type: ignore[index] # a list of one


def test_jambonz_listens_both_ways_and_brings_the_password() -> None:
    (listen,) = answers.jambonz_listen(URL, {"call": "1"}, Jambonz(username="joe", password=SecretStr("pass")))

    assert {
        "verb": "listen",
        "url": URL,
        "sampleRate": 16000,
        "mixType": "mono",
        "passDtmf": True,
        "bidirectionalAudio": {"enabled": True, "streaming": True, "sampleRate": 16000},
        "metadata": {"call": "1"},
        "wsAuth": {"username": "joe", "password": "pass"},
    } == listen


def test_jambonz_is_given_no_password_where_there_is_none() -> None:
    (listen,) = answers.jambonz_listen(URL, {}, Jambonz(username="joe"))

    assert "wsAuth" not in listen


def test_jambonz_dials() -> None:
    assert [{"verb": "dial", "target": [{"type": "phone", "number": "+15550100"}]}] == answers.jambonz_dial("+15550100")
    assert [{"verb": "dial", "target": [{"type": "sip", "sipUri": "sip:a@b"}]}] == answers.jambonz_dial("sip:a@b")


def test_exotel_is_told_a_url() -> None:
    assert {"url": URL} == answers.exotel_url(URL, {}, Exotel())
    assert {
        "url": "wss://joe:p%40ss@voice.example.com/v1/telephony/here?sample-rate=16000&call=1"
    } == answers.exotel_url(URL, {"call": "1"}, Exotel(username="joe", password=SecretStr("p@ss"), rate=16000))


def test_nobody_is_dialled_at_nonsense() -> None:
    with pytest.raises(GatewayError, match="vonage: transfer: "):
        answers.ncco_dial("nobody", None)
