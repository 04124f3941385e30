"""What the documents say is what the code does: settings, routes, messages, codes, metrics, examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import typer
from pydantic import BaseModel

from app.cli import cli
from app.main import create_app
from app.metrics import Metrics
from app.settings import Settings, load
from app.wire import messages
from providers.api import ActionKind, AgentEvent
from providers.registry import available
from session import FrameCounts
from session.config import SessionConfig
from session.errors import ErrorCode
from session.notices import EndReason
from session.states import TRANSITIONS
from tests.server import QUICK

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *PAGES, ROOT / "bench/README.md"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    return text.split(f"## {title}", 1)[1].split("\n## ", 1)[0]


def first_cells(text: str) -> set[str]:
    """What stands in backticks in the first column of the tables of a text."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


# --- settings -----------------------------------------------------------------------------------------------------


def leaves(kind: type, path: str) -> Iterator[str]:
    if issubclass(kind, BaseModel):
        parts = {name: part.annotation for name, part in kind.model_fields.items()}
    else:
        hints = get_type_hints(kind)
        parts = (
            {part.name: hints[part.name] for part in fields(kind) if part.name != "scorer"}
            if is_dataclass(kind)
            else {}
        )
    for name, given in parts.items():
        inner = f"{path}__{name.upper()}" if path else name.upper()
        if isinstance(given, type) and (issubclass(given, BaseModel) or is_dataclass(given)):
            yield from leaves(given, inner)
        elif not (kind is SessionConfig and name in {"session_id", "auto_start"}):
            yield f"BELUGA_{inner}"


SETTINGS = set(leaves(Settings, ""))
NOT_SETTINGS = {"BELUGA_CONFIG", "BELUGA_"}


def test_the_reference_lists_every_setting() -> None:
    assert first_cells(section(REFERENCE, "Settings")) - NOT_SETTINGS == SETTINGS


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_names_a_setting_that_does_not_exist(path: Path) -> None:
    named = set(re.findall(r"\bBELUGA_[A-Z_]*", path.read_text(encoding="utf-8")))

    assert set() == named - SETTINGS - NOT_SETTINGS


def test_the_readme_tells_the_defaults() -> None:
    settings = load(environment={})
    kinds = "STT|TTS|VAD|ECHO|NOISE|TURN|AGENT"
    told = dict(re.findall(rf"^\| `BELUGA_({kinds})__PROVIDER` \| `(\w+)`", README, re.MULTILINE))

    assert {kind: getattr(settings, kind.lower()).provider for kind in told} == told
    assert len(told) == 7


def test_the_providers_in_the_documents_exist() -> None:
    rows = re.findall(
        r"^\| `BELUGA_(\w+?)__PROVIDER`.*?\| `(\w+)`.*?\|(.*)\|$", section(REFERENCE, "Settings"), re.MULTILINE
    )
    told = {
        (kind.lower(), name) for kind, default, others in rows for name in [default, *re.findall(r"`(\w+)`", others)]
    }

    assert {(each.kind, each.name) for each in available()} == told


# --- routes, commands, messages -----------------------------------------------------------------------------------


def test_the_reference_lists_every_route() -> None:
    app = create_app(load(environment=QUICK))
    built = {
        f"{method.upper()} {path}".replace("{session_id}", "{id}")
        for path, methods in app.openapi()["paths"].items()
        for method in methods
        if path != "/"
    }
    told = {each for cell in first_cells(section(REFERENCE, "HTTP")) for each in cell.split(", ")}

    assert built | {"GET /openapi.json", "GET /docs"} == told


def test_the_reference_lists_every_command() -> None:
    from app.cli import _plug_in_clients  # noqa: PLC0415 - only the console script needs it otherwise

    if "talk" not in {command.name for command in cli.registered_commands}:
        _plug_in_clients()
    group = typer.main.get_command(cli)
    told = {cell.split()[1] for cell in first_cells(section(REFERENCE, "Commands"))}

    assert set(getattr(group, "commands", {})) == told


def test_the_reference_lists_every_error_code() -> None:
    told = re.findall(r"`([a-z_]+)`", section(REFERENCE, "HTTP").split("with a `code`:")[1].split(". ")[0])

    assert set(ErrorCode) == set(told)


def types_in(source: str) -> set[str]:
    return set(re.findall(r'type(?:: Literal\[|=)"(\w+)"', source))


def test_the_reference_lists_every_message() -> None:
    source = Path(messages.__file__).read_text(encoding="utf-8")
    socket = section(REFERENCE, "The audio WebSocket")
    told = {name for name in first_cells(socket) if name.isalpha()}

    assert types_in(source) == told


def test_the_reference_lists_every_reason_of_an_end() -> None:
    (row,) = re.findall(r"^\| `ended` \| `reason`: (.*) \|$", REFERENCE, re.MULTILINE)

    assert list(EndReason) == re.findall(r"`(\w+)`", row)


def test_the_reference_lists_every_close_code() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "app" / "transports").glob("*.py")]
    used = {int(code) for source in sources for code in re.findall(r"\b(1000|1001|1011|4[45]\d\d)\b", source)}
    told = {int(code) for code in re.findall(r"^\| (\d{4}) \|", REFERENCE, re.MULTILINE)}

    assert used == told


def test_the_reference_lists_what_an_agent_is_told_and_may_do() -> None:
    webhook = section(REFERENCE, "The agent webhook")
    assert set(get_args(AgentEvent)) == first_cells(webhook.split("| answer |")[0])
    assert all(f"`{action}`" in webhook for action in get_args(ActionKind))


def test_the_reference_lists_every_metric() -> None:
    metrics = Metrics()
    metrics.read(FrameCounts(), tuple)
    exposed = metrics.render("")[0].decode()
    built = set(re.findall(r"^# TYPE (\w+)", exposed, re.MULTILINE))
    told = first_cells(section(REFERENCE, "Metrics"))

    assert built == told


def test_the_states_in_the_design_are_those_of_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (`.*`) \|$", section(DESIGN, "The states"), re.MULTILINE)
    told = {state: set(re.findall(r"`(\w+)`", following)) for state, following in rows}

    assert {str(state): {str(each) for each in following} for state, following in TRANSITIONS.items()} == told


# --- the newcomer's path ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["run", "test", "check", "bench", "docs", "setup"])
def test_the_make_targets_exist(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_inside_the_project_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8"))

    assert [] == [target for target in targets if not (path.parent / target).exists()]


# --- pains --------------------------------------------------------------------------------------------------------

PAINS = (ROOT / "docs" / "pains.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("named", re.findall(r"`(tests/[^`]+)`", PAINS))
def test_the_tests_that_the_pains_name_exist(named: str) -> None:
    path, _, test = named.partition("::")

    assert re.search(rf"^(async )?def {test}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_pain_names_a_test() -> None:
    rows = [line for line in PAINS.splitlines() if re.match(r"\| \d+\. ", line)]

    assert [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17, 18, 20] == [int(line[2:].split(".")[0]) for line in rows]
    assert [] == [line for line in rows if "`tests/" not in line]
