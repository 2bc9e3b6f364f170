r"""Measure the model of the drawn dogs: is the collar there that was asked for, and only it?

    python -m diffviz collars                    # 2,000 dogs of each kind, 200 given ones
    python -m diffviz collars --samples 500      # less exactly
    python -m diffviz collars --write            # keep the figures

Dogs are drawn with a collar, without one and left open, all three from the same noise, and looked
at by the classifier of the set, which tells 5,000 fresh drawings apart (its own accuracy is on its
card).  The figures:

    with, without            share that the classifier finds as asked, with guidance
    with_plain, ..           the same at w = 1
    open, data               share that has a collar when left open, and in what was trained on
    neck, rest               mean absolute difference of a pixel between the dog with and without a
                             collar from the same noise, near the collar and elsewhere; black to
                             white is 2
    two_neck, two_rest       the same between two dogs without one, from two noises
    given_with, ..           share as asked of given dogs, decoded from their own noise
    given_neck, given_rest   how far the changed dog is from the given one
    given_back               and how far the dog is that was decoded as it was, everywhere

With ``--write`` they go into the card beside the weights, whose bytes are left alone, and into
``figures/dogs.json``.  The last line printed is one JSON object.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from diffviz.core.denoisers import Network
from diffviz.data.dogs import neck_mask, sample
from diffviz.models.checkpoints import write_card
from diffviz.models.pretrained import IMAGE_FOLDER, dog_classifier, dog_model
from diffviz.networks.classifier import Classifier
from diffviz.networks.unet import UNet
from diffviz.studies.collars import Necks, change, labels_of, trip
from diffviz.studies.command import Command, at_least
from diffviz.studies.evaluate import DrawConfig, draw
from diffviz.studies.figures import FIGURES
from diffviz.studies.train_dogs import DATA_SEED, DOGS
from diffviz.tools.kept import keep, read

__all__ = ["GIVEN_STEPS", "GUIDANCE", "KEPT", "figures", "kept_figures", "main"]

GUIDANCE = 1.5
"""The guidance scale at which the dogs are measured, and that the page starts with."""

GIVEN_STEPS = 20
"""Steps of Heun's method up to noise and down again."""

KEPT = FIGURES / "dogs.json"
"""Where the figures are kept."""

_SAMPLES, _GIVEN, _FEWEST = 2000, 200, 10
_GIVEN_SEED = 3


def figures(
    denoiser: Network, judge: Classifier, samples: int, given: int, guidance: float = GUIDANCE
) -> dict[str, float]:
    """Measure a model.

    Args:
        denoiser: around a ``UNet`` that is told of a collar.
        judge: who looks for it.
        samples: dogs of each kind.
        given: dogs that are drawn, encoded and changed.
        guidance: the scale w.

    Raises:
        ValueError: for another network.
    """
    config = DrawConfig(guidance=guidance)
    plain = replace(config, guidance=1.0)
    with_, without = (_drawn(denoiser, samples, asked, config) for asked in (True, False))
    shares = {
        "with": _collared(judge, with_),
        "without": 1 - _collared(judge, without),
        "with_plain": _collared(judge, _drawn(denoiser, samples, True, plain)),
        "without_plain": 1 - _collared(judge, _drawn(denoiser, samples, False, plain)),
        "open": _collared(judge, _drawn(denoiser, samples, None, plain)),
        "data": float(sample(DOGS, DATA_SEED)[1].double().mean()),
    }
    near = Necks().of(without)
    other = without.roll(1, 0)
    stays = {
        "neck": change(with_, without, near),
        "rest": change(with_, without, ~near),
        "two_neck": change(other, without, near),
        "two_rest": change(other, without, ~near),
    }
    return {
        key: round(value, 5)
        for key, value in {**shares, **stays, **_given(denoiser, judge, given, guidance)}.items()
    }


def _drawn(denoiser: Network, count: int, asked: bool | None, config: DrawConfig) -> Tensor:
    labels = labels_of(cast(UNet, denoiser.module), [asked] * count)
    return draw(denoiser, labels, config, about="dogs").pictures


def _collared(judge: Classifier, pictures: Tensor) -> float:
    return float(judge.probabilities(pictures).argmax(1).double().mean())


def _given(denoiser: Network, judge: Classifier, count: int, guidance: float) -> dict[str, float]:
    """Half of the given dogs have a collar and lose it, half have none and get one."""
    found = {}
    changed, stayed, near, whole = [], [], [], []
    for name, worn in (("given_with", 0), ("given_without", 1)):
        pictures, labels, looks = sample(count // 2, _GIVEN_SEED, share=float(worn))
        made = trip(denoiser, pictures, labels, 1 - labels, guidance, GIVEN_STEPS)
        after = made.other[-1].x_t.clamp(-1, 1)
        share = _collared(judge, after)
        found[name] = 1 - share if worn else share
        whole.append(pictures)
        changed.append(after)
        stayed.append(made.same[-1].x_t)
        near.append(neck_mask(looks))
    given, after, where = torch.cat(whole), torch.cat(changed), torch.cat(near)
    return found | {
        "given_neck": change(after, given, where),
        "given_rest": change(after, given, ~where),
        "given_back": change(torch.cat(stayed), given, torch.ones_like(where)),
    }


def kept_figures() -> dict[str, Any]:
    """Return what ``--write`` kept: settings and figures; empty where nothing was."""
    return read(KEPT)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = Command(prog="python -m diffviz collars", description=__doc__)
    parser.add_argument(
        "--samples",
        type=at_least(_FEWEST),
        default=_SAMPLES,
        metavar="N",
        help="dogs of each kind",
    )
    parser.add_argument(
        "--given",
        type=at_least(_FEWEST),
        default=_GIVEN,
        metavar="N",
        help="dogs that are drawn and changed",
    )
    parser.add_argument(
        "--guidance", type=float, default=GUIDANCE, metavar="W", help="scale; 1 for none"
    )
    parser.add_argument("--write", action="store_true", help="keep the figures")
    parser.add_threads()
    asked = parser.parse_args(arguments)
    torch.set_num_threads(asked.threads)
    with parser.one_line():
        found, judge = dog_model(), dog_classifier()
        measured = figures(found.denoiser, judge, asked.samples, asked.given, asked.guidance)
        settings = {
            "samples": asked.samples,
            "given": asked.given,
            "guidance": asked.guidance,
            "sampler": DrawConfig().sampler,
            "steps": DrawConfig().steps,
            "given_steps": GIVEN_STEPS,
        }
        if asked.write:
            numbers = {key: settings[key] for key in ("samples", "given", "guidance")}
            metrics = {**found.card.metrics, **measured, **numbers}
            write_card(IMAGE_FOLDER / "dogs", replace(found.card, metrics=metrics))
            keep(KEPT, {"settings": settings, "figures": measured})
    for key, value in measured.items():
        print(f"{key:16} {value:g}")
    print(json.dumps({"settings": settings, "figures": measured}))


if __name__ == "__main__":
    main()
