"""The Schedules page in Chromium: lines, dragging, links, files, and what is wrong with them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from diffviz.core.noising import jump
from diffviz.core.schedules import SCHEDULES, Custom, Schedule
from diffviz.scenes.overlay import STRIP_TIMES
from diffviz.ui.screens.schedules.strip import image_of, noise_for
from tests.browser.journeys import becomes, hold

Idle = Callable[..., None]

TRACES = "document.querySelector('.st-key-views .js-plotly-plot').data.length"


@pytest.fixture
def visit(app_url: str, wait_idle: Idle) -> Callable[..., None]:
    """Opens the Schedules page at a query and waits until its plot is drawn."""

    def visit(page: Page, query: str = "") -> None:
        page.goto(f"{app_url}/schedules{query}")
        page.locator(".curve .plot .tick").first.wait_for()  # a cold start
        wait_idle(page)

    return visit


@pytest.fixture(autouse=True)
def no_traceback(serve: Any) -> Any:
    yield
    assert "Traceback" not in serve.log("app.py")


def state(page: Page) -> dict[str, Any]:
    return page.locator(".curve").evaluate("root => root.__curve.state()")


def knob(page: Page, number: int) -> tuple[float, float]:
    for _ in range(20):
        box = page.locator(".handle .knob").nth(number).bounding_box()
        if box is not None:
            return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.wait_for_timeout(50)  # redrawn this very moment
    raise AssertionError(f"no control point {number}")


def points(page: Page) -> list[list[float]]:
    return state(page)["points"]


def no_errors(page: Page) -> None:
    assert page.locator("[data-testid=stException]").count() == 0
    assert page.errors == []  # type: ignore[attr-defined]


def test_the_page_opens_with_the_main_thing_in_sight(page: Page, visit: Any) -> None:
    visit(page)
    assert set(state(page)["lines"]) == {"linear", "cosine", "custom"}
    assert page.locator(".strip canvas").count() == 3
    box = page.locator(".curve").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 900
    no_errors(page)


def test_overlaying_changes_the_figures(page: Page, visit: Any, wait_idle: Idle) -> None:
    visit(page)
    before = page.evaluate(TRACES)
    page.get_by_role("button", name="VE", exact=True).click()
    wait_idle(page)
    assert set(state(page)["lines"]) == {"linear", "cosine", "ve", "custom"}
    assert page.evaluate(TRACES) == before + 7
    assert page.locator(".strip canvas").count() == 4
    assert page.locator(".strip-label small").count() == 1  # VE is scaled, and says so
    assert "schedules=linear%2Ccosine%2Cve%2Ccustom" in page.url
    no_errors(page)


def test_every_view_can_be_chosen(page: Page, visit: Any, wait_idle: Idle) -> None:
    visit(page)
    titles = set()
    for label in ("alpha, sigma", "SNR", "log-SNR", "beta", "posterior variance", "alpha-bar"):
        page.get_by_role("radio", name=label, exact=True).click()
        wait_idle(page)
        titles.add(page.locator(".curve .title").inner_text())
    assert len(titles) == 6
    assert sum("log axis" in title for title in titles) == 3
    no_errors(page)


def test_dragging_is_live_and_told_on_release_only(page: Page, visit: Any, wait_idle: Idle) -> None:
    visit(page)
    curve, strip = state(page)["lines"]["custom"]["columns"], pixels(page, 2)
    quiet = page.traffic.sent
    x, y = knob(page, 2)
    page.mouse.move(x, y)
    page.mouse.down()
    for k in range(1, 9):
        page.mouse.move(x - 6 * k, y + 8 * k)
    page.wait_for_timeout(400)
    held = points(page)
    assert state(page)["dragging"]
    assert held[2] != [0.5, 0.45]
    assert state(page)["lines"]["custom"]["columns"] != curve
    assert not np.array_equal(pixels(page, 2), strip)
    assert page.traffic.sent == quiet
    assert "curve=" not in page.url
    page.mouse.up()
    page.wait_for_url("**curve=**")
    wait_idle(page)
    assert page.traffic.sent == quiet + 1
    assert points(page) == held
    drawn = state(page)["lines"]["custom"]
    assert_is_custom(drawn, held)
    no_errors(page)


def test_a_point_stops_at_its_neighbours(page: Page, visit: Any, wait_idle: Idle) -> None:
    visit(page)
    x, y = knob(page, 2)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 700, y - 700, steps=5)
    page.mouse.up()
    wait_idle(page)
    moved = points(page)
    assert moved[2][0] < moved[3][0]
    assert moved[1][1] > moved[2][1]
    Custom([tuple(point) for point in moved])


@pytest.mark.parametrize("view", ["alpha_sigma", "snr", "log_snr"])
def test_points_can_be_dragged_in_other_views(
    page: Page, visit: Any, wait_idle: Idle, view: str
) -> None:
    visit(page, f"?view={view}")
    x, y = knob(page, 2)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 12, steps=4)
    page.mouse.up()
    wait_idle(page)
    moved = points(page)
    assert moved[2][0] == 0.5
    assert moved[2][1] < 0.45
    _, end = knob(page, 2)
    assert end == pytest.approx(y + 12, abs=1)


def assert_is_custom(drawn: dict[str, Any], control: list[list[float]]) -> None:
    """A line as the browser draws it against the core, in alpha-bar."""
    t = torch.tensor(drawn["t"], dtype=torch.float64)
    alpha, _ = Custom([tuple(point) for point in control])(t)
    np.testing.assert_allclose(drawn["columns"][0], (alpha**2).numpy(), atol=1e-3)


@pytest.mark.parametrize(
    "word", ["0,1 0.25,0.85 0.5,0.45 0.75,0.1 1,0.0001", "0,1 0.02,0.4 0.5,0.39 0.51,0.05 1,0"]
)
def test_the_line_in_the_browser_is_the_schedule(page: Page, visit: Any, word: str) -> None:
    visit(page, f"?schedules=custom&curve={word}")
    control = points(page)
    assert control == [[float(v) for v in pair.split(",")] for pair in word.split()]
    assert_is_custom(state(page)["lines"]["custom"], control)


def test_points_by_double_click_and_keyboard(page: Page, visit: Any, wait_idle: Idle) -> None:
    visit(page)
    on_curve = """root => { const c = root.__curve, box = c.picture.getBoundingClientRect();
        const alpha = alphaAt => alphaAt; const line = c.lines.find((l) => l.custom);
        const i = line.t.findIndex((t) => t >= 0.62);
        return [box.left + c.x(line.t[i]), box.top + c.axis.y(line.columns[0][i])]; }"""
    x, y = page.locator(".curve").evaluate(on_curve)
    page.mouse.dblclick(x, y)
    page.wait_for_url("**curve=**")
    wait_idle(page)
    assert len(points(page)) == 6
    before = points(page)[3]
    page.keyboard.press("ArrowDown")  # the new point has the focus
    page.keyboard.press("ArrowRight")
    wait_idle(page, quiet=1000)
    after = points(page)[3]
    assert after[0] > before[0]
    assert after[1] < before[1]
    assert str(after[1]) in page.url
    handle = page.locator(".handle").nth(3)
    assert handle.get_attribute("role") == "slider"
    assert "Control point 4 of 6" in str(handle.get_attribute("aria-label"))
    assert "alpha-bar" in str(handle.get_attribute("aria-valuetext"))
    page.mouse.dblclick(*knob(page, 3))
    wait_idle(page)
    assert len(points(page)) == 5
    page.get_by_role("button", name="+ Point").click()
    wait_idle(page)
    assert len(points(page)) == 6
    page.keyboard.press("Delete")
    wait_idle(page)
    assert len(points(page)) == 5
    no_errors(page)


def test_a_finger_drags_a_point(new_page: Any, visit: Any, wait_idle: Idle) -> None:
    page = new_page(width=800, height=900, has_touch=True)
    visit(page)
    x, y = knob(page, 2)
    touch = page.context.new_cdp_session(page)

    def send(kind: str, *at: float) -> None:
        fingers = [{"x": at[0], "y": at[1]}] if at else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    send("touchStart", x, y)
    for k in range(1, 8):
        send("touchMove", x, y + 8 * k)
    send("touchEnd")
    page.wait_for_url("**curve=**")
    wait_idle(page)
    assert points(page)[2][1] < 0.4


def test_a_link_reproduces_the_view(new_page: Any, visit: Any, wait_idle: Idle) -> None:
    first = new_page()
    visit(
        first,
        "?schedules=linear,edm,custom&view=log_snr&linear_T=50&linear_beta_end=0.3&zsnr=1"
        "&spacings=karras&stops=6&on=edm&image=digits&item=4",
    )
    x, y = knob(first, 2)
    first.mouse.move(x, y)
    first.mouse.down()
    first.mouse.move(x + 20, y + 25, steps=3)
    first.mouse.up()
    first.wait_for_url("**curve=**")
    wait_idle(first)
    second = new_page(color_scheme="dark")
    visit(second, first.url.partition("/schedules")[2])
    assert state(second) == state(first)
    assert second.url == first.url
    for row in range(3):
        np.testing.assert_array_equal(pixels(second, row), pixels(first, row))
    assert second.locator(".curve.dark").count() == 1
    no_errors(second)


def pixels(page: Page, row: int) -> np.ndarray[Any, Any]:
    """The red channel of a strip's canvas, (height, width)."""
    found = (
        page.locator(".strip canvas")
        .nth(row)
        .evaluate(
            "c => [c.width, c.height, [...c.getContext('2d').getImageData(0, 0, c.width, c.height)"
            ".data].filter((_, i) => i % 4 === 0)]"
        )
    )
    return np.array(found[2], dtype=np.float64).reshape(found[1], found[0])


def test_the_strip_is_the_noised_image(page: Page, visit: Any) -> None:
    visit(page, "?schedules=linear,edm,rectified_flow")
    image = image_of("fashion", 0)[None]
    noise = noise_for(image[0])[None]
    pitch = page.locator(".curve").evaluate("root => root.__curve.plotWidth / 10")
    for row, name in enumerate(("linear", "edm", "rectified_flow")):
        schedule: Schedule = SCHEDULES[name]()
        strip = pixels(page, row)
        side = strip.shape[0]
        assert side % 28 == 0
        offset = side // 28 // 2
        for k, t in enumerate(STRIP_TIMES):
            left = int(k * pitch + 0.5)
            cell = strip[offset :: side // 28, left + offset : left + side : side // 28]
            alpha, sigma = schedule.at(t)
            scale = max(1.0, np.hypot(alpha, sigma)) if name == "edm" else 1.0
            x_t = jump(schedule, image, torch.tensor([t]), noise) / scale
            expected = ((x_t[0, 0] + 1) * 127.5).clamp(0, 255).numpy()
            assert np.abs(cell - expected).max() < 1.5


def test_points_out_of_order_are_told_and_the_rest_stays(page: Page, visit: Any) -> None:
    visit(page, "?curve=0,1 0.5,0.45 0.25,0.85 1,0&view=log_snr")
    message = page.locator("[data-testid=stAlert]").inner_text()
    assert "point 3 (t = 0.25) is not to the right of point 2 (t = 0.5)" in message
    assert points(page) == [list(point) for point in Custom().points]
    assert state(page)["view"] == "log_snr"
    no_errors(page)


def config_file(name: str, body: bytes) -> FilePayload:
    return FilePayload(name=name, mimeType="application/json", buffer=body)


def test_configs_good_and_bad(page: Page, visit: Any, wait_idle: Idle) -> None:
    visit(page, "?schedules=linear")
    page.get_by_text("Load and download").click()
    upload = page.locator(".st-key-_fold_files input[type=file]")
    values = {"_class_name": "PNDMScheduler", "beta_schedule": "scaled_linear"}
    values |= {"beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 1000}
    upload.set_input_files(config_file("scheduler_config.json", json.dumps(values).encode()))
    page.wait_for_url("**config=**")
    wait_idle(page)
    good = state(page)
    assert set(good["lines"]) == {"linear", "loaded"}
    assert page.locator(".plot .labels .label", has_text="Scaled linear (file)").count() == 1
    for body, message in (
        (b"{", "not valid JSON"),
        (b'{"beta_schedule": "odd", "num_train_timesteps": 10}', "are read"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "not JSON text"),
        (json.dumps(values | {"num_train_timesteps": 50_000}).encode(), "2 to 10,000"),
    ):
        upload.set_input_files(config_file("bad.json", body))
        page.locator(".st-key-_fold_files [data-testid=stAlert]", has_text=message).wait_for()
        wait_idle(page)
        assert state(page) == good
    page.get_by_role("button", name="Remove it").click()
    wait_idle(page)
    assert set(state(page)["lines"]) == {"linear"}
    assert "config" not in page.url
    no_errors(page)


def test_a_file_is_run_as_it_says_and_stays_at_hand(
    page: Page, visit: Any, wait_idle: Idle
) -> None:
    visit(page, "?schedules=linear")
    page.get_by_text("Load and download").click()
    values = {"_class_name": "LCMScheduler", "original_inference_steps": 50}
    upload = page.locator(".st-key-_fold_files input[type=file]")
    upload.set_input_files(config_file("scheduler_config.json", json.dumps(values).encode()))
    page.get_by_role("link", name="Run as this file says, on points").click()
    page.wait_for_url("**/reverse?**schedule=loaded**")
    page.get_by_text("4 evaluations").wait_for()
    page.get_by_role("link", name="Schedules", exact=True).first.click()
    page.wait_for_url("**/schedules**config=**")
    wait_idle(page)
    assert set(state(page)["lines"]) == {"linear", "loaded"}
    no_errors(page)


def test_an_uploaded_picture_is_shown_and_a_bad_one_is_told(
    page: Page, visit: Any, wait_idle: Idle
) -> None:
    visit(page, "?schedules=linear&image=upload")
    page.get_by_text("Image", exact=True).click()
    upload = page.locator(".st-key-_fold_image input[type=file]")
    before = pixels(page, 0)
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), (255, 0, 0)).save(buffer, "PNG")
    good = FilePayload(name="red.png", mimeType="image/png", buffer=buffer.getvalue())
    upload.set_input_files(good)
    page.wait_for_function(
        "() => { const find = (n) => n.querySelector?.('.strip canvas') || [...n.querySelectorAll"
        "('*')].map((e) => e.shadowRoot && find(e.shadowRoot)).find(Boolean); const c = find"
        "(document); const d = c.getContext('2d').getImageData(9, 9, 1, 1).data;"
        " return d[0] > 250 && d[1] < 5; }"
    )
    wait_idle(page)
    red = pixels(page, 0)
    assert red.shape != before.shape or not np.array_equal(red, before)
    bad = FilePayload(name="bad.png", mimeType="image/png", buffer=buffer.getvalue()[:60])
    upload.set_input_files(bad)
    page.locator(".st-key-_fold_image [data-testid=stAlert]", has_text="damaged").wait_for()
    wait_idle(page)
    np.testing.assert_array_equal(pixels(page, 0), red)
    no_errors(page)


def test_rows_of_stops_can_be_put_on_the_line(page: Page, visit: Any) -> None:
    visit(page, "?spacings=leading,trailing,linspace,log_snr,karras,quadratic&stops=5")
    rows = page.locator(".stops")
    assert rows.count() == 6
    assert rows.nth(0).get_attribute("aria-pressed") == "true"
    ends = "root => [...root.querySelectorAll('.on-curve')].map((e) => e.getAttribute('x1'))"
    before = page.locator(".curve").evaluate(ends)
    rows.nth(4).click()
    after = page.locator(".curve").evaluate(ends)
    assert len(before) == len(after) == 5
    assert before != after
    rows.nth(1).focus()
    page.keyboard.press("Enter")
    assert rows.nth(1).get_attribute("aria-pressed") == "true"


def test_zero_terminal_snr_shows_before_and_after(page: Page, visit: Any, wait_idle: Idle) -> None:
    visit(page, "?schedules=scaled_linear")
    assert page.locator(".plot .before").count() == 0
    samples = page.get_by_alt_text(re.compile("samples of mean brightness"))
    expect(samples).to_have_count(0)
    page.get_by_text("Zero terminal SNR").click()
    wait_idle(page)
    expect(samples).to_have_count(2)
    means = [float((each.get_attribute("alt") or "").split()[-1]) for each in samples.all()]
    data = re.search(r"data is (\S+)\. A chain", page.get_by_test_id("stMain").inner_text())
    assert data is not None
    assert abs(means[1] - float(data[1])) < abs(means[0] - float(data[1])), "less grey"
    assert page.locator(".plot .before").count() == 1
    assert state(page)["lines"]["scaled_linear"]["columns"][0][-1] == 0
    assert "0.068 → 0" in page.locator(".st-key-schedules_rail table").inner_text()
    assert "zsnr=1" in page.url


def test_the_curves_can_be_downloaded(page: Page, visit: Any, wait_idle: Idle) -> None:
    visit(page, "?schedules=linear,edm&linear_T=20")
    page.get_by_text("Load and download").click()
    wait_idle(page)
    with page.expect_download() as csv_file:
        page.get_by_role("button", name="Download CSV").click()
    table = csv_file.value.path().read_text().splitlines()
    assert table[0].startswith("schedule,k,t,alpha,sigma")
    assert len(table) == 1 + 20 + 1000
    with page.expect_download() as json_file:
        page.get_by_role("button", name="Download JSON").click()
    entries = json.loads(json_file.value.path().read_text())["schedules"]
    assert [entry["name"] for entry in entries] == ["linear", "edm"]


def test_the_questions_set_the_page_up(page: Page, visit: Any, wait_idle: Idle) -> None:
    visit(page)
    links = page.locator(".st-key-page_questions a")
    assert 2 <= links.count() <= 3
    links.nth(0).click()
    page.wait_for_url("**view=log_snr**")
    wait_idle(page)
    assert set(state(page)["lines"]) == {"linear", "cosine", "sigmoid", "rectified_flow"}
    no_errors(page)


def test_nothing_overlaps_on_a_small_screen(new_page: Any, visit: Any) -> None:
    page = new_page(width=1024, height=768, color_scheme="dark")
    visit(page)
    plot = page.locator(".st-key-schedules_plot").bounding_box()
    rail = page.locator(".st-key-schedules_rail").bounding_box()
    assert plot is not None
    assert rail is not None
    assert plot["width"] > 500
    assert rail["y"] >= plot["y"] + plot["height"]
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 1024


def test_lines_stops_and_strips_follow_a_knob_and_nothing_is_asked(
    page: Page, visit: Any, wait_idle: Idle
) -> None:
    visit(page, "?schedules=cosine,linear&on=linear&spacings=log_snr")
    page.get_by_text("Linear: parameters").click()
    with page.expect_response(lambda answer: "lines%7B" in answer.url):
        page.get_by_role("slider", name="beta_end").hover()
    wait_idle(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    sent, before = page.traffic.sent, page.locator(".curve").screenshot()  # type: ignore[attr-defined]
    slider, box = hold(page, "beta_end")
    last, start = slider.evaluate("(e) => [Number(e.max), Number(e.value)]")
    ends = {state(page)["lines"]["linear"]["columns"][0][-1]}
    cosine = state(page)["lines"]["cosine"]
    for k in (2, 4, 6, 8, 10, 9):  # stops
        page.mouse.move(box["x"] + box["width"] * (start - k) / last, box["y"])
        becomes(lambda: state(page)["lines"]["linear"]["columns"][0][-1] not in ends)
        ends.add(state(page)["lines"]["linear"]["columns"][0][-1])
    assert page.locator(".curve").screenshot() != before
    assert (asked, page.traffic.sent) == ([], sent)  # type: ignore[attr-defined]
    held = state(page)["lines"]["linear"]
    page.mouse.up()
    becomes(lambda: "linear_beta_end=" in page.evaluate("location.href"))
    wait_idle(page)
    assert state(page)["lines"] == {"linear": held, "cosine": cosine}
    value = float(slider.evaluate("(e) => e.getRootNode().querySelector('.dvk-typed').value"))
    expected = SCHEDULES["linear"](beta_end=value).alphas_bar[-1].item()  # type: ignore[attr-defined]
    assert held["columns"][0][-1] == pytest.approx(expected, rel=1e-4)
    no_errors(page)


def test_a_hand_on_a_name_shows_that_schedule(page: Page, visit: Any) -> None:
    visit(page, "?schedules=linear,cosine")
    strips, faint = page.locator(".strip"), page.locator(".line.faint")
    expect(strips).to_have_count(2)
    page.get_by_role("button", name="EDM", exact=True).hover()
    expect(strips).to_have_count(3)
    expect(page.locator(".labels .label")).to_have_text(["Linear", "Cosine", "EDM"])
    page.get_by_role("button", name="Linear", exact=True).hover()
    expect(strips).to_have_count(2)
    expect(faint).to_have_count(1)
    page.mouse.move(10, 400)
    expect(faint).to_have_count(0)
    assert set(state(page)["lines"]) == {"linear", "cosine"}
    no_errors(page)
