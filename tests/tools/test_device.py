"""Where work is done, by the environment: what is asked for and not there is said in words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from diffviz.tools import device

ASKED = (device.chosen, device.multiplies_in, device.place)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is remembered, and no variable is set."""
    monkeypatch.delenv(device.VARIABLE, raising=False)
    for each in ASKED:
        each.cache_clear()
    yield
    for each in ASKED:
        each.cache_clear()


def gpu(monkeypatch: pytest.MonkeyPatch, *, bfloat16: bool = True) -> None:
    """Pretend that there is one."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bfloat16)


@pytest.mark.parametrize("asked", [None, "", "auto", " Auto "])
def test_auto_takes_a_gpu_where_there_is_one(
    asked: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if asked is not None:
        monkeypatch.setenv(device.VARIABLE, asked)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.mps, "is_available", lambda: False)
    assert device.chosen().type == "cpu"
    device.chosen.cache_clear()
    gpu(monkeypatch)
    assert device.chosen().type == "cuda"
    assert device.place() == "NVIDIA H200"


def test_a_processor_can_be_asked_for_beside_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch)
    monkeypatch.setenv(device.VARIABLE, "CPU")
    assert device.chosen().type == "cpu"
    assert device.place() == ("1 core" if device.CORES == 1 else f"{device.CORES} cores")


@pytest.mark.parametrize(
    ("asked", "said"),
    [("tpu", "must be one of auto, cpu, cuda, mps"), ("cuda", "PyTorch does not find")],
)
def test_what_is_not_there_is_said(asked: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv(device.VARIABLE, asked)
    with pytest.raises(ValueError, match=said):
        device.chosen()


@pytest.mark.parametrize(
    ("can", "dtype"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True, "avx512_bf16": False}, torch.bfloat16),
        ({"avx2": True}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_bfloat16_where_the_processor_has_it(
    can: dict[str, bool], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(device.VARIABLE, "cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: can)
    assert device.multiplies_in() is dtype


def test_and_where_a_gpu_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, bfloat16=False)
    assert device.multiplies_in() is torch.float32
    device.multiplies_in.cache_clear()
    gpu(monkeypatch)
    assert device.multiplies_in() is torch.bfloat16
