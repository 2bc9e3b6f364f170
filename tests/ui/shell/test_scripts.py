"""What pages are sent of the components' scripts, and their tests by Node."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffviz.ui.shell.scripts import joined, script
from tests.ui.conftest import PARTS, Node

NAMES = ("player", "curve", "pad", "sheet", "atlas", "knob")
TESTS = Path(__file__).parents[2] / "js"


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_one_module_that_asks_for_nothing(
    name: str, node: Node, tmp_path: Path
) -> None:
    code = script(name)
    assert code.count("export ") == code.count("export default ") == 1
    assert "import " not in code
    assert "@type" not in code
    (tmp_path / "script.mjs").write_text(code, encoding="utf-8")
    node("--check", tmp_path / "script.mjs")  # no name is declared twice


@pytest.mark.parametrize("source", sorted(PARTS.rglob("*.js")), ids=lambda path: path.name)
def test_no_text_goes_over_several_lines(source: Path) -> None:
    """Else what is taken away in front of its lines would be missing from it."""
    for line in source.read_text(encoding="utf-8").splitlines():
        assert line.count("`") % 2 == 0, line


def test_what_is_imported_comes_first_and_once(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("/** One. */\nexport const a = 1; // kept\n")
    (tmp_path / "b.js").write_text('import { a } from "./a.js";\n\nexport const b = a;\n')
    (tmp_path / "c.js").write_text(
        '// A word.\n\nimport { a } from "./a.js";\nimport {\n  b,\n} from "./b.js";\n'
        "\nexport default /** @type {any} */ (a\n  + b);\n"
    )
    assert joined(tmp_path / "c.js") == (
        "const a = 1; // kept\n\nconst b = a;\n\nexport default (a\n+ b);\n"
    )


def test_the_pure_functions(node: Node) -> None:
    files = sorted(TESTS.glob("*.test.mjs"))
    assert files
    assert "# fail 0" in node("--test", "--test-reporter=tap", *files)
