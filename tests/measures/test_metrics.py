from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from diffviz.measures.metrics import (
    energy_distance,
    frechet_distance,
    mmd,
    precision_recall,
    sliced_wasserstein,
    sliced_wasserstein_path,
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def quantiles(mean: float, std: float, n: int) -> Tensor:
    """The n mid-quantiles of N(mean, std^2), shuffled."""
    middle = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    values = mean + std * math.sqrt(2) * torch.erfinv(2 * middle - 1)
    return values[torch.randperm(n, generator=seeded(1))][:, None]


# Sliced Wasserstein


def test_w2_of_gaussians_in_one_dimension() -> None:
    """W_2^2 = (m1 - m2)^2 + (s1 - s2)^2."""
    x, y = quantiles(1.0, 2.0, 20_000), quantiles(-0.5, 0.7, 20_000)
    expected = torch.tensor(math.hypot(1.5, 1.3), dtype=torch.float64)
    assert_close(sliced_wasserstein(x, y), expected, atol=1e-3, rtol=0)


def test_w1_is_the_area_between_the_distribution_functions() -> None:
    x = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)
    y = torch.tensor([[5.0], [6.0], [8.0]], dtype=torch.float64)
    assert float(sliced_wasserstein(x, y, p=1)) == pytest.approx(5)


@pytest.mark.parametrize("p", [1, 2, 3.5])
@pytest.mark.parametrize(("n", "m"), [(4, 6), (1, 5), (7, 3), (10, 20)])
def test_sets_of_different_sizes_are_exact(n: int, m: int, p: float) -> None:
    """Repeating every sample does not change an empirical distribution."""
    x, y = normal(n, 1), normal(m, 1, seed=1)
    times = math.lcm(n, m)
    same = sliced_wasserstein(
        x.repeat_interleave(times // n, 0), y.repeat_interleave(times // m, 0), p=p
    )
    assert_close(sliced_wasserstein(x, y, p=p), same)


def test_shift_moves_by_the_projected_length() -> None:
    x, shift = normal(500, 5), torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0], dtype=torch.float64)
    directions = torch.randn(40, 5, generator=seeded(3), dtype=torch.float64)
    directions /= directions.norm(dim=1, keepdim=True)
    expected = (directions @ shift).square().mean().sqrt()
    assert_close(sliced_wasserstein(x, x + shift, 40, generator=seeded(3)), expected)


def test_shift_in_expectation() -> None:
    """E <w, c>^2 = |c|^2 / D for w uniform on the sphere."""
    x = normal(50, 4)
    value = sliced_wasserstein(x, x + 1.5, projections=20_000)
    assert float(value) == pytest.approx(1.5, rel=0.02)  # |c| / sqrt(D), |c| = 1.5 sqrt(4)


def test_scale_of_a_point_cloud() -> None:
    x = normal(300, 3)
    one = sliced_wasserstein(x, 2 * x)
    assert_close(sliced_wasserstein(10 * x, 20 * x), 10 * one)


@pytest.mark.parametrize("shape", [(30,), (30, 1), (30, 2), (30, 1, 4, 4)])
def test_equal_sets_are_at_zero(shape: tuple[int, ...]) -> None:
    x = normal(*shape)
    shuffled = x[torch.randperm(len(x), generator=seeded(5))]
    assert float(sliced_wasserstein(x, shuffled)) == pytest.approx(0, abs=1e-12)


def test_directions_come_from_the_generator_alone() -> None:
    x, y = normal(100, 2), normal(80, 2, seed=1)
    assert sliced_wasserstein(x, y, 8) == sliced_wasserstein(x, y, 8)
    first = sliced_wasserstein(x, y, 8, generator=seeded(1))
    assert first == sliced_wasserstein(x, y, 8, generator=seeded(1))
    assert first != sliced_wasserstein(x, y, 8, generator=seeded(2))


def test_symmetric() -> None:
    x, y = normal(40, 3), normal(60, 3, seed=1)
    for metric in (sliced_wasserstein, energy_distance, mmd):
        assert_close(metric(x, y), metric(y, x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dtype_is_kept(dtype: torch.dtype) -> None:
    x, y = normal(40, 2).to(dtype), normal(40, 2, seed=1).to(dtype)
    for metric in (sliced_wasserstein, mmd, energy_distance):
        if dtype is torch.bfloat16 and metric is not sliced_wasserstein:
            continue  # cdist has no such kernel
        value = metric(x, y)
        assert value.dtype == dtype
        assert value.shape == ()


def test_gradients_flow() -> None:
    x = normal(30, 2).requires_grad_()
    sliced_wasserstein(x, normal(30, 2, seed=1)).backward()
    assert x.grad is not None
    assert float(x.grad.abs().max()) > 0


def test_path_is_the_distance_of_each_frame() -> None:
    x, y = normal(6, 50, 2), normal(70, 2, seed=1)
    path = sliced_wasserstein_path(x, y, 16, generator=seeded(4))
    for frame, value in zip(x, path, strict=True):
        assert_close(value, sliced_wasserstein(frame, y, 16, generator=seeded(4)))


def test_path_uses_the_same_subset_in_all_frames() -> None:
    frame, y = normal(3000, 2), normal(2500, 2, seed=1)
    path = sliced_wasserstein_path(frame.expand(4, -1, -1), y)
    assert (path == path[0]).all()
    whole = sliced_wasserstein_path(frame[None], y, max_points=None)[0]
    assert float(path[0]) == pytest.approx(float(whole), abs=0.08)
    assert_close(whole, sliced_wasserstein(frame, y, 32))


def test_path_of_images_and_of_one_dimension() -> None:
    assert sliced_wasserstein_path(normal(5, 8, 1, 4, 4), normal(9, 1, 4, 4)).shape == (5,)
    x, y = normal(5, 20, 1), normal(20, 1, seed=1)
    assert_close(sliced_wasserstein_path(x, y)[2], sliced_wasserstein(x[2], y))


@pytest.mark.parametrize(
    "call",
    [
        lambda: sliced_wasserstein(normal(0, 2), normal(3, 2)),
        lambda: sliced_wasserstein(normal(3, 2), normal(3, 1)),
        lambda: sliced_wasserstein(normal(3, 2), normal(3, 2), projections=0),
        lambda: sliced_wasserstein(normal(3, 2), normal(3, 2), p=0.5),
        lambda: sliced_wasserstein(normal(3, 2), normal(3, 2), p=math.inf),
        lambda: sliced_wasserstein_path(normal(3), normal(3)),
        lambda: sliced_wasserstein_path(normal(2, 3, 2), normal(3, 2), max_points=0),
        lambda: energy_distance(normal(3, 2), normal(3, 3)),
        lambda: mmd(normal(3, 2), normal(3, 2), bandwidth=0),
    ],
)
def test_nonsense_is_refused(call: object) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        call()  # type: ignore[operator]


# Energy distance and MMD


def mean_gap(mean: float, std: float) -> float:
    """E|Z| of Z ~ N(mean, std^2), the folded normal distribution."""
    return std * math.sqrt(2 / math.pi) * math.exp(-(mean**2) / (2 * std**2)) + mean * math.erf(
        mean / (std * math.sqrt(2))
    )


def test_energy_distance_of_gaussians() -> None:
    (m1, s1), (m2, s2) = (0.8, 1.0), (-0.4, 0.5)
    expected = (
        2 * mean_gap(m1 - m2, math.hypot(s1, s2))
        - mean_gap(0, s1 * math.sqrt(2))
        - mean_gap(0, s2 * math.sqrt(2))
    )
    value = energy_distance(quantiles(m1, s1, 4000), quantiles(m2, s2, 4000))
    assert float(value) == pytest.approx(expected, abs=2e-3)


def test_energy_distance_of_single_points() -> None:
    x, y = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    assert float(energy_distance(x, y)) == pytest.approx(10)


def test_mmd_of_gaussians() -> None:
    """E k(X, Y) = (1 + v / h^2)^(-D/2) exp(-|gap|^2 / (2 (h^2 + v))), v the variance of X - Y."""
    n, dim, h, gap, scale = 4000, 2, 0.8, 1.3, 0.6
    x, y = normal(n, dim), scale * normal(n, dim, seed=1)
    y[:, 0] += gap

    def expected_kernel(variance: float, distance: float) -> float:
        width = h**2 + variance
        return (h**2 / width) ** (dim / 2) * math.exp(-(distance**2) / (2 * width))

    square = (
        expected_kernel(2, 0)
        + expected_kernel(2 * scale**2, 0)
        - 2 * expected_kernel(1 + scale**2, gap)
    )
    assert float(mmd(x, y, h)) == pytest.approx(math.sqrt(square), abs=0.015)


def test_mmd_and_energy_distance_of_equal_sets_are_zero() -> None:
    x = normal(200, 3)
    assert float(energy_distance(x, x)) == 0
    assert float(mmd(x, x)) == pytest.approx(0, abs=1e-7)


def test_mmd_of_identical_points() -> None:
    x = torch.ones(5, 2)
    assert float(mmd(x, x)) == 0


def test_median_bandwidth_does_not_depend_on_the_units() -> None:
    x, y = normal(100, 2), normal(100, 2, seed=1) + 1
    assert_close(mmd(x, y), mmd(1000 * x, 1000 * y))


def test_blocks_of_pairs_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = normal(40, 2), normal(30, 2, seed=1)
    whole = energy_distance(x, y)
    monkeypatch.setattr("diffviz.measures.metrics._PAIRS", 100)
    assert_close(energy_distance(x, y), whole)


# Frechet distance, precision and recall


def test_frechet_distance_of_gaussians_is_the_closed_form() -> None:
    """W_2^2 of N(m, diag(a)) and N(n, diag(b)) is |m - n|^2 + sum (sqrt a - sqrt b)^2."""
    n = 200_000
    a, b = torch.tensor([4.0, 1.0, 0.25]).double(), torch.tensor([1.0, 9.0, 0.25]).double()
    shift = torch.tensor([0.5, 0.0, -1.0]).double()
    x, y = normal(n, 3) * a.sqrt(), normal(n, 3, seed=1) * b.sqrt() + shift
    expected = float(shift.square().sum() + (a.sqrt() - b.sqrt()).square().sum())
    assert frechet_distance(x, y) == pytest.approx(expected, rel=0.02)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_does_not_change_with_a_turn_of_both() -> None:
    x, y = normal(500, 6), 2 * normal(400, 6, seed=1) + 1
    turn = torch.linalg.qr(normal(6, 6, seed=2)).Q
    assert frechet_distance(x @ turn, y @ turn) == pytest.approx(frechet_distance(x, y), rel=1e-9)


def test_frechet_distance_takes_features_that_never_vary() -> None:
    x, y = normal(100, 4), normal(100, 4, seed=1)
    x[:, 2] = y[:, 2] = 0.0
    kept = [0, 1, 3]
    assert frechet_distance(x, y) == pytest.approx(frechet_distance(x[:, kept], y[:, kept]))
    with pytest.raises(ValueError, match="two samples"):
        frechet_distance(x[:1], y)


def test_precision_is_about_the_samples_and_recall_about_the_data() -> None:
    data = torch.cat([normal(300, 2), normal(300, 2, seed=1) + 50])
    half = normal(300, 2, seed=2)  # good samples of one of the two clusters
    found = precision_recall(half, data)
    assert found.precision > 0.9
    assert found.recall == pytest.approx(0.5, abs=0.05)
    both = torch.cat([data + 1e-9, normal(600, 2, seed=3) + 500])  # all of the data, and nonsense
    found = precision_recall(both, data)
    assert found.precision == pytest.approx(0.5)
    assert found.recall == 1


def test_precision_and_recall_of_a_set_with_itself_are_one() -> None:
    x = normal(50, 3)
    assert precision_recall(x, x) == (1, 1)
    with pytest.raises(ValueError, match="neighbours"):
        precision_recall(x[:3], x)


@pytest.mark.parametrize(("k", "share"), [(1, 0.25), (2, 0.5), (3, 0.75)])
def test_precision_and_recall_by_hand(k: int, share: float) -> None:
    """Around 0, 1, 3 and 7 the balls of k = 1, 2, 3 reach 1 1 2 4, then 3 2 3 6, then 7 6 4 7.

    So 2 lies in one from k = 1 on, -2 from 2 on, 13.5 at 3, and 20 in none; and every ball around
    those four covers all of 0 to 7.
    """
    inner, outer = torch.tensor([[0.0], [1], [3], [7]]), torch.tensor([[-2.0], [2], [13.5], [20]])
    assert precision_recall(outer, inner, k) == (share, 1)
    assert precision_recall(inner, outer, k) == (1, share)
    if k == 3:
        assert precision_recall(outer, inner) == (share, 1)


@pytest.mark.fact(17)
@pytest.mark.parametrize("shift", [300.0, 3000.0])
def test_precision_and_recall_stay_where_both_sets_are_shifted_or_turned(shift: float) -> None:
    """In float32, of 16 numbers that a shift leaves exact, so nothing may change at all."""
    x, y = ((64 * normal(300, 16, seed=k)).round().float() / 64 for k in (0, 1))
    y = (1.1 * y * 64).round() / 64
    found = precision_recall(x, y)
    assert 0.3 < min(found) < max(found) < 1
    assert precision_recall(x + shift, y + shift) == found
    turn = torch.linalg.qr(normal(16, 16, seed=2)).Q
    assert precision_recall(x.double() @ turn, y.double() @ turn) == found


@pytest.mark.fact(18)
def test_distances_stay_far_from_the_origin() -> None:
    x, y = ((64 * normal(200, 30, seed=k)).round().float() / 64 for k in (0, 1))
    for measure in (energy_distance, mmd):
        assert_close(measure(x + 3000, y + 3000), measure(x, y), rtol=0, atol=0)
    assert frechet_distance(x + 3000, y + 3000) == pytest.approx(frechet_distance(x, y), rel=1e-7)


def test_blocks_of_neighbours_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = normal(47, 2), normal(30, 2, seed=1)
    whole = precision_recall(x, y)
    monkeypatch.setattr("diffviz.measures.metrics._PAIRS", 100)
    assert precision_recall(x, y) == whole


# What is taken where nothing is said, and sums by hand


def test_the_order_is_taken_back_by_its_root() -> None:
    """W_p^p of {0, 1} and {0, 3} is 2^p / 2."""
    x, y = torch.tensor([[0.0], [1.0]]).double(), torch.tensor([[3.0], [0.0]]).double()
    for p in (1, 2, 3, 3.5):
        assert float(sliced_wasserstein(x, y, p=p)) == pytest.approx(2 / 2 ** (1 / p))
    assert sliced_wasserstein(x, y) == sliced_wasserstein(x, y, p=2)
    assert sliced_wasserstein_path(x[None], y) == sliced_wasserstein_path(x[None], y, p=2)


def test_directions_and_their_seed_where_none_are_said() -> None:
    x, y, seed = normal(50, 3), normal(70, 3, seed=1), 6_180_339_887
    assert sliced_wasserstein(x, y) == sliced_wasserstein(x, y, 128, generator=seeded(seed))
    path = sliced_wasserstein_path(x[None], y, 32, generator=seeded(seed))
    assert torch.equal(sliced_wasserstein_path(x[None], y), path)


def test_a_path_draws_its_subsets_and_then_its_directions() -> None:
    x, y, draws = normal(2, 60, 2), normal(70, 2, seed=1), seeded(5)
    of_x, of_y = (torch.randperm(n, generator=draws)[:50] for n in (60, 70))
    state = draws.get_state()
    path = sliced_wasserstein_path(x, y, 8, generator=seeded(5), max_points=50)
    for frame, value in zip(x, path, strict=True):
        draws.set_state(state)
        assert_close(value, sliced_wasserstein(frame[of_x], y[of_y], 8, generator=draws))


def test_a_thousand_points_are_used_where_nothing_is_said() -> None:
    x, y = normal(1, 1002, 2), normal(1001, 2, seed=1)
    most = sliced_wasserstein_path(x, y, max_points=1000)
    assert torch.equal(sliced_wasserstein_path(x, y), most)
    few = x[:, :1000], y[:1000]
    whole = sliced_wasserstein_path(*few, max_points=None)
    assert torch.equal(sliced_wasserstein_path(*few), whole)
    assert sliced_wasserstein_path(x, y, max_points=1).isfinite().all()


def test_the_kernel_is_as_wide_as_the_middle_of_all_distances() -> None:
    """0, 1 and 3 are 1, 2 and 3 apart; points that agree do not count."""
    x, y = torch.tensor([[0.0], [1.0], [1.0]]), torch.tensor([[3.0]])
    assert float(mmd(x, y)) == pytest.approx(float(mmd(x, y, 2.0)))
    far = torch.cat([normal(1000, 1), torch.full((9,), 1e3).double()[:, None]])
    near = float(mmd(far, far[:1000]))
    assert near == pytest.approx(float(mmd(far, far[:1000], 0.9)), rel=0.1)


def test_mmd_of_two_points_by_hand() -> None:
    """k(x, x) + k(y, y) - 2 k(x, y) = 2 - 2 exp(-25 / (2 width^2))."""
    x, y = torch.tensor([[0.0, 0.0]]).double(), torch.tensor([[3.0, 4.0]]).double()
    for width in (0.5, 5.0):
        square = 2 - 2 * math.exp(-25 / (2 * width**2))
        assert float(mmd(x, y, width)) == pytest.approx(math.sqrt(square))


def test_sets_that_hardly_differ_are_hardly_apart() -> None:
    """Rounding leaves less than nothing of some sums."""
    for seed in range(20):
        x = normal(30, 2, seed=seed).float()
        for off in (0.0, 1e-7, 1e-5):
            assert 0 <= float(mmd(x, x + off)) < 1e-2
            assert 0 <= float(energy_distance(x, x.flip(0) + off)) < 1e-3


def test_whole_numbers_are_compared_as_numbers() -> None:
    x, y = torch.tensor([[0, 0]]), torch.tensor([[3, 4]])
    for first, second in ((x, y), (x.float(), y), (x, y.float())):
        value = energy_distance(first, second)
        assert value == 10
        assert value.dtype == torch.float32
    assert energy_distance(x.double(), y.float()).dtype == torch.float64


@pytest.mark.parametrize("metric", [sliced_wasserstein, energy_distance, mmd])
def test_a_set_has_an_axis_and_a_sample(metric: Callable[[Tensor, Tensor], Tensor]) -> None:
    one, lone = torch.zeros(1, 2), torch.tensor(0.0)
    for x, y in ((lone, one), (one, lone), (one[:0], one), (one, one[:0])):
        with pytest.raises(ValueError, match="at least one sample"):
            metric(x, y)


def test_what_is_too_few_is_refused() -> None:
    x = normal(5, 2)
    for width in (-1.0, 0.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="above 0"):
            mmd(x, x, width)
    for p in (0.99, math.nan):
        with pytest.raises(ValueError, match="from 1 up"):
            sliced_wasserstein(x, x, p=p)
    with pytest.raises(ValueError, match="at least one frame"):
        sliced_wasserstein_path(x[:0, None], x)
    for first, second in ((x[:1], x), (x, x[:1])):
        with pytest.raises(ValueError, match="two samples"):
            frechet_distance(first, second)
    assert frechet_distance(x[:2], x[:2]) == pytest.approx(0, abs=1e-9)
    for few in ((x[:2], x), (x, x[:2])):
        with pytest.raises(ValueError, match="neighbours"):
            precision_recall(*few, k=2)
    with pytest.raises(ValueError, match="neighbours"):
        precision_recall(x, x, k=0)
    assert precision_recall(x[:3], x[:3], k=2) == (1, 1)


def test_frechet_distance_of_four_points_by_hand() -> None:
    """Covariances diag(2/3 a^2, 2/3 b^2) of crosses with arms a and b, and a shift of (1, 2)."""
    cross = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]).double()
    x, y = cross * torch.tensor([1.0, 2.0]), cross * torch.tensor([3.0, 0.5]) + torch.tensor([1, 2])
    expected = 5 + 2 / 3 * ((1 - 3) ** 2 + (2 - 0.5) ** 2)
    assert frechet_distance(x, y) == pytest.approx(expected)


def test_of_many_points_a_thousand_of_each_say_how_wide_the_kernel_is() -> None:
    x, y, draws = normal(1001, 1), normal(1001, 1, seed=1), seeded(6_180_339_887)
    few = torch.cat([v[torch.randperm(1001, generator=draws)[:1000]] for v in (x, y)])
    width = torch.pdist(few).median().item()
    assert_close(mmd(x, y), mmd(x, y, width), rtol=1e-12, atol=0)
