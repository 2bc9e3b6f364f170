"""How many small changes of the code its tests notice.

A mutant is one module with one change: a number moved, an operator or a comparison turned, a sign
or an operand dropped, an argument left out, a branch always taken.  Each is run against the
module's own tests (``tests/core/test_grids.py`` for ``diffviz/core/grids.py``) in a copy of the
repository; it is noticed if they fail or take several times as long as without it.  Which mutants
are taken follows from the seed.  Those that change nothing that can be seen are listed in
``benchmarks/equivalent_mutants.txt``, each after its reason, and left out.

Usage: python benchmarks/mutation.py [MODULE ...] [--mutants 10] [--seed 0] [--jobs 2]
           [--folders core measures]

MODULE is a path such as ``diffviz/core/grids.py``; by default all modules of the folders.  The
last line of what is printed is one JSON object.
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.txt")
_FORK = multiprocessing.get_context("fork")
_SHARED = ("diffusers.schedulers", "scipy.optimize", "sklearn.datasets", "sklearn.neighbors")
_SAMPLERS = "diffviz/core/samplers/"
_PATIENCE, _LEAST = 4.0, 30.0  # times the plain run, and seconds, before a run counts as hanging

Change = Callable[[ast.AST], ast.AST | None]


@dataclass(frozen=True)
class Mutant:
    """A module with one change.

    Attributes:
        module: its path.
        line: where the change is.
        before: the code that is changed.
        after: what it becomes.
        source: the whole module.
    """

    module: str
    line: int
    before: str
    after: str
    source: str

    @property
    def name(self) -> str:
        """What the list of equivalent mutants calls it: without the line, which moves."""
        return f"{self.module}: {self.before} -> {self.after}"


# What is changed --------------------------------------------------------------------------------


_OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
_COMPARISONS: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def _number(node: ast.AST) -> ast.AST | None:
    if not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
        return None
    value = node.value
    return ast.Constant(value + 1 if isinstance(value, int) else 2 * value if value else 1.0)


def _truth(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return ast.Constant(not node.value)
    return None


def _operator(node: ast.AST) -> ast.AST | None:
    if not isinstance(node, ast.BinOp) or type(node.op) not in _OPERATORS:
        return None
    return ast.BinOp(node.left, _OPERATORS[type(node.op)](), node.right)


def _one_operand(node: ast.AST) -> ast.AST | None:
    return node.left if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS else None


def _sign(node: ast.AST) -> ast.AST | None:
    return node.operand if isinstance(node, ast.UnaryOp) else None


def _comparison(node: ast.AST) -> ast.AST | None:
    if not isinstance(node, ast.Compare) or type(node.ops[0]) not in _COMPARISONS:
        return None
    ops = [_COMPARISONS[type(node.ops[0])](), *node.ops[1:]]
    return ast.Compare(node.left, ops, node.comparators)


def _branch(node: ast.AST) -> ast.AST | None:
    return node.body if isinstance(node, ast.IfExp) else None


def _both(node: ast.AST) -> ast.AST | None:
    if not isinstance(node, ast.BoolOp):
        return None
    return ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)


def _keyword(node: ast.AST) -> ast.AST | None:
    if not isinstance(node, ast.Call) or not node.keywords or node.keywords[-1].arg == "strict":
        return None
    return ast.Call(node.func, node.args, node.keywords[:-1])


def _method(node: ast.AST) -> ast.AST | None:
    """``x.sqrt()`` becomes ``x``."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    inside = node.func.value
    plain = isinstance(inside, ast.Name) and inside.id in ("torch", "math", "np")
    return inside if node.func.attr in _ELEMENTWISE and not plain else None


_ELEMENTWISE = {
    "abs",
    "clamp",
    "clamp_min",
    "exp",
    "expm1",
    "flip",
    "log",
    "round",
    "sqrt",
    "square",
}
CHANGES: tuple[Change, ...] = (
    _number,
    _truth,
    _operator,
    _one_operand,
    _sign,
    _comparison,
    _branch,
    _both,
    _keyword,
    _method,
)


def mutants_of(module: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order of its code."""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    for spot, node in enumerate(_places(tree)):
        for change in CHANGES:
            made = change(copy.deepcopy(node))
            if made is None or ast.dump(made) == ast.dump(node):
                continue
            other = copy.deepcopy(tree)
            _put(other, _places(other)[spot], made)
            source = ast.unparse(ast.fix_missing_locations(other))
            line = getattr(node, "lineno", 0)
            yield Mutant(module, line, ast.unparse(node), ast.unparse(made), source)


def _places(tree: ast.AST) -> list[ast.expr]:
    """The expressions that may be changed: no annotation, no words, no message of an error."""
    found: list[ast.expr] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom | ast.arg):
            return
        if isinstance(node, ast.expr):
            found.append(node)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "bases", "type_params"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    visit(child)

    visit(tree)
    return found


def _put(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if value is old:
                setattr(node, name, new)
                return
            if isinstance(value, list) and any(item is old for item in value):
                value[:] = [new if item is old else item for item in value]
                return


# Running the tests ------------------------------------------------------------------------------


def tests_of(module: str) -> list[str]:
    """The module's own test files; all those of the samplers for each of them."""
    if module.startswith(_SAMPLERS):
        return sorted(
            str(p.relative_to(ROOT)) for p in (ROOT / "tests/core/samplers").glob("t*.py")
        )
    path = Path(module)
    own = Path("tests", *path.parts[1:-1], f"test_{path.name}")
    return [str(own)] if (ROOT / own).exists() else []


def run(folder: Path, tests: list[str], limit: float) -> bool:
    """Return whether the tests pass in a copy, within so many seconds.

    The process is forked, so that the large libraries are loaded once for all.
    """
    child = _FORK.Process(target=_tested, args=(folder, tests))
    child.start()
    child.join(limit)
    if child.is_alive():
        child.kill()
        child.join()
    return child.exitcode == 0


def _tested(folder: Path, tests: list[str]) -> None:
    """Leave with what pytest says of the tests in a folder."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    options = ["-x", "-n0", "-pno:cacheprovider", "-pno:rerunfailures"]
    for warning in ("PytestUnknownMarkWarning", "PytestAssertRewriteWarning"):
        options += ["-W", f"ignore::pytest.{warning}"]
    os._exit(int(pytest.main([*options, *tests])))


def copies(count: int, folder: Path) -> Queue[Path]:
    """Make copies of what the tests need, to be taken in turns."""
    made: Queue[Path] = Queue()
    for k in range(count):
        place = folder / str(k)
        for name in ("diffviz", "tests", "benchmarks", "docs"):
            shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, place / name)
        made.put(place)
    return made


def noticed(mutant: Mutant, tests: list[str], limit: float, free: Queue[Path]) -> bool:
    """Return whether the tests fail on a mutant."""
    place = free.get()
    target = place / mutant.module
    whole = target.read_text(encoding="utf-8")
    try:
        target.write_text(mutant.source, encoding="utf-8")
        return not run(place, tests, limit)
    finally:
        target.write_text(whole, encoding="utf-8")
        free.put(place)


def equivalent() -> set[str]:
    """The names of the mutants that change nothing that can be seen."""
    lines = EQUIVALENT.read_text(encoding="utf-8").splitlines() if EQUIVALENT.exists() else []
    return {line for line in lines if line.startswith("diffviz/")}


def measure(module: str, asked: argparse.Namespace, free: Queue[Path]) -> tuple[int, int, int]:
    """Return how many mutants of a module were noticed, run, and left out as equivalent."""
    tests = tests_of(module)
    if not tests:
        print(f"{module}: no tests of its own", flush=True)
        return 0, 0, 0
    every = list(mutants_of(module))
    order = random.Random(f"{asked.seed} {module}").sample(every, len(every))
    chosen = order[: asked.mutants]
    listed = equivalent()
    same = [mutant for mutant in chosen if mutant.name in listed]
    chosen = [mutant for mutant in chosen if mutant.name not in listed]
    place, began = free.get(), time.perf_counter()
    plain = run(place, tests, 600)
    limit = max(_LEAST, _PATIENCE * (time.perf_counter() - began))
    free.put(place)
    if not plain:
        raise SystemExit(f"{module}: its tests fail as they are")
    with ThreadPoolExecutor(asked.jobs) as pool:
        found = list(pool.map(lambda mutant: noticed(mutant, tests, limit, free), chosen))
    print(f"{module}: {sum(found)} of {len(found)} noticed, {len(every)} possible", flush=True)
    for mutant, seen in zip(chosen, found, strict=True):
        if not seen:
            print(f"    line {mutant.line}: {mutant.before} -> {mutant.after}", flush=True)
    return sum(found), len(found), len(same)


def main() -> None:
    """Read the command line, run the mutants and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("modules", nargs="*", help="paths of modules; else those of the folders")
    parser.add_argument("--folders", nargs="+", default=["core", "measures"])
    parser.add_argument("--mutants", type=int, default=10, help="of each module")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    modules = asked.modules or [
        str(path.relative_to(ROOT))
        for folder in asked.folders
        for path in sorted((ROOT / "diffviz" / folder).rglob("*.py"))
        if path.name != "__init__.py"
    ]
    torch.set_num_threads(1)
    for name in _SHARED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        free = copies(asked.jobs, Path(folder))
        rows = {module: measure(module, asked, free) for module in modules}
    seen, total, same = (sum(column) for column in zip(*rows.values(), strict=True))
    print(f"{seen} of {total} noticed ({seen / max(total, 1):.0%}), {same} equivalent left out")
    print(
        json.dumps(
            {
                "noticed": seen,
                "run": total,
                "equivalent": same,
                "seed": asked.seed,
                "modules": {name: row[:2] for name, row in rows.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
