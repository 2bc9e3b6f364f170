"""What pictures cost on this machine's cores: the shipped U-Net, its guidance and its peer.

1. The Images page's default: 16 pictures of chosen classes, 25 steps of DPM-Solver++(2M), guided,
   which asks the network twice a step.  Once with torch's own threads, one a core, once shared out
   between helper threads that keep to one core each, and once as the app does it: so, and
   multiplied in bfloat16 where the device does that.  How far its pictures are from those in
   float32, whose pixels are from -1 to 1, is printed too.
2. The first preview: one guided step of the same run, until its picture is there.
3. A step against the pipeline of diffusers: DDPMPipeline around a class-conditional UNet2DModel of
   28 x 28 pixels, of two levels with attention on the smaller one as ours, and as many weights
   within 5 %.  Of such shapes it is the cheapest: few channels where places are many.  32 pictures,
   one call of the network a step, DDPM's steps on both sides, the same threads.  The two take turns
   and the ratio is the median over the turns; 1.0 means as fast as the peer, less is faster.

Usage: python benchmarks/images.py [mnist|fashion]

What else the machine does counts too: the load is printed.  The last line is one JSON object.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from diffviz.core.denoisers import Conditioned, Denoiser, Guided, Network
from diffviz.core.grids import make_grid
from diffviz.core.run import Plan, simulate
from diffviz.core.samplers import DDPM, SAMPLERS
from diffviz.models.checkpoints import CheckpointError
from diffviz.models.pretrained import image_model
from diffviz.scenes.sharing import Shared, multiplying_best
from diffviz.studies.evaluate import DEFAULT, even_labels
from diffviz.tools.device import CORES, place

PICTURES, RUNS = 16, 5
LIMIT_SECONDS, LIMIT_RATIO = 0.7, 1.0
BATCH, STEPS, TURNS = 32, 4, 7
PEER: dict[str, Any] = {
    "sample_size": 28,
    "in_channels": 1,
    "out_channels": 1,
    "layers_per_block": 1,
    "block_out_channels": (32, 128),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "attention_head_dim": 32,  # four heads, as ours
    "norm_num_groups": 16,
    "num_class_embeds": 11,  # ten classes and none
}


class Labelled(UNet2DModel):
    """The peer, told classes: its pipeline passes none on."""

    def forward(self, sample: Tensor, timestep: Tensor, **options: Any) -> Any:
        """Answer for pictures of all classes in turns."""
        labels = even_labels(len(sample), 10)
        return super().forward(sample, timestep, class_labels=labels, **options)


def seconds(call: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turns(calls: dict[str, Callable[[], object]], turns: int) -> dict[str, list[float]]:
    """Time calls in turns, after one that warms up."""
    for call in calls.values():
        call()
    rows = [{name: seconds(call) for name, call in calls.items()} for _ in range(turns)]
    return {name: [row[name] for row in rows] for name in calls}


def ways(network: Network) -> dict[str, Denoiser]:
    """The guided network with torch's own threads, shared out, and as the app has it."""
    guided, quick = (
        Guided(each, DEFAULT.guidance) for each in (network, multiplying_best(network))
    )
    return {"torch_threads": guided, "helpers": Shared(guided), "app": Shared(quick)}


def guided_runs(network: Network) -> dict[str, dict[str, float]]:
    """Median seconds of a run and of its first preview, both ways."""
    schedule, sampler = network.schedule, SAMPLERS[DEFAULT.sampler]()
    grid = make_grid(schedule, DEFAULT.steps, DEFAULT.spacing)
    labels = even_labels(PICTURES, 10)

    def plan(denoiser: Denoiser) -> Plan:
        asked = Conditioned(denoiser, label=labels)
        return Plan(asked, schedule, sampler, grid, (1, 28, 28), PICTURES)

    def run(denoiser: Denoiser) -> Callable[[], object]:
        return lambda: simulate(plan(denoiser))

    def preview(denoiser: Denoiser) -> Callable[[], object]:
        return lambda: next(plan(denoiser).states()).x_0

    ends = {name: simulate(plan(way), 1).x_t[-1] for name, way in ways(network).items()}
    apart = (ends["app"] - ends["helpers"]).abs()
    result = {"apart": {"most": apart.max().item(), "mean": apart.mean().item()}}
    for key, make, turns in (("run", run, RUNS), ("preview", preview, 4 * RUNS)):
        times = in_turns({name: make(way) for name, way in ways(network).items()}, turns)
        result[key] = {f"{name}_seconds": statistics.median(row) for name, row in times.items()}
        pairs = zip(times["app"], times["torch_threads"], strict=True)
        result[key]["ratio"] = statistics.median(a / b for a, b in pairs)
    return result


def against_peer(network: Network) -> dict[str, float]:
    """Milliseconds a step, ours and theirs, and the median ratio.

    Raises:
        RuntimeError: if the peer is of another size.
    """
    unet, own = Labelled(**PEER).eval(), weights(network.module)
    if abs(weights(unet) / own - 1) > 0.05:
        raise RuntimeError(f"the peer has {weights(unet):,} weights, and ours {own:,}")
    pipeline = DDPMPipeline(unet, DDPMScheduler())
    pipeline.set_progress_bar_config(disable=True)
    schedule = network.schedule
    grid = make_grid(schedule, STEPS, DEFAULT.spacing)
    asked = Conditioned(network, label=even_labels(BATCH, 10))
    plan, generator = Plan(asked, schedule, DDPM(), grid, (1, 28, 28), BATCH), torch.Generator()

    def ours() -> Tensor:
        return simulate(plan, 1).x_t

    def theirs() -> object:
        options = {"num_inference_steps": STEPS, "output_type": "np"}
        return pipeline(BATCH, generator, **options)

    times = in_turns({"ours": ours, "theirs": theirs}, TURNS)
    pairs = zip(times["ours"], times["theirs"], strict=True)
    return {
        "ours_ms": statistics.median(times["ours"]) / STEPS * 1e3,
        "theirs_ms": statistics.median(times["theirs"]) / STEPS * 1e3,
        "ratio": statistics.median(a / b for a, b in pairs),
        "weights": own,
        "their_weights": weights(unet),
    }


def weights(module: nn.Module) -> int:
    """How many numbers a network has learned."""
    return sum(part.numel() for part in module.parameters())


def main() -> None:
    """Measure and print."""
    try:
        network = image_model(sys.argv[1] if len(sys.argv) > 1 else "mnist").denoiser
    except (CheckpointError, ValueError) as error:
        raise SystemExit(f"There is nothing to measure: {error}") from error
    torch.set_num_threads(os.cpu_count() or 1)
    threads, load = torch.get_num_threads(), os.getloadavg()[0]
    print(f"{place()}; torch threads {threads}, helpers {CORES}, load before {load:.1f}")
    with torch.inference_mode():
        found = guided_runs(network)
        peer = against_peer(network)
    for key, words in (
        ("run", f"{PICTURES} guided pictures, {DEFAULT.steps} steps"),
        ("preview", "the first preview of them"),
    ):
        row = found[key]
        print(
            f"{words:32} app {row['app_seconds']:6.3f} s, in float32 {row['helpers_seconds']:6.3f} "
            f"s, torch's threads {row['torch_threads_seconds']:6.3f} s, ratio {row['ratio']:.2f}"
        )
    apart = found["apart"]
    print(f"{'apart from float32':32} at most {apart['most']:.3f}, mean {apart['mean']:.4f}")
    met = found["run"]["app_seconds"] < LIMIT_SECONDS
    print(f"{'under ' + format(LIMIT_SECONDS, 'g') + ' s':32} {'yes' if met else 'no'}")
    print(
        f"{f'a step of {BATCH}':32} ours {peer['ours_ms']:6.1f} ms, diffusers "
        f"{peer['theirs_ms']:6.1f} ms, ratio {peer['ratio']:.2f} "
        f"({peer['weights']:,} and {peer['their_weights']:,} weights)"
    )
    print(f"{f'at most {LIMIT_RATIO:g}':32} {'yes' if peer['ratio'] <= LIMIT_RATIO else 'no'}")
    print(json.dumps({**found, "peer": peer, "threads": threads, "helpers": CORES, "load": load}))


if __name__ == "__main__":
    main()
