"""Pictures drawn by the shipped network: what the player gets is the run that was made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch.testing import assert_close

from diffviz.core.inversion import PATH, decode, encode, round_trip
from diffviz.core.noising import Noise
from diffviz.core.run import simulate
from diffviz.scenes import picture_sets
from diffviz.scenes.buffer import decode as unpack
from diffviz.scenes.configs import SamplerConfig, ScheduleConfig
from diffviz.scenes.picture_run import (
    GenerateRun,
    affordable,
    affordable_steps,
    pictures,
)
from diffviz.ui.screens.images.back import trip
from diffviz.ui.screens.images.more import LADDER, ladder_of, shares_of
from diffviz.ui.screens.images.words import about_classes, about_run, settled

RUN = GenerateRun(sampler=SamplerConfig("dpmpp_2m", 8, "log_snr"), count=10)


def test_the_player_shows_the_run_that_was_made() -> None:
    made = pictures(RUN)
    header, arrays = unpack(made.buffer)
    assert made.frames == 9
    assert made.evaluations == 8 * 2
    panel = header["panels"][0]
    assert panel["labels"] == list("0123456789")
    assert panel["badge"] == "learned"
    low, high = arrays[panel["arrays"]["x_t_range"]][-1]
    shown = low + (high - low) * arrays[panel["arrays"]["x_t"]][-1]
    np.testing.assert_allclose(shown, made.x, atol=(high - low) / 255)
    maps = header["rail"]["levels"]
    assert [m["label"][:4] for m in maps] == ["What", "How ", "Powe"]
    seen = arrays[maps[0]["values"]] / 254
    np.testing.assert_allclose(seen, made.probability.transpose(0, 2, 1), atol=1 / 254)


def test_the_classifier_sees_what_was_asked_for() -> None:
    made = pictures(RUN)
    assert (made.probability[-1].argmax(1) == made.labels).mean() >= 0.9
    assert "what was asked" in about_classes(RUN, made)
    assert "16 evaluations" in about_run(RUN, made)


def test_without_a_class_the_class_is_settled_on_the_way() -> None:
    run = replace(RUN, guidance=0.0, sampler=replace(RUN.sampler, steps=12))
    made = pictures(run)
    assert made.evaluations == 12
    frames = settled(made)
    assert frames.max() > 0
    seen = made.probability.argmax(2)
    for item, frame in enumerate(frames):
        assert (seen[frame:, item] == seen[-1, item]).all()
        assert frame == 0 or seen[frame - 1, item] != seen[-1, item]
    assert "finds its own" in about_classes(run, made)


def test_classes_are_asked_for_in_turn() -> None:
    assert replace(RUN, classes=(3, 7), count=5).labels().tolist() == [3, 7, 3, 7, 3]
    assert RUN.labels().tolist() == list(range(10))


def test_more_pictures_go_on_from_the_same_noise() -> None:
    few, many = (simulate(replace(RUN, count=n).plan()) for n in (3, 6))
    assert_close(few.x_t[0], many.x_t[0, :3])
    assert_close(few.x_t[-1], many.x_t[-1, :3], rtol=1e-3, atol=1e-3)


def test_one_network_answers_on_every_path() -> None:
    """x_0 depends on the noise level alone: the same question on two paths has one answer."""
    images = simulate(RUN.plan(), 1).x_t[-1][:4]
    eps = torch.randn(images.shape, generator=torch.Generator().manual_seed(5))
    answers = []
    for name in ("cosine", "rectified_flow", "edm"):
        schedule = ScheduleConfig(name).build()
        t = schedule.t_at_log_snr(torch.tensor([0.5], dtype=torch.float64)).item()
        alpha, sigma = schedule.at(t)
        denoiser = picture_sets.answers("mnist", schedule, torch.arange(4), 1.0, clipped=False)
        answers.append(denoiser(alpha * images + sigma * eps, t))
    assert_close(answers[0], answers[1], rtol=2e-3, atol=2e-3)
    assert_close(answers[0], answers[2], rtol=2e-3, atol=2e-3)


def test_a_long_run_of_many_is_cut_to_what_can_be_had() -> None:
    long = replace(RUN, count=64, sampler=replace(RUN.sampler, steps=200))
    assert affordable(long) == 32
    assert affordable(replace(long, sampler=replace(RUN.sampler, steps=1000))) == 1
    assert affordable_steps(long) == 888
    assert affordable(RUN) == 10


def test_the_ladder_starts_every_row_from_the_same_noise() -> None:
    run = replace(RUN, count=3)
    rungs = ladder_of(run)
    assert [rung.steps for rung in rungs] == list(LADDER)
    assert [rung.evaluations for rung in rungs] == [2 * n for n in LADDER]
    assert rungs[-1].away == 0
    assert rungs[0].away > rungs[3].away > rungs[5].away
    own = simulate(run.plan(), 1).x_t[-1]  # eight steps, as the fourth rung
    assert_close(torch.from_numpy(rungs[3].x), own, rtol=1e-3, atol=1e-3)


def test_between_two_noises_the_ends_are_the_runs_of_two_seeds() -> None:
    run = replace(RUN, count=2, classes=(4,))
    x, noises = shares_of(run)
    for end, seed in ((0, 0), (-1, 1)):
        own = Noise(seed).like(torch.empty(2, *run.set.shape))
        assert_close(torch.from_numpy(noises[end]), own, rtol=1e-5, atol=1e-5)
        there = simulate(replace(run, sampler=replace(run.sampler, seed=seed)).plan(), 1).x_t[-1]
        assert_close(torch.from_numpy(x[end]), there, rtol=1e-2, atol=1e-2)
    lengths = np.linalg.norm(noises.reshape(len(noises), 2, -1), axis=2)
    assert np.ptp(lengths, axis=0).max() < 0.1 * lengths.mean()


def test_a_trip_to_noise_and_back_ends_where_it_began() -> None:
    run = replace(RUN, count=2, sampler=replace(RUN.sampler, steps=16))
    made = trip(run, "heun")
    assert made.frames == 33
    assert dict(made.errors)[16] == made.error
    assert made.error < dict(made.errors)[4]
    assert abs(made.noise[1] - 1) < 0.3  # flat grounds leave less than N(0, 1)


def test_the_round_trip_of_the_network_falls_at_the_order_of_the_solver() -> None:
    images = simulate(replace(RUN, count=2).plan(), 1).x_t[-1].clamp(-1, 1)
    denoiser = picture_sets.answers("mnist", PATH, RUN.labels()[:2], 1.0, clipped=False)
    euler = [float(round_trip(denoiser, images, n, "euler").mean()) for n in (16, 64)]
    assert euler[1] < euler[0] / 2.5
    *_, top = encode(denoiser, images, 24, "heun")
    *_, end = decode(denoiser, top.x_t, 24, "heun")
    assert float((end.x_t - images).square().mean().sqrt()) < 0.05
