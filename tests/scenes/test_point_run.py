"""Reverse runs from configs to buffers: what they hold, what they say, and that they repeat."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from diffviz.core.run import simulate
from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import SCHEDULES
from diffviz.scenes import point_run, scene, sharing
from diffviz.scenes.buffer import decode
from diffviz.scenes.configs import DataConfig, Picture, SamplerConfig, ScheduleConfig
from diffviz.scenes.models import ModelConfig
from diffviz.scenes.point_run import RunConfig, Stops, affordable, made, shown
from diffviz.ui.screens.reverse import words as reverse_words
from diffviz.ui.shell.waiting import Stopped


def small(**changes: Any) -> RunConfig:
    sampler = changes.pop("sampler", SamplerConfig(steps=6))
    data = changes.pop("data", DataConfig("moons", n=60))
    return RunConfig(data, sampler=sampler, samples=changes.pop("samples", 25), **changes)


def digits(steps: int = 30) -> RunConfig:
    return small(data=DataConfig("digits", n=200), samples=6, sampler=SamplerConfig(steps=steps))


@pytest.mark.parametrize("steps", [1, 2, 6])
@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_is_shown_with_every_layer(name: str, steps: int) -> None:
    result = shown(small(sampler=SamplerConfig(name, steps=steps)))
    header, arrays = decode(result.buffer)
    panel = header["panels"][0]
    wanted = {"x_t", "x_0", "data", "field", "density", "mesh"}
    assert wanted <= set(panel["arrays"])
    assert panel["badge"] == "exact"
    assert arrays[panel["arrays"]["x_t"]].shape == (steps + 1, 25, 2)
    assert header["clock"]["direction"] == "reverse"
    assert header["rail"]["step"]["steps"] == steps
    assert result.evaluations >= steps
    assert result.sentence


@pytest.mark.parametrize("spacing", ["trailing", "karras", "log_snr"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_path_is_shown(name: str, spacing: str) -> None:
    run = small(schedule=ScheduleConfig(name), sampler=SamplerConfig(steps=5, spacing=spacing))
    header, arrays = decode(shown(run).buffer)
    x_t = arrays[header["panels"][0]["arrays"]["x_t"]]
    assert 0.6 < x_t[0].std() < 1.4, "drawn in units in which the starting noise stays in sight"
    assert ("scale" in header["panels"][0]["arrays"]) == (name in ("ve", "edm"))


@pytest.mark.parametrize("sampler", ["heun", "euler_maruyama", "langevin"])
def test_one_step_over_the_widest_path_can_be_drawn(sampler: str) -> None:
    run = small(schedule=ScheduleConfig("ve"), sampler=SamplerConfig(sampler, steps=1))
    assert decode(shown(run).buffer)[0]["clock"]["frames"] == 2


def test_two_noisings_make_two_steps() -> None:
    run = small(schedule=ScheduleConfig(T=2), sampler=SamplerConfig(steps=2))
    assert shown(run).frames == 3


def test_the_same_config_gives_the_same_bytes_and_another_seed_others() -> None:
    run = small(sampler=SamplerConfig("ddpm", steps=6, seed=1))
    first = shown.__wrapped__(run) if hasattr(shown, "__wrapped__") else shown(run)
    assert shown(run).buffer == first.buffer
    other = shown(replace(run, sampler=replace(run.sampler, seed=2)))
    assert decode(other.buffer)[0]["id"] != decode(first.buffer)[0]["id"]


@pytest.mark.parametrize("name", ["moons", "skewed"])
@pytest.mark.parametrize("samples", [7, 33, 101])
def test_the_bytes_are_the_same_on_any_number_of_cores(
    monkeypatch: pytest.MonkeyPatch, name: str, samples: int
) -> None:
    run = small(data=DataConfig(name, 51), samples=samples, sampler=SamplerConfig("ddpm", 6))
    runs = []
    for cores in (1, 2, 3, 4):
        monkeypatch.setattr(sharing, "CORES", cores)
        runs.append(made(run).x_t)
    assert all(torch.equal(each, runs[0]) for each in runs)


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_step_line_works_out_at_most_one_quantity_at_each_step(name: str) -> None:
    run = small(sampler=SamplerConfig(name, steps=6))
    header, arrays = decode(shown(run).buffer)
    terms = header["rail"]["step"]["terms"]
    solved = [arrays[term["coefficients"]] != 0 for term in terms if term["role"] == "z"]
    assert np.sum([np.zeros(6), *solved], axis=0).max() <= 1
    assert all(term["role"] or term["values"] for term in terms)
    trajectory = made(run)
    for term in terms:
        if term["symbol"] == "z" and term["values"]:
            np.testing.assert_allclose(arrays[term["values"]], trajectory.z[1:], atol=1e-3)
        if term["symbol"] == "eps^" and name != "langevin":  # there it is a mean over small steps
            assert term["role"] == "eps"


def test_frames_of_a_churned_run_lie_where_it_asked() -> None:
    """The backdrop belongs to the level that the samples were raised to."""
    run = small(sampler=SamplerConfig("edm", steps=6))
    times = simulate(run.plan()).t
    torch.testing.assert_close(run.stops.times(), times)
    assert bool((times[1:-1] > run.stops.grid()[1:-1]).all())
    plain = small(sampler=SamplerConfig("heun", steps=6))
    assert plain.stops == small(sampler=SamplerConfig("ddim", steps=6, seed=4)).stops


def test_a_run_that_overshoots_is_not_called_memorisation() -> None:
    """Karras stops on a chain with zero terminal SNR: Heun over t leaves the data's range."""
    chain = ScheduleConfig("scaled_linear", zero_snr=True)
    ends = {}
    for variable in ("auto", "time"):
        walk = SamplerConfig("heun", 10, "karras", variable=variable)
        run = small(schedule=chain, sampler=walk, samples=200)
        ends[variable] = reverse_words.about_ends(run, shown(run))
    assert "Memorisation" in ends["auto"]
    assert "the sampler's own error" in ends["time"]
    assert "Memorisation" not in ends["time"]


def test_a_thousand_steps_are_thinned_to_frames_with_both_ends() -> None:
    run = small(sampler=SamplerConfig(steps=1000), samples=3)
    result = shown(run)
    header, arrays = decode(result.buffer)
    assert result.frames == point_run.MAX_FRAMES
    assert result.evaluations == 1000
    t = arrays[header["clock"]["arrays"]["t"]]
    assert t[0] == 1
    assert t[-1] == 0
    assert header["clock"]["unit"] == "frame"
    assert "Of 1,001 stops, 101 are shown" in reverse_words.about_run(run, result)
    assert result.ends.last_sigma == pytest.approx(0.01, rel=1e-3)
    kept = Stops(run.schedule, 1000, "trailing").kept()
    assert len(set(kept)) == 101


def test_a_moved_start_moves_one_path_only() -> None:
    run = small()
    moved = replace(run, moved=(4, 1.5, -0.5))
    before, after = made(run).x_t, made(moved).x_t
    torch.testing.assert_close(after[0, 4], torch.tensor([1.5, -0.5]))
    others = [k for k in range(25) if k != 4]
    torch.testing.assert_close(after[:, others], before[:, others])
    assert not torch.allclose(after[-1, 4], before[-1, 4])
    words = reverse_words.about_moved(moved, shown(moved), shown(run))
    assert "Point 4 starts where you put it" in words
    assert "(1.50, \u22120.50)" in words


def test_digits_end_on_digits_and_the_words_say_memorisation() -> None:
    run = digits()
    result = shown(run)
    assert result.ends.on_a_point == 1
    assert result.ends.distance.max() < 1e-3
    assert result.ends.neighbours > 1
    words = reverse_words.about_ends(run, result)
    assert words.startswith("**Memorisation.** Every run ends on a training image")
    assert "weighted by nearness" in words
    html = reverse_words.pairs_html(run, result)
    assert html.count("data:image/png;base64") == 2


def test_a_coarse_last_step_is_said_to_blur() -> None:
    run = small(sampler=SamplerConfig(steps=1), data=DataConfig("moons", n=500))
    result = shown(run)
    assert result.ends.on_a_point < 0.5
    words = reverse_words.about_ends(run, result)
    assert "blurred" in words
    assert "Even in log-SNR" in words
    assert result.ends.last_sigma == pytest.approx(1, abs=1e-3)


def test_the_true_density_does_not_memorise() -> None:
    run = small(data=DataConfig("eight_gaussians", n=60), points=False)
    result = shown(run)
    assert "Not memorised" in reverse_words.about_ends(run, result)
    panel = decode(result.buffer)[0]["panels"][0]
    assert "data" not in panel["arrays"], "no data points pull where the density is meant"
    assert shown(replace(run, points=True)).buffer != result.buffer


@pytest.fixture
def learned() -> RunConfig:
    sampler = SamplerConfig(steps=12, spacing="log_snr")
    model = ModelConfig("shipped", "moons")
    return small(data=DataConfig("moons", n=60), sampler=sampler, samples=200, model=model)


@pytest.mark.parametrize("data", ["eight_gaussians", "two_gaussians"])
def test_a_network_is_shown_as_one_with_its_own_arrows_and_grid(data: str) -> None:
    run = small(data=DataConfig(data, n=60), model=ModelConfig("shipped", data))
    header, arrays = decode(shown(run).buffer)
    panel = header["panels"][0]
    assert (run.badge, panel["badge"]) == ("learned", "learned")
    other, others = decode(shown(replace(run, model=None)).buffer)
    there = other["panels"][0]
    assert there["badge"] == "exact"
    roles = {"x_t", "field", "mesh"} & set(panel["arrays"])
    for role in roles:
        here, beside = arrays[panel["arrays"][role]], others[there["arrays"][role]]
        assert not np.allclose(here, beside, atol=1e-3), f"the network's own {role}"
    np.testing.assert_array_equal(
        arrays[panel["arrays"]["density"]], others[there["arrays"]["density"]]
    )


def test_a_network_starts_from_the_same_noise_and_ends_between_the_points(
    learned: RunConfig,
) -> None:
    exact = replace(learned, model=None)
    starts = [made(run).x_t[0] for run in (learned, exact)]
    torch.testing.assert_close(*starts)
    here, there = point_run.ends(learned), point_run.ends(exact)
    assert there.on_a_point > 0.9
    assert here.on_a_point < 0.2
    assert here.distance.mean() < 0.3, "near the data all the same"
    words = reverse_words.about_learned(learned, here, there)
    assert words.startswith("**Learned, so estimated.** Runs of a network need not end on data")
    assert f"{there.on_a_point:.1%}" in words or "100%" in words
    assert "a network of mine" in reverse_words.about_run(
        learned, shown(learned), "a network of mine"
    )
    density = replace(learned, data=DataConfig("eight_gaussians", n=60), points=False)
    assert "from the nearest true sample" in reverse_words.about_learned(density, here, there)


def test_what_a_network_copies_is_called_so(learned: RunConfig) -> None:
    there = point_run.ends(replace(learned, model=None))
    assert reverse_words.about_learned(learned, there, there).startswith("**Copies.**")


def test_what_a_network_takes_too_long_for_is_run_with_fewer_samples(learned: RunConfig) -> None:
    assert affordable(learned) == 200
    long = SamplerConfig("langevin", steps=1000, params=(("inner", 50),))
    assert 1 <= affordable(replace(learned, sampler=long, samples=5000)) < 500
    few = replace(learned, sampler=SamplerConfig(steps=50), samples=5000)
    assert affordable(few) == 5000
    assert affordable(replace(few, data=DataConfig("moons", n=20_000))) == 5000, "whatever the data"


def test_points_without_a_density_keep_their_points() -> None:
    assert small(points=False).source == (DataConfig("moons", n=60), True)


def test_numbers_are_shown_as_lines() -> None:
    run = small(data=DataConfig("two_gaussians", n=60))
    panel = decode(shown(run).buffer)[0]["panels"][0]
    assert panel["kind"] == "lines"


def test_an_uploaded_picture_is_reduced_and_found_again() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (200, 100, 3), dtype=np.uint8)
    data = DataConfig("picture", n=1, picture=Picture(pixels.shape, pixels.tobytes()))
    run = small(data=data, samples=2)
    result = shown(run)
    assert decode(result.buffer)[0]["panels"][0]["size"] == [3, 64, 32]
    assert result.ends.on_a_point == 1
    assert "neighbours" not in reverse_words.about_ends(run, result)


def test_what_takes_too_long_is_run_with_fewer_samples() -> None:
    assert affordable(small()) == 25
    heavy = small(
        data=DataConfig("moons", n=20_000),
        samples=5000,
        sampler=SamplerConfig("langevin", steps=1000, params=(("inner", 50),)),
    )
    assert 1 <= affordable(heavy) < 100
    picture = small(data=DataConfig("fashion", n=1000), samples=100, sampler=SamplerConfig())
    assert 10 <= affordable(picture) < 100


def test_the_run_is_watched_and_can_be_stopped() -> None:
    seen: list[float] = []
    made(small(), seen.append)
    assert seen[0] == 0
    assert seen[-1] == 1
    assert seen == sorted(seen)

    def stop(share: float) -> None:
        if share > 0.3:
            raise Stopped

    with pytest.raises(Stopped):
        made(small(), stop)


def test_arrows_point_where_points_move() -> None:
    run = small(samples=400, sampler=SamplerConfig(steps=200))
    field = point_run.arrows(run.source, run.stops, "flow")
    assert np.abs(field[-1]).max() == 0
    k = 80  # of 101 frames
    axis = np.linspace(*scene.LIMITS, field.shape[1])
    trajectory = made(run)
    x, move = trajectory.x_t[k].numpy(), (trajectory.x_t[k + 1] - trajectory.x_t[k]).numpy()
    nearest = np.abs(x[:, :, None] - axis).argmin(-1)
    arrow = field[k, nearest[:, 1], nearest[:, 0]]
    close = np.abs(x - axis[nearest]).max(-1) < 0.1
    cosine = (arrow * move).sum(-1) / np.linalg.norm(arrow, axis=-1) / np.linalg.norm(move, axis=-1)
    assert close.sum() > 5
    assert np.median(cosine[close]) > 0.9


def test_the_flow_is_that_of_the_drawn_plane() -> None:
    """Far out, where the score is that of one Gaussian, points drawn in units of the noise rest."""
    run = small(schedule=ScheduleConfig("ve"), sampler=SamplerConfig(steps=20))
    field = point_run.arrows(run.source, run.stops, "flow")
    score = point_run.arrows(run.source, run.stops, "score")
    ratio = np.linalg.norm(field[1], axis=-1).max() / np.linalg.norm(score[1], axis=-1).max()
    assert ratio < 0.1
    assert (score[1, 0, 0] > 0).all(), "the score points inwards"


def test_the_floor_is_what_an_exact_sample_measures() -> None:
    source = (DataConfig("eight_gaussians", n=500), False)
    assert 0.02 < point_run.floor(source, 500) < 0.3
    assert point_run.floor(source, 2000) < point_run.floor(source, 100)


def test_the_warped_grid_starts_square_and_ends_near_the_data() -> None:
    run = small()
    mesh = point_run.warped_grid(run.source, run.stops, SamplerConfig(steps=6))
    assert mesh.shape == (7, 11, 11, 2)
    assert mesh[0, 0, 0] == pytest.approx([-2.4, -2.4])
    assert mesh[0, 10, 10] == pytest.approx([2.4, 2.4])
    assert mesh[0, 0, 10] == pytest.approx([2.4, -2.4])
    assert np.abs(mesh[-1]).max() < 2.4
