from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import diffviz
from diffviz.data.assets.make_fashion_sample import make_sheet
from diffviz.data.full_sets import read_idx
from diffviz.data.pictures import IMAGE_DATASETS, IMAGE_INFO, labelled_images
from tests.peers import sklearn_datasets

ASSETS = Path(next(iter(diffviz.__path__))) / "data" / "assets"
ORIGINAL = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.parametrize("name", IMAGE_DATASETS)
def test_shape_range_and_labels(name: str) -> None:
    info = IMAGE_INFO[name]
    images, labels = labelled_images(name, 50, 1)
    assert images.shape == (50, *info.shape)
    assert images.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert torch.equal(images, IMAGE_DATASETS[name](50, 1))
    everything, all_labels = labelled_images(name, info.count, 0)
    assert float(everything.min()) == -1
    assert float(everything.max()) == 1
    assert all_labels.unique().tolist() == list(range(len(info.classes)))
    assert len(everything.flatten(1).unique(dim=0)) > 0.99 * info.count


@pytest.mark.parametrize("name", IMAGE_DATASETS)
def test_seeds_draw_orders(name: str) -> None:
    count = IMAGE_INFO[name].count
    first, labels = labelled_images(name, 20, 0)
    more, more_labels = labelled_images(name, 40, 0)
    assert torch.equal(more[:20], first)
    assert torch.equal(more_labels[:20], labels)
    assert not torch.equal(IMAGE_DATASETS[name](20, 1), first)
    a, b = (IMAGE_DATASETS[name](count, seed).sum(dim=(1, 2, 3)).sort().values for seed in (0, 1))
    assert torch.equal(a, b)


def test_a_caller_cannot_change_the_set() -> None:
    IMAGE_DATASETS["digits"](10, 0).zero_()
    assert float(IMAGE_DATASETS["digits"](10, 0).abs().sum()) > 0


def test_digits_are_all_of_scikit_learns() -> None:
    images, labels = labelled_images("digits", 1797, 4)
    table = sklearn_datasets().load_digits()
    ours = torch.cat([labels[:, None].float(), (images.flatten(1) + 1) * 8], dim=1)
    theirs = torch.from_numpy(np.column_stack([table.target, table.data])).float()
    assert torch.equal(ours.unique(dim=0), theirs.unique(dim=0))


def test_fashion_is_balanced_and_small() -> None:
    _, labels = labelled_images("fashion", 1000, 0)
    assert labels.bincount().tolist() == [100] * 10
    assert (ASSETS / "fashion.png").stat().st_size <= 600_000
    assert "Zalando SE" in (ASSETS / "fashion.LICENSE.txt").read_text()


def test_fashion_classes_match_their_names() -> None:
    """Trousers are taller than wide, sneakers wider than tall; bags and dresses stand apart."""
    images, labels = labelled_images("fashion", 1000, 0)
    ink = (images[:, 0] + 1) / 2
    names = IMAGE_INFO["fashion"].classes

    def spread(name: str, axis: int) -> float:
        profile = ink[labels == names.index(name)].mean(0).sum(axis)
        return float((profile > 0.25 * profile.max()).sum())

    assert spread("trouser", 0) < 14
    assert spread("trouser", 1) > 24
    assert spread("sneaker", 1) < 14
    assert spread("sneaker", 0) > 24


@pytest.mark.skipif(not ORIGINAL.exists(), reason="needs Debian's dataset-fashion-mnist")
def test_fashion_comes_from_the_original_files() -> None:
    images = read_idx(ORIGINAL / "train-images-idx3-ubyte.gz")
    labels = read_idx(ORIGINAL / "train-labels-idx1-ubyte.gz")
    sheet = torch.from_numpy(make_sheet(images, labels).copy())
    tiles = sheet.unfold(0, 28, 28).unfold(1, 28, 28).reshape(-1, 28 * 28)
    ours, classes = labelled_images("fashion", 1000, 0)
    ours = ((ours.flatten(1) + 1) * 127.5).round().to(torch.uint8)
    expected = torch.cat([torch.arange(10).repeat_interleave(100)[:, None], tiles], dim=1)
    shipped = torch.cat([classes[:, None], ours], dim=1)
    assert torch.equal(shipped.unique(dim=0), expected.unique(dim=0))


def test_read_idx_refuses_other_files(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "other.gz"
    path.write_bytes(gzip.compress(b"something else"))
    with pytest.raises(ValueError, match="not an IDX file"):
        read_idx(path)


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(ValueError, match="choose one of digits, fashion"):
        labelled_images("mnist", 10, 0)


@pytest.mark.parametrize(
    ("n", "seed", "message"),
    [(0, 0, "1,797 images"), (1798, 0, "1,797 images"), (5, -1, "seed")],
)
def test_numbers_out_of_range(n: int, seed: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        labelled_images("digits", n, seed)
