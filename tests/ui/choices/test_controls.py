"""The shared controls: configs that build what they say, and messages instead of failures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from diffviz.core.grids import SPACINGS
from diffviz.core.knobs import knobs_of
from diffviz.core.samplers import SAMPLERS
from diffviz.core.schedules import SCHEDULES, DiscreteVP
from diffviz.data.pictures import IMAGE_DATASETS, IMAGE_INFO
from diffviz.data.points import DATASETS, INFO
from diffviz.exchange.drawings import encode_points
from diffviz.scenes import configs
from diffviz.scenes.configs import DataConfig, Picture, SamplerConfig, ScheduleConfig
from diffviz.ui.choices.thumbnails import thumbnail
from diffviz.ui.shell import scripts, theme
from tests.ui.keys import address, turn, view

PNG = "data:image/png;base64,"

# Configs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_has_words_and_builds(name: str) -> None:
    text = configs.SCHEDULE_TEXT[name]
    assert text.title
    assert text.sentence.endswith(".")
    assert type(ScheduleConfig(name).build()) is SCHEDULES[name]


@pytest.mark.parametrize("name", configs.SCHEDULE_KNOBS)
def test_the_knobs_of_a_schedule_are_its_arguments_at_their_defaults(name: str) -> None:
    knobs = configs.SCHEDULE_KNOBS[name]
    built = SCHEDULES[name]()
    assert {knob.name: knob.default for knob in knobs} == {
        knob.name: getattr(built, knob.name) for knob in knobs
    }
    assert all(knob.low <= knob.default <= knob.high for knob in knobs)


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_knobs_of_a_sampler_are_its_arguments_at_their_defaults(name: str) -> None:
    built = SAMPLERS[name]()
    for knob in knobs_of(SAMPLERS[name]):
        assert getattr(built, knob.name) == knob.default
        assert knob.low <= knob.default <= knob.high
        assert knob.label.startswith(f"{knob.name} (")
        for end in (knob.low, knob.high):
            SAMPLERS[name](**{knob.name: end})


def test_the_knobs_of_the_samplers_are_those_that_pages_offer() -> None:
    named = {name: [knob.name for knob in knobs_of(each)] for name, each in SAMPLERS.items()}
    assert {name: knobs for name, knobs in named.items() if knobs} == {
        "ddim": ["eta"],
        "edm": ["churn"],
        "predictor_corrector": ["snr", "corrections"],
        "euler_ancestral": ["eta"],
        "langevin": ["inner", "step_size"],
    }
    inner, size = knobs_of(SAMPLERS["langevin"])
    assert (inner.default, inner.low, inner.high, inner.step, inner.decimals) == (5, 1, 50, 1, 0)
    assert (size.default, size.low, size.high, size.decimals) == (0.15, 0.01, 0.99, 2)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_has_words_and_builds(name: str) -> None:
    sampler = SAMPLERS[name]
    assert sampler.sentence.endswith(".")
    assert sampler.sentence != (sampler.__doc__ or "").split("\n")[0], "words for readers"
    assert sampler.title.startswith(sampler.short)
    assert type(SamplerConfig(name).build()) is SAMPLERS[name]


def test_every_spacing_has_words() -> None:
    assert set(configs.SPACING_TEXT) == set(SPACINGS)
    assert len({text.title for text in configs.SCHEDULE_TEXT.values()}) == len(SCHEDULES)
    assert len({sampler.title for sampler in SAMPLERS.values()}) == len(SAMPLERS)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [1, 2, 1000])
def test_a_grid_never_has_more_steps_than_the_chain(spacing: str, steps: int) -> None:
    schedule = ScheduleConfig("linear", T=20).build()
    grid = SamplerConfig(steps=steps, spacing=spacing).grid(schedule)
    chained = spacing in ("leading", "trailing", "linspace")
    assert len(grid) == (min(steps, 20) if chained else steps) + 1


@pytest.mark.parametrize("variable", configs.VARIABLE_TEXT)
@pytest.mark.parametrize("name", ["euler", "heun"])
def test_euler_and_heun_integrate_in_the_chosen_variable(name: str, variable: str) -> None:
    built = SamplerConfig(name, variable=variable).build()
    assert (built.variable is None) == (variable == "auto")


def test_zero_terminal_snr_ends_in_pure_noise() -> None:
    schedule = ScheduleConfig("linear", zero_snr=True).build()
    assert isinstance(schedule, DiscreteVP)
    assert schedule.alphas_bar[-1] == 0
    assert ScheduleConfig("vp", zero_snr=True).build().at(1.0)[0] > 0


def test_the_same_choice_is_built_once() -> None:
    assert ScheduleConfig("cosine").build() is ScheduleConfig("cosine").build()


@pytest.mark.parametrize(
    "config", [DataConfig(), ScheduleConfig(), SamplerConfig(), Picture((1, 1, 3), b"abc")]
)
def test_configs_are_frozen_and_can_be_keys(config: object) -> None:
    assert hash(config) == hash(dataclasses.replace(config))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.name = "other"


@pytest.mark.parametrize("name", [*DATASETS, *IMAGE_DATASETS])
def test_named_data_load(name: str) -> None:
    config = DataConfig(name, 7, 3, text="ab")
    data, labels = config.labelled()
    assert data.shape[0] == labels.shape[0] == 7
    assert data.dtype == torch.float32
    assert config.kind == ("image" if data.ndim == 4 else f"{data.shape[1]}-D")
    assert labels.max() < config.classes
    assert config.title == (INFO | IMAGE_INFO)[name].title


def test_text_draws_what_was_typed() -> None:
    one, other = (DataConfig("text", 500, 0, text=text).load() for text in ("i", "mm"))
    assert not torch.equal(one, other)


def test_a_drawing_loads_from_its_word() -> None:
    word = encode_points([(-0.5, -0.5), (0.5, 0.5)])
    points = DataConfig("drawing", 400, 0, drawing=word).load()
    assert points.shape == (400, 2)
    assert torch.corrcoef(points.T)[0, 1] > 0.99


def test_a_picture_is_an_image_or_a_cloud() -> None:
    pixels = np.full((20, 30, 3), 255, np.uint8)
    pixels[5:15, 5:10] = 0
    picture = Picture(pixels.shape, pixels.tobytes())
    image = DataConfig("picture", 1, picture=picture).load()
    assert image.shape == (1, 3, 20, 30)
    assert (image.min(), image.max()) == (-1, 1)
    cloud = DataConfig("cloud", 300, picture=picture).load()
    assert cloud.shape == (300, 2)
    assert cloud[:, 1].std() > cloud[:, 0].std()


@pytest.mark.parametrize(
    "config",
    [
        DataConfig("text", text="  "),
        DataConfig("drawing"),
        DataConfig("picture"),
        DataConfig("cloud"),
    ],
)
def test_what_cannot_be_made_says_why(config: DataConfig) -> None:
    with pytest.raises(ValueError, match=r"[.:]"):
        config.load()


@pytest.mark.parametrize("name", [*DATASETS, *IMAGE_DATASETS])
def test_every_set_has_a_small_thumbnail(name: str) -> None:
    assert thumbnail(name).startswith(PNG)
    assert len(thumbnail(name)) < 4000


# Control points ----------------------------------------------------------------------------------


def test_control_points_are_read_as_they_are_shown() -> None:
    points = ((0.0, 1.0), (0.3, 0.6), (1.0, 0.0))
    assert configs.parse_curve(configs.show_curve(points)) == points
    assert configs.parse_curve(configs.show_curve(configs.DEFAULT_CURVE)) == (configs.DEFAULT_CURVE)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("", "at least two"),
        ("0,1", "at least two"),
        ("0,1 0.7,0.5 0.3,0.2 1,0", "left to right"),
        ("0,1 0.5,0.2 0.7,0.4 1,0", "must fall"),
        ("0,1 nan,0.5 1,0", "finite"),
        ("0,1 1", "list of control points"),
        ("0,1 a,b", "list of control points"),
        ("0,1 " * 2000, "more control points"),
    ],
)
def test_control_points_that_make_no_curve_say_why(word: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        configs.parse_curve(word)


# On a page ---------------------------------------------------------------------------------------


def page() -> None:
    import streamlit as st

    from diffviz.ui.choices import controls
    from diffviz.ui.shell import links, theme

    theme.header("Page", "A sentence.", "exact")
    with controls.bar():
        data = controls.choose_data()
        with controls.line():
            schedule = controls.choose_schedule()
            sampler = controls.choose_sampler(schedule)
    st.session_state["result"] = (data, schedule, sampler)
    links.sync()


def open_page(**query: str) -> AppTest:
    at = AppTest.from_function(page, default_timeout=60)
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def warnings(at: AppTest) -> str:
    return " ".join(box.value for box in at.warning)


def result(at: AppTest) -> tuple[DataConfig, ScheduleConfig, SamplerConfig]:
    assert not at.exception
    return at.session_state["result"]


def test_a_page_makes_sense_with_no_control_touched() -> None:
    at = open_page()
    data, schedule, sampler = result(at)
    assert data == DataConfig()
    assert (schedule.name, schedule.T) == ("linear", 1000)
    assert (sampler.name, sampler.steps, sampler.spacing) == ("ddim", 50, "trailing")
    assert not at.warning
    assert not address(at)


def test_every_value_can_come_from_the_address() -> None:
    query = {
        "data": "spiral",
        "n": "333",
        "data_seed": "5",
        "schedule": "cosine",
        "s": "0.02",
        "T": "137",
        "zsnr": "1",
        "sampler": "euler_ancestral",
        "steps": "33",
        "spacing": "leading",
        "eta": "0.5",
        "seed": "9",
    }
    at = open_page(**query)
    data, schedule, sampler = result(at)
    assert data == DataConfig("spiral", 333, 5)
    assert schedule == ScheduleConfig("cosine", 137, (("s", 0.02),), True)
    assert sampler == SamplerConfig("euler_ancestral", 33, "leading", (("eta", 0.5),), seed=9)
    assert not at.warning
    assert address(at) == query


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_can_come_from_the_address(name: str) -> None:
    assert result(open_page(schedule=name))[1].name == name


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_can_come_from_the_address(name: str) -> None:
    assert result(open_page(sampler=name))[2].name == name


def test_knobs_of_the_same_name_are_remembered_apart() -> None:
    at = open_page(schedule="ve", sigma_max="20")
    view(at.selectbox, "schedule").set_value("edm").run()
    assert dict(result(at)[1].params) == {"sigma_max": 80.0}
    view(at.selectbox, "schedule").set_value("ve").run()
    assert dict(result(at)[1].params)["sigma_max"] == 20.0
    assert address(at) == {"schedule": "ve", "sigma_max": "20"}


def test_a_chain_shorter_than_the_run_shortens_it_and_says_so() -> None:
    at = open_page(T="20")
    assert result(at)[2].steps == 20
    assert "only T = 20" in at.info[0].value
    view(at.selectbox, "spacing").set_value("karras").run()
    assert result(at)[2].steps == 50
    assert not at.info


def test_text_that_draws_nothing_keeps_the_last_view() -> None:
    at = open_page(data="text", text="abc")
    assert result(at)[0].text == "abc"
    view(at.text_input, "text").set_value("   ").run()
    assert result(at)[0].text == "abc"
    assert "draws no ink" in warnings(at)
    view(at.text_input, "text").set_value("xyz").run()
    assert result(at)[0].text == "xyz"
    assert not at.warning


def test_parameters_that_make_no_schedule_keep_the_last_one() -> None:
    at = open_page(schedule="vp")
    before = result(at)[1]
    turn(at, "beta_max@vp", 0.05)
    assert result(at)[1] == before
    assert "make no schedule" in warnings(at)
    turn(at, "beta_max@vp", 10)
    assert dict(result(at)[1].params)["beta_max"] == 10.0
    assert not at.warning


def test_control_points_out_of_order_keep_the_last_curve() -> None:
    at = open_page(schedule="custom", curve="0,1 0.5,0.5 1,0")
    good = result(at)[1].points
    assert good == ((0, 1), (0.5, 0.5), (1, 0))
    field = view(at.text_input, "curve")
    assert field.value == "0,1 0.5,0.5 1,0"
    field.set_value("0,1 0.5,0.5 0.4,0.2 1,0").run()
    assert result(at)[1].points == good
    assert "left to right" in warnings(at)
    view(at.text_input, "curve").set_value("0,1 0.2,0.3 1,0").run()
    assert result(at)[1].points == ((0, 1), (0.2, 0.3), (1, 0))
    assert address(at) == {"schedule": "custom", "curve": "0,1 0.2,0.3 1,0"}
    assert not at.warning


def test_a_curve_in_the_address_that_is_none_is_said() -> None:
    at = open_page(schedule="custom", curve="0,1 0.5,2 1,0")
    assert result(at)[1].points == configs.DEFAULT_CURVE
    assert "must fall" in warnings(at)


def test_a_picture_does_not_travel_with_a_link() -> None:
    at = open_page(data="picture")
    assert result(at)[0] == DataConfig()
    assert "do not travel" in warnings(at)


def test_images_come_whole_and_can_be_fewer() -> None:
    assert result(open_page(data="digits"))[0].n == IMAGE_INFO["digits"].count
    at = open_page(data="fashion", n="5000")
    assert result(at)[0].n == IMAGE_INFO["fashion"].count
    assert "above 1000" in warnings(at)


def test_a_chip_of_the_gallery_is_the_choice() -> None:
    at = open_page()
    view(at.pills, "data:2-D").set_value("rose").run()
    assert result(at)[0].name == "rose"
    assert address(at) == {"data": "rose"}
    view(at.pills, "data").set_value("smiley").run()
    assert result(at)[0].name == "smiley"
    assert view(at.pills, "data:2-D").value == "smiley"


def test_a_new_seed_is_one_press_away() -> None:
    at = open_page()
    at.button(key="_new_seed").click().run()
    seed = result(at)[2].seed
    assert address(at) == ({"seed": str(seed)} if seed else {})


NONSENSE = ["", "foo", "nan", "-1", "1e999", "9" * 400, "<b>x</b>", "`", "\u202e", "0x10", " "]


@pytest.mark.parametrize("word", NONSENSE)
def test_nonsense_everywhere_leaves_the_page_standing(word: str) -> None:
    names = (
        *("data", "n", "data_seed", "schedule", "T", "zsnr", "beta_start", "sampler", "steps"),
        *("spacing", "eta", "seed", "curve", "text", "strokes", "hello"),
    )
    at = open_page(**dict.fromkeys(names, word))
    data, schedule, sampler = result(at)
    data.load()
    sampler.grid(schedule.build())
    assert "schedule=" in warnings(at)
    assert "`hello`" in warnings(at)
    assert "<b>" not in warnings(at).replace("`T=<b>x</b>`", "") or "`" in warnings(at)


# The look ----------------------------------------------------------------------------------------


def test_player_and_figures_use_the_same_colors() -> None:
    script = scripts.script("player")
    for palette in (theme.LIGHT, theme.DARK):
        for color in (palette.data, palette.noise, palette.exact, palette.learned, palette.path):
            assert color in script
        for color in palette.classes:
            assert color in script


# Scheduler files --------------------------------------------------------------------------------

LCM = '{"_class_name":"LCMScheduler"}'


def walk_page() -> None:
    import streamlit as st

    from diffviz.ui.choices import controls
    from diffviz.ui.shell import links

    links.begin()
    with controls.bar():
        schedule = controls.choose_schedule()
        sampler = controls.choose_sampler(schedule)
    st.session_state["walk"] = (schedule, sampler)
    links.sync()


def walk_of(**query: str) -> tuple[AppTest, ScheduleConfig, SamplerConfig]:
    at = AppTest.from_function(walk_page, default_timeout=60)
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception
    return at, *at.session_state["walk"]


def test_a_loaded_schedule_is_walked_as_its_file_says() -> None:
    at, schedule, sampler = walk_of(schedule="loaded", config=LCM, steps="4")
    assert schedule.title == "Scaled linear (file)"
    assert sampler.spacing == "file"
    grid = sampler.grid(schedule.build())
    assert (grid * 1000).round().tolist() == [1000, 760, 500, 260, 0]
    assert not at.warning
    assert LCM in at.query_params["config"]
    by_label = {box.label: box for box in at.selectbox}
    by_label["Schedule (how fast noise comes in)"].set_value("linear").run()
    assert not at.exception
    schedule, sampler = at.session_state["walk"]
    assert (schedule.name, sampler.spacing) == ("linear", "trailing")
    assert "config" not in at.query_params


def test_more_steps_than_a_file_allows_are_said() -> None:
    at, _, sampler = walk_of(schedule="loaded", config=LCM, steps="80")
    assert sampler.steps == 50
    assert "the nearest that it does allow, 50" in at.info[0].value


def test_a_step_of_no_length_is_said() -> None:
    at, _, sampler = walk_of(
        schedule="loaded",
        config='{"_class_name":"PNDMScheduler","skip_prk_steps":true}',
        steps="10",
    )
    assert sampler.steps == 10
    assert "calls this run 11 steps" in at.info[0].value


def test_a_link_to_a_file_that_is_not_here_is_told() -> None:
    at, schedule, _ = walk_of(schedule="loaded")
    assert schedule.name == "linear"
    assert "does not travel with the link" in at.warning[0].value
    at, schedule, _ = walk_of(schedule="loaded", config="{")
    assert "not valid JSON" in at.warning[0].value
