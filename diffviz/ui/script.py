"""A run as a Python script that makes it again, with the library alone."""

from __future__ import annotations

import re

from diffviz.datasets import DATASETS
from diffviz.ui.canvas import decode_points
from diffviz.ui.configs import IN_VARIABLE, DataConfig, SamplerConfig, ScheduleConfig
from diffviz.ui.reverse_run import RunConfig

__all__ = ["can_be_written", "python_script"]

_HEAD = '''"""{what}, as shown by diffviz. Run it where the package is."""

import torch

from diffviz.datasets import DATASETS, MIXTURES, from_drawing, from_text
from diffviz.denoisers import Exact, OnPath
from diffviz.distributions import Empirical, GaussianMixture
from diffviz.grids import make_grid
from diffviz.images import IMAGE_DATASETS
from diffviz.metrics import sliced_wasserstein
from diffviz.pretrained import pretrained
from diffviz.samplers import SAMPLERS, InRatio, InTime
from diffviz.schedules import SCHEDULES, zero_terminal_snr
from diffviz.trajectory import Trajectory

'''
_TAIL = """
generator = torch.Generator().manual_seed({seed})
x_1 = torch.randn({shape}, generator=generator) * schedule.prior_std(grid[0].item())
{moved}with torch.inference_mode():
    run = Trajectory.stack(sampler.iterate(denoiser, schedule, grid, x_1, generator))

samples = run.x_t[-1]
print(f"{{len(samples):,}} samples, {{int(run.evaluations[-1])}} evaluations")
print(f"sliced Wasserstein distance to the data: {{sliced_wasserstein(samples, data):.4f}}")
"""


def can_be_written(run: RunConfig) -> bool:
    """Whether a script can make the run: pictures and own models are not part of the library."""
    own = run.model is not None and run.model.kind == "own"
    return run.data.picture is None and not own


def python_script(run: RunConfig) -> str:
    """Return the source of a script that makes the same run: same data, same noise, same steps.

    Args:
        run: one for which ``can_be_written``.
    """
    moved = ""
    if run.moved is not None:
        index, *place = run.moved
        moved = f"x_1[{index}] = torch.tensor({place!r})  # moved by hand\n"
    lines = [
        f"data = {_data(run.data)}",
        f"schedule = {_schedule(run.schedule)}",
        f"denoiser = {_denoiser(run)}",
        f"sampler = {_sampler(run.sampler)}",
        f"grid = {_grid(run)}",
    ]
    what = f"{run.data.title} from noise by {run.sampler.title}"
    shape = f"{run.samples}, *data.shape[1:]"
    tail = _TAIL.format(seed=run.sampler.seed, shape=shape, moved=moved)
    return _used(_HEAD.format(what=what), "\n".join(lines) + tail)


def _data(data: DataConfig) -> str:
    if data.name == "text":
        return f"from_text({data.text!r}, {data.n}, {data.seed})"
    if data.name == "drawing":
        points = [(round(x, 6), round(y, 6)) for x, y in decode_points(data.drawing)]
        return f"from_drawing({points}, {data.n}, {data.seed})"
    registry = "DATASETS" if data.name in DATASETS else "IMAGE_DATASETS"
    return f"{registry}[{data.name!r}]({data.n}, {data.seed})"


def _schedule(config: ScheduleConfig) -> str:
    given: dict[str, object] = {"T": config.T} if config.discrete else {}
    given |= dict(config.params)
    if config.points:
        given["points"] = config.points
    arguments = ", ".join(f"{name}={value!r}" for name, value in given.items())
    made = f"SCHEDULES[{config.name!r}]({arguments})"
    return f"zero_terminal_snr({made})" if config.zero_snr and config.discrete else made


def _denoiser(run: RunConfig) -> str:
    if run.model is not None:
        model = f"pretrained({run.model.name!r}).denoiser"
        return f"OnPath({model}, {model}.schedule, schedule)"
    if run.source[1]:
        return "Exact(Empirical(data), schedule)"
    parts = f"(part.float() for part in MIXTURES[{run.data.name!r}]())"
    return f"Exact(GaussianMixture(*{parts}), schedule)"


def _sampler(config: SamplerConfig) -> str:
    given = {name: repr(value) for name, value in config.params}
    if config.name in IN_VARIABLE and config.variable != "auto":
        given["variable"] = "InRatio()" if config.variable == "ratio" else "InTime()"
    words = ", ".join(f"{name}={value}" for name, value in given.items())
    return f"SAMPLERS[{config.name!r}]({words})"


def _grid(run: RunConfig) -> str:
    steps = len(run.sampler.grid(run.schedule.build())) - 1
    return f"make_grid(schedule, {steps}, {run.sampler.spacing!r})"


def _used(head: str, body: str) -> str:
    """The script with only those imports that it uses."""
    kept = []
    for line in head.splitlines():
        if not line.startswith("from diffviz"):
            kept.append(line)
            continue
        module, names = line.removeprefix("from ").split(" import ")
        needed = [name for name in names.split(", ") if re.search(rf"\b{name}\b", body)]
        if needed:
            kept.append(f"from {module} import {', '.join(needed)}")
    return "\n".join(kept) + "\n" + body
