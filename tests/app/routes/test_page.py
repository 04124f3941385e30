from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx2
import pytest

from app.routes.page import is_current, load_files, routes
from tests.server import running

ROOT = Path(__file__).parents[3]
STATIC = ROOT / "app" / "static"


async def test_the_page_and_all_it_loads_come_with_their_types() -> None:
    types = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "ts": "text/plain"}
    async with running() as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        root = await http.get("/")
        answers = {path.name: await http.get(f"/static/{path.name}") for path in STATIC.iterdir() if path.suffix}

    assert (200, "text/html; charset=utf-8") == (root.status_code, root.headers["content-type"])
    for name, answer in answers.items():
        assert 200 == answer.status_code
        assert (STATIC / name).read_bytes() == answer.content
        assert answer.headers["content-type"].startswith(types.get(name.rpartition(".")[2], "text/html"))


async def test_the_page_may_load_nothing_from_elsewhere_and_be_framed_by_nobody() -> None:
    async with running() as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        headers = (await http.get("/")).headers

    policy = dict(each.strip().split(" ", 1) for each in headers["content-security-policy"].split(";"))
    assert {"'none'", "'self'"} == set(policy.values())
    assert ("'none'", "'none'", "'self'") == (policy["default-src"], policy["frame-ancestors"], policy["script-src"])
    assert "microphone=(self)" in headers["permissions-policy"]
    assert ("nosniff", "no-referrer") == (headers["x-content-type-options"], headers["referrer-policy"])


async def test_a_browser_that_has_the_file_is_told_so_and_asks_each_time() -> None:
    async with running() as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        for path in ("/", "/static/beluga-voice.js"):
            first = await http.get(path)
            again = await http.get(path, headers={"If-None-Match": first.headers["etag"]})
            other = await http.get(path, headers={"If-None-Match": '"another"'})

            assert "no-cache" == first.headers["cache-control"]
            assert (304, b"", first.headers["etag"]) == (again.status_code, again.content, again.headers["etag"])
            assert 200 == other.status_code


async def test_a_head_request_has_no_body() -> None:
    async with running() as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        answer = await http.head("/")

    assert (200, b"") == (answer.status_code, answer.content)


@pytest.mark.parametrize("path", ["/static/", "/static/none.js", "/static/..%2fmain.py", "/static/%2e%2e/main.py"])
async def test_nothing_but_the_files_of_the_folder_is_served(path: str) -> None:
    async with running() as server, httpx2.AsyncClient(base_url=server.base_url) as http:
        answer = await http.get(path)

    assert 404 == answer.status_code


async def test_a_site_that_may_connect_may_load_the_library() -> None:
    origin = "https://shop.example.com"
    async with (
        running({"BELUGA_AUTH__ALLOWED_ORIGINS": f'["{origin}"]'}) as server,
        httpx2.AsyncClient(base_url=server.base_url) as http,
    ):
        answer = await http.get("/static/beluga-voice.js", headers={"Origin": origin})
        foreign = await http.get("/static/beluga-voice.js", headers={"Origin": "https://other.example.com"})

    assert origin == answer.headers["access-control-allow-origin"]
    assert "access-control-allow-origin" not in foreign.headers


@pytest.mark.parametrize(
    ("if_none_match", "current"),
    [("", False), ('"a"', True), ('W/"a"', True), ('"b", "a"', True), ('"b"', False), ("*", True)],
)
def test_a_tag_is_found_among_those_that_the_client_has(if_none_match: str, *, current: bool) -> None:
    assert current == is_current(if_none_match, '"a"')


def test_every_file_of_the_folder_is_held() -> None:
    assert {path.name for path in STATIC.iterdir() if path.is_file()} == set(load_files())
    assert {"/", "/static/{name}"} == {route.path for route in routes()}


def test_the_wheel_carries_the_page(tmp_path: Path) -> None:
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    carried = {Path(name).name for name in zipfile.ZipFile(wheel).namelist() if re.match("app/static/", name)}

    assert set(load_files()) == carried
