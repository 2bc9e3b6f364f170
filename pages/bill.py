"""The bill: what a VAE, a GAN, diffusion and their joinings cost, and how good they are."""

from __future__ import annotations

import streamlit as st

from diffviz.scenes.picture_sets import PICTURE_SETS
from diffviz.studies.bill import Bill, BillError, load_bill
from diffviz.ui.choices import controls, widgets
from diffviz.ui.screens.bill.figures import COSTS, by_key, class_chart, cost_chart
from diffviz.ui.screens.bill.words import about_classes, about_costs, about_joined, table_html
from diffviz.ui.shell import links, skeleton, theme

skeleton.begin("bill")
_SHORT = 12  # letters of a class's name that fit below a bar


def show(bill: Bill) -> None:
    """Draw the chart, the classes and the table of a set."""
    with controls.bar("bill_what"):
        titles = {name: PICTURE_SETS[name].title for name in bill.sets}
        first = next(iter(titles))
        of = widgets.segments(
            "Pictures", links.choice("pictures", first, titles), titles, quiet=True
        )
        costs = {key: cost.title for key, cost in COSTS.items()}
        key = widgets.segments("Cost", links.choice("cost", "time", COSTS), costs, quiet=True)
    found, cost, colors = bill.sets[of], COSTS[key], theme.palette()
    left, right = theme.picture().columns([0.64, 0.36], gap="medium")
    with left:
        theme.chart(
            cost_chart(found, cost, colors),
            key="bill_chart",
            alt=f"Fréchet distance of each generator against {cost.title.lower()}",
            height=None,
        )
    names = PICTURE_SETS[of].classes
    makers = by_key(found, ("vae", "gan", "diffusion"))
    with right:
        short = [name if len(name) <= _SHORT else name.split()[-1] for name in names]
        if makers:
            theme.chart(
                class_chart(makers, short, colors),
                key="bill_classes",
                alt="Shares of the ten classes among the samples of each generator",
                height=None,
            )
    st.html(table_html(found, colors))
    st.markdown(
        f"{found.samples:,} pictures of each, measured on {links.plain(bill.machine)}. Filled "
        "marks are generators by themselves, open ones are joined with diffusion (dotted line). "
        "Precision, recall and distance are of the features of the classifier. Training times were "
        "taken while the machine did other work too; multiply-adds do not depend on that."
    )
    sentences = (about_costs(found), about_joined(found), about_classes(found, names))
    said = [words for words in sentences if words]
    for column, words in zip(st.columns(len(said), gap="large"), said, strict=True):
        column.markdown(words)


try:
    measured = load_bill()
except BillError as error:
    st.info(links.plain(str(error)), icon=":material/receipt_long:")
else:
    show(measured)

skeleton.end("bill")
