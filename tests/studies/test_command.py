"""The verbs of ``python -m diffviz``: what their help says, how they end, what they show."""

from __future__ import annotations

import io
import sys
from importlib import import_module
from pathlib import Path

import pytest

from diffviz import __main__ as verbs
from diffviz import __version__
from diffviz.data.full_sets import SourceError
from diffviz.studies import fetch, train
from diffviz.studies.command import Command, at_least, progress


def told(capsys: pytest.CaptureFixture[str], *line: str) -> tuple[object, str, str]:
    """How a command ends, and what it says on its two outputs."""
    with pytest.raises(SystemExit) as end:
        verbs.main(line)
    out, err = capsys.readouterr()
    return end.value.code, out, err


def test_the_command_names_its_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, "--help")
    assert code == 0
    for verb, (_, words) in verbs.VERBS.items():
        assert any(line.split(maxsplit=1)[:1] == [verb] for line in out.splitlines())
        assert words in " ".join(out.split())
    assert told(capsys, "--version")[1] == f"diffviz {__version__}\n"


LINES = [[verb] for verb in verbs.VERBS if verb != "app"]
KINDS = [["train", kind] for kind in train._KINDS]


@pytest.mark.parametrize("line", LINES + KINDS, ids=" ".join)
def test_a_verb_explains_itself(
    line: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    code, out, err = told(capsys, *line, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: python -m diffviz {' '.join(line)} ")
    assert "``" not in out
    assert "None" not in out
    assert max(map(len, out.splitlines())) <= 120
    doc = import_module(verbs.VERBS[line[0]][0]).__doc__ or ""
    assert doc.splitlines()[0].replace("``", "") in out or line in KINDS
    told_of = out.partition("\noptions:\n")[2].splitlines()
    for k, row in enumerate(told_of):
        if row.startswith("  -"):
            words = row.strip().split("  ", 1)[1:] or [told_of[k + 1].strip()]
            assert words[0].strip(), f"{row.strip()} says nothing"


def test_the_app_s_help_says_how_to_start_it(capsys: pytest.CaptureFixture[str]) -> None:
    verbs.main(["app", "--help"])
    assert "python -m diffviz app" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (["paint"], "invalid choice: 'paint'"),
        ([], "required: VERB"),
        (["fetch", "letters"], "invalid choice: 'letters'"),
        (["memorise", "letters"], "there is no data set 'letters': choose some of two_gaussians"),
        (["report", "text"], "there is no data set 'text'"),
        (["latents", "letters"], "there is no data set 'letters': choose some of mnist, fashion"),
        (["compare", "--data", "x"], "--data is the folder of one set of pictures: name the set"),
        (["compare", "mnist", "fashion", "--data", "x"], "name the set"),
        (["collars", "--given", "3"], "argument --given: takes at least 10, not 3"),
        (["quality", "--seeds", "none"], "argument --seeds: 'none' is no whole number"),
        (["why", "letters"], "there is no data set 'letters'"),
    ],
)
def test_what_a_verb_cannot_take_is_said(
    line: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = told(capsys, *line)
    assert (code, out) == (2, "")
    assert why in err


def test_what_fails_on_the_way_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> Path:
        raise SourceError("MNIST could not be downloaded.")

    monkeypatch.setattr(fetch, "download", refuse)
    assert told(capsys, "fetch", "mnist") == (1, "", "MNIST could not be downloaded.\n")
    code, _, err = told(capsys, "report", "moons", "--from", str(tmp_path))
    assert code == 1
    assert "there is no file moons.safetensors" in err
    assert len(err.splitlines()) == 1


def test_the_verb_of_the_app_says_that_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("diffviz.ui.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "streamlit", None)
    monkeypatch.delitem(sys.modules, "streamlit.web", raising=False)
    code, _, err = told(capsys, "app")
    assert code == 1
    assert err == "app needs the app: install it with pip install 'diffviz[app]'\n"
    assert told(capsys, "why", "--help")[0] == 0  # a scene needs none


def test_names_are_all_where_none_is_given() -> None:
    parser = Command(prog="x")
    parser.add_names(("a", "b"))
    parser.add_argument("--count", type=at_least(5, or_none=True), default=7)
    assert parser.parse_args([]).names == ("a", "b")
    assert parser.parse_args(["b"]).names == ["b"]
    assert parser.parse_args(["--count", "0"]).count == 0
    few = Command(prog="x")
    few.add_names(("a", "b"), ("b",))
    assert few.parse_args([]).names == ("b",)


class Terminal(io.StringIO):
    """Somebody watches."""

    def isatty(self) -> bool:
        return True


def test_a_bar_tells_the_time_to_the_end_to_who_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    for watched, about in ((True, "moons"), (True, ""), (False, "moons")):
        stream = Terminal() if watched else io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        with progress(about, 200, "steps", 50) as bar:
            bar.update(50)
            bar.refresh()
        shown = stream.getvalue()
        if watched and about:
            assert "moons:  50%" in shown
            assert "100/200 [" in shown
            assert "<" in shown, "the time that is left"
        else:
            assert shown == ""
