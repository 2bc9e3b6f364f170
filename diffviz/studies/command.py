"""What the verbs of ``python -m diffviz`` share: their options, their errors, their bars.

A verb's module has a ``main(arguments)`` that builds a ``Command``, reads the line with it and
works within ``one_line``.  ``progress`` is the bar of whatever takes long.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from diffviz.data.full_sets import SOURCES, SourceError
from diffviz.networks.training import Diverged, Trainer

__all__ = ["Command", "at_least", "known", "progress", "watched"]


class Command(argparse.ArgumentParser):
    """The command line of a verb, whose help keeps the lines of its description.

    Args:
        options: those of ``ArgumentParser``; of the description, backquotes are left out.
    """

    def __init__(self, **options: Any) -> None:
        if options.get("description"):
            options["description"] = options["description"].replace("``", "")
        super().__init__(**{"formatter_class": _Help, **options})
        self._of_one_set = False

    def add_names(self, choices: Sequence[str] = SOURCES, default: Sequence[str] = ()) -> None:
        """Ask which sets of data the verb shall work on.

        Args:
            choices: those that there are.
            default: those that are meant where none is named; all of them where left out.
        """
        meant = tuple(default or choices)
        words = f"one or more of {', '.join(choices)}; "
        words += f"by default {', '.join(meant)}" if default else "all of them by default"
        self.add_argument(
            "names", nargs="*", metavar="NAME", type=known(choices), default=meant, help=words
        )

    def add_data(self) -> None:
        """Ask for the folder with the pictures, which are those of one set."""
        self._of_one_set = True
        self.add_argument(
            "--data", type=Path, metavar="FOLDER", help="where the pictures of the one set lie"
        )

    def add_threads(self, default: int | None = None) -> None:
        """Ask for the number of threads; all cores by default."""
        self.add_argument(
            "--threads",
            type=at_least(1),
            metavar="N",
            default=default or torch.get_num_threads(),
            help="of the processor that work",
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Read the line, and refuse one folder of pictures for more than one set."""
        asked, rest = super().parse_known_args(args, namespace)
        if self._of_one_set and asked.data is not None and len(asked.names) != 1:
            self.error("--data is the folder of one set of pictures: name the set")
        return asked, rest

    @contextmanager
    def one_line(self, about: str = "") -> Iterator[None]:
        """End the command with one line where a file, a set or a training fails within.

        Args:
            about: what the line starts with.
        """
        try:
            yield
        except (SourceError, Diverged, OSError, ValueError) as error:
            self.exit(1, f"{about}{error}\n")


class _Help(argparse.RawDescriptionHelpFormatter):
    """The description as it stands, and the default of every option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        words = action.help or ""
        if action.option_strings and action.default not in (None, False, argparse.SUPPRESS):
            shown = action.default
            if isinstance(shown, tuple | list):
                shown = " ".join(map(str, shown))
            words += f" (default: {shown})" if shown != "" else ""
        return words.lstrip()


def known(choices: Sequence[str]) -> Callable[[str], str]:
    """The type of an argument that names a set of data."""

    def read(name: str) -> str:
        if name not in choices:
            raise argparse.ArgumentTypeError(
                f"there is no data set {name!r}: choose some of {', '.join(choices)}"
            )
        return name

    return read


def at_least(fewest: int, *, or_none: bool = False) -> Callable[[str], int]:
    """The type of an argument that counts.

    Args:
        fewest: the least that is enough.
        or_none: whether 0 is allowed too.
    """

    def read(written: str) -> int:
        try:
            count = int(written)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{written!r} is no whole number") from None
        if count < fewest and not (or_none and count == 0):
            raise argparse.ArgumentTypeError(f"takes at least {fewest}, not {count}")
        return count

    return read


def progress(about: str, total: int, unit: str, done: int = 0) -> tqdm[Any]:
    """A bar with the time to the end, on a terminal; nothing in a log.

    Args:
        about: what is done; "" for no bar.
        total: how much there is to do.
        unit: of what.
        done: how much of it was done before.
    """
    return tqdm(
        total=total,
        initial=done,
        desc=about,
        unit=f" {unit}",
        disable=None if about else True,
        leave=False,
        dynamic_ncols=True,
    )


def watched(trainer: Trainer, about: str, each: Callable[[int], None] | None = None) -> float:
    """Go through a training with a bar on a terminal; return its last loss.

    Args:
        trainer: of a network.
        about: what the bar says.
        each: called with the number of steps that are done, at every report.

    Raises:
        Diverged: when training does.
    """
    loss = float("nan")
    with progress(about, trainer.steps, "steps", trainer.step) as bar:
        for report in trainer:
            loss = report.loss
            bar.set_postfix_str(f"loss {loss:.4f}", refresh=False)
            bar.update(report.step - bar.n)
            if each is not None:
                each(report.step)
    return loss
