"""The page of ``docs/how-to-embed-in-a-page.md``, on a site of its own; and the other JavaScript of the documents."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import AUDIBLE, LIMIT_S, until
from tests.documents import PAGES, ROOT, Block, blocks_of
from tests.readers import defined_by
from tests.server import ServerHandle, serving

GUIDE = ROOT / "docs" / "how-to-embed-in-a-page.md"
HERE = "http://127.0.0.1:8080/"
SECRET = "a secret of the tests, which is long enough"

SCRIPTS = [block for page in PAGES for block in blocks_of(page) if block.language == "js"]
MARKUP = [block for page in PAGES for block in blocks_of(page) if block.language == "html"]
SNIPPETS = [block for block in SCRIPTS if not block.text.startswith("// ")]


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """A web site that shows the files of a folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_the_page_of_the_guide_talks_from_a_site_of_its_own(browser: Browser, tmp_path: Path) -> None:
    (page_block,) = MARKUP
    (script,) = [block for block in SCRIPTS if block not in SNIPPETS]
    (tmp_path / "index.html").write_text(page_block.text, "utf-8")
    (tmp_path / "voice-token").write_text(defined_by(GUIDE, "voice_token.py")["voice_token"](SECRET), "utf-8")
    with site(tmp_path) as origin:
        auth = {"BELUGA_AUTH__JWT_SECRET": SECRET, "BELUGA_AUTH__ALLOWED_ORIGINS": f'["{origin}"]'}
        with serving(AUDIBLE | auth) as server:
            (tmp_path / "talk.js").write_text(script.text.replace(HERE, f"{server.base_url}/"), "utf-8")
            page = browser.new_page()
            page.goto(origin)
            page.click("#talk")
            until(lambda: page.inner_text("#talk") == "Hang up", LIMIT_S, lambda: page.inner_text("body"))
            until(lambda: page.inner_text("#words") == "hello there")
            page.click("#talk")
            until(lambda: page.inner_text("#talk") == "Talk to us")
            page.close()

    assert "// talk.js" == script.text.splitlines()[0]


@pytest.mark.parametrize("block", SNIPPETS, ids=str)
def test_the_javascript_of_a_page_runs(browser: Browser, quick_server: ServerHandle, block: Block) -> None:
    context = browser.new_context()
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(quick_server.base_url)
    state = page.evaluate(f"""async () => {{
        const {{ connect }} = await import(new URL("static/beluga-voice.js", location));
        const call = await connect({{ transport: "websocket" }});
        {block.text}
        const {{ state }} = call;
        await call.hangUp();
        return state;
    }}""")
    context.close()

    assert "ended" != state
    assert [] == errors


def test_the_events_of_the_guide_are_those_of_the_library() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", GUIDE.read_text("utf-8"), re.MULTILINE))
    types = (ROOT / "app" / "static" / "beluga-voice.d.ts").read_text("utf-8")

    assert told
    assert told <= set(re.findall(r"^  (\w+): \{ type:", types, re.MULTILINE))
