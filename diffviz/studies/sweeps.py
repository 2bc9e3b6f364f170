"""Quality against the number of evaluations: what the Arena page shows before anything is measured.

    python -m diffviz quality --write                 # the setting that ships; some minutes
    python -m diffviz quality --data moons --seeds 1  # another one, printed only

Every sampler at every budget of evaluations, with the exact denoiser of a Gaussian mixture and with
the trained network that ships, several seeds each: sliced Wasserstein-2, energy distance and MMD to
fresh data, beside the same between fresh data (the floor), and for samplers without noise the
distance of their end points to those of the denoiser's own ODE.

The setting that ships is one in which the order of samplers is seen: the modes of the data are many
and close, so that they are decided upon at several noise levels, and the path is short (rectified
flow), so that ten steps are not lost on noise beyond the data.  Stops are denser near the data.  On
eight far-apart Gaussians every sampler is soon as good as chance allows.

The two denoisers are measured side by side, a core each.  The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from diffviz.core.denoisers import Denoiser, Exact, OnPath
from diffviz.core.distributions import GaussianMixture
from diffviz.core.grids import SPACINGS
from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import SCHEDULES
from diffviz.data.points import DATASETS, MIXTURES
from diffviz.measures.quality import METRICS, Row, Sweep, SweepConfig, floor_rows
from diffviz.models.pretrained import pretrained
from diffviz.studies.command import Command, at_least, progress
from diffviz.studies.figures import FIGURES
from diffviz.tools.files import write_whole
from diffviz.tools.kept import rounded

__all__ = ["KEPT", "SHOWN", "Found", "add_options", "main", "sweep"]

KEPT = FIGURES / "quality.json"
"""Where the measurement that ships is kept."""

SHOWN = ("ddpm", "ddim", "heun", "dpmpp_2m")
"""The samplers whose order is named in words."""


@dataclass(frozen=True)
class Found:
    """What was measured.

    Attributes:
        data: a key of ``MIXTURES``.
        config: what was swept over.
        rows: a row for each sampler, denoiser and budget; the floor last.
        seconds: that it took.
        runs: how many there were.
    """

    data: str
    config: SweepConfig
    rows: tuple[Row, ...]
    seconds: float
    runs: int

    def keep(self, place: Path) -> None:
        """Write it down, as the Arena page reads it.

        Raises:
            OSError: if the file cannot be written.
        """
        rows = [row.as_json() for row in self.rows]
        made = {"data": self.data, "sweep": asdict(self.config), "rows": rows}
        write_whole(place, (json.dumps(made, separators=(",", ":")) + "\n").encode())

    def tell(self) -> None:
        """Print the tables and, last, one JSON object."""
        for metric in METRICS:
            _print_table(self.rows, metric)
        print()
        print(
            json.dumps(
                {
                    "seconds": round(self.seconds, 1),
                    "cells": self.runs,
                    "floor": rounded(dict(self.rows[-1].mean), 4),
                    "at_10_evaluations": _order(self.rows),
                }
            )
        )


def add_options(parser: Command) -> None:
    """Ask what is swept over."""
    asks = (
        ("--data", "grid25", MIXTURES, "the mixture"),
        ("--schedule", "rectified_flow", SCHEDULES, "the path"),
        ("--spacing", "quadratic", SPACINGS, "the stops"),
    )
    for option, default, choices, words in asks:
        parser.add_argument(
            option,
            default=default,
            choices=list(choices),
            metavar="NAME",
            help=f"{words}: one of {', '.join(choices)}",
        )
    parser.add_argument(
        "--samples", type=at_least(2), default=4000, metavar="N", help="of each run"
    )
    parser.add_argument("--seeds", type=at_least(1), default=3, metavar="N", help="runs of a kind")
    parser.add_argument("--exact-only", action="store_true", help="leave the network out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the figures there")


def sweep(asked: argparse.Namespace) -> Found:
    """Measure what was asked for by ``add_options``, and keep it where that says so.

    Raises:
        CheckpointError: if the network's files are missing or damaged.
        OSError: if the figures cannot be written.
    """
    act = _denoisers(asked.data, asked.schedule, asked.exact_only)
    config = SweepConfig(
        denoisers=tuple(act),
        schedule=asked.schedule,
        spacing=asked.spacing,
        samples=asked.samples,
        seeds=asked.seeds,
    )
    sweeps = [Sweep(replace(config, denoisers=(name,)), act, DATASETS[asked.data]) for name in act]
    seconds = _side_by_side(sweeps)
    rows = [row for each in sweeps for row in each.rows()] + floor_rows(sweeps[0].floors)
    runs = sum(len(each.results) for each in sweeps)
    found = Found(asked.data, config, tuple(rows), seconds, runs)
    if asked.json is not None:
        found.keep(asked.json)
    return found


def _denoisers(data: str, schedule: str, exact_only: bool) -> dict[str, Denoiser]:
    """The exact denoiser and the trained one, on a path."""
    path = SCHEDULES[schedule]()
    mixture = GaussianMixture(*(part.float() for part in MIXTURES[data]()))
    found: dict[str, Denoiser] = {"exact": Exact(mixture, path)}
    if not exact_only:
        network = pretrained(data).denoiser
        found["learned"] = OnPath(network, network.schedule, path)
    return found


def _side_by_side(sweeps: Sequence[Sweep]) -> float:
    """Do whole sweeps, a thread each; return the seconds it took."""
    began = time.perf_counter()

    def work(one: Sweep) -> None:
        torch.set_num_threads(1)
        with progress(one.config.denoisers[0], len(one.cells), "runs") as bar:
            for _ in one.slices():
                bar.update(len(one.results) - bar.n)

    with ThreadPoolExecutor(len(sweeps)) as pool:
        list(pool.map(work, sweeps))
    return time.perf_counter() - began


def _print_table(rows: Sequence[Row], metric: str) -> None:
    """A line for every sampler, a column for every number of evaluations."""
    print(f"\n{METRICS[metric]} (evaluations: mean ± standard error)")
    if metric in (floor := rows[-1].mean):
        print(f"  {'fresh data (floor)':30} {floor[metric]:.4f}")
    for denoiser in dict.fromkeys(row.denoiser for row in rows if row.sampler):
        for name in SAMPLERS:
            line = [
                f"{row.evaluations}: {row.mean[metric]:.4f} ± {row.error[metric]:.4f}"
                for row in rows
                if (row.denoiser, row.sampler) == (denoiser, name) and metric in row.mean
            ]
            if line:
                print(f"  {denoiser + ' ' + name:30} {'   '.join(line)}")


def _order(rows: Iterable[Row], budget: int = 10) -> dict[str, dict[str, float]]:
    """What the best known samplers reach within a number of evaluations, exact denoiser."""
    best: dict[str, Row] = {}
    for row in rows:
        if row.denoiser == "exact" and row.sampler in SHOWN and row.evaluations <= budget:
            last = best.get(row.sampler)
            if last is None or row.evaluations > last.evaluations:
                best[row.sampler] = row
    return {
        name: {"evaluations": best[name].evaluations, **rounded(dict(best[name].mean), 4)}
        for name in SHOWN
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure, print and keep."""
    parser = Command(prog="python -m diffviz quality", description=__doc__)
    add_options(parser)
    parser.add_argument(
        "--write",
        action="store_const",
        const=KEPT,
        dest="json",
        help="keep the figures for the page",
    )
    asked = parser.parse_args(arguments)
    with parser.one_line():
        found = sweep(asked)
    print(f"{asked.data}, {asked.schedule}, {asked.spacing}; {asked.samples:,} x {asked.seeds}")
    found.tell()


if __name__ == "__main__":
    main()
