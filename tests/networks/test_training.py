"""Training: it learns, repeats itself, can be paused and steered, and knows when it diverged."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from diffviz.core.denoisers import Denoiser, Exact, Network
from diffviz.core.distributions import GaussianMixture
from diffviz.core.grids import make_grid
from diffviz.core.samplers import Heun
from diffviz.core.schedules import EDM, SCHEDULES, Cosine, RectifiedFlow, Schedule
from diffviz.data.points import DATASETS, labelled
from diffviz.measures.metrics import sliced_wasserstein
from diffviz.networks.mlp import TARGETS, NetworkConfig, levels_at
from diffviz.networks.training import (
    LR_SCHEDULES,
    WEIGHTINGS,
    Diverged,
    Progress,
    TrainConfig,
    Trainer,
    _paired,
    exact_loss,
)

SMALL = NetworkConfig(width=32, depth=1)
TINY = TrainConfig(batch=16, steps=12)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def moons() -> Tensor:
    return DATASETS["moons"](1000, 0)


@pytest.fixture(scope="module")
def two() -> GaussianMixture:
    """Two bells of unit variance together."""
    return GaussianMixture(
        torch.ones(2), torch.tensor([[-0.9, 0.0], [0.9, 0.0]]), torch.tensor([0.4, 0.4])
    )


def trained(points: Tensor, schedule: Schedule, config: TrainConfig) -> Network:
    trainer = Trainer(points, schedule, config, SMALL)
    list(trainer)
    return trainer.denoiser()


def score_error(learned: Denoiser, exact: Exact, schedule: Schedule) -> list[float]:
    """Mean squared error of sigma times the score at three noise levels."""
    errors = []
    for t in (0.3, 0.5, 0.7):
        alpha, sigma = schedule.at(t)
        generator = torch.Generator().manual_seed(1)
        x_t = exact.distribution.marginal(alpha, sigma).sample(500, generator)
        gap = (alpha / sigma) * (learned(x_t, t) - exact(x_t, t))
        errors.append(gap.square().mean().item())
    return errors


# Learning ---------------------------------------------------------------------------------------


def test_the_learned_score_comes_closer_to_the_exact_one(two: GaussianMixture) -> None:
    schedule = RectifiedFlow()
    points = two.sample(5000, torch.Generator().manual_seed(0))
    exact = Exact(two, schedule)
    trainer = Trainer(points, schedule, TrainConfig(batch=128, steps=200), SMALL, every=40)
    errors = [score_error(trainer.denoiser(), exact, schedule)]
    for progress in trainer:
        if progress.step in (40, 200):
            errors.append(score_error(trainer.denoiser(), exact, schedule))
    untrained, early, late = errors
    assert all(a > b > c for a, b, c in zip(untrained, early, late, strict=True))
    assert max(late) < 0.15 * max(untrained)


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_learns(target: str, two: GaussianMixture) -> None:
    schedule = Cosine()
    points = two.sample(2000, torch.Generator().manual_seed(0))
    exact = Exact(two, schedule)
    config = TrainConfig(target=target, batch=128, steps=100)
    untrained = Trainer(points, schedule, config, SMALL).denoiser()
    before = sum(score_error(untrained, exact, schedule))
    assert sum(score_error(trained(points, schedule, config), exact, schedule)) < before / 2


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_every_weighting_learns(weighting: str, two: GaussianMixture) -> None:
    schedule = RectifiedFlow()
    points = two.sample(2000, torch.Generator().manual_seed(0))
    exact = Exact(two, schedule)
    config = TrainConfig("x_0", weighting=weighting, batch=128, steps=100)
    untrained = Trainer(points, schedule, config, SMALL).denoiser()
    before = sum(score_error(untrained, exact, schedule))
    assert sum(score_error(trained(points, schedule, config), exact, schedule)) < before / 2


@pytest.mark.parametrize(("optimiser", "lr"), [("adam", 3e-3), ("adamw", 3e-3), ("sgd", 0.05)])
def test_every_optimiser_learns(optimiser: str, lr: float, two: GaussianMixture) -> None:
    schedule = RectifiedFlow()
    points = two.sample(2000, torch.Generator().manual_seed(0))
    exact = Exact(two, schedule)
    config = TrainConfig(optimiser=optimiser, lr=lr, batch=128, steps=100)
    untrained = Trainer(points, schedule, config, SMALL).denoiser()
    before = sum(score_error(untrained, exact, schedule))
    assert sum(score_error(trained(points, schedule, config), exact, schedule)) < before / 2


@pytest.mark.parametrize("path", SCHEDULES)
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_every_path_takes_every_weighting(path: str, weighting: str, moons: Tensor) -> None:
    config = TrainConfig("velocity", weighting, batch=16, steps=2)
    (progress,) = Trainer(moons, SCHEDULES[path](), config, NetworkConfig(width=8, depth=1))
    assert math.isfinite(progress.loss)


def test_samples_of_a_short_run_look_like_the_data(two: GaussianMixture) -> None:
    schedule = EDM()
    data, fresh = (two.sample(2000, torch.Generator().manual_seed(k)) for k in (0, 1))
    config = TrainConfig("x_0", "log_normal", batch=256, steps=250)
    learned = trained(data, schedule, config)
    x_1 = schedule.prior_std() * torch.randn(2000, 2, generator=torch.Generator().manual_seed(2))
    samples = Heun().sample(learned, schedule, make_grid(schedule, 16, "karras"), x_1)
    assert sliced_wasserstein(samples, fresh) < 3 * sliced_wasserstein(data, fresh)


def test_classes_are_learned_and_without_one_it_is_the_whole(two: GaussianMixture) -> None:
    points, _ = two.sample(4000, torch.Generator().manual_seed(0)), None
    labels = (points[:, 0] > 0).long()
    schedule = RectifiedFlow()
    config = TrainConfig(batch=128, steps=200, label_dropout=0.2)
    trainer = Trainer(points, schedule, config, NetworkConfig(width=32, depth=1, classes=2), labels)
    list(trainer)
    learned = trainer.denoiser()
    x_t = torch.zeros(1, 2)
    left, right, whole = (learned(x_t, 0.95, **c)[0, 0] for c in ({"label": 0}, {"label": 1}, {}))
    assert left < -0.6
    assert right > 0.6
    assert abs(whole) < 0.2


# Repeating and steering -------------------------------------------------------------------------


def weights(trainer: Trainer) -> list[Tensor]:
    return list(trainer.denoiser().module.parameters())


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(("target", "pairing"), [("v", False), ("velocity", True)])
def test_a_seed_gives_the_same_weights_to_the_last_bit(
    target: str, pairing: bool, moons: Tensor
) -> None:
    def run(seed: int) -> list[Tensor]:
        config = TrainConfig(target, batch=32, steps=30, seed=seed, ot_pairing=pairing)
        trainer = Trainer(moons, Cosine(), config, SMALL)
        list(trainer)
        return weights(trainer)

    torch.manual_seed(0)
    first = run(1)
    torch.manual_seed(5)  # the global generator has no part in it
    assert same(first, run(1))
    assert not same(first, run(2))


def test_the_learning_rate_rises_over_twenty_steps_and_then_falls(moons: Tensor) -> None:
    for name, factor in (
        ("constant", lambda share: 1.0),
        ("linear", lambda share: 1 - share),
        ("cosine", lambda share: (1 + math.cos(math.pi * share)) / 2),
    ):
        config = TrainConfig(batch=4, steps=24, lr=1e-2, lr_schedule=name)
        rates = [p.lr for p in Trainer(moons, Cosine(), config, SMALL, every=1)]
        wanted = [1e-2 * min((k + 1) / 20, 1) * factor(k / 24) for k in range(24)]
        assert rates == pytest.approx(wanted)


@pytest.mark.parametrize("batch", [4, 64])
def test_the_times_of_a_step_are_spread_evenly(batch: int, moons: Tensor) -> None:
    """One in each of as many equal parts of the table, all at the same place within their part."""
    trainer = Trainer(moons, Cosine(), TrainConfig(batch=batch), SMALL)
    firsts = set()
    for _ in range(20):
        rows = trainer._rows().sort().values
        assert len(rows) == (4 if batch == 4 else 32)
        assert (rows.diff() - 4096 // len(rows)).abs().max() <= 1
        firsts.add(int(rows[0]))
        assert rows[0] < 4096 // len(rows) + 1
    assert len(firsts) > 10


def test_reports_and_pauses_change_nothing(moons: Tensor) -> None:
    smooth, halting = (Trainer(moons, Cosine(), TINY, SMALL, every=k) for k in (100, 5))
    reports = list(smooth)
    assert [p.step for p in reports] == [12]
    steps = []
    for progress in halting:
        steps.append(progress.step)
        halting.denoiser()
        break
    steps += [progress.step for progress in halting]  # asking again resumes
    assert steps == [5, 10, 12]
    assert same(weights(smooth), weights(halting))
    assert halting.done


def test_a_report_says_where_training_is(moons: Tensor) -> None:
    trainer = Trainer(moons, RectifiedFlow(), TINY, SMALL, every=6)
    first, second = trainer
    assert isinstance(first, Progress)
    assert (first.step, first.steps, second.step) == (6, 12, 12)
    assert 0 < first.seconds < second.seconds
    assert first.seconds_left == pytest.approx(first.seconds)
    assert second.seconds_left == 0
    assert second.lr < first.lr or first.step < 20  # the rate still rises in the first steps


def test_the_loss_by_noise_level_is_one_for_a_network_that_answers_nothing(moons: Tensor) -> None:
    network = NetworkConfig(width=8, depth=1, preconditioning="plain")
    config = TrainConfig("eps", "uniform", batch=2048, steps=4, lr=1e-12)
    trainer = Trainer(moons, Cosine(), config, network)
    (progress,) = trainer
    assert len(trainer.t_edges) == len(progress.loss_by_t) + 1
    seen = progress.loss_by_t[progress.loss_by_t.isfinite()]
    assert len(seen) > 10
    assert_close(seen.mean(), torch.tensor(1.0), rtol=0.1, atol=0)
    assert progress.loss == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("path", SCHEDULES)
def test_noise_levels_of_the_heat_map_rise(path: str, moons: Tensor) -> None:
    edges = Trainer(moons, SCHEDULES[path](), TINY, SMALL).t_edges
    assert bool((edges.diff() > 0).all())
    assert edges[-1] == 1


def test_the_learning_rate_changes_while_it_runs(moons: Tensor) -> None:
    config = TrainConfig(batch=16, steps=60, lr=1e-3, lr_schedule="constant")
    trainer = Trainer(moons, Cosine(), config, SMALL)
    rates = []
    for progress in trainer:
        rates.append(progress.lr)
        trainer.lr = 5e-4
    assert rates == [1e-3, 5e-4, 5e-4]
    with pytest.raises(ValueError, match="above 0"):
        trainer.lr = -1.0


def test_training_goes_on_when_steps_are_added(moons: Tensor) -> None:
    trainer = Trainer(moons, Cosine(), TINY, SMALL)
    list(trainer)
    assert list(trainer) == []
    trainer.steps += 8
    assert [progress.step for progress in trainer] == [20]


def test_learning_rates_fall_as_they_are_named() -> None:
    assert LR_SCHEDULES["constant"](0.7) == 1
    assert LR_SCHEDULES["linear"](0.25) == 0.75
    assert LR_SCHEDULES["cosine"](0.5) == pytest.approx(0.5)
    assert all(f(1.0) == pytest.approx(0) for n, f in LR_SCHEDULES.items() if n != "constant")


def test_a_model_handed_out_is_left_alone_by_later_steps(moons: Tensor) -> None:
    trainer = Trainer(moons, Cosine(), TINY, SMALL, every=6)
    next(trainer)
    early = trainer.denoiser()
    kept = [weight.clone() for weight in early.module.parameters()]
    next(trainer)
    assert same(kept, list(early.module.parameters()))
    assert not same(kept, weights(trainer))
    assert not any(weight.requires_grad for weight in early.module.parameters())


def test_it_trains_under_no_grad(moons: Tensor) -> None:
    with torch.no_grad():
        trainer = Trainer(moons, Cosine(), TINY, SMALL)
        list(trainer)
    assert trainer.done


def test_the_average_follows_the_weights(moons: Tensor) -> None:
    plain = Trainer(moons, Cosine(), TrainConfig(batch=16, steps=12, ema_decay=0.0), SMALL)
    list(plain)
    assert same(weights(plain), list(plain._module.parameters()))


# Divergence -------------------------------------------------------------------------------------


def test_a_learning_rate_of_ten_is_caught_and_the_model_stays_usable(moons: Tensor) -> None:
    schedule = RectifiedFlow()
    trainer = Trainer(moons, schedule, TrainConfig(batch=64, steps=500, lr=10.0), SMALL)
    with pytest.raises(Diverged, match=r"lower the learning rate from 10 to 0\.003") as caught:
        list(trainer)
    assert caught.value.step < 100
    learned = trainer.denoiser()
    x_1 = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    samples = Heun().sample(learned, schedule, make_grid(schedule, 10, "trailing"), x_1)
    assert bool(samples.isfinite().all())
    assert samples.abs().max() < 10


def test_the_last_good_model_is_kept_and_training_can_go_on(moons: Tensor) -> None:
    config = TrainConfig(batch=64, steps=400, lr_schedule="constant")
    trainer = Trainer(moons, RectifiedFlow(), config, SMALL)
    good = {}
    for progress in trainer:
        good[progress.step] = weights(trainer)
        if progress.step == 200:
            trainer.lr = 10.0
            break
    with pytest.raises(Diverged, match="last good one") as caught:
        list(trainer)
    assert 160 <= caught.value.kept <= 200
    assert same(weights(trainer), good[caught.value.kept])
    trainer.lr = 1e-3
    losses = [progress.loss for progress in trainer]
    assert trainer.done
    assert max(losses) < 1


def test_a_loss_that_is_no_number_is_caught(moons: Tensor) -> None:
    trainer = Trainer(moons, Cosine(), TINY, SMALL, every=4)
    next(trainer)
    with torch.no_grad():
        trainer._module.last.bias.fill_(math.nan)
    with pytest.raises(Diverged, match="no longer a finite number") as caught:
        next(trainer)
    assert caught.value.step == 5
    assert all(bool(weight.isfinite().all()) for weight in weights(trainer))


def test_an_ordinary_run_is_not_taken_for_a_diverging_one(moons: Tensor) -> None:
    for target, weighting in (("x_0", "snr"), ("eps", "min_snr")):
        network = NetworkConfig(width=32, depth=1, preconditioning="plain")
        config = TrainConfig(target, weighting, batch=32, steps=150, lr=1e-2)
        list(Trainer(moons, Cosine(), config, network))


# Optimal transport ------------------------------------------------------------------------------


def test_pairing_brings_noise_close_to_its_data_and_keeps_the_noise() -> None:
    x_0, eps = torch.randn(2, 300, 2, generator=torch.Generator().manual_seed(0))
    paired = _paired(x_0, eps, None)
    assert_close(paired.sum(0), eps.sum(0))
    assert (x_0 - paired).square().sum() < 0.3 * (x_0 - eps).square().sum()
    assert sorted(paired[:, 0].tolist()) == sorted(eps[:, 0].tolist())


def test_pairing_is_the_best_one_also_far_from_the_origin() -> None:
    """Of the 120 orders of five, the one of the least sum of squares."""
    x_0, eps = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))
    costs = {
        order: float((x_0 - eps[list(order)]).double().square().sum())
        for order in itertools.permutations(range(5))
    }
    best = eps[list(min(costs, key=lambda order: costs[order]))]
    for shift in (0.0, 1e5):
        assert torch.equal(_paired(x_0 + shift, eps, None), best)


def test_pairing_stays_within_a_class() -> None:
    x_0, eps = torch.randn(2, 60, 2, generator=torch.Generator().manual_seed(0))
    label = torch.arange(60) % 3
    paired = _paired(x_0, eps, label)
    for one in range(3):
        assert_close(paired[label == one].sum(0), eps[label == one].sum(0))


def test_paired_paths_are_straighter(two: GaussianMixture) -> None:
    points, schedule = two.sample(2000, torch.Generator().manual_seed(0)), RectifiedFlow()
    x_1 = torch.randn(500, 2, generator=torch.Generator().manual_seed(3))
    bends = []
    for pairing in (False, True):
        config = TrainConfig("velocity", batch=128, steps=150, ot_pairing=pairing)
        learned = trained(points, schedule, config)
        early, late = (
            Heun().sample(learned, schedule, make_grid(schedule, steps, "trailing"), x_1)
            for steps in (1, 20)
        )
        bends.append((early - late).square().mean())
    assert bends[1] < bends[0] / 2


# What is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"target": "noise"}, "unknown target"),
        ({"weighting": "even"}, "unknown weighting"),
        ({"lr_schedule": "steps"}, "unknown lr_schedule"),
        ({"optimiser": "guess"}, "unknown optimiser"),
        ({"batch": 0}, "batch"),
        ({"steps": 10_000_000}, "steps"),
        ({"lr": math.nan}, "learning rate"),
        ({"lr": 0.0}, "learning rate"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"label_dropout": 1.5}, "label_dropout"),
        ({"seed": -1}, "seed"),
        ({"target": "eps", "ot_pairing": True}, "velocity"),
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TrainConfig(**wrong)  # type: ignore[arg-type]


def test_data_that_cannot_be_trained_on_is_refused(moons: Tensor) -> None:
    labels = torch.zeros(len(moons), dtype=torch.int64)
    for points, words in (
        (torch.zeros(0, 2), "at least one point"),
        (torch.zeros(5), "at least one point"),
        (torch.zeros(5, 2, dtype=torch.int64), "at least one point"),
        (torch.full((5, 2), math.inf), "finite"),
    ):
        with pytest.raises(ValueError, match=words):
            Trainer(points, Cosine(), TINY)
    with pytest.raises(ValueError, match="as many labels"):
        Trainer(moons, Cosine(), TINY, labels=labels[:-1])
    with pytest.raises(ValueError, match="do not fit"):
        Trainer(moons, Cosine(), TINY, NetworkConfig(dim=1))
    with pytest.raises(ValueError, match="do not fit"):
        Trainer(moons, Cosine(), TINY, NetworkConfig(classes=2))
    with pytest.raises(ValueError, match="every"):
        Trainer(moons, Cosine(), TINY, every=0)


def test_networks_follow_the_data_by_default() -> None:
    points, labels = labelled("three_gaussians", 50, 0)
    trainer = Trainer(points, Cosine(), TINY, labels=labels)
    assert (trainer.network.dim, trainer.network.classes) == (1, 3)


# Weights ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_weightings_mean_the_same_error_whatever_the_target(target: str) -> None:
    """snr counts the error of eps, and log_normal that of the normalised output."""
    schedule = Cosine()
    t = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)
    at = levels_at(schedule, target, t, torch.float64)
    # an error of x_0 by 1 at fixed x_t is one of eps by alpha / sigma, and of y by this:
    of_y = at.a - at.b * at.alpha / at.sigma
    relative = of_y**2 / (at.a**2 + at.b**2)
    assert_close(WEIGHTINGS["snr"].weight(at) * relative, (at.alpha / at.sigma) ** 2)
    assert_close(WEIGHTINGS["log_normal"].weight(at) * relative, 1 + (at.alpha / at.sigma) ** 2)
    cut = WEIGHTINGS["min_snr"].weight(at) * relative
    assert_close(cut, ((at.alpha / at.sigma) ** 2).clamp_max(5.0))


def test_times_have_the_distribution_they_are_named_after() -> None:
    u = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    schedule = EDM()
    t = WEIGHTINGS["log_normal"].times(schedule, u)
    level = (schedule.sigma_max * t).log()
    assert_close(level.mean(), torch.tensor(-0.5, dtype=torch.float64), rtol=0, atol=0.01)
    assert_close(level.std(), torch.tensor(1.2, dtype=torch.float64), rtol=0.02, atol=0)
    even = WEIGHTINGS["uniform"].times(RectifiedFlow(), u)
    assert even.min() >= RectifiedFlow().t_min
    assert_close(even.mean(), torch.tensor(0.5005, dtype=torch.float64), rtol=0, atol=1e-6)


def test_the_loss_of_any_denoiser_is_that_of_the_trainer(two: GaussianMixture) -> None:
    points = two.sample(2000, torch.Generator().manual_seed(0)).float()
    trainer = Trainer(points, Cosine(), TrainConfig("eps", "uniform", steps=2), every=2)
    nothing = Exact(GaussianMixture(torch.ones(1), torch.zeros(1, 2), torch.zeros(1)), Cosine())
    by_t = trainer.loss_by_t_of(nothing, points)  # answers x_0 = 0: eps is off by alpha / sigma
    log_snr = Cosine().log_snr(trainer.t_edges).clamp(-40, 40)
    middle = ((log_snr[1:] + log_snr[:-1]) / 2)[1:-1]
    square = points.square().mean()
    assert_close(by_t[1:-1].double(), middle.exp() * square, rtol=1e-3, atol=0)


def test_no_training_without_memorising_comes_below_the_exact_loss(two: GaussianMixture) -> None:
    config = TrainConfig("x_0", "log_normal", batch=512, steps=300)
    points = two.sample(20_000, torch.Generator().manual_seed(0)).float()
    losses = [p.loss for p in Trainer(points, EDM(), config, every=100)]
    least = exact_loss(config, EDM(), two)
    assert losses[0] > losses[-1] > 0.93 * least
    assert losses[-1] < 1.5 * least
