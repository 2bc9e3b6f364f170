"""Training as a job: snapshots, slices, divergence, repetition, and what the player is given."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from diffviz.core.denoisers import Exact
from diffviz.exchange.tables import read_table, take
from diffviz.models.checkpoints import dumps
from diffviz.networks.mlp import NetworkConfig, PointNetwork
from diffviz.networks.training import TrainConfig
from diffviz.scenes import scene
from diffviz.scenes import training as training_run
from diffviz.scenes.buffer import decode
from diffviz.scenes.configs import DataConfig, ScheduleConfig
from diffviz.scenes.score_field import LEVELS, PATH, Probe, exact_for
from diffviz.scenes.training import Snapshot, TrainingConfig, TrainingRun, fresh_points
from diffviz.scenes.training_view import Pace, ViewConfig, model_view, replay

DATA = DataConfig("eight_gaussians", n=300)
TRAIN = TrainConfig("x_0", "log_normal", batch=32, steps=60)
TINY = TrainingConfig(DATA, train=TRAIN, network=NetworkConfig(width=16, depth=1))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread, and measures of few points."""
    for name, value in (("_FRESH", 200), ("_LIKELY", 16), ("_LIKELY_STEPS", 4)):
        monkeypatch.setattr(training_run, name, value)
    monkeypatch.setattr(training_run, "_FRAMES", 6)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def finished(config: TrainingConfig = TINY) -> TrainingRun:
    run = TrainingRun(config)
    for _ in run:
        pass
    return run


def trained(run: TrainingRun) -> tuple[Snapshot, ...]:
    """The snapshots when training is over and measuring begins."""
    while not run.measuring:
        next(run)
    return run.snapshots


def test_the_share_done_counts_the_snapshots_of_a_short_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training_run, "_FRAMES", 48)
    run, share = TrainingRun(TINY), 0.0
    while not run.measuring:
        share, before = next(run), share
    assert 0.3 < before < 0.7


def test_it_trains_to_its_end_and_measures() -> None:
    run = TrainingRun(TINY)
    shares = list(run)
    assert shares == sorted(shares)
    assert 0.9 < shares[-1] <= 1
    assert [s.step for s in run.snapshots][::6] == [0, 60]
    assert run.losses[-1][0] == run.step == 60
    named = {"sliced_wasserstein", "energy_distance", "mmd"}
    assert set(run.metrics) == named | {f"{n}_floor" for n in named} | {"nll", "nll_exact"}
    assert run.checkpoint is not None
    assert run.checkpoint.card.metrics == run.metrics
    assert (run.checkpoint.card.steps, run.checkpoint.card.data) == (60, "eight_gaussians")
    dumps(run.checkpoint.denoiser, run.checkpoint.card)


def test_the_model_comes_closer_while_it_trains() -> None:
    run = TrainingRun(replace(TINY, train=replace(TRAIN, steps=200, batch=128)))
    first, *_, last = trained(run)
    assert last.distance < first.distance
    assert last.fields[1].mean_square < first.fields[1].mean_square / 2
    assert first.samples.shape == (training_run.SAMPLES, 2)
    assert np.isnan(first.loss_by_t).all()
    assert 0.2 < np.nanmean(last.loss_by_t) < 1


def test_the_untrained_network_scores_1_at_every_noise_level() -> None:
    run = TrainingRun(replace(TINY, train=replace(TRAIN, steps=4, batch=1024, lr=1e-6)))
    last = trained(run)[-1]
    assert math.isclose(float(np.nanmean(last.loss_by_t)), 1, abs_tol=0.15)


def test_the_exact_denoiser_s_loss_is_the_floor_of_the_training() -> None:
    run = TrainingRun(replace(TINY, train=replace(TRAIN, steps=400, batch=128)))
    trained(run)
    assert run.exact_loss is not None
    late = np.mean([loss for step, loss in run.losses if step > 300])
    assert 0.98 * run.exact_loss < late < 1.5 * run.exact_loss


def test_the_same_seed_gives_the_same_snapshots() -> None:
    one, two = (trained(TrainingRun(TINY))[-1] for _ in range(2))
    np.testing.assert_array_equal(one.samples, two.samples)
    other = trained(TrainingRun(replace(TINY, train=replace(TRAIN, seed=1))))[-1]
    assert not np.array_equal(one.samples, other.samples)


def test_a_pause_between_slices_changes_nothing() -> None:
    whole, halves = TrainingRun(TINY), TrainingRun(TINY)
    seen = []
    for _ in range(12):
        next(halves)
        seen.append(halves.snapshots)
    assert all(after[: len(before)] == before for before, after in pairwise(seen))
    np.testing.assert_array_equal(trained(whole)[-1].samples, trained(halves)[-1].samples)


def test_slices_are_short_whatever_is_asked() -> None:
    large = replace(TINY, train=replace(TRAIN, batch=2048), network=NetworkConfig(width=128))
    run = TrainingRun(large)
    while not run.losses:
        next(run)
    assert run.step <= 3
    run = TrainingRun(TINY)
    trained(run)
    steps = [step for step, _ in run.losses]
    assert max(b - a for a, b in zip([0, *steps], steps, strict=False)) <= 20


def test_a_learning_rate_set_on_the_way_counts_from_there() -> None:
    run = TrainingRun(TINY)
    while run.step < 20:
        next(run)
    run.lr = 1e-4
    at = run.step
    trained(run)
    assert run.rates == ((0, TRAIN.lr), (at, 1e-4))
    assert run.snapshots[-1].lr == 1e-4
    with pytest.raises(ValueError, match="above 0"):
        run.lr = math.nan


def test_a_run_that_is_cut_is_measured_where_it_is() -> None:
    run = TrainingRun(TINY)
    while run.step < 20:
        next(run)
    run.cut()
    for _ in run:
        pass
    assert run.snapshots[-1].step == run.step < 60
    assert "sliced_wasserstein" in run.metrics


def test_divergence_is_told_and_the_last_good_model_is_kept() -> None:
    run = TrainingRun(TINY)
    while run.step < 45:
        next(run)
    run.lr = 1e4
    for _ in run:
        pass
    assert run.diverged is not None
    assert "lower the learning rate" in run.diverged
    assert run.checkpoint is not None
    assert run.checkpoint.card.steps == run.snapshots[-1].back_to == run.snapshots[-1].trained
    assert 0 < run.snapshots[-1].trained <= 45
    assert np.isfinite(run.snapshots[-1].samples).all()
    assert run.snapshots[-1].fields[1].mean_square < 1
    assert [s.step for s in run.snapshots] == sorted({s.step for s in run.snapshots})
    assert run.metrics["sliced_wasserstein"] < 1


@pytest.mark.parametrize("path", ["rectified_flow", "linear", "ve"])
def test_other_paths_can_be_trained_and_drawn(path: str) -> None:
    few = replace(TRAIN, target="eps", steps=3)
    run = finished(replace(TINY, path=ScheduleConfig(path, T=100), train=few))
    assert np.isfinite(run.snapshots[-1].samples).all()
    assert run.metrics["nll"] > 0


def test_classes_are_told_to_the_network() -> None:
    labelled = replace(TINY, network=replace(TINY.network, classes=DATA.classes))
    run = TrainingRun(labelled)
    trained(run)
    assert run.checkpoint is not None
    module = run.checkpoint.denoiser.module
    assert isinstance(module, PointNetwork)
    assert module.config.classes == DATA.classes


def test_fresh_points_are_others() -> None:
    assert not torch.equal(fresh_points(DATA, 300, 1), DATA.load())
    assert not torch.equal(fresh_points(DATA, 300, 1), fresh_points(DATA, 300, 2))


class TestProbe:
    def test_the_exact_denoiser_has_no_error(self) -> None:
        source = scene.distribution(DATA, points=False)
        for ratio in LEVELS:
            compared = Probe(source, ratio).compare(Exact(source, PATH))
            assert compared.mean_square < 1e-8
            assert np.nanmax(compared.error) < 1e-3
            assert np.isnan(compared.error).any() == (ratio < 1)

    def test_arrows_point_to_the_data(self) -> None:
        source = scene.distribution(DATA, points=False)
        probe = Probe(source, 1.0)
        assert probe.arrows[7, 13, 0] < 0  # right of the middle: to the left
        assert probe.arrows[7, 7].tolist() == pytest.approx([0, 0], abs=0.2)

    def test_what_is_exact_is_said(self) -> None:
        assert exact_for(DATA) == "the true density"
        assert exact_for(DataConfig("moons", n=5000)) == "the 5,000 training points"


class TestView:
    def test_a_training_has_a_frame_for_each_snapshot(self) -> None:
        run = TrainingRun(TINY)
        shots = trained(run)
        header, arrays = decode(replay(run, shots, Pace(60, 1)))
        clock = header["clock"]
        assert clock["frames"] == len(shots)
        assert clock["names"][-1] == "step 60"
        assert clock["track"]["label"].startswith("loss")
        assert arrays["clock.t"].tolist() == pytest.approx([s.step / 60 for s in shots])
        assert [panel["kind"] for panel in header["panels"]] == ["points", "fields"]
        np.testing.assert_allclose(arrays["p0.x_t"][-1], shots[-1].samples, atol=1e-3)

    def test_half_a_training_fills_half_the_track(self) -> None:
        run = TrainingRun(TINY)
        while run.step < 20:
            next(run)
        _, arrays = decode(replay(run, run.snapshots, Pace(60, 0)))
        assert arrays["clock.t"][-1] < 0.5
        assert arrays["clock.track.u"][-1] <= arrays["clock.t"][-1]

    def test_the_untrained_snapshot_alone_can_be_shown(self) -> None:
        run = TrainingRun(TINY)
        while not run.snapshots:
            next(run)
        assert decode(replay(run, run.snapshots, Pace(60, 2)))[0]["clock"]["frames"] == 1

    def test_an_untrained_network_can_be_looked_at(self) -> None:
        header, arrays = decode(model_view(ViewConfig(None, DATA)))
        assert header["clock"]["direction"] == "reverse"
        assert arrays["p0.x_t"].shape[1:] == (training_run.SAMPLES, 2)


def test_a_table_is_trained_on_with_its_classes_and_measured() -> None:
    rows = "".join(f"{k % 7}.5,{k % 5}.25,{'ab'[k % 2]}\n" for k in range(30))
    table = read_table(rows.encode())
    data = DataConfig("table", 30, table=take(table, table.usual))
    network = replace(TINY.network, classes=data.classes)
    run = finished(TrainingConfig(data, train=TRAIN, network=network))
    assert run.checkpoint.card.data == "a table"
    assert run.checkpoint.denoiser.module.config.classes == 2
    assert run.metrics["sliced_wasserstein_floor"] > 0
