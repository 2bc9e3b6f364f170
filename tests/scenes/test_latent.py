"""Runs of the Latent space page, on small networks: what is shown is what was worked out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch.testing import assert_close

from diffviz.core.denoisers import Network
from diffviz.core.schedules import EDM
from diffviz.models.checkpoints import Card, Checkpoint
from diffviz.networks.mlp import NetworkConfig
from diffviz.networks.vae import VAEConfig
from diffviz.scenes import caching
from diffviz.scenes import latent as latent_run
from diffviz.scenes.buffer import decode
from diffviz.scenes.configs import SamplerConfig
from diffviz.scenes.latent import (
    SHOWN,
    LatentRun,
    affordable,
    flowing,
    limits_of,
    map_of,
    priors,
    trouble,
)
from diffviz.studies.bill import Floor, measured
from diffviz.studies.latents import Between, Codes, Distance, Figures, Mended, Surgery
from diffviz.ui.screens.latent.controls import pin_parameter
from diffviz.ui.screens.latent.words import (
    about_claim,
    about_flow,
    about_map,
    about_mismatch,
    about_priors,
    answer,
    priors_html,
    qualities,
    table,
)
from diffviz.ui.shell import links

PAGE = Path(__file__).parents[2] / "pages" / "latent.py"
RUN = LatentRun("mnist", sampler=SamplerConfig("dpmpp_2m", 6, "log_snr"), count=40)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Codes:
    """A small VAE and a small model in the places of those that ship, and made-up codes."""
    coders = {}
    for size in (2, 16):
        coder = VAEConfig(size, (16, 16), 16).build().eval().requires_grad_(False)
        coder.code_mean.fill_(0.5)
        coder.code_std.fill_(2.0)
        coders[size] = coder
    models = {}
    for size in (2, 16):
        config = NetworkConfig(dim=size, width=16, depth=1, classes=10)
        module = config.build(EDM(), "x_0").eval().requires_grad_(False)
        for k, weight in enumerate(module.parameters()):
            weight += 0.05 * torch.randn(weight.shape, generator=seeded(k))
        models[size] = Checkpoint(Network(module, EDM(), "x_0"), Card("codes", 0, 1))
    labels = torch.arange(200) % 10
    mean = 0.5 + 2 * torch.randn(200, 2, generator=seeded(1)) + 0.1 * labels[:, None]
    codes = Codes(mean, torch.full((200, 2), 0.3), labels)
    monkeypatch.setattr(latent_run, "vae", lambda name, size: coders[size])
    monkeypatch.setattr(latent_run, "latent_model", lambda name, size: models[size])
    monkeypatch.setattr(latent_run, "_codes", lambda name: codes)
    monkeypatch.setattr(caching, "_keeper", None)
    return codes


# The map


def test_the_map_holds_codes_and_prior(small: Codes) -> None:
    low, high = limits_of(small)
    assert low == -high
    assert high >= 3
    assert float((small.mean.abs() <= high).all(1).float().mean()) >= 0.98
    narrow = Codes(0.1 * small.mean, small.std, small.labels)
    assert limits_of(narrow) == (-3.0, 3.0)
    far = Codes(100 * small.mean, small.std, small.labels)
    assert limits_of(far) == (-8.0, 8.0)


def test_the_map_says_what_it_was_made_of() -> None:
    view = map_of("mnist")
    assert view.pictures == view.packed["count"] + view.beyond == 200
    assert 0 <= view.error < 0.05
    assert view.packed["levels"][0] > view.packed["levels"][1]
    words = about_map("mnist", view)
    assert "test digit" in words
    assert f"{view.error:.2f}" in words


@pytest.mark.parametrize(
    ("word", "words"), [("1", "two numbers"), ("9,0", "off the map"), ("x", "two numbers")]
)
def test_pins_off_the_map_are_refused(word: str, words: str) -> None:
    parameter = pin_parameter("mnist", (-3.0, 3.0))
    assert parameter.parse(parameter.show((1.0, -2.5))) == (1.0, -2.5)
    with pytest.raises(ValueError, match=words) as refused:
        parameter.parse(word)
    if isinstance(refused.value, links.Refused):
        assert refused.value.instead == (3.0, 0.0)


# Codes that flow


def test_classes_are_asked_for_in_turn_unless_guidance_is_nought() -> None:
    labels = RUN.labels()
    assert labels is not None
    assert labels[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    asked = replace(RUN, classes=(4, 9))
    told = asked.labels()
    assert told is not None
    assert set(told.tolist()) == {4, 9}
    assert set(asked.wanted().labels.tolist()) == {4, 9}
    open_run = replace(asked, guidance=0.0)
    assert open_run.labels() is None
    assert len(open_run.wanted().labels) == 200


def test_what_is_shown_are_the_codes_and_their_pictures() -> None:
    made = flowing(RUN)
    header, arrays = decode(made.buffer)
    assert made.frames == header["clock"]["frames"] == 7
    cloud, pictures = header["panels"]
    assert (cloud["count"], cloud["picked"], pictures["count"]) == (40, SHOWN, SHOWN)
    coder = latent_run.vae("mnist", 2)
    for frame in (0, 6):
        code = torch.from_numpy(arrays[cloud["arrays"]["x_t"]][frame, 3:4].astype(np.float32))
        exact = coder.decode(coder.unstandardised(code))[0, 0].numpy()
        low, high = arrays[pictures["arrays"]["x_t_range"]][frame]
        shown = low + (high - low) * arrays[pictures["arrays"]["x_t"]][frame, 3, 0]
        np.testing.assert_allclose(shown, exact, atol=0.01)
    assert made.evaluations == 6
    assert "800" not in about_flow(RUN, made)
    assert f"{made.end:.2f}" in about_flow(RUN, made)


def test_the_last_frame_of_the_density_is_the_encoders() -> None:
    header, arrays = decode(flowing(RUN).buffer)
    density = arrays[header["panels"][0]["arrays"]["density"]]
    assert density.shape[0] == 7
    assert density[0].std() < density[-1].std() or not np.allclose(density[0], density[-1])
    noise = density[0] ** 2  # what is sent is the root of the share of the largest value
    rows, columns = np.unravel_index(noise.argmax(), noise.shape)
    assert abs(rows - noise.shape[0] / 2) < 3
    assert abs(columns - noise.shape[1] / 2) < 3


def test_without_a_class_nothing_is_coloured_or_named() -> None:
    run = replace(RUN, guidance=0.0)
    header, _ = decode(flowing(run).buffer)
    assert "labels" not in header["panels"][0]["arrays"]
    assert header["panels"][1]["labels"] is None
    assert "No class is told" in about_flow(run, flowing(run))


def test_guidance_costs_a_second_call() -> None:
    assert flowing(replace(RUN, guidance=3.0)).evaluations == 12


def test_dear_runs_have_fewer_codes() -> None:
    assert affordable(LatentRun()) == LatentRun().count
    dear = replace(LatentRun(guidance=3.0), sampler=SamplerConfig("heun", 500, "log_snr"))
    assert SHOWN <= affordable(dear) < LatentRun().count


@pytest.mark.parametrize("schedule", ["ve", "edm", "rectified_flow"])
def test_other_paths_stay_on_the_map(schedule: str) -> None:
    run = replace(RUN, schedule=replace(RUN.schedule, name=schedule))
    header, arrays = decode(flowing(run).buffer)
    x_t = arrays[header["panels"][0]["arrays"]["x_t"]]
    assert np.isfinite(x_t).all()
    assert np.abs(x_t[0]).max() < 6


# Two priors


def test_the_priors_share_a_decoder_and_differ(small: Codes) -> None:
    made = priors("mnist", 16, 3, 6)
    coder = latent_run.vae("mnist", 16)
    z = torch.randn(6, 16, generator=seeded(3))
    assert_close(torch.from_numpy(made.own), coder.decode(z))
    assert made.diffusion.shape == (6, 1, 28, 28)
    assert not np.allclose(made.own, made.diffusion)
    again = priors("mnist", 16, 4, 6)
    assert not np.allclose(made.own, again.own)
    assert priors_html(made).count("<img") == 2


FIGURES = Figures(
    5000,
    4000,
    Surgery(3.0, Between(1.62, 1.64), Between(1.36, 1.38), 0.02, 8.52),
    Mended(Between(0.10, 0.12), 1.26, 0.02),
    Distance(0.5, 0.1),
    Distance(0.09, 0.01),
    Distance(0.05, 0.001),
)
LARGE = replace(
    FIGURES,
    surgery=Surgery(57.0, Between(8.5, 200.0), Between(-143.0, 48.5), 0.1, 8.52),
    model=Mended(Between(-150.0, 40.0), 7.5, 0.2),
)


def test_measured_mismatches_are_told() -> None:
    for words in (about_mismatch("mnist", FIGURES), about_priors("mnist", 16, FIGURES)):
        assert "1.36 to 1.38 nats" in words
        assert "0.10 to 0.12 nats" in words
    assert "mends the mismatch" in about_claim(FIGURES)
    worse = replace(FIGURES, model=Mended(Between(1.3, 1.4), 0.03, 0.02))
    assert "does not come closer" in about_claim(worse)
    for words in (about_mismatch("mnist", None), about_priors("mnist", 16, None)):
        assert "not been measured" in words
    assert "mend" in about_claim(None)


def test_what_is_gained_bounds_what_is_missed() -> None:
    wide = replace(
        FIGURES,
        surgery=Surgery(8.9, Between(7.5, 9.4), Between(-0.5, 1.4), 0.1, 8.52),
        model=Mended(Between(-1.0, 0.6), 0.8, 0.1),
    )
    assert wide.own_miss == Between(0.8, 1.4)
    assert wide.model_miss == Between(0.0, 0.6)
    assert_close(list(wide.information), [7.5, 8.1])
    words = about_mismatch("mnist", wide)
    for told in ("0.80 to 1.40 nats", "at most 0.60 nats", "7.50 to 8.10 nats", "two bounds"):
        assert told in words
    assert "0.80 to 1.40 nats before, at most 0.60 nats after" in about_claim(wide)
    same = replace(FIGURES, surgery=replace(FIGURES.surgery, prior=Between(1.4, 1.4)))
    assert "two bounds" not in about_mismatch("mnist", same)


def test_where_the_density_is_not_known_only_the_gain_is_told() -> None:
    words = about_priors("mnist", 16, LARGE)
    assert "57.0 nats under N(0, I), 49.5 under diffusion" in words
    assert "at least 7.5 nats (± 0.2)" in words
    assert "143" not in words
    assert "48.5" not in words


def test_the_answer_follows_from_the_figures() -> None:
    own, pixels = Floor(20.0, 0.6, 0.5), Floor(3.0, 0.8, 0.8)
    better = answer({"vae": own, "vae_latent": Floor(12.0, 0.7, 0.5), "diffusion": pixels}, "mnist")
    assert better.startswith("**Yes")
    assert "still nearer" in better
    assert "cover" not in better
    for recall, words in ((0.3, "cover less"), (0.7, "cover more")):
        assert words in answer({"vae": own, "vae_latent": Floor(12.0, 0.7, recall)}, "mnist")
    assert answer({"vae": own, "vae_latent": Floor(30.0, 0.5, 0.5)}, "mnist").startswith("**No")
    assert "hardly matters" in answer({"vae": own, "vae_latent": Floor(20.5, 0.6, 0.5)}, "mnist")
    assert "not measured" in answer({"vae": own}, "mnist")


def test_quality_is_read_and_drawn_as_a_table() -> None:
    assert qualities(None) == {}
    found = measured("mnist", Path(__file__).parents[1] / "bill_sample.json")
    assert found is not None
    rows = qualities(found)
    drawn = table(rows, found.samples)
    vae = rows["vae"]
    assert f"| {vae.frechet:.2f} | {vae.precision:.0%} | {vae.recall:.0%} |" in drawn
    assert "| Real pictures, 10,000 as the samples | 0.61 | 95% | 96% |" in drawn
    assert "GAN" not in drawn


def test_missing_files_are_told_and_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "fashion" not in (trouble("mnist", 16) or "")

    def lacks(name: str, size: int) -> None:
        raise ValueError(f"The network {name}-vae{size} cannot be read.")

    monkeypatch.setattr(latent_run, "vae", lacks)
    assert trouble("mnist", 16) == "The network mnist-vae16 cannot be read."


def test_the_page_says_when_no_latent_space_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent_run, "ready", lambda: ())
    monkeypatch.setattr(latent_run, "trouble", lambda name, size: f"No file of {name}: train it.")
    page = AppTest.from_file(str(PAGE), default_timeout=60).run()
    assert not page.exception
    assert len(page.warning) == 1
    assert "No latent space can be shown" in page.warning[0].value
    assert "No file of mnist: train it." in page.warning[0].value


def test_the_page_says_when_only_the_larger_vae_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(latent_run, "ready", lambda: ("mnist",))
    monkeypatch.setattr(latent_run, "trouble", lambda name, size: f"No file of {name}-{size}.")
    page = AppTest.from_file(str(PAGE), default_timeout=60)
    page.query_params["show"] = "priors"
    page.run()
    assert not page.exception
    assert "No file of mnist-16." in page.warning[0].value
    assert not any("Two priors" in each.value for each in page.markdown)
