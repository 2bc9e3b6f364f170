"""Download a full set of pictures, check it against its SHA-256 and put it where it is looked for.

    python -m diffviz fetch mnist    # 11 MB

Nothing else uses the network.  Fashion-MNIST is Debian's package dataset-fashion-mnist.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from diffviz.data.full_sets import download, folder_of
from diffviz.studies.command import Command

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and download."""
    parser = Command(prog="python -m diffviz fetch", description=__doc__)
    parser.add_argument("name", choices=["mnist"], help="the set")
    parser.add_argument(
        "--into", type=Path, metavar="FOLDER", help=f"{folder_of('mnist')} where left out"
    )
    asked = parser.parse_args(arguments)
    with parser.one_line():
        print(download(asked.into))


if __name__ == "__main__":
    main()
