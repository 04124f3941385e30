"""Writes ``docs/reference.md`` from the signatures and docstrings of the public modules: ``make docs``.

Read from the source, not from what was imported: names, defaults and annotations stand there as they were written.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ("MODULES", "TARGET", "main", "public_names", "write")

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "docs" / "reference.md"

MODULES = (
    "session",
    "session.config",
    "session.errors",
    "session.states",
    "session.notices",
    "session.transport",
    "session.testing",
    "providers",
    "providers.registry",
    "providers.api",
    "providers.errors",
    "providers.fakes",
)
"""What a program outside this project may import. A name is described where it is first handed out."""

_INTRODUCTION = """# Python reference

Made by `make docs` from the docstrings; do not edit it by hand. The server's own interface, which needs no Python, is
in [protocol.md](protocol.md).
"""

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class _Module:
    name: str
    tree: ast.Module

    @staticmethod
    def read(name: str) -> _Module:
        path = ROOT.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        return _Module(name, ast.parse(path.read_text(encoding="utf-8")))

    def exported(self) -> tuple[str, ...]:
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                return tuple(ast.literal_eval(node.value))
        return ()

    def home_of(self, name: str) -> _Module:
        """The module that defines what this one hands out."""
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom) and name in {alias.asname or alias.name for alias in node.names}:
                return _Module.read(node.module or "").home_of(name)
        return self

    def definitions(self, name: str) -> list[ast.stmt]:
        """More than one for a function with overloads: those, without the one that stands behind them."""
        found = [node for node in self.tree.body if name in _defined_by(node)]
        overloads: list[ast.stmt] = [
            node for node in found if isinstance(node, Function) and _has_decorator(node, "overload")
        ]
        return overloads or found

    def text_of(self, name: str) -> str:
        """The docstring; of a constant or a type, the string below it."""
        found = [node for node in self.tree.body if name in _defined_by(node)]
        last = found[-1]
        if isinstance(last, Definition):
            return ast.get_docstring(last) or ""
        return _string(self.tree.body, self.tree.body.index(last) + 1)


def public_names() -> dict[str, tuple[str, ...]]:
    """Each name under the module that it is described in."""
    seen: set[str] = set()
    found: dict[str, tuple[str, ...]] = {}
    for name in MODULES:
        module = _Module.read(name)
        homes = {each: f"{module.home_of(each).name}.{each}" for each in module.exported()}
        found[name] = tuple(each for each, home in homes.items() if home not in seen)
        seen |= set(homes.values())
    return found


def write() -> str:
    """The page, the same for the same source."""
    names = public_names()
    blocks = [_INTRODUCTION]
    for module in MODULES:
        blocks.append(f"## `{module}`\n")
        introduction = ast.get_docstring(_Module.read(module).tree)
        if introduction:
            blocks.append(_markdown(introduction))
        for name in names[module]:
            blocks.extend(_described(_Module.read(module).home_of(name), name))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(blocks))


# --- one name -----------------------------------------------------------------------------------------------------


def _described(module: _Module, name: str) -> Iterator[str]:
    yield f"### `{name}`\n"
    definitions = module.definitions(name)
    match definitions[0]:
        case ast.ClassDef() as described:
            yield from _class(described)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from (f"`{_signature(each)}`\n" for each in definitions if isinstance(each, Function))
            yield _markdown(module.text_of(name))
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            short = ast.unparse(value)
            if len(short) <= 400:
                yield f"`{short}`\n"
            yield _markdown(module.text_of(name))


def _class(node: ast.ClassDef) -> Iterator[str]:
    bases = [ast.unparse(base) for base in node.bases]
    is_enum = any(base.endswith("Enum") for base in bases)
    kind = [f"A `{base.partition('[')[0]}`." for base in bases]
    text = ast.get_docstring(node) or ""
    yield "\n".join([*kind, ""]) if kind else ""
    yield _markdown(text)
    if is_enum:
        members = [part for part in node.body if isinstance(part, ast.Assign)]
        yield ", ".join(f"`{ast.literal_eval(part.value)}`" for part in members) + "\n"
        return
    rows = [*_constructor(node), *_fields(node)]
    if rows:
        yield "| name | type | default | |\n| --- | --- | --- | --- |\n" + "\n".join(rows) + "\n"
    methods = [part for part in node.body if isinstance(part, Function) and _is_shown(part)]
    plain = [method for method in methods if _is_property(method) and not ast.get_docstring(method)]
    if plain:
        yield "To be read: " + ", ".join(f"`{_signature(method)}`" for method in plain) + ".\n"
    for method in methods:
        if method not in plain:
            yield f"**`{_signature(method)}`**\n"
            yield _markdown(ast.get_docstring(method) or "")


def _constructor(node: ast.ClassDef) -> Iterator[str]:
    """The parameters of ``__init__``, where it is written."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            given = part.args
            positional = [*given.posonlyargs, *given.args][1:]
            padding: list[ast.expr | None] = [None] * (len(positional) - len(given.defaults))
            pairs = [*zip(positional, [*padding, *given.defaults], strict=True)]
            pairs += zip(given.kwonlyargs, given.kw_defaults, strict=True)
            for argument, default in pairs:
                yield _row(argument.arg, argument.annotation, default, "")


def _fields(node: ast.ClassDef) -> Iterator[str]:
    for at, part in enumerate(node.body):
        if isinstance(part, ast.AnnAssign) and not ast.unparse(part.target).startswith("_"):
            meaning = " ".join(_markdown(_string(node.body, at + 1)).split())
            yield _row(ast.unparse(part.target), part.annotation, part.value, meaning)


def _row(name: str, annotation: ast.expr | None, default: ast.expr | None, meaning: str) -> str:
    kind = "" if annotation is None else f"`{ast.unparse(annotation)}`"
    value = "" if default is None else f"`{_default(default)}`"
    cells = (f"`{name}`", kind, value, meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(value: ast.expr) -> str:
    """``field(default_factory=Interruption)`` as ``Interruption()``."""
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "field":
        for keyword in value.keywords:
            if keyword.arg == "default_factory":
                return f"{ast.unparse(keyword.value)}()"
    return ast.unparse(value)


def _is_shown(method: Function) -> bool:
    return not method.name.startswith("_") or method.name == "__aiter__"


def _signature(node: Function) -> str:
    arguments = ast.unparse(node.args)
    arguments = re.sub(r"^self(, )?", "", arguments)
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    if _is_property(node):
        return f"{node.name}{result.replace(' ->', ':')}"
    prefix = "await " if isinstance(node, ast.AsyncFunctionDef) and not _yields(node) else ""
    return f"{prefix}{node.name}({arguments}){result}"


def _yields(node: Function) -> bool:
    return any(isinstance(part, ast.Yield | ast.YieldFrom) for part in ast.walk(node))


# --- the source ---------------------------------------------------------------------------------------------------


def _defined_by(node: ast.stmt) -> set[str]:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return {name}
        case ast.Assign(targets=targets):
            return {ast.unparse(target) for target in targets}
        case ast.AnnAssign(target=target):
            return {ast.unparse(target)}
    return set()


def _has_decorator(node: Function, name: str) -> bool:
    return any(ast.unparse(decorator).rpartition(".")[2] == name for decorator in node.decorator_list)


def _is_property(node: Function) -> bool:
    return _has_decorator(node, "property") or _has_decorator(node, "cached_property")


def _string(body: list[ast.stmt], at: int) -> str:
    """The string that stands alone at this place, if one does."""
    node = body[at] if at < len(body) else None
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return inspect.cleandoc(node.value.value)
    return ""


# --- docstrings ---------------------------------------------------------------------------------------------------


def _markdown(text: str) -> str:
    """A docstring as Markdown: literals, blocks that are shown as they stand, and what is raised."""
    return "\n".join(_paragraphs(text.splitlines())) + "\n" if text else ""


def _paragraphs(lines: Iterable[str]) -> Iterator[str]:
    literal = False
    for line in lines:
        if line.strip() == "::":
            literal = True
        elif literal and (not line.strip() or line.startswith("    ")):
            yield line
        else:
            literal = False
            yield _inline(line)


def _inline(line: str) -> str:
    line = re.sub(r"``(.+?)``", r"`\1`", line)
    return re.sub(r"^\s*:raises (\w+):", r"Raises `\1`:", line).removesuffix(":") if line.startswith(":") else line


def main() -> None:
    TARGET.write_text(write(), encoding="utf-8")


if __name__ == "__main__":
    main()
