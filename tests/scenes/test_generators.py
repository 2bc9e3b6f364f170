"""Three generators side by side: what the player gets, what is said, and trainings played again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from diffviz.core.noising import Noise
from diffviz.core.run import simulate
from diffviz.models import pretrained
from diffviz.models.checkpoints import CheckpointError
from diffviz.networks.gan import Forger, GANConfig
from diffviz.networks.vae import VAE, VAEConfig
from diffviz.scenes import caching
from diffviz.scenes import generators as generators_run
from diffviz.scenes import generators_trained as generators_history
from diffviz.scenes.buffer import decode
from diffviz.scenes.configs import SamplerConfig
from diffviz.scenes.generators import Trio, code_pictures, present, together
from diffviz.scenes.generators_trained import about_training, recorded, replay
from diffviz.scenes.picture_run import GenerateRun
from diffviz.studies.bill import SetBill, measured, read_bill
from diffviz.studies.train_generators import History
from diffviz.ui.screens.generators.words import CLAIMS, about, verdicts

RUN = GenerateRun(sampler=SamplerConfig("dpmpp_2m", 4, "log_snr", seed=3), classes=(3, 7), count=3)
MNIST = read_bill(
    json.loads((Path(__file__).parents[1] / "bill_sample.json").read_text("utf-8"))
).sets["mnist"]


@pytest.fixture(scope="module")
def networks() -> tuple[VAE, Forger]:
    return VAEConfig(16).build(0).eval(), GANConfig().build(0)[0].eval()


@pytest.fixture(autouse=True)
def untrained(networks: tuple[VAE, Forger], monkeypatch: pytest.MonkeyPatch) -> None:
    """Generators with their first weights: what is tested here does not depend on training."""
    monkeypatch.setattr(generators_run, "vae", lambda *_: networks[0])
    monkeypatch.setattr(generators_run, "forger", lambda *_: networks[1])
    monkeypatch.setattr(caching, "_keeper", None)


# Side by side -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("numbers", "across"), [(2, 2), (16, 4), (128, 12)])
def test_a_code_is_drawn_as_squares_that_can_be_read_back(numbers: int, across: int) -> None:
    z = torch.randn(3, numbers, generator=torch.Generator().manual_seed(0)).clamp(-2.9, 2.9)
    drawn = code_pictures(z)
    assert drawn.shape == (3, 1, 28, 28)
    block = 28 // across
    edge = (28 - block * across) // 2 + block // 2
    places = edge + block * torch.arange(across)
    read = drawn[:, 0][:, places][:, :, places].flatten(1)
    assert_close(read[:, :numbers] * 3, z)
    assert (read[:, numbers:] == -1).all()


def test_the_player_shows_what_each_starts_from_and_what_it_made(
    networks: tuple[VAE, Forger],
) -> None:
    coder, maker = networks
    made = together(Trio(RUN, ("vae", "gan")))
    assert [drawn.kind for drawn in made.drawn] == ["vae", "gan", "diffusion"]
    assert [drawn.calls for drawn in made.drawn] == [1, 1, 8]
    assert [drawn.numbers for drawn in made.drawn] == [16, 128, 784]
    assert all(drawn.seconds > 0 for drawn in made.drawn)
    assert made.labels.tolist() == [3, 7, 3]

    header, arrays = decode(made.buffer)
    assert header["clock"]["frames"] == made.frames == 5
    assert [panel["film"] for panel in header["panels"]] == [False, False, True]
    assert [panel["labels"] for panel in header["panels"]] == [
        None,
        ["3", "7", "3"],
        ["3", "7", "3"],
    ]
    z, noise = (Noise(3).like(torch.empty(3, numbers)) for numbers in (16, 128))
    wanted = (
        (code_pictures(z), coder.decode(z)),
        (code_pictures(noise), maker.generate(noise, torch.tensor([3, 7, 3]))),
    )
    for panel, (start, end) in zip(header["panels"], wanted, strict=False):
        shown = arrays[panel["arrays"]["x_t"]] * 2 - 1
        np.testing.assert_allclose(shown[0], start, atol=0.01)
        for frame in shown[1:]:
            np.testing.assert_allclose(frame, end, atol=0.01)
    trajectory = simulate(RUN.plan())
    np.testing.assert_allclose(made.drawn[2].x, trajectory.x_t[-1], atol=1e-4)
    notes = header["clock"]["notes"]
    assert notes[0].startswith("what each starts from")
    assert [note.split(" of")[0] for note in notes[1:]] == [
        f"diffusion: {calls}" for calls in (2, 4, 6, 8)
    ]


def test_without_the_others_diffusion_is_still_drawn(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(generators_run, "vae", lambda *key: pretrained.vae(*key, tmp_path))
    monkeypatch.setattr(generators_run, "forger", lambda *key: pretrained.forger(*key, tmp_path))
    kinds, missing = present("mnist")
    assert kinds == ()
    assert "python -m diffviz train vaes mnist-16" in missing[0]
    assert "python -m diffviz train gans mnist" in missing[1]
    made = together(Trio(RUN, kinds))
    assert [drawn.kind for drawn in made.drawn] == ["diffusion"]
    assert len(decode(made.buffer)[0]["panels"]) == 1


def test_more_pictures_go_on_from_the_same_noise() -> None:
    few, many = (together(Trio(replace(RUN, count=n), ("vae", "gan"))).drawn for n in (2, 5))
    for a, b in zip(few, many, strict=True):
        np.testing.assert_allclose(a.x, b.x[:2], rtol=1e-3, atol=1e-3)


def test_what_is_said_is_what_was_measured() -> None:
    made = together(Trio(RUN, ("vae", "gan")))
    coded, forged, walked = (about(RUN, made, drawn) for drawn in made.drawn)
    assert "VAE: 1 call" in coded
    assert "16 numbers" in coded
    right = int((made.drawn[1].seen == made.labels).sum())
    assert f"{right} of 3 are taken for what was asked" in forged
    assert "Diffusion: 8 calls" in walked
    assert "two calls in each of 4 steps" in walked
    slow = max(made.drawn[:2], key=lambda drawn: drawn.seconds)
    assert f"{made.drawn[2].seconds / slow.seconds:,.0f} times as long" in walked
    assert "1.3 M weights were trained, 350 k of them the critic's, idle here" in forged


def test_weights_are_counted_as_on_the_bill() -> None:
    bill = measured("mnist")
    assert bill is not None
    counted = {drawn.kind: drawn.parameters for drawn in together(Trio(RUN, ("vae", "gan"))).drawn}
    assert counted == {row.key: row.parameters for row in bill.rows if row.key in counted}


# Claims -----------------------------------------------------------------------------------------


def holds(found: SetBill | None) -> list[str]:
    return [verdict.holds for _, verdict in verdicts(found, 1.8)]


def changed(key: str, **changes: float) -> SetBill:
    rows = tuple(replace(row, **changes) if row.key == key else row for row in MNIST.rows)
    return replace(MNIST, rows=rows)


def test_claims_are_judged_by_figures() -> None:
    assert holds(MNIST) == ["in part", "holds", "in part", "holds", "holds"]
    assert holds(changed("gan_refined", frechet=6.0))[3] == "in part"
    worse = changed("gan_refined", frechet=6.0)
    rows = tuple(replace(r, frechet=40.0) if r.key == "vae_refined" else r for r in worse.rows)
    assert holds(replace(worse, rows=rows))[3] == "does not hold"
    assert holds(changed("diffusion", train_seconds=10.0))[4] == "in part"
    assert holds(changed("diffusion", seconds_per_sample=1e-5))[4] == "does not hold"


def test_verdicts_quote_the_figures() -> None:
    words = [verdict.words for _, verdict in verdicts(MNIST, 1.8)]
    assert "improves its Fréchet distance from 34 to 14" in words[0]
    assert "brings 34 down to 14" in words[1]
    assert (
        "3.52 bits a pixel, 0.060 of them for the code; the diffusion model needs 1.80" in words[2]
    )
    assert "VAE 34 to 9.5 at t = 0.5 (recall 0.66 to 0.79)" in words[3]
    assert "50 calls and 26 ms, 50 times as long as the slower" in words[4]
    worse = changed("vae_latent", frechet=50.0)
    assert "worsens its Fréchet distance from 34 to 50" in verdicts(worse)[0][1].words


def test_without_figures_nothing_is_claimed_to_hold() -> None:
    assert holds(None) == ["not measured"] * 5
    few = replace(MNIST, rows=MNIST.rows[:1], bits={})
    assert holds(few) == ["not measured"] * 5
    assert all(verdict.words for _, verdict in verdicts(None))
    assert {claim.page for claim in CLAIMS} == {"latent", "bound", "refine", "bill"}


# Trainings --------------------------------------------------------------------------------------

STEPS = np.arange(50, 1050, 50, dtype=np.int32)
FRAME_STEPS = np.array([0, 50, 150, 500, 1000], np.int32)


def history(names: tuple[str, str], first: float, second: float) -> History:
    """Losses that fall and rise evenly from record to record, noise for pictures."""
    records = np.arange(len(STEPS), dtype=np.float32)
    losses = np.stack([first + records, second - records], 1)
    frames = np.random.default_rng(0).integers(0, 256, (5, 20, 28, 28), dtype=np.uint8)
    return History(names, STEPS, losses, FRAME_STEPS, frames)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of records in the place of the one that ships."""
    monkeypatch.setattr(
        generators_history, "generator_stem", lambda name, kind: tmp_path / f"{name}-{kind}"
    )
    return tmp_path


def test_a_training_is_played_as_it_was_recorded(kept: Path) -> None:
    record = history(("reconstruction", "kl"), -784.0, 30.0)
    record.save(kept / "mnist-vae16.npz")
    made = replay("mnist", "vae16")
    assert (made.frames, made.steps) == (5, 1000)
    header, arrays = decode(made.buffer)
    shown = arrays[header["panels"][0]["arrays"]["x_t"]]
    np.testing.assert_allclose(shown[:, :, 0] * 255, record.frames, atol=1)
    told, code = (arrays[curve["values"]] for curve in header["rail"]["curves"])
    means = [record.losses[part].mean(0) for part in (slice(0, 1), slice(1, 3), slice(3, 10))]
    np.testing.assert_allclose(told[1:4], [-loss[0] for loss in means], rtol=1e-5)
    np.testing.assert_allclose(code[1:4], [loss[1] for loss in means], rtol=1e-5)
    assert told[0] == told[1], "before the first record there is no other loss"
    track = header["clock"]["track"]
    assert len(arrays[track["values"]]) == len(STEPS)
    places = np.interp(STEPS, FRAME_STEPS, np.linspace(0, 1, 5))
    np.testing.assert_allclose(arrays[track["u"]], places, atol=1e-6)
    assert header["clock"]["names"][2] == "step 150 of 1,000"
    said = about_training("vae16", made)
    assert "nats" in said
    assert "pull against each other" in said


def test_the_losses_of_a_gan_stay_as_they_are(kept: Path) -> None:
    record = history(("critic", "forger"), 1.0, 0.5)
    record.save(kept / "mnist-gan.npz")
    made = replay("mnist", "gan")
    header, _ = decode(made.buffer)
    critic, forged = header["rail"]["curves"]
    assert (critic["floor"], forged["floor"]) == (2.0, None)
    assert header["panels"][0]["labels"][:11] == [*"0123456789", "0"]
    assert made.first["Critic's loss"] == pytest.approx(1.5)
    assert made.last["Critic's loss"] == pytest.approx(1 + 18.5)
    assert "do not fall" in about_training("gan", made)


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_a_missing_record_says_how_to_make_it(kept: Path, content: bytes | None) -> None:
    if content is not None:
        (kept / "fashion-vae2.npz").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"python -m diffviz train vaes fashion-2"):
        recorded("fashion", "vae2")
