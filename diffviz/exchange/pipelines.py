r"""Models that the diffusers library saved, explored like our own.

    folder/
      model_index.json                             which classes the pipeline is made of
      unet/config.json                             the shape of its network, a UNet2DModel
      unet/diffusion_pytorch_model.safetensors     its weights
      scheduler/scheduler_config.json              its chain of noisings, and what it predicts

(In older pipelines the last three lie in the folder itself.)  Such a folder lies on the server's
own disk; which ones, whoever runs the app says in the environment variable ``DIFFVIZ_PIPELINES``.
Nothing is downloaded, and nothing in a folder is run: the network is built from its checked config
without memory first, then filled from safetensors whose names, shapes and numbers must fit it.

The chain of T noisings counts its network's times from 0 to T - 1, and ours is exact at t = k / T,
so that time t is timestep

    i = T t - 1,    at least 0

(as Lu et al. 2022, "DPM-Solver", do for chains).  Between two noisings a network that is told the
time by sines and cosines gets the fraction, at which those are defined as well, and one with a
table of times the nearest.  Below t = 1 / T it answers as at the first noising.  In a run that
stops where the scheduler's file says, it is told the very timesteps that diffusers tells it.

``diffusers`` is needed only here, and only when a pipeline is loaded.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from diffviz.core.denoisers import Network
from diffviz.core.schedules import DiscreteVP, Schedule
from diffviz.exchange.archives import distinct, plain_name
from diffviz.exchange.scheduler_config import ConfigError, LoadedConfig, load_config
from diffviz.tools.tensorfiles import MAX_ENTRIES, is_overfull

__all__ = [
    "DIFFUSERS",
    "MAX_SIDE",
    "MAX_WEIGHT_BYTES",
    "VARIABLE",
    "Pipeline",
    "PipelineError",
    "configured",
    "load_pipeline",
    "timesteps",
]

Floats: TypeAlias = NDArray[np.float64]

VARIABLE = "DIFFVIZ_PIPELINES"
"""Environment variable: the folders, with ``os.pathsep`` (: or ;) between them."""

DIFFUSERS = "0.42.1"
"""The version of diffusers that this is tested with."""

MAX_WEIGHT_BYTES = 1_000_000_000
"""The largest network, in the file and as float32: larger ones are too slow on a processor."""

MAX_SIDE = 128
"""The largest side of a picture: attention compares all pixels with all, side^4 pairs a step."""

_MAX_JSON_BYTES = 1_000_000
_MOST_CLASSES = 10_000
_MOST_LEVELS, _MOST_LAYERS = 8, 8
_SNAP = 1e-3  # of a timestep: float32 times are that near to a whole one
_WEIGHTS = "diffusion_pytorch_model.safetensors"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_BLOCKS = (  # where {} is Down or Up
    "{}Block2D",
    "Attn{}Block2D",
    "Resnet{}sampleBlock2D",
    "Skip{}Block2D",
    "AttnSkip{}Block2D",
)
_DTYPES = ("F32", "F16", "BF16", "F64")
_PREDICTS = {"epsilon": "eps", "v_prediction": "v", "sample": "x_0"}
_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


class PipelineError(ValueError):
    """A folder that holds no model for this app; the message says what, why, and what to do."""


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A pipeline that was read; share it, and never train it.

    Attributes:
        denoiser: the network, as it was trained: x_0 is not clipped, so wrap it in ``Clipped`` for
            that.  Where ``classes`` is above 0 it must be told a ``label``.
        schedule: its chain, a ``DiscreteVP``.
        shape: (C, H, W) of a picture, in [-1, 1].
        classes: number of labels it can be told; 0 for a network without labels.
        title: the name of the folder, fit for display.
        config: what its scheduler's file says.
    """

    denoiser: Network
    schedule: Schedule
    shape: tuple[int, int, int]
    classes: int
    title: str
    config: LoadedConfig

    def at_stops(self, steps: int) -> Network:
        """The network as a run of so many steps by its scheduler's file asks it.

        Raises:
            ValueError: if the file allows no such run.
        """
        stops = self.config.stops
        if stops is None:
            return self.denoiser
        module = self.denoiser.module
        assert isinstance(module, _OnTimesteps)
        told = _OnTimesteps(module.unet, module.T, module.classes, stops.told(steps)).eval()
        return Network(told, self.schedule, self.denoiser.predicts)


def configured() -> dict[str, Path]:
    """Return the folders that ``DIFFVIZ_PIPELINES`` names, by the names of the folders.

    What is not there, or is no folder, is left out; a folder given twice counts once, and folders
    of one name are numbered.
    """
    given = (part.strip() for part in os.environ.get(VARIABLE, "").split(os.pathsep))
    places = dict.fromkeys(os.path.abspath(os.path.expanduser(part)) for part in given if part)
    found = [Path(place) for place in places if os.path.isdir(place)]
    return dict(zip(distinct(plain_name(place.name) for place in found), found, strict=True))


def load_pipeline(folder: str | Path) -> Pipeline:
    """Read a pipeline of a ``UNet2DModel`` and a scheduler with a chain of betas.

    Args:
        folder: with ``model_index.json`` in it.

    Raises:
        PipelineError: diffusers is not installed; a file is missing, damaged, too large or a
            pickle; or the pipeline is of another kind.
    """
    place = Path(folder)
    _check_index(_json(place / "model_index.json"))
    file, schedule, predicts = _chain(_component(place, "scheduler") / "scheduler_config.json")
    unet = _component(place, "unet")
    config = _json(unet / "config.json")
    shape, classes = _checked(config)
    module = _OnTimesteps(_network(config, unet), schedule.T, classes).eval()
    _try(module, shape)
    title = plain_name(os.path.abspath(place))
    denoiser = Network(module, schedule, predicts)
    return Pipeline(denoiser, schedule, shape, classes, title, file)


def timesteps(t: Tensor, T: int, told: tuple[Floats, Floats] | None = None) -> Tensor:
    """Return the timesteps i = T t - 1 in [0, T - 1] for times in [0, 1], float64 of t's shape.

    A time within a thousandth of a step of a whole one counts as that one, so that t = k / T in
    float32 is exactly k - 1.

    Args:
        t: times.
        T: how many noisings the chain has.
        told: rising times and the timesteps that are told there instead, evenly between two.
    """
    i = T * t.double() - 1
    if told is not None:
        i = torch.from_numpy(np.asarray(np.interp(t.double().cpu().numpy(), *told))).to(t.device)
    whole = i.round()
    return torch.where((i - whole).abs() < _SNAP, whole, i).clamp(0, T - 1)


class _OnTimesteps(nn.Module):
    """A ``UNet2DModel`` asked as ``Network`` asks: times in [0, 1] and labels."""

    def __init__(
        self,
        unet: nn.Module,
        T: int,
        classes: int,
        told: tuple[Floats, Floats] | None = None,
    ) -> None:
        super().__init__()
        self.unet, self.T, self.classes, self.told = unet, T, classes, told
        self._whole = isinstance(getattr(unet, "time_proj", None), nn.Embedding)

    def forward(self, x_t: Tensor, t: Tensor, label: Tensor | int | None = None) -> Tensor:
        """Return what the network predicts, (B, C, H, W) in the dtype of ``x_t``.

        Args:
            x_t: (B, C, H, W) pictures.
            t: (B,) times in [0, 1].
            label: a class from 0 up, one for all or (B,), where the network has classes.

        Raises:
            ValueError: for a label that the network does not know, or none where it needs one.
        """
        i = timesteps(t, self.T, self.told)
        i = i.round().long() if self._whole else i.float()
        answer = self.unet(x_t.float(), i, self._labels(label, len(x_t)), return_dict=False)
        y: Tensor = answer[0]
        return y.to(x_t.dtype)

    def _labels(self, label: Tensor | int | None, batch: int) -> Tensor | None:
        if not self.classes:
            if label is None:
                return None
            raise ValueError("this network was built without classes, so it takes no label")
        last = self.classes - 1
        if label is None:
            raise ValueError(
                f"this network must be told a class: give a label from 0 to {last} (diffusers has "
                "no word for 'no class'; a model that knows it has a label of its own for it)"
            )
        labels = torch.as_tensor(label)
        labels = labels.expand(batch) if labels.ndim == 0 else labels
        whole = not labels.is_floating_point() and labels.dtype != torch.bool
        if not whole or labels.shape != (batch,) or bool(((labels < 0) | (labels > last)).any()):
            raise ValueError(
                f"labels are one for all or {batch} of them, from 0 to {last}, got {label}"
            )
        return labels.long()


# What the pipeline is ---------------------------------------------------------------------------


def _check_index(index: Mapping[str, Any]) -> None:
    parts = {
        name: part
        for name, part in index.items()
        if not name.startswith("_") and isinstance(part, list) and part != [None, None]
    }
    for name, part in parts.items():
        if name not in ("unet", "scheduler") or len(part) != 2:
            raise PipelineError(
                f"This pipeline has a part {plain_name(name)!r}, and only pipelines of a unet and "
                "a scheduler, which work on the pixels themselves, can be shown: choose one that "
                "DDPMPipeline or DDIMPipeline saved."
            )
        if part[0] != "diffusers":
            raise PipelineError(
                f"The {name} of this pipeline is of a class of its own ({_shown(part)}), whose "
                "code would have to be run: only classes of diffusers are loaded."
            )
    for name in ("unet", "scheduler"):
        if name not in parts:
            raise PipelineError(
                f"model_index.json names no {name}: choose the folder of a whole pipeline, as "
                "save_pretrained writes it."
            )
    _check_class(parts["unet"][1])


def _check_class(name: object) -> None:
    if name != "UNet2DModel":
        raise PipelineError(
            f"The network of this pipeline is a {_shown(name)}, and only a UNet2DModel, which "
            "makes pictures from noise alone, can be shown: choose another pipeline."
        )


def _chain(path: Path) -> tuple[LoadedConfig, DiscreteVP, str]:
    """What the scheduler's file says, its chain, and the name of what the network predicts."""
    config = _json(path)
    try:
        file = load_config(json.dumps(config))
    except ConfigError as error:
        raise PipelineError(f"The noise of this pipeline cannot be read. {error}") from error
    schedule = file.schedule
    if not isinstance(schedule, DiscreteVP):
        raise PipelineError(
            f"The scheduler of this pipeline ({plain_name(file.name)}) is no chain of betas, and "
            "its network is told the noise in another way: choose a pipeline that was trained with "
            "one such as DDPMScheduler."
        )
    predicts = _PREDICTS.get(file.predicts or "epsilon")
    if predicts is None:
        raise PipelineError(
            f"This network predicts {_shown(file.predicts)}, and only {', '.join(_PREDICTS)} are "
            "known: correct prediction_type in scheduler_config.json, or choose another pipeline."
        )
    if config.get("timestep_type") == "continuous":
        raise PipelineError(
            "This network is told the noise as its logarithm (timestep_type is continuous), not as "
            "a step of a chain: choose another pipeline."
        )
    if predicts == "eps" and not schedule.alphas_bar[-1] > 0:
        raise PipelineError(
            "This network predicts the noise, and its chain ends in noise alone (zero terminal "
            "SNR), where that says nothing about the picture: set rescale_betas_zero_snr to false "
            "or prediction_type to what it was trained for in scheduler_config.json."
        )
    return file, schedule, predicts


def _checked(config: Mapping[str, Any]) -> tuple[tuple[int, int, int], int]:
    """(C, H, W) and the number of classes, after checking what could cost time or memory."""
    _check_class(config.get("_class_name"))
    shape = _shape(config)
    _check_levels(config)
    _check_time(config)
    for key, only, why in _ONLY:
        if config.get(key, only) != only:
            raise PipelineError(
                f"{key} is {_shown(config[key])} in unet/config.json, and {why}: choose another "
                "pipeline."
            )
    classes = config.get("num_class_embeds")
    known = 0 if classes is None else _whole("num_class_embeds", classes, 1, _MOST_CLASSES)
    return shape, known


def _shape(config: Mapping[str, Any]) -> tuple[int, int, int]:
    size = config.get("sample_size")
    sides = size if isinstance(size, list) and len(size) == 2 else [size, size]
    why = "pixels, since larger pictures are too slow on a processor"
    height, width = (_whole("sample_size", side, 4, MAX_SIDE, why) for side in sides)
    channels = config.get("in_channels", 3)
    if type(channels) is not int or channels not in (1, 3):
        raise PipelineError(
            f"This network works on {_shown(channels)} channels, and pictures have 1 or 3: choose "
            "another pipeline."
        )
    if config.get("out_channels", 3) != channels:
        raise PipelineError(
            "This network gives back another number of channels than it takes, as those do that "
            "learn the variance too: choose a pipeline that predicts one quantity."
        )
    return channels, height, width


_ONLY = (
    ("class_embed_type", None, "only a table of classes (num_class_embeds) is known"),
    ("center_input_sample", False, "such pictures lie in [0, 1], and ours in [-1, 1]"),
)


def _check_levels(config: Mapping[str, Any]) -> None:
    _whole("layers_per_block", config.get("layers_per_block", 2), 1, _MOST_LAYERS)
    widths = config.get("block_out_channels", [224, 448, 672, 896])
    if not isinstance(widths, list) or not 1 <= len(widths) <= _MOST_LEVELS:
        raise PipelineError(
            f"block_out_channels is {_shown(widths)} in unet/config.json, and must be a list of 1 "
            f"to {_MOST_LEVELS} whole numbers: choose the file that diffusers wrote."
        )
    for width in widths:
        _whole("block_out_channels", width, 1, 4096)
    for key, way in (("down_block_types", "Down"), ("up_block_types", "Up")):
        known = [name.format(way) for name in _BLOCKS]
        types = config.get(key, known[:1])
        if not isinstance(types, list) or len(types) > _MOST_LEVELS:
            raise PipelineError(f"{key} in unet/config.json must be a list of names.")
        for name in types:
            if name not in known:
                raise PipelineError(
                    f"{key} in unet/config.json has a {_shown(name)}, and only {', '.join(known)} "
                    "are known: choose another pipeline."
                )


def _check_time(config: Mapping[str, Any]) -> None:
    if config.get("time_embedding_type", "positional") not in ("positional", "learned"):
        raise PipelineError(
            f"This network is told the noise as {_shown(config['time_embedding_type'])} features, "
            "not as a step of a chain: choose a pipeline with positional or learned ones."
        )
    if config.get("time_embedding_type") == "learned":
        _whole("num_train_timesteps", config.get("num_train_timesteps"), 2, 1000)


def _whole(key: str, value: object, low: int, high: int, why: str = "") -> int:
    if type(value) is not int or not low <= value <= high:
        raise PipelineError(
            f"{key} is {_shown(value)} in unet/config.json, and must be a whole number from {low} "
            f"to {high:,}{' ' if why else ''}{why}: choose another pipeline."
        )
    return value


# The network ------------------------------------------------------------------------------------


def _network(config: Mapping[str, Any], folder: Path) -> nn.Module:
    """The network with its weights, as float32, in evaluation mode and frozen."""
    path = _weights(folder)
    known = _diffusers().UNet2DModel
    arguments = {k: v for k, v in config.items() if not k.startswith("_") and k in _keys(known)}
    try:
        with torch.device("meta"):  # shapes only: no memory, and no random numbers are drawn
            module: nn.Module = known(**arguments)
        wanted = module.state_dict()
        size = 4 * sum(part.numel() for part in wanted.values())
    except Exception as error:  # a constructor may raise anything of a config that makes no sense
        raise PipelineError(
            "unet/config.json makes no network: its numbers do not go together "
            f"({plain_name(str(error))}). Choose the file that was saved with the weights."
        ) from error
    if size > MAX_WEIGHT_BYTES:
        raise PipelineError(
            f"This network would take {size / 1e9:.1f} GB, and at most {MAX_WEIGHT_BYTES / 1e9:g} "
            "GB are loaded, since larger ones are too slow on a processor: choose a smaller one."
        )
    module.load_state_dict(_read(path, wanted), assign=True)
    return module.eval().requires_grad_(False)


def _keys(kind: Any) -> frozenset[str]:
    """The arguments of a model's constructor; other entries of a config are left alone."""
    return frozenset(inspect.signature(kind).parameters)


def _diffusers() -> Any:
    try:
        library = importlib.import_module("diffusers")
        library.UNet2DModel  # noqa: B018 - imported on demand
    except (ImportError, AttributeError, RuntimeError) as error:
        raise PipelineError(
            "A pipeline of diffusers needs the diffusers library, which is not installed here: "
            f"pip install diffusers=={DIFFUSERS}"
        ) from error
    return library


def _weights(folder: Path) -> Path:
    """The file of weights, after looking at its size and first bytes."""
    path = folder / _WEIGHTS
    if not os.path.isfile(path):
        raise PipelineError(_no_weights(folder))
    size = path.stat().st_size
    if size > MAX_WEIGHT_BYTES:
        raise PipelineError(
            f"The weights have {size / 1e9:.1f} GB, and at most {MAX_WEIGHT_BYTES / 1e9:g} GB are "
            "loaded, since larger networks are too slow on a processor: choose a smaller one."
        )
    start = _head(path, 64)
    # Safetensors open with a length in eight bytes, which may be any, and then a brace.
    if start.startswith((b"\x80", b"PK")) and start[8:9] != b"{":
        raise PipelineError(f"{_WEIGHTS} is a Python pickle under another name. {_PICKLE}")
    if start.startswith(b"version https://git-lfs"):
        raise PipelineError(
            f"{_WEIGHTS} only points to the weights, which Git LFS keeps elsewhere: fetch them "
            "with git lfs pull."
        )
    with path.open("rb") as file:
        if is_overfull(file, size):
            raise PipelineError(
                f"{_WEIGHTS} lists more than {MAX_ENTRIES:,} tensors, which no UNet2DModel has: "
                "choose the file that diffusers wrote."
            )
    return path


_PICKLE = (
    "A pickle can run any program when it is opened, so it was left alone: save the pipeline as "
    "safetensors (save_pretrained with safe_serialization=True) and choose that folder."
)


def _no_weights(folder: Path) -> str:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        names = []
    if any(name.endswith(".safetensors.index.json") for name in names):
        return (
            "The weights are cut into several files, as very large ones are: choose a smaller one."
        )
    pickle = next((name for name in names if name.endswith(_PICKLES)), None)
    if pickle is not None:
        return f"The weights are only there as a Python pickle ({plain_name(pickle)}). {_PICKLE}"
    other = next((name for name in names if name.endswith(".safetensors")), None)
    if other is not None:
        return (
            f"The weights lie in {plain_name(other)}, and are looked for under another name: "
            f"rename the file to {_WEIGHTS}."
        )
    return f"There are no weights in {plain_name(str(folder))}: the file {_WEIGHTS} is missing."


def _read(path: Path, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights by their names of today, each checked before it is read."""
    try:
        with safe_open(str(path), framework="pt") as file:
            names = {_today(name): name for name in file.keys()}  # noqa: SIM118 - no mapping
            _check_names(names, wanted)
            return {
                today: _tensor(file, names[today], part.shape) for today, part in wanted.items()
            }
    except PipelineError:
        raise
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise PipelineError(
            f"{_WEIGHTS} is not a complete safetensors file: it was cut short, damaged, or is of "
            "another kind. Copy or download it again."
        ) from error


def _tensor(file: Any, name: str, shape: torch.Size) -> Tensor:
    part = file.get_slice(name)
    found, dtype = tuple(part.get_shape()), part.get_dtype()
    if found != tuple(shape) or dtype not in _DTYPES:
        raise PipelineError(
            f"The weights {plain_name(name)!r} are {dtype} of shape {found}, and the network of "
            f"unet/config.json needs {', '.join(_DTYPES[:-1])} or {_DTYPES[-1]} of {tuple(shape)}. "
            f"{_TOGETHER}"
        )
    values: Tensor = file.get_tensor(name).to(torch.float32, copy=True)  # the file may go away
    if not bool(values.isfinite().all()):
        raise PipelineError(
            f"The weights {plain_name(name)!r} hold an infinite number or none at all, so the "
            "network cannot answer: choose another pipeline."
        )
    return values


def _today(name: str) -> str:
    """The name of a weight; those of attention were once called otherwise."""
    old = re.fullmatch(rf"(.*\battentions\.\d+)\.({'|'.join(_OLD_ATTENTION)})\.(\w+)", name)
    return f"{old[1]}.{_OLD_ATTENTION[old[2]]}.{old[3]}" if old else name


def _check_names(names: Mapping[str, str], wanted: Mapping[str, Tensor]) -> None:
    missing, extra = sorted(wanted.keys() - names.keys()), sorted(names.keys() - wanted.keys())
    if missing or extra:
        which = (
            f"{missing[0]!r} is missing"
            if missing
            else f"{plain_name(extra[0])!r} is not part of it"
        )
        raise PipelineError(
            f"These weights are of another network than unet/config.json describes: {which}. "
            f"{_TOGETHER}"
        )


_TOGETHER = "Choose a folder whose files were saved together."


def _try(module: _OnTimesteps, shape: tuple[int, int, int]) -> None:
    """Ask the network once, so that one that cannot answer is found here and not in a run.

    Raises:
        PipelineError: it raises, or answers in another shape or with no numbers.
    """
    label = 0 if module.classes else None
    try:
        with torch.no_grad():
            answer = module(torch.zeros(1, *shape), torch.ones(1), label)
        fits = answer.shape == (1, *shape) and bool(answer.isfinite().all())
    except Exception as error:  # layers that do not fit raise nearly anything
        raise PipelineError(_silent(shape, str(error))) from error
    if not fits:
        raise PipelineError(_silent(shape, "its answer is of another shape or not finite"))


def _silent(shape: tuple[int, int, int], why: str) -> str:
    return (
        f"The network gives no answer for a picture of {shape[1]} x {shape[2]} pixels "
        f"({plain_name(why)}): its files do not go together. If it is sample_size in "
        "unet/config.json, every level but the last must be able to halve both sides."
    )


# Files ------------------------------------------------------------------------------------------


def _component(folder: Path, name: str) -> Path:
    """Where the files of a part lie: in a folder of its name or, in old pipelines, beside it."""
    return folder / name if os.path.isdir(folder / name) else folder


def _head(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise PipelineError(
            f"{path.name} cannot be opened: give this app the right to read it."
        ) from error


def _json(path: Path) -> dict[str, Any]:
    if not os.path.isfile(path):
        raise PipelineError(
            f"There is no {path.name} in {plain_name(str(path.parent))}: choose the folder of a "
            "whole pipeline, as save_pretrained writes it."
        )
    data = _head(path, _MAX_JSON_BYTES + 1)
    if len(data) > _MAX_JSON_BYTES:
        raise PipelineError(
            f"{path.name} has more than {_MAX_JSON_BYTES / 1e6:g} MB, and has a few lines in a "
            "pipeline: choose the file that diffusers wrote."
        )
    try:
        values = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise PipelineError(
            f"{path.name} is damaged: it is not JSON. Copy or download it again."
        ) from error
    if not isinstance(values, dict):
        raise PipelineError(
            f"{path.name} is JSON, but no object with fields: choose the file that diffusers wrote."
        )
    return values


def _shown(value: object) -> str:
    return plain_name(value if isinstance(value, str) else json.dumps(value, default=str))
