from __future__ import annotations

import math
import string

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.testing import assert_close

from diffviz.data.points import (
    DATASETS,
    DEFAULT_TEXT,
    INFO,
    MAX_TEXT,
    MIXTURES,
    from_drawing,
    from_image,
    from_text,
    labelled,
)
from diffviz.measures.metrics import sliced_wasserstein
from tests.peers import sklearn_datasets

THEIRS = {
    "moons": lambda n, seed: sklearn_datasets().make_moons(n + 1, noise=0.06, random_state=seed)[0][
        :n
    ],
    "circles": lambda n, seed: sklearn_datasets().make_circles(
        n + 1, noise=0.04, factor=0.45, random_state=seed
    )[0][:n],
    "swiss_roll": lambda n, seed: sklearn_datasets().make_swiss_roll(
        n, noise=0.35, random_state=seed
    )[0][:, [0, 2]],
}
TWO_D = [name for name, info in INFO.items() if info.dim == 2]


def grid(points: Tensor, cells: int = 24, limit: float = 2.6) -> Tensor:
    """Which cells of a square around 0 hold points, row 0 at the bottom."""
    index = ((points + limit) / (2 * limit) * cells).floor().long().clamp(0, cells - 1)
    filled = torch.zeros(cells, cells, dtype=torch.bool)
    filled[index[:, 1], index[:, 0]] = True
    return filled


def test_the_registry_is_complete() -> None:
    assert list(DATASETS) == list(INFO)
    assert len(TWO_D) >= 10
    assert len(INFO) - len(TWO_D) >= 5
    assert set(MIXTURES) == {"two_gaussians", "three_gaussians", "eight_gaussians", "grid25"}
    for name, info in INFO.items():
        assert info.name == name
        assert info.sentence.endswith((".", "?"))


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("n", [2, 17, 2000])
def test_what_is_called_scikit_learns_is_drawn_as_there(name: str, n: int) -> None:
    theirs = THEIRS[name](n, int(np.random.default_rng(3).integers(2**32 - 1)))
    ours = labelled(name, n, 3)[0].double().numpy()
    apart, own = (points - points[0] for points in (theirs, ours))  # but for where and how large
    scale = np.linalg.norm(apart) / np.linalg.norm(own)
    np.testing.assert_allclose(scale * own, apart, rtol=0, atol=1e-5 * np.abs(apart).max())


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("n", [1, 2, 17, 2000])
def test_shape_and_dtype(name: str, n: int) -> None:
    points, labels = labelled(name, n, 3)
    assert points.shape == (n, INFO[name].dim)
    assert points.dtype == torch.float32
    assert points.isfinite().all()
    assert points.is_contiguous()
    assert labels.shape == (n,)
    assert labels.dtype == torch.int64
    assert_close(DATASETS[name](n, 3), points, rtol=0, atol=0)


@pytest.mark.parametrize("name", DATASETS)
def test_standardised(name: str) -> None:
    points = DATASETS[name](100_000, 5).double()
    assert float(points.mean(0).abs().max()) < 0.015
    assert float(points.var(0).mean()) == pytest.approx(1, abs=0.015)
    assert float(points.abs().max()) < (5.5 if name == "skewed" else 3.2)


@pytest.mark.parametrize("name", DATASETS)
def test_seeds(name: str) -> None:
    first = DATASETS[name](500, 7)
    assert torch.equal(first, DATASETS[name](500, 7))
    if name != "dirac_pair":
        assert not torch.equal(first, DATASETS[name](500, 8))
    assert torch.isfinite(DATASETS[name](3, 2**40)).all()


@pytest.mark.parametrize("name", DATASETS)
def test_every_class_occurs(name: str) -> None:
    _, labels = labelled(name, 2000, 0)
    assert labels.unique().tolist() == list(range(INFO[name].classes))


@pytest.mark.parametrize("name", DATASETS)
def test_order_is_random(name: str) -> None:
    """The first half of a sample is a sample: no page shows half of a set by cutting."""
    points = DATASETS[name](4000, 2)
    fresh = float(sliced_wasserstein(DATASETS[name](2000, 9), DATASETS[name](2000, 10)))
    assert float(sliced_wasserstein(points[:2000], points[2000:])) < 3 * fresh + 0.03


@pytest.mark.parametrize("name", MIXTURES)
def test_mixtures_are_what_the_sets_sample(name: str) -> None:
    weights, means, stds = MIXTURES[name]()
    k, dim = means.shape
    assert dim == INFO[name].dim
    assert weights.shape == stds.shape == (k,)
    assert weights.dtype == means.dtype == stds.dtype == torch.float64
    assert float(weights.sum()) == pytest.approx(1)
    # the moments are exactly those promised
    centre = weights @ means
    variance = weights @ ((means - centre).square().mean(1) + stds**2)
    assert_close(centre, torch.zeros_like(centre), atol=1e-12, rtol=0)
    assert float(variance) == pytest.approx(1, abs=1e-12)
    # and the samples are where the components are, in the right shares
    points, nearest = labelled(name, 40_000, 1)
    points = points.double()
    if INFO[name].classes < k:
        nearest = torch.cdist(points, means).argmin(1)
    assert_close(nearest.bincount(minlength=k) / len(points), weights.float(), atol=0.015, rtol=0)
    for i in range(k):
        assert_close(points[nearest == i].mean(0), means[i], atol=0.02, rtol=0)
        assert float(points[nearest == i].std(0).mean()) == pytest.approx(float(stds[i]), rel=0.06)


def test_changing_a_mixture_does_not_change_the_registry() -> None:
    weights, _, _ = MIXTURES["two_gaussians"]()
    weights.zero_()
    assert float(MIXTURES["two_gaussians"]()[0].sum()) == pytest.approx(1)


def test_dirac_pair_holds_two_values() -> None:
    assert DATASETS["dirac_pair"](1000, 0).unique().numel() == 2


def test_checkerboard_is_half_empty_and_alternates() -> None:
    points = DATASETS["checkerboard"](20_000, 0).double()
    side = 2 / math.sqrt(4 / 3) / 2  # a board of 4 x 4 squares has variance 16 / 12 a coordinate
    square = (points / side + 2).floor().long().clamp(0, 3)
    filled = torch.zeros(4, 4, dtype=torch.long).index_put_(
        (square[:, 0], square[:, 1]), torch.ones(len(points), dtype=torch.long), accumulate=True
    )
    row, column = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    dark = (row + column) % 2 == 0
    assert float(filled[dark].min()) > 2000
    assert float(filled[~dark].sum()) < 200


def test_the_smiley_smiles() -> None:
    points, part = labelled("smiley", 20_000, 0)
    mouth, eyes = points[part == 2], points[part == 1]
    corners = mouth[mouth[:, 0].abs() > 0.9 * mouth[:, 0].abs().max()]
    middle = mouth[mouth[:, 0].abs() < 0.1]
    assert float(corners[:, 1].mean()) > float(middle[:, 1].mean()) + 0.2
    assert float(eyes[:, 1].min()) > float(mouth[:, 1].max())
    assert bool((eyes[:, 0] > 0.1).any())
    assert bool((eyes[:, 0] < -0.1).any())


@pytest.mark.parametrize(("name", "turn"), [("star", 5), ("rose", 5), ("eight_gaussians", 8)])
def test_symmetric_sets_look_the_same_after_a_turn(name: str, turn: int) -> None:
    angle = 2 * math.pi / turn
    matrix = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    x, y = DATASETS[name](20_000, 0), DATASETS[name](20_000, 1)
    floor = float(sliced_wasserstein(x, y))
    assert float(sliced_wasserstein(x @ matrix, y)) < 2 * floor + 0.01


def test_filled_shapes_are_filled() -> None:
    heart = grid(DATASETS["heart"](5000, 0))
    assert heart[12, 4:20].all()
    ring = grid(DATASETS["circles"](5000, 0))
    assert not ring[12, 12]


@pytest.mark.parametrize("name", ["", "moon", "Moons", "../moons"])
def test_unknown_names_list_the_known(name: str) -> None:
    with pytest.raises(ValueError, match=r"choose one of two_gaussians, .*, text\.$"):
        labelled(name, 10, 0)


@pytest.mark.parametrize(("n", "seed"), [(0, 0), (-3, 0), (5, -1)])
@pytest.mark.parametrize("name", ["moons", "text"])
def test_numbers_out_of_range(name: str, n: int, seed: int) -> None:
    with pytest.raises(ValueError, match=r"sample|seed"):
        DATASETS[name](n, seed)


# Text


def test_the_default_text_fits() -> None:
    assert 1 <= len(DEFAULT_TEXT) <= MAX_TEXT


def test_letters_are_upright_and_not_mirrored() -> None:
    points = from_text("L", 5000, 0)
    low = points[points[:, 1] < points[:, 1].min() + 0.3]
    high = points[points[:, 1] > points[:, 1].max() - 0.3]
    assert float(low[:, 0].max()) > float(high[:, 0].max()) + 0.5  # the foot points right
    assert float(low[:, 0].min()) == pytest.approx(float(high[:, 0].min()), abs=0.1)


@pytest.mark.parametrize("text", [*string.ascii_letters, *string.digits, *"!?#&@+-=.,|"])
def test_plain_signs_draw(text: str) -> None:
    assert from_text(text, 200, 0).isfinite().all()


@pytest.mark.parametrize("text", ["λ", "∇ log p", "é", "Straße", "Привет", "λ² + 1", "I ❤️ x", "∞"])
def test_other_signs_draw(text: str) -> None:
    points = from_text(text, 5000, 0)
    assert float(points.var(0).mean()) == pytest.approx(1, abs=0.06)


def test_words_go_on_lines_where_that_fills_the_square() -> None:
    one, two = from_text("helloworld", 2000, 0), from_text("hello world", 2000, 0)
    assert float(two[:, 1].std()) > 2 * float(one[:, 1].std())


def test_spaces_around_and_composed_accents_do_not_matter() -> None:
    assert torch.equal(from_text("  é ", 50, 0), from_text("e\u0301", 50, 0))


@pytest.mark.parametrize("text", ["", "   ", "\t\n", "\x00\x07", "\u200b", "\u00a0", "\ufe0f"])
def test_text_without_ink(text: str) -> None:
    with pytest.raises(ValueError, match="draws no ink: type at least one letter"):
        from_text(text, 10, 0)


@pytest.mark.parametrize("text", ["😀", "日本", "aשb", "\u0301"])
def test_text_that_the_font_lacks(text: str) -> None:
    with pytest.raises(ValueError, match="no shape for"):
        from_text(text, 10, 0)


def test_long_text() -> None:
    assert from_text("x" * MAX_TEXT, 10, 0).shape == (10, 2)
    with pytest.raises(ValueError, match=r"has 13 characters and at most 12 fit"):
        from_text("x" * (MAX_TEXT + 1), 10, 0)
    with pytest.raises(ValueError, match="at most 12 fit") as caught:
        from_text("ab " * 10_000, 10, 0)
    assert len(str(caught.value)) < 120


# Images


def disc(size: int = 100, mode: str = "L") -> np.ndarray:
    """A black disc in the upper left quarter of a white image."""
    image = Image.new(mode, (size, size), "white")
    ImageDraw.Draw(image).ellipse((10, 10, size // 2 - 10, size // 2 - 10), fill="black")
    return np.asarray(image)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_points_sit_on_the_dark_parts(mode: str) -> None:
    image = disc(mode=mode)
    points = from_image(image, 5000, 0)
    radius = points.norm(dim=1)
    assert float(radius.max()) == pytest.approx(2, abs=0.1)  # of a disc with variance 1
    assert_close(points, from_image(image.astype(np.float64) / 255, 5000, 0))
    if mode == "L":
        assert_close(points, from_image(image[..., None], 5000, 0))


def test_images_are_not_upside_down() -> None:
    image = np.full((60, 60), 255, dtype=np.uint8)
    image[:20] = 0  # a bar along the top
    image[:, 25:35] = 0  # and a stem: the letter T
    points = from_image(image, 4000, 0)
    high = points[points[:, 1] > points[:, 1].max() - 0.5]
    low = points[points[:, 1] < points[:, 1].min() + 0.5]
    assert float(high[:, 0].std()) > 3 * float(low[:, 0].std())


def test_light_drawings_on_dark_ground() -> None:
    image = disc()
    assert_close(from_image(255 - image, 500, 0, invert=True), from_image(image, 500, 0))


def test_faint_images_are_stretched() -> None:
    image = disc().astype(np.float64) / 255
    assert_close(from_image(0.4 + 0.1 * image, 500, 0), from_image(image, 500, 0))


def test_one_thin_line_is_found() -> None:
    image = np.full((200, 200), 255, dtype=np.uint8)
    image[100, 20:180] = 0
    assert float(from_image(image, 500, 0)[:, 1].abs().max()) < 0.1


def test_large_images_are_reduced_first() -> None:
    small, large = from_image(disc(100), 3000, 0), from_image(disc(3000), 3000, 0)
    assert float(large.norm(dim=1).max()) == pytest.approx(float(small.norm(dim=1).max()), abs=0.1)


@pytest.mark.parametrize("value", [0, 90, 255])
def test_flat_images_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match="one flat tone"):
        from_image(np.full((20, 20, 3), value, dtype=np.uint8), 10, 0)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros(5),
        np.zeros((5, 5, 4)),
        np.zeros((0, 5)),
        np.full((4, 4), np.nan),
        np.full((4, 4), 3.0),
        np.zeros((4, 4, 4, 4)),
    ],
)
def test_what_is_no_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"image"):
        from_image(image, 10, 0)


# Drawings


def test_points_sit_along_the_strokes() -> None:
    stroke = [(x, 0.5) for x in np.linspace(-0.8, 0.8, 50)]
    points = from_drawing(stroke, 2000, 0)
    assert float(points.var(0).mean()) == pytest.approx(1, abs=0.05)
    assert float(points[:, 1].std()) < 0.1
    assert torch.equal(points, from_drawing(np.array(stroke), 2000, 0))


def test_a_single_dot_is_a_round_cloud() -> None:
    points = from_drawing([(0.3, -0.2)], 5000, 0)
    assert_close(points.std(0), torch.ones(2), atol=0.05, rtol=0)


@pytest.mark.parametrize("points", [[], np.zeros((0, 2))])
def test_a_drawing_without_points(points: object) -> None:
    with pytest.raises(ValueError, match="has no points: draw at least one"):
        from_drawing(points, 10, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("points", [[1.0, 2.0], [(1, 2, 3)], [(0, 1.5)], [(math.nan, 0)]])
def test_a_drawing_that_is_none(points: object) -> None:
    with pytest.raises(ValueError, match="drawing"):
        from_drawing(points, 10, 0)  # type: ignore[arg-type]
