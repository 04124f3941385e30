"""The pages of the phone gateways: their addresses lead here, and what they say of a gateway is what its code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.routing import Match

from app.gateways.control import CallControl, Operation
from app.gateways.exotel import ExotelControl
from app.gateways.jambonz import JambonzControl
from app.gateways.plivo import PlivoControl
from app.gateways.telnyx import TelnyxControl
from app.gateways.twilio import TwilioControl
from app.gateways.vonage import VonageControl
from app.main import create_app
from app.settings import load
from app.wire.phone.catalogue import CODECS
from tests.documents import ROOT
from tests.server import QUICK

FOLDER = ROOT / "docs" / "gateways"
PAGES = sorted(FOLDER.glob("*.md"))
CONTROLS: tuple[type[CallControl], ...] = (
    TwilioControl,
    TelnyxControl,
    VonageControl,
    PlivoControl,
    ExotelControl,
    JambonzControl,
)
ROUTES = create_app(load(environment=QUICK)).router.routes
ADDRESS = re.compile(r"\b(https?|wss?)://(?:\w+:\w+@)?(?:voice\.example\.com|127\.0\.0\.1:8080)([\w/.-]*)")


def leads_somewhere(scheme: str, path: str) -> bool:
    kind = "websocket" if scheme.startswith("ws") else "http"
    scope = {"type": kind, "method": "POST", "path": path}
    return any(route.matches(scope)[0] is not Match.NONE for route in ROUTES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_addresses_of_a_page_lead_here(page: Path) -> None:
    found = ADDRESS.findall(page.read_text("utf-8"))

    assert found
    assert [] == [(scheme, path) for scheme, path in found if path and not leads_somewhere(scheme, path)]


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != "README"], ids=lambda page: page.stem)
def test_a_page_says_what_to_set_and_how_to_try_it(page: Path) -> None:
    text = page.read_text("utf-8")

    assert f"BELUGA_TELEPHONY__{page.stem.upper()}__" in text
    assert re.search(rf"^beluga-voice dial .*--gateway {page.stem}\b", text, re.MULTILINE)
    assert {"Settings", "Trying it", "What it can"} <= set(re.findall(r"^## (.*)$", text, re.MULTILINE))


def way(operation: Operation, gateway: str, *, in_stream: bool) -> str:
    if in_stream:
        return "stream"
    operations = {control.name: control.operations for control in CONTROLS}
    return "REST" if operation in operations.get(gateway, ()) else "no"


def row(gateway: str) -> list[str]:
    can = CODECS[gateway]().abilities
    says = {True: "yes", False: "no"}
    return [
        says[can.marks],
        says[can.pause],
        "yes" if can.digits_in else "tones",
        way("send_digits", gateway, in_stream=can.digits_out),
        way("hang_up", gateway, in_stream=can.hang_up),
        way("transfer", gateway, in_stream=False),
        says[way("call", gateway, in_stream=False) == "REST"],
    ]


def test_the_table_says_what_each_gateway_can() -> None:
    lines = re.findall(
        r"^\| \[([\w-]+)\]\([\w.]+\) \| (.*) \|$", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE
    )
    told = {name: cells.split(" | ") for name, cells in lines}

    assert {gateway: row(gateway) for gateway in CODECS} == told
