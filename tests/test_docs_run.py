"""Every code block of the documents runs, or is read by the code that would read it. No language is let through."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
import tomllib
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import httpx2
import pytest
import typer
import yaml
from fastapi import FastAPI
from starlette.routing import Match
from uvicorn.main import main as uvicorn_command

from app.cli import _plug_in_clients, cli
from app.conversation import describe_latency
from app.main import create_app
from app.metrics import Metrics
from app.routes.sessions import Say
from app.settings import load
from app.telemetry import _sends
from providers.agent.webhook import _body_of
from providers.api import AgentRequest
from providers.registry import KINDS
from session import FrameCounts
from session.engine import Engine
from tests.documents import PAGES, ROOT, Block, Command, blocks_of, commands_of, exports_of, files_of, name_of
from tests.readers import LOG_LINE, run_command, run_python, save_files
from tests.server import QUICK, running

TUTORIAL = ROOT / "docs" / "tutorial.md"
README = ROOT / "README.md"
DESIGN = ROOT / "docs" / "design.md"

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
COMMANDS = [command for page in PAGES for command in commands_of(page)]


def each(language: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == language], ids=str)


def test_every_block_is_in_a_language_that_is_run_here() -> None:
    here = {"python", "sh", "toml", "json", "yaml", "text"}
    in_a_browser = {"html", "js"}  # tests/browser/test_embedding.py
    unknown = [str(block) for block in BLOCKS if block.language not in here | in_a_browser]

    assert [] == unknown


def test_a_block_that_is_not_closed_is_an_error(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Some text.\n\n```python\nprint()\n", encoding="utf-8")

    with pytest.raises(ValueError, match=r"page\.md:3"):
        list(blocks_of(page))


def test_indented_and_longer_fences_are_blocks_too(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("- a list\n\n  ```toml\n  a = 1\n  ```\n\n~~~~\n```\n~~~~\n", encoding="utf-8")

    assert [("toml", "  a = 1\n"), ("", "```\n")] == [(block.language, block.text) for block in blocks_of(page)]


# --- python -------------------------------------------------------------------------------------------------------

GIVEN = {README: "async def my_async_function(transcript):\n    return ''\npcm = bytes(640)\n"}
"""What a page tells its reader to bring along."""


HERE = "127.0.0.1:8080"
"""Where the pages have their server."""


def is_program(text: str) -> bool:
    """Whether a file is to be started, rather than imported: it reads its command line."""
    return "sys.argv" in text


@pytest.mark.parametrize("page", PAGES, ids=name_of)
async def test_the_python_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    save_files(page, tmp_path)
    blocks = [
        {"file": block.file, "text": block.text, "where": str(block)}
        for block in blocks_of(page)
        if block.language == "python" and not is_program(block.text)
    ]
    given = [{"file": None, "text": GIVEN.get(page, ""), "where": "given"}]
    source = json.dumps(given + blocks)
    async with AsyncExitStack() as opened:
        if HERE in source:
            server = await opened.enter_async_context(running())
            source = source.replace(HERE, server.base_url.removeprefix("http://"))
        code, output = await run_python(tmp_path, "-m", "tests.run_page", given=source, environment=exports_of(page))

    assert 0 == code, output


async def test_the_files_of_the_pages_that_are_tests_pass(tmp_path: Path) -> None:
    names = []
    for page in PAGES:
        tests = [name for name, text in files_of(page).items() if "def test_" in text]
        if tests:
            save_files(page, tmp_path)
            names += tests
    assert sorted(set(names)) == sorted(names)
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--asyncio-mode=auto", *names)
    code, output = await run_python(tmp_path, *arguments)

    assert 0 == code, output


# --- sh -----------------------------------------------------------------------------------------------------------


def light_app() -> FastAPI:
    return create_app(load(environment={**QUICK, "BELUGA_TURN__PROVIDER": "silence"}))


def check_make(command: Command) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in command.arguments[1:]:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def check_beluga_voice(command: Command) -> None:
    """Its own parser takes it."""
    if "talk" not in {known.name for known in cli.registered_commands}:
        _plug_in_clients()
    group: Any = typer.main.get_command(cli)
    name, *arguments = command.arguments[1:]
    group.commands[name].make_context(name, arguments)


def check_uvicorn(command: Command) -> None:
    context = uvicorn_command.make_context("uvicorn", list(command.arguments[1:]))
    module, _, attribute = context.params["app"].partition(":")
    assert re.search(rf"^{attribute} = ", files_of(command.block.page)[f"{module}.py"], re.MULTILINE)


def check_python(command: Command) -> None:
    match command.arguments[1:]:
        case ["-m", "pip", "install", *packages]:
            project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
            listed = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
            assert set(packages) <= {re.split(r"[<>=;\[]", each)[0].strip() for each in listed}
        case ["-m", "pytest", *paths]:
            assert all((ROOT / path).exists() for path in paths if not path.startswith("-"))
        case [file, *_]:
            assert file in files_of(command.block.page)


def check_curl(command: Command) -> None:
    """It asks for a route that there is."""
    (url,) = [word for word in command.arguments[1:] if not word.startswith("-")]
    assert {word for word in command.arguments[1:] if word.startswith("-")} <= {"-N", "-s"}
    scope = {"type": "http", "method": "GET", "path": httpx2.URL(url).path}
    found = {route.matches(scope)[0] for route in _routes(light_app())}
    assert Match.FULL in found, url


def _routes(app: FastAPI) -> list[Any]:
    return list(app.router.routes)


def check_docker(command: Command) -> None:
    match command.arguments[1:]:
        case ["build", "-t", _, "."]:
            assert (ROOT / "Dockerfile").is_file()
        case ["run", *options]:
            given = [options[at + 1] for at, word in enumerate(options) if word == "-e"]
            assert load(environment=dict(each.split("=", 1) for each in given))
        case other:
            pytest.fail(f"docker {other} is not known here")


CHECKS: dict[str, Callable[[Command], None]] = {
    "make": check_make,
    "beluga-voice": check_beluga_voice,
    "uvicorn": check_uvicorn,
    "python": check_python,
    "curl": check_curl,
    "docker": check_docker,
}


def is_run_for_real(command: Command) -> bool:
    """What ends by itself, and needs nothing but what is installed and, for ``talk``, a server."""
    match command.arguments[1:]:
        case ["check" | "providers" | "token", *_] if command.program == "beluga-voice":
            return True
        case ["talk", *rest] if command.program == "beluga-voice":
            return "--mic" not in rest
        case [file, *_] if command.program == "python":
            return file.endswith(".py")
    return False


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_exists_with_its_options(command: Command) -> None:
    assert command.program in CHECKS
    CHECKS[command.program](command)
    if command.program == "make" or "serve" in command.arguments:
        assert load(environment=command.environment)
        if any(name.startswith("OTEL_") for name in command.environment):
            assert _sends(command.environment, "TRACES")


ENDING = [command for command in COMMANDS if is_run_for_real(command) and "talk" not in command.arguments]


@pytest.mark.parametrize("command", ENDING, ids=str)
async def test_a_command_that_ends_by_itself_succeeds(command: Command, tmp_path: Path) -> None:
    save_files(command.block.page, tmp_path)
    code, output = await run_command(command, tmp_path)

    assert 0 == code, output
    if command.arguments[1].endswith(".py"):
        assert re.search(r"^user: .*tried.*\nassistant: You said: .*tried", output, re.IGNORECASE | re.MULTILINE), (
            output
        )


TALKING = [command for command in COMMANDS if is_run_for_real(command) and "talk" in command.arguments]


async def test_the_calls_of_the_pages_are_calls(tmp_path: Path) -> None:
    """All at once: each takes its time, and little else."""
    folders = [tmp_path / str(number) for number in range(len(TALKING))]
    for folder in folders:
        folder.mkdir()
    async with running() as server:
        more = ("--url", server.ws_url, "--wait", "2")
        calls = zip(TALKING, folders, strict=True)
        ended = await asyncio.gather(*(run_command(command, folder, *more) for command, folder in calls))

    assert [] == [output for code, output in ended if code != 0]
    for command, folder in zip(TALKING, folders, strict=True):
        assert folder.joinpath("reply.wav").exists() == ("--out" in command.arguments)


def test_the_recording_of_the_pages_is_where_they_say() -> None:
    named = {word for command in TALKING for word in command.arguments if word.endswith(".wav") and "/" in word}
    found = find_spec("moonshine_voice")

    assert found is not None
    assert found.origin is not None
    assert all((Path(found.origin).parents[1] / word.partition("site-packages/")[2]).is_file() for word in named)


# --- toml, json, yaml ---------------------------------------------------------------------------------------------


@each("toml")
def test_a_table_is_read_by_what_it_is_for(block: Block, tmp_path: Path) -> None:
    tables = tomllib.loads(block.text)
    if "project" not in tables:
        file = tmp_path / "settings.toml"
        file.write_text(block.text, encoding="utf-8")
        assert load(config=file)
        return
    points = tables["project"]["entry-points"]
    assert set(points) <= {f"beluga_voice.{kind}" for kind in KINDS}
    for target in (target for group in points.values() for target in group.values()):
        module, _, name = target.partition(":")
        source = files_of(block.page).get(f"{module}.py")
        assert source is None or re.search(rf"^class {name}\b", source, re.MULTILINE)


@each("json")
def test_an_object_is_what_the_code_reads_or_writes(block: Block) -> None:
    value = json.loads(block.text)
    match value:
        case {"type": kind}:
            assert set(_body_of(AgentRequest(kind, "", replaces=value.get("replaces")))) == set(value)
        case {"text": _}:
            assert Say.model_validate(value)
        case {"event": "turn"}:
            latency = {name for name in value if name.endswith("_ms")}
            assert LOG_LINE | latency == set(value)
            assert describe_latency(value)
        case _:
            pytest.fail("nothing is known to read this")


def names_of_metrics() -> set[str]:
    metrics = Metrics()
    metrics.read(FrameCounts(), tuple)
    families = re.findall(r"^# TYPE (\w+) (\w+)", metrics.render("")[0].decode(), re.MULTILINE)
    return {name + suffix for name, kind in families for suffix in ("", "_bucket" if kind == "histogram" else "")}


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"\b[a-z]+(?:_[a-z]+)*_(?:total|bucket|breaker_state|seconds)\b", text))


@each("yaml")
def test_a_rule_or_a_scrape_is_yaml_and_names_metrics_that_exist(block: Block) -> None:
    value = yaml.safe_load(block.text)
    expressions = [rule["expr"] for group in value.get("groups", ()) for rule in group["rules"]]

    assert set(value) <= {"groups", "scrape_configs"}
    assert set() == {name for each in expressions for name in metrics_in(each)} - names_of_metrics()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_metrics_that_a_page_asks_for_exist(page: Path) -> None:
    inline = re.findall(r"`([^`\n]+)`", page.read_text(encoding="utf-8"))

    assert set() == {name for code in inline for name in metrics_in(code)} - names_of_metrics()


# --- text ---------------------------------------------------------------------------------------------------------


def check_call(block: Block) -> None:
    """A call as ``talk`` shows it: who says what, and where the time went, in the words of the program."""
    for line in block.text.splitlines():
        if re.fullmatch(r"(you    |agent  )\S.*|       you broke in|  …", line):
            continue
        told = re.fullmatch(r"       (?:interrupted, heard: '.+' · )?(\S.* ms)", line)
        assert told is not None, line
        stages = re.findall(r"(\w+) (\d+)", told[1])
        assert told[1] == describe_latency({f"{stage}_ms": int(ms) for stage, ms in stages})


def check_course_of_a_turn(block: Block) -> None:
    """Times of a turn, in order, and the sum that is drawn from them."""
    times = [int(line.split()[0]) for line in block.text.splitlines() if line.strip() and line.lstrip()[0].isdigit()]
    (first, second, difference) = re.findall(r"(\d+) − (\d+) = (\d+) ms", block.text)[0]  # noqa: RUF001 - the page's sign

    assert sorted(times) == times
    assert {int(first), int(second)} <= set(times)
    assert int(first) - int(second) == int(difference)


def check_drawing(block: Block) -> None:
    """Of folders: they exist."""
    folders = re.findall(r"\b(?:app|session|providers)(?:/\w+)+", block.text)
    assert folders
    assert [] == [folder for folder in folders if not (ROOT / folder).is_dir()]


def check_design(block: Block) -> None:
    (check_drawing if "──" in block.text else check_course_of_a_turn)(block)


def check_configuration(block: Block) -> None:
    """Of somebody else's system, in its own words. Where its addresses lead to:
    tests/test_docs_gateways.py."""
    assert block.text.strip()


SHOWN = {README: check_call, TUTORIAL: check_call, DESIGN: check_design} | {
    page: check_configuration for page in PAGES if page.parent.name == "gateways"
}


@each("text")
def test_what_a_page_shows_could_have_been_shown(block: Block) -> None:
    assert block.page in SHOWN
    SHOWN[block.page](block)


def test_the_engine_of_the_design_is_the_engine() -> None:
    (block,) = [each for each in blocks_of(DESIGN) if each.language == "python"]
    (sketch,) = ast.parse(block.text).body
    assert isinstance(sketch, ast.ClassDef)
    (real,) = ast.parse(inspect.getsource(Engine)).body
    assert isinstance(real, ast.ClassDef)

    methods = {part.name: part for part in real.body if isinstance(part, ast.FunctionDef)}
    for part in sketch.body:
        assert isinstance(part, ast.FunctionDef)
        assert ast.unparse(part.args) == ast.unparse(methods[part.name].args)
        assert ast.unparse(part.returns or part) == ast.unparse(methods[part.name].returns or part)


def slugs_of(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_link_to_a_heading_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*\.md)#([^)]+)\)", page.read_text(encoding="utf-8"))

    assert [] == [(target, slug) for target, slug in links if slug not in slugs_of(page.parent / target)]
