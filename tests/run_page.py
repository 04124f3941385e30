"""Runs the Python of one page, as a program: ``python -m tests.run_page < blocks.json``.

The blocks share a namespace, in order, and may await. A block that is a file is imported from the folder where the
test has written it, and what it defines can be used by the blocks below.
"""

from __future__ import annotations
import __future__

import ast
import asyncio
import inspect
import json
import sys
from importlib import import_module
from typing import Any

__all__ = ("main",)

FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | __future__.annotations.compiler_flag
"""Annotations are not looked up: a sketch may name what it does not define."""


def main() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in json.load(sys.stdin):
        if block["file"]:
            module = import_module(block["file"].removesuffix(".py"))
            namespace |= {name: value for name, value in vars(module).items() if not name.startswith("__")}
            continue
        code = compile(block["text"], block["where"], "exec", flags=FLAGS, dont_inherit=True)
        result = eval(code, namespace)
        if inspect.iscoroutine(result):
            asyncio.run(result)


if __name__ == "__main__":
    main()
