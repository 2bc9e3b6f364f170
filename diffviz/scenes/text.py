"""What a menu says about an item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Titled(Protocol):
    """What has a title to stand in a menu: a text, or a class of the core that knows its own."""

    @property
    def title(self) -> str:
        """Its name as people read it."""


@dataclass(frozen=True)
class Text:
    """What a menu says about an item: its title and one plain sentence."""

    title: str
    sentence: str
