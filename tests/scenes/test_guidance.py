"""Guided runs from configs to buffers, charts and words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from diffviz.core.noising import Noise
from diffviz.data.points import INFO
from diffviz.scenes import guidance as g
from diffviz.scenes import models
from diffviz.scenes.buffer import decode
from diffviz.scenes.configs import DataConfig, SamplerConfig, ScheduleConfig
from diffviz.scenes.guidance import Measures, Setting
from diffviz.ui.screens.guidance import words as guidance_words
from diffviz.ui.screens.guidance.figures import distance_chart, share_chart, two_densities
from diffviz.ui.shell.theme import DARK, LIGHT
from diffviz.ui.shell.waiting import Stopped


def small(**changes: Any) -> Setting:
    changes = {
        "data": DataConfig("eight_gaussians", 100),
        "sampler": SamplerConfig("dpmpp_2m", 12, "log_snr"),
        "samples": 200,
        "label": 1,
    } | changes
    return Setting(**changes)


def test_all_sets_on_offer_are_points_in_the_plane_with_classes() -> None:
    assert all(INFO[name].dim == 2 and INFO[name].classes > 1 for name in g.SETS)
    assert set(g.SETS) == {n for n, i in INFO.items() if i.dim == 2 and i.classes > 1}


def test_three_panels_start_from_the_same_noise_and_say_what_acts() -> None:
    made = g.shown(small(), 3.0)
    header, arrays = decode(made.buffer)
    panels = header["panels"]
    assert [p["badge"] for p in panels] == ["exact", "exact", None]
    assert [p["title"].split(",")[0] for p in panels] == ["Unconditional", "Conditional", "Guided"]
    first = [arrays[p["arrays"]["x_t"]][0] for p in panels]
    assert np.allclose(first[0], first[1], atol=2e-3)
    assert np.allclose(first[0], first[2], atol=2e-3)
    assert all({"field", "density", "labels", "x_0"} <= set(p["arrays"]) for p in panels)
    assert made.frames == 13
    assert made.guided.evaluations == 24
    assert g.shown(small(), 1.0).guided.evaluations == 12


def test_scale_1_is_conditional_and_scale_0_leaves_the_class_out() -> None:
    header, _ = decode(g.shown(small(), 1.0).buffer)
    assert [p["badge"] for p in header["panels"]] == ["exact"] * 3
    free = g.run(g._plain(small(), 0.0), 0.0)
    other = g.run(g._plain(small(label=5), 0.0), 0.0)
    assert np.array_equal(free.x_t, other.x_t)
    ends = g.run(small(), 1.0).x_t[-1]
    angle = np.arctan2(ends[:, 1], ends[:, 0])
    assert np.abs(angle - np.pi / 4).max() < np.pi / 8


def test_samples_keep_their_promise_only_without_exaggeration() -> None:
    setting = small(sampler=SamplerConfig("dpmpp_2m", 30, "log_snr"), samples=1000)
    plain, pushed = g.measured(setting, 1.0), g.measured(setting, 5.0)
    assert plain.distance < 2 * plain.floor
    assert plain.share > 0.999
    assert 0.9 < plain.spread < 1.1
    assert pushed.distance > 10 * pushed.floor
    assert pushed.spread < 0.6
    free = g.measured(setting, 0.0)
    assert free.share == pytest.approx(1 / 8, abs=0.04)
    langevin = replace(setting, sampler=SamplerConfig("langevin", 80, "log_snr"))
    assert g.measured(langevin, 5.0).distance < 3 * pushed.floor, "fresh noise brings them back"


@pytest.mark.parametrize("name", ["eight_gaussians", "moons"])
def test_the_target_is_normalised_and_is_the_class_itself_at_scale_1(name: str) -> None:
    data = DataConfig(name, 200)
    for label in (1, None):
        for scale in (0.0, 1.0, 4.0):
            assert g.target(data, label, scale, 40).sum() == pytest.approx(1)
    whole = g.target(data, 0, 0.0, 40)
    assert np.allclose(g.target(data, 1, 0.0, 40), whole)
    assert np.abs(g.target(data, None, 1.0, 40) - whole).sum() < 0.01
    assert not np.allclose(g.target(data, 1, 1.0, 40), whole)


def test_every_sample_may_be_asked_for_a_class_of_its_own() -> None:
    setting = small(label=None, samples=400)
    header, _ = decode(g.shown(setting, 4.0).buffer)
    assert ["field" in p["arrays"] for p in header["panels"]] == [True, False, False]
    found = g.measured(setting, 4.0)
    assert found.share > 0.99
    assert "class each was asked for" in guidance_words.title_of(setting)


def test_the_class_a_sample_is_asked_for_does_not_hang_on_its_noise() -> None:
    """Were both of one seed, they would be made of the same uniform numbers (0.11 here)."""
    labels, noise = [], []
    for seed in range(100):
        sampler = SamplerConfig(steps=1, seed=seed)
        setting = small(data=DataConfig("moons", 50), label=None, samples=1000, sampler=sampler)
        labels.append(g._asked(setting, 1000).double())
        noise.append(Noise(seed).like(torch.empty(1000, 2)).double())
    square, asked = torch.stack(noise)[..., 0] ** 2, torch.stack(labels)
    for place in range(8):  # torch makes normal numbers in blocks
        pair = torch.stack([square[:, place::8].flatten(), asked[:, place::8].flatten()])
        assert abs(float(torch.corrcoef(pair)[0, 1])) < 0.05


@pytest.mark.parametrize("schedule", ["edm", "subvp", "rectified_flow"])
def test_other_paths_and_sets_without_a_closed_form(schedule: str) -> None:
    setting = small(
        data=DataConfig("smiley", 150),
        schedule=ScheduleConfig(schedule),
        sampler=SamplerConfig("heun", 5, "log_snr"),
    )
    header, arrays = decode(g.shown(setting, 6.0).buffer)
    x_t = arrays[header["panels"][2]["arrays"]["x_t"]]
    assert np.isfinite(x_t).all()
    assert x_t[0].std() < 1.5


def test_a_network_wears_its_badge_everywhere() -> None:
    model = models.shipped(DataConfig("moons"))
    setting = small(data=DataConfig("moons", 100), model=model, sampler=SamplerConfig(steps=4))
    header, _ = decode(g.shown(replace(setting, samples=50), 2.0).buffer)
    assert [p["badge"] for p in header["panels"]] == ["learned"] * 3


def test_too_much_is_cut_and_a_run_nobody_waits_for_stops() -> None:
    many = small(data=DataConfig("moons", 20_000), sampler=SamplerConfig("heun", 1000))
    assert 1 <= g.affordable(replace(many, samples=3000)) < 3000
    assert g.affordable(small()) == 200

    def stop(_share: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        g.run(small(samples=7), 9.0, stop)


def test_charts_and_words_say_what_was_measured() -> None:
    now, plain = Measures(4.0, 0.4, 0.02, 0.99, 0.5), Measures(1.0, 0.02, 0.02, 0.9, 1.0)
    found = [Measures(w, 0.1 * w, 0.02, 1.0, 1 / (1 + w)) for w in g.SCALES]
    made = g.shown(small(), 4.0)
    for colors in (LIGHT, DARK):
        figure = distance_chart(found, now, colors, learned=colors.dark)
        assert list(figure.data[1].x) == list(g.SCALES)
        color = colors.learned if colors.dark else colors.exact
        assert figure.data[1].line.color == color
        assert list(share_chart(found, now, colors).data[1].y) == [1.0] * len(g.SCALES)
        assert len(two_densities(made.should, made.came, colors).data) == 2
    words = guidance_words.about_run(small(), made, now, plain)
    assert "**99%**" in words
    assert "**50%** as wide" in words
    assert "**not** what was promised" in words
    assert "24 evaluations, two for each guided answer" in words
    kept = guidance_words.about_run(small(), made, plain, plain)
    assert "They are what was promised" in kept
    assert "no badge" in guidance_words.about_target(small())
    moons = small(data=DataConfig("moons"), model=models.shipped(DataConfig("moons")))
    assert "network" in guidance_words.about_target(moons)
    assert guidance_words.title_of(moons) == "the class “lower moon”"


def test_both_pictures_show_the_same_density_when_it_is_the_same() -> None:
    setting = small(samples=1000, sampler=SamplerConfig("dpmpp_2m", 30, "log_snr"))
    made = g.shown(setting, 1.0)
    should, came = (torch.from_numpy(d / d.sum()) for d in (made.should, made.came))
    assert float((should - came).abs().sum()) < 0.25
