"""A run as a Python script that makes it again, with the library alone."""

from __future__ import annotations

import re

from diffviz.data.points import DATASETS
from diffviz.exchange.drawings import decode_points
from diffviz.scenes.configs import DataConfig, SamplerConfig, ScheduleConfig
from diffviz.scenes.point_run import REFERENCE, RunConfig

_HEAD = '''# Run it anywhere: PYTHONPATH=FOLDER python THIS_FILE, FOLDER being what holds diffviz/.
"""{what}, as shown by diffviz."""

import torch

from diffviz.core.denoisers import Exact, OnPath
from diffviz.core.distributions import Empirical, GaussianMixture
from diffviz.core.grids import make_grid
from diffviz.core.run import Plan, simulate
from diffviz.core.samplers import SAMPLERS, VARIABLES
from diffviz.core.schedules import SCHEDULES, zero_terminal_snr
from diffviz.data.pictures import IMAGE_DATASETS
from diffviz.data.points import DATASETS, MIXTURES, from_drawing, from_text
from diffviz.exchange.scheduler_config import load_config
from diffviz.measures.metrics import sliced_wasserstein_path
from diffviz.models.pretrained import pretrained

'''
_TAIL = """
plan = Plan(denoiser, schedule, sampler, grid, data.shape[1:], {samples}, seed={seed})
x_1 = plan.start()
{moved}run = simulate(plan, x_1=x_1)

samples = run.x_t[-1]
print(f"{{len(samples):,}} samples, {{int(run.evaluations[-1])}} evaluations")
distance = sliced_wasserstein_path(run.x_t[-1:], {reference}).item()  # as in the player
print(f"sliced Wasserstein distance to the data: {{distance:.4f}}")
"""


def can_be_written(run: RunConfig) -> bool:
    """Whether a script can make the run: uploads and own models are not part of the library."""
    own = run.model is not None and run.model.kind == "own"
    return run.data.picture is None and run.data.table is None and not own


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
    tail = _TAIL.format(
        samples=run.samples, seed=run.sampler.seed, moved=moved, reference=_reference(run)
    )
    return _used(_HEAD.format(what=what), "\n".join(lines) + tail)


def _data(data: DataConfig) -> str:
    if data.name == "text":
        return f"from_text({data.text!r}, {data.n}, {data.seed})"
    if data.name == "drawing":
        return f"from_drawing({list(decode_points(data.drawing))}, {data.n}, {data.seed})"
    registry = "DATASETS" if data.name in DATASETS else "IMAGE_DATASETS"
    return f"{registry}[{data.name!r}]({data.n}, {data.seed})"


def _schedule(config: ScheduleConfig) -> str:
    if config.source:
        tokens = "" if config.tokens is None else f", tokens={config.tokens}"
        return f"load_config({config.source!r}{tokens}).schedule"
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
    return f"Exact({_density(run)}, schedule)"


def _reference(run: RunConfig) -> str:
    """What the samples are compared with: the points, or a sample of the true density."""
    if run.source[1]:
        return "data"
    return f"{_density(run)}.sample({REFERENCE}, torch.Generator().manual_seed(0))"


def _density(run: RunConfig) -> str:
    parts = f"(part.float() for part in MIXTURES[{run.data.name!r}]())"
    return f"GaussianMixture(*{parts})"


def _sampler(config: SamplerConfig) -> str:
    given = {name: repr(value) for name, value in config.params}
    if config.chosen_variable is not None:
        given["variable"] = f"VARIABLES[{config.chosen_variable!r}]"
    words = ", ".join(f"{name}={value}" for name, value in given.items())
    return f"SAMPLERS[{config.name!r}]({words})"


def _grid(run: RunConfig) -> str:
    steps = len(run.sampler.grid(run.schedule.build())) - 1
    return f"make_grid(schedule, {steps}, {run.sampler.spacing!r})"


def _used(head: str, body: str) -> str:
    """The script with only those imports that it uses."""
    if "torch." not in body:
        head = head.replace("import torch\n\n", "")
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
