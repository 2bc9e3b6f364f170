"""The full picture sets are read from a folder, in any of three forms, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from diffviz.data import full_sets
from diffviz.data.full_sets import SourceError, download, folder_of, load_split

N, M = 40, 20


def arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (N, 28, 28), dtype=np.uint8),
        "y_train": rng.integers(0, 10, N, dtype=np.uint8),
        "x_test": rng.integers(0, 256, (M, 28, 28), dtype=np.uint8),
        "y_test": rng.integers(0, 10, M, dtype=np.uint8),
    }


def idx(values: Any) -> bytes:
    head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    return gzip.compress(head + values.tobytes(), mtime=0)


def put(folder: Path, form: str) -> None:
    a = arrays()
    if form == "keras":
        np.savez(folder / "mnist.npz", **a)
    elif form == "parts":
        np.savez(folder / "train_10k.npz", images=a["x_train"], labels=a["y_train"])
        np.savez(folder / "test_5k.npz", images=a["x_test"], labels=a["y_test"])
    else:
        for part, word in (("train", "train"), ("test", "t10k")):
            (folder / f"{word}-images-idx3-ubyte.gz").write_bytes(idx(a[f"x_{part}"]))
            (folder / f"{word}-labels-idx1-ubyte.gz").write_bytes(idx(a[f"y_{part}"]))


@pytest.mark.parametrize("form", ["keras", "parts", "idx"])
@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_every_form_gives_the_same_pictures(tmp_path: Path, form: str, name: str) -> None:
    put(tmp_path, form)
    split, a = load_split(name, tmp_path), arrays()
    assert split.train.shape == (N, 1, 28, 28)
    assert split.train.dtype == torch.float32
    assert_close((split.train[:, 0] + 1) * 127.5, torch.from_numpy(a["x_train"]).float())
    assert split.train_labels.tolist() == a["y_train"].tolist()
    assert split.test_labels.tolist() == a["y_test"].tolist()
    assert split.train.min() >= -1
    assert split.train.max() <= 1


def test_of_mnist_the_first_ten_thousand_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "keras")
    monkeypatch.setattr(full_sets, "_MNIST_TRAINING", 7)
    assert len(load_split("mnist", tmp_path).train) == 7
    assert len(load_split("fashion", tmp_path).train) == N


def test_what_is_missing_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"python -m diffviz fetch mnist"):
        load_split("mnist", tmp_path)
    with pytest.raises(SourceError, match="dataset-fashion-mnist"):
        load_split("fashion", tmp_path)
    with pytest.raises(ValueError, match="choose one of"):
        load_split("letters", tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"not a zip", idx(arrays()["x_train"])[:500], idx(arrays()["y_train"])]
)
def test_damaged_files_are_told(tmp_path: Path, content: bytes) -> None:
    put(tmp_path, "idx")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(SourceError, match="damaged"):
        load_split("fashion", tmp_path)
    (tmp_path / "mnist.npz").write_bytes(content)
    with pytest.raises(SourceError, match="damaged"):
        load_split("mnist", tmp_path)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    with (tmp_path / "mnist.npz").open("wb") as file:
        np.savez(file, x_train=np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(SourceError, match="damaged"):
        load_split("mnist", tmp_path)


def test_the_folder_is_that_of_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFVIZ_DATA", str(tmp_path))
    assert folder_of("mnist") == tmp_path / "mnist"
    monkeypatch.delenv("DIFFVIZ_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert folder_of("mnist") == tmp_path / "diffviz" / "mnist"


class Answer(io.BytesIO):
    """What a server answers."""

    def __enter__(self) -> Answer:
        return self


def test_a_download_counts_only_if_it_is_the_right_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"eleven megabytes of digits"
    monkeypatch.setattr(full_sets, "_SHA256", hashlib.sha256(data).hexdigest())
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: Answer(data))
    assert download(tmp_path / "new").read_bytes() == data
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: Answer(data + b"!"))
    with pytest.raises(SourceError, match="SHA-256"):
        download(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_no_network_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str, timeout: float) -> Answer:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(SourceError, match=r"no route to host\. Check the connection"):
        download(tmp_path)
