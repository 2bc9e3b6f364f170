"""Open the pages in a browser: of this folder, or those that were installed with the package.

python -m diffviz app                        # at the address it prints
python -m diffviz app --server.port 8600     # with options of Streamlit
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from streamlit.web import cli

from diffviz.tools import device


def script() -> Path:
    """The app's script: beside the package in a clone, in the environment's share if installed.

    Raises:
        FileNotFoundError: if it is in neither.
    """
    places = Path(__file__).parents[3], Path(sysconfig.get_path("data")) / "share" / "diffviz"
    for place in places:
        if (place / "app.py").is_file() and (place / "pages").is_dir():
            return place / "app.py"
    raise FileNotFoundError(f"The pages are in none of {', '.join(map(str, places))}.")


def check() -> None:
    """End with a sentence where the environment asks for what cannot be had."""
    try:
        device.chosen()
    except ValueError as error:
        sys.exit(str(error))


def main(arguments: Sequence[str] | None = None) -> None:
    """Hand the rest of the command line to Streamlit, with the app's script."""
    given = sys.argv[1:] if arguments is None else arguments
    if {"-h", "--help"} & set(given):
        print(__doc__)
        return
    try:
        place = script()
    except FileNotFoundError as error:
        sys.exit(str(error))
    cli.main(["run", str(place), *given])


if __name__ == "__main__":
    main()
