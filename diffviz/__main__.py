"""The studies and what they need, from the command line: ``python -m diffviz VERB --help``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib import import_module

from diffviz import __version__

__all__ = ["VERBS", "main"]

VERBS = {
    "app": ("diffviz.ui.shell.serve", "open the pages in a browser (needs the app)"),
    "fetch": ("diffviz.studies.fetch", "download a full set of pictures"),
    "train": ("diffviz.studies.train", "train the networks that ship"),
    "report": ("diffviz.studies.report", "how well the models of points draw"),
    "quality": ("diffviz.studies.sweeps", "which sampler is how good for how many evaluations"),
    "memorise": ("diffviz.studies.memorise", "how many points it takes to stop copying them"),
    "evaluate": ("diffviz.studies.evaluate", "how good the models of pictures are"),
    "compare": ("diffviz.studies.compare", "VAEs, GANs and diffusion models on one scale"),
    "latents": ("diffviz.studies.latents", "how far priors are from the codes of VAEs"),
    "refine": ("diffviz.studies.refine", "what refining does to other models' samples"),
    "bound": ("diffviz.studies.bound", "the variational bound of the models of pictures"),
    "collars": ("diffviz.studies.collar_rates", "whether dogs have the collar that was asked for"),
    "why": ("diffviz.scenes.why", "where exact and learned runs end"),
}
"""Each verb's module, whose ``main`` reads the rest of the line, and what it does."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Hand the rest of the command line to the verb's module."""
    parser = argparse.ArgumentParser(
        prog="python -m diffviz",
        description="The studies behind the pages, and what they need.",
        epilog="VERB --help says what a verb does and what it can be told.",
    )
    parser.add_argument("--version", action="version", version=f"diffviz {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs", required=True)
    for verb, (_, words) in VERBS.items():
        verbs.add_parser(verb, help=words, add_help=False)
    given = list(sys.argv[1:] if arguments is None else arguments)
    asked = parser.parse_args(given[:1])
    if asked.verb != "app":  # without a server Streamlit warns of what no reader can mend
        logging.disable(logging.WARNING)
    try:
        import_module(VERBS[asked.verb][0]).main(given[1:])
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _OF_THE_APP:
            raise
        parser.exit(1, f"{asked.verb} needs the app: install it with pip install 'diffviz[app]'\n")
    finally:
        logging.disable(logging.NOTSET)


_OF_THE_APP = {"plotly", "streamlit"}


if __name__ == "__main__":
    main()
