"""The address and the controls say the same: parsing, messages, sharing between pages."""

from __future__ import annotations

import math

import pytest
from streamlit.testing.v1 import AppTest

from diffviz.ui.shell import links
from tests.ui.keys import address, view

WIDTH = 40


def read(parameter: links.Parameter[object], *words: str) -> tuple[object, str | None]:
    return links._read(parameter, list(words))


# Parsing -----------------------------------------------------------------------------------------

SCHEDULE = links.choice("schedule", "linear", ["linear", "cosine", "scaled_linear"])
T = links.whole("T", 1000, 2, 1000)
ETA = links.number("eta", 0.5, 0.0, 1.0)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (SCHEDULE, "cosine"),
        (T, 2),
        (T, 1000),
        (ETA, 0.0),
        (ETA, 1 / 3),
        (ETA, 1e-7),
        (links.flag("zsnr"), True),
        (links.flag("zsnr"), False),
        (links.text("text", "data", 12), "a b"),
    ],
)
def test_what_is_shown_is_read_back(parameter: links.Parameter[object], value: object) -> None:
    result, problem = read(parameter, parameter.show(value))
    assert problem is None
    assert result == value or math.isclose(result, value, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("parameter", "word", "value", "said"),
    [
        (SCHEDULE, "foo", "linear", "not one of linear, cosine, scaled_linear"),
        (SCHEDULE, "Cosin", "linear", "perhaps `cosine`?"),
        (SCHEDULE, "", "linear", "`schedule=`"),
        (links.choice("class", "", ["", "0"]), "7", "", "not one of (nothing), 0"),
        (T, "5000", 1000, "above 1000"),
        (T, "-7", 2, "below 2"),
        (T, "9" * 5000, 1000, "above 1000"),
        (T, "-" + "9" * 5000, 2, "below 2"),
        (T, "1e9", 1000, "above 1000"),
        (T, "-1e999", 2, "below 2"),
        (T, "12.5", 1000, "not a whole number"),
        (T, "1_0", 1000, "not a whole number"),
        (T, "٣", 1000, "not a whole number"),
        (T, "", 1000, "not a whole number"),
        (ETA, "nan", 0.5, "not a finite number"),
        (ETA, "inf", 0.5, "not a finite number"),
        (ETA, "1e999", 0.5, "not a finite number"),
        (ETA, "-1", 0.0, "below 0"),
        (ETA, "2", 1.0, "above 1"),
        (ETA, "0x1p3", 0.5, "not a finite number"),
        (links.flag("zsnr"), "maybe", False, "neither 1 (on) nor 0 (off)"),
        (links.text("text", "data", 3), "abcdef", "abc", "longer than 3"),
    ],
)
def test_nonsense_is_said_and_replaced(
    parameter: links.Parameter[object], word: str, value: object, said: str
) -> None:
    result, problem = read(parameter, word)
    assert result == value
    assert problem is not None
    assert said in problem
    assert len(problem) < 300


def test_the_last_of_repeated_values_counts_and_that_is_said() -> None:
    result, problem = read(T, "200", "300")
    assert result == 300
    assert problem is not None
    assert "2 times" in problem


@pytest.mark.parametrize(
    "raw",
    [
        "`code` and **bold**",
        "<script>alert(1)</script>",
        "a\nb\u202eevil\x00",
        ":red[x] $x^2$ ![](http://example.org/a.png)",
        "`" * 300,
        "x" * 100_000,
    ],
)
def test_text_from_outside_is_one_short_piece_of_code(raw: str) -> None:
    shown = links.code(raw)
    assert shown.startswith("`")
    assert shown.endswith("`")
    assert shown.count("`") == 2
    assert len(shown) <= WIDTH + 3
    assert shown.isprintable()


def test_nothing_is_shown_as_nothing() -> None:
    assert links.code("") == "(nothing)"


def test_plain_text_means_nothing_but_itself() -> None:
    assert links.plain("a*b_[c]:d$") == r"a\*b\_\[c\]\:d\$"


@pytest.mark.parametrize(
    ("value", "word"), [(True, "1"), (False, "0"), (0.25, "0.25"), (7, "7"), ("cosine", "cosine")]
)
def test_links_between_pages_are_spelled_as_parameters_read_them(value: object, word: str) -> None:
    assert links.spell(value) == word


# A session ---------------------------------------------------------------------------------------


def page() -> None:
    import streamlit as st

    from diffviz.ui.choices import widgets
    from diffviz.ui.shell import links, theme

    theme.header("Page", "A sentence.")
    names = {"linear": "Linear", "cosine": "Cosine"}
    schedule = widgets.menu("Schedule", links.choice("schedule", "linear", names), names)
    if schedule == "cosine":
        widgets.number("s", links.number("s", 0.008, 0, 0.5), step=0.001)
    length = links.view(links.whole("T", 1000, 2, 1000))
    st.slider("T", 2, 1000, length.shown, **length.wiring)
    links.complaints("schedule", "T", "s")
    counted = links.whole("step", 0, 0, 50, shared=False)
    step = links.value(counted)
    links.complaints("step")
    if st.button("player"):
        links.keep(counted, 9)
    st.text(f"step {step}")
    links.sync()


def open_page(**query: object) -> AppTest:
    at = AppTest.from_function(page, default_timeout=20)
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def warnings(at: AppTest) -> str:
    return " ".join(box.value for box in at.warning)


def test_defaults_leave_the_address_empty() -> None:
    at = open_page()
    assert not at.exception
    assert address(at) == {}
    assert not at.warning


def test_the_address_sets_the_controls() -> None:
    at = open_page(schedule="cosine", T="50", s="0.1", step="7")
    assert view(at.selectbox, "schedule").value == "cosine"
    assert view(at.slider, "T").value == 50
    assert view(at.number_input, "s").value == 0.1
    assert at.text[0].value == "step 7"
    assert address(at) == {"schedule": "cosine", "s": "0.1", "T": "50", "step": "7"}
    assert not at.warning


def test_the_controls_set_the_address() -> None:
    at = open_page()
    view(at.slider, "T").set_value(50).run()
    assert address(at) == {"T": "50"}
    view(at.selectbox, "schedule").set_value("cosine").run()
    assert address(at) == {"schedule": "cosine", "T": "50"}
    view(at.slider, "T").set_value(1000).run()
    assert address(at) == {"schedule": "cosine"}


def test_a_control_that_goes_takes_its_parameter_along_and_brings_it_back() -> None:
    at = open_page(schedule="cosine", s="0.1")
    view(at.selectbox, "schedule").set_value("linear").run()
    assert address(at) == {}
    view(at.selectbox, "schedule").set_value("cosine").run()
    assert view(at.number_input, "s").value == 0.1
    assert address(at) == {"schedule": "cosine", "s": "0.1"}


def test_nonsense_is_said_once_in_place_and_stays_until_something_changes() -> None:
    at = open_page(schedule="foo", T="9999", step="abc", colour="red", t="5")
    assert not at.exception
    said = warnings(at)
    for piece in ("schedule=foo", "T=9999", "step=abc", "`colour`", "`t`", "perhaps `T`?"):
        assert piece in said
    assert view(at.slider, "T").value == 1000
    assert address(at) == {}
    at.run()
    assert warnings(at) == said
    view(at.slider, "T").set_value(500).run()
    assert not at.warning


def test_a_step_from_the_player_ends_the_message_too() -> None:
    at = open_page(schedule="foo")
    at.button[0].click().run()
    at.run()
    assert not at.warning
    assert address(at) == {"step": "9"}


def test_what_is_right_in_a_bad_link_still_counts() -> None:
    at = open_page(schedule="cosine", T="nan")
    assert view(at.selectbox, "schedule").value == "cosine"
    assert "T=nan" in warnings(at)
    assert address(at) == {"schedule": "cosine"}


def test_a_link_followed_on_the_same_page_sets_everything() -> None:
    at = open_page(T="50")
    view(at.slider, "T").set_value(70).run()
    at.query_params.clear()
    at.query_params["schedule"] = "cosine"
    at.run()
    assert view(at.selectbox, "schedule").value == "cosine"
    assert view(at.slider, "T").value == 1000
    assert address(at) == {"schedule": "cosine"}


def test_an_address_that_was_just_replaced_does_not_undo_a_change() -> None:
    at = open_page()
    view(at.slider, "T").set_value(70).run()
    at.query_params.clear()  # the browser had not heard of T=70 when it sent the next change
    view(at.selectbox, "schedule").set_value("cosine").run()
    assert view(at.slider, "T").value == 70
    assert address(at) == {"schedule": "cosine", "T": "70"}


def test_many_unknown_names_stay_short() -> None:
    at = open_page(**{f"unknown{k}": "x" * 1000 for k in range(60)})
    said = warnings(at)
    assert "and 56 more" in said
    assert len(said) < 300


def test_a_step_beyond_the_last_frame_is_brought_back() -> None:
    at = open_page(step="99")
    assert at.text[0].value == "step 50"
    assert "above 50" in warnings(at)


def test_a_component_may_have_the_name_of_a_parameter_without_a_widget() -> None:
    def page() -> None:
        import streamlit as st

        from diffviz.ui.shell import links, theme

        theme.header("Page", "A sentence.")
        chosen = links.value(links.whole("curve", 1, 0, 9))
        st.text_input("Something else", "different", key="curve")
        st.text(f"curve {chosen}")
        links.sync()

    at = AppTest.from_function(page, default_timeout=20)
    at.query_params["curve"] = "7"
    at.query_params["hello"] = "1"
    at.run()
    assert at.text[0].value == "curve 7"
    assert "hello" in warnings(at)
    assert address(at) == {"curve": "7"}


def test_what_is_sent_to_the_browser_is_the_value_in_every_run() -> None:
    at = open_page(schedule="cosine", s="0.1", T="50")
    for _ in range(2):  # a menu opened late mounts what the latest run sent
        at.run()
        assert view(at.slider, "T").proto.default == [50]
        assert view(at.number_input, "s").proto.default == 0.1
        assert view(at.selectbox, "schedule").proto.default == 1


def test_a_widget_that_was_changed_from_elsewhere_is_replaced() -> None:
    at = open_page()
    view(at.slider, "T").set_value(50).run()
    before = view(at.slider, "T").key
    at.run()
    assert view(at.slider, "T").key == before, "by the reader's own hand it is not"
    at.query_params.clear()
    at.query_params["T"], at.query_params["go"] = "70", "1"
    at.run()
    assert view(at.slider, "T").key != before
    assert view(at.slider, "T").value == 70


def test_the_browser_may_tell_late_of_widgets_that_are_gone() -> None:
    """What a field showed before it was replaced is not what the reader chose since."""

    def page() -> None:
        import streamlit as st

        from diffviz.ui.choices import widgets
        from diffviz.ui.shell import links

        links.begin()
        length = links.whole("T", 50, 1, 1000)
        widgets.number("T", length, step=1)
        other = links.view(length, "slide")
        st.slider("T", 1, 1000, other.shown, **other.wiring)
        if st.checkbox("Rate"):
            rate = links.number("rate", 0.5, 0, 1)
            widgets.number("Rate", rate, step=0.1)
            also = links.view(rate, "slide")
            st.slider("Rate", 0.0, 1.0, also.shown, **also.wiring)
        st.text(f"T {links.peek(length)}")
        links.sync()

    at = AppTest.from_function(page, default_timeout=20)
    at.run()
    at.checkbox[0].check().run()
    gone = [each._widget_state for each in at.number_input]  # of T and of the rate
    view(at.slider, "rate:slide").set_value(0.25).run()
    at.checkbox[0].uncheck().run()
    view(at.slider, "T:slide").set_value(75).run()
    assert address(at) == {"T": "75"}
    view(at.slider, "T:slide").set_value(100)
    states = at._tree.get_widget_states()
    states.widgets.extend(gone)
    at._run(states)
    assert at.text[0].value == "T 100"
    assert address(at) == {"T": "100"}
    at.checkbox[0].check().run()
    assert address(at) == {"T": "100", "rate": "0.25"}


def test_what_means_nothing_stays_in_its_box_until_the_value_is_reset() -> None:
    def page() -> None:
        import streamlit as st

        from diffviz.ui.choices import widgets
        from diffviz.ui.shell import links, theme

        theme.header("Page", "A sentence.")
        curve = links.Parameter("curve", 3, lambda word: int(word))
        st.text(f"curve {widgets.line('Curve', curve)}")
        links.complaints("curve")
        st.button("Reset", on_click=links.reset, args=(curve,))
        links.sync()

    at = AppTest.from_function(page, default_timeout=20)
    at.run()
    view(at.text_input, "curve").set_value("many").run()
    assert at.text[0].value == "curve 3"
    assert "many" in warnings(at)
    assert view(at.text_input, "curve").value == "many"
    at.button[0].click().run()
    assert not warnings(at)
    assert view(at.text_input, "curve").value == "3"
    view(at.text_input, "curve").set_value("5").run()
    assert at.text[0].value == "curve 5"
    assert address(at) == {"curve": "5"}


def test_what_nobody_says_is_said_below_the_title() -> None:
    def page() -> None:
        import streamlit as st

        from diffviz.ui.shell import links, theme

        theme.header("Page", "A sentence.", "exact")
        links.value(links.whole("first", 1, 1, 9))
        links.value(links.whole("told", 1, 1, 9))
        links.complaints("told")
        st.session_state["runs"] = st.session_state.get("runs", 0) + 1
        links.sync()

    at = AppTest.from_function(page, default_timeout=20)
    for name in ("first", "told", "zzz"):
        at.query_params[name] = "x"
    at.run()
    assert not at.exception
    below, beside = (warning.value for warning in at.warning)
    assert "`first=x`" in below
    assert "`zzz`" in below
    assert "`told=x`" in beside
    assert "`told=x`" not in below
    assert at.session_state["runs"] == 2, "said after one more run"


def test_what_a_widget_that_is_gone_tells_changes_nothing() -> None:
    """After a page was left in a hurry its widgets' values are gone, and they still call."""

    def page() -> None:
        import streamlit as st

        from diffviz.ui.shell import links

        links.begin()
        view = links.view(links.whole("steps", 50, 1, 1000))
        links._hear(*view.wiring["args"])  # no widget was drawn: there is no value of this key
        st.text(f"steps {view.value}")
        links.sync()

    at = AppTest.from_function(page, default_timeout=20).run()
    assert not at.exception
    assert at.text[0].value == "steps 50"
