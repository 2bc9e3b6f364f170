"""Makes the table of what every scheduler class of diffusers takes, and takes by default.

    python -m diffviz.exchange.make_schedulers

The arguments are read in the source of the diffusers that is installed, without importing it, so
that a class whose own dependencies are missing is in the table too.  An argument without a default
stands in it as null.
"""

from __future__ import annotations

import ast
import importlib.util
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["TARGET", "arguments", "make_table"]

TARGET = Path(__file__).with_name("assets") / "schedulers.json"


def make_table() -> dict[str, Any]:
    """The version of the installed diffusers, and the arguments of its classes by their names.

    Raises:
        ModuleNotFoundError: if diffusers is not installed.
    """
    spec = importlib.util.find_spec("diffusers")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("diffusers is not installed: pip install diffusers")
    files = sorted((Path(spec.origin).parent / "schedulers").rglob("scheduling_*.py"))
    classes = {
        node.name: arguments(node)
        for file in files
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and _is_scheduler(node)
    }
    return {"diffusers": version("diffusers"), "classes": dict(sorted(classes.items()))}


def arguments(node: ast.ClassDef) -> dict[str, Any]:
    """The arguments of a class's constructor and their defaults."""
    found = next(f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__")
    names = [argument.arg for argument in found.args.args[1:]]
    defaults = [_value(default) for default in found.args.defaults]
    return dict(zip(names, [None] * (len(names) - len(defaults)) + defaults, strict=True))


def _is_scheduler(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id == "SchedulerMixin" for base in node.bases)


def _value(default: ast.expr) -> Any:
    return eval(compile(ast.Expression(default), "", "eval"), {"float": float})


if __name__ == "__main__":
    table = make_table()
    rows = [f"{json.dumps(name)}: {json.dumps(row)}" for name, row in table["classes"].items()]
    lines = ",\n".join(rows)
    TARGET.write_text(
        f'{{"diffusers": "{table["diffusers"]}", "classes": {{\n{lines}\n}}}}\n', encoding="utf-8"
    )
