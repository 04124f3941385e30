"""What is asked of every module that is nothing but frozen values and their sum."""

from __future__ import annotations

import ast
import inspect
from dataclasses import is_dataclass
from types import ModuleType

__all__ = ("is_frozen_and_slotted", "names_defined_in", "values_of")


def values_of(module: ModuleType) -> list[type]:
    """The dataclasses that the module defines, found by walking it."""
    return [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and is_dataclass(thing) and thing.__module__ == module.__name__
    ]


def is_frozen_and_slotted(value: type) -> bool:
    return vars(value)["__dataclass_params__"].frozen and "__slots__" in vars(value)


def names_defined_in(module: ModuleType) -> set[str]:
    """Every public class, function, alias and constant at the top of its source."""
    names: set[str] = set()
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")}
