"""What webhooks are answered with: connect this call with our stream, or with somebody else. One vendor after another.

Each takes the ``parameters`` that come back when the stream starts. Nothing in them is trusted to be harmless: the
documents are built by libraries, which escape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit, urlunsplit
from xml.etree.ElementTree import Element, SubElement, tostring

from app.gateways.destinations import checked
from app.settings.telephony import Exotel, Jambonz, Plivo, Telnyx, Vonage

__all__ = (
    "exotel_url",
    "jambonz_dial",
    "jambonz_listen",
    "ncco_connect",
    "ncco_dial",
    "plivo_dial",
    "plivo_stream",
    "texml_stream",
    "twiml_dial",
    "twiml_stream",
)

Json = dict[str, object]

_PLAIN = re.compile(r"[A-Za-z0-9]+")
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document can hold (XML 1.0, section 2.2)."""


def twiml_stream(url: str, parameters: Mapping[str, str]) -> bytes:
    """https://www.twilio.com/docs/voice/twiml/stream; the URL must not have a query (error 31920)."""
    return _stream(url, parameters, {})


def texml_stream(url: str, parameters: Mapping[str, str], settings: Telnyx) -> bytes:
    """https://developers.telnyx.com/docs/voice/programmable-voice/texml-verbs/stream. A stream that we have ended
    is not to come again."""
    attributes = {
        "track": "inbound_track",
        "codec": settings.codec,
        "bidirectionalMode": "rtp",
        "bidirectionalCodec": settings.codec,
        "bidirectionalSamplingRate": str(settings.rate),
        "enableReconnect": "false",
    }
    return _stream(url, parameters, attributes)


def _stream(url: str, parameters: Mapping[str, str], attributes: Mapping[str, str]) -> bytes:
    response = Element("Response")
    stream = SubElement(SubElement(response, "Connect"), "Stream", {"url": url, **attributes})
    for name, value in parameters.items():
        SubElement(stream, "Parameter", name=name, value=_NOT_XML.sub("", value))
    return _xml(response)


def twiml_dial(to: str) -> bytes:
    """https://www.twilio.com/docs/voice/twiml/dial.

    :raises GatewayError: ``to`` is nobody's address; as in all that dial.
    """
    kind = checked("twilio", "transfer", to)
    response = Element("Response")
    SubElement(SubElement(response, "Dial"), "Number" if kind == "number" else "Sip").text = to
    return _xml(response)


def plivo_stream(url: str, parameters: Mapping[str, str], settings: Plivo) -> bytes:
    """https://plivo.com/docs/voice/audio-streaming/overview-doc. Its ``extraHeaders`` hold letters and digits only: a
    number goes without its plus, and what has anything else in it is left out."""
    plain = {name: value.removeprefix("+") for name, value in parameters.items()}
    kind = "audio/x-mulaw" if settings.codec == "mulaw" else "audio/x-l16"
    response = Element("Response")
    stream = SubElement(
        response,
        "Stream",
        bidirectional="true",
        keepCallAlive="true",
        audioTrack="inbound",
        contentType=f"{kind};rate={settings.rate}",
        extraHeaders=",".join(f"{name}={value}" for name, value in plain.items() if _PLAIN.fullmatch(value)),
    )
    stream.text = url
    return _xml(response)


def plivo_dial(to: str) -> bytes:
    """https://plivo.com/docs/voice/xml/dial."""
    kind = checked("plivo", "transfer", to)
    response = Element("Response")
    SubElement(SubElement(response, "Dial"), "Number" if kind == "number" else "User").text = to
    return _xml(response)


def ncco_connect(url: str, parameters: Mapping[str, str], settings: Vonage) -> list[Json]:
    """https://developer.vonage.com/en/voice/guides/ncco-reference#websocket-the-websocket-to-connect-to. Where we know
    the signature secret, Vonage is asked to sign the upgrade as it signs webhooks."""
    endpoint: Json = {
        "type": "websocket",
        "uri": url,
        "content-type": f"audio/l16;rate={settings.rate}",
        "headers": dict(parameters),
    }
    if settings.signature_secret is not None:
        endpoint["authorization"] = {"type": "vonage"}
    return [{"action": "connect", "endpoint": [endpoint]}]


def ncco_dial(to: str, caller_id: str | None) -> list[Json]:
    """https://developer.vonage.com/en/voice/guides/ncco-reference#connect; Vonage writes numbers without a plus."""
    kind = checked("vonage", "transfer", to)
    number: Json = {"type": "phone", "number": to.removeprefix("+")}
    sip: Json = {"type": "sip", "uri": to}
    connect: Json = {"action": "connect", "endpoint": [number if kind == "number" else sip]}
    return [connect if caller_id is None else connect | {"from": caller_id.removeprefix("+")}]


def jambonz_listen(url: str, parameters: Mapping[str, str], settings: Jambonz) -> list[Json]:
    """https://docs.jambonz.org/verbs/verbs/listen. A call that was not answered yet is answered by it."""
    listen: Json = {
        "verb": "listen",
        "url": url,
        "sampleRate": settings.rate,
        "mixType": "mono",
        "passDtmf": True,
        "bidirectionalAudio": {"enabled": True, "streaming": True, "sampleRate": settings.rate},
        "metadata": dict(parameters),
    }
    if settings.username is not None and settings.password is not None:
        listen["wsAuth"] = {"username": settings.username, "password": settings.password.get_secret_value()}
    return [listen]


def jambonz_dial(to: str) -> list[Json]:
    """https://docs.jambonz.org/verbs/verbs/dial."""
    kind = checked("jambonz", "transfer", to)
    phone: Json = {"type": "phone", "number": to}
    sip: Json = {"type": "sip", "sipUri": to}
    return [{"verb": "dial", "target": [phone if kind == "number" else sip]}]


def exotel_url(url: str, parameters: Mapping[str, str], settings: Exotel) -> Json:
    """https://developer.exotel.com/docs/agentstream/stream-voicebot-applet: parameters, at most three, stand in the
    query, and a name and a password in front of the host."""
    if settings.username is not None and settings.password is not None:
        parts = urlsplit(url)
        account = ":".join(quote(part, safe="") for part in (settings.username, settings.password.get_secret_value()))
        url = urlunsplit(parts._replace(netloc=f"{account}@{parts.netloc}"))
    query = dict(parameters) if settings.rate == 8000 else {"sample-rate": str(settings.rate), **parameters}
    return {"url": f"{url}?{urlencode(query)}" if query else url}


def _xml(root: Element) -> bytes:
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document
