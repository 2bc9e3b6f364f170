"""A scheduler_config.json of the diffusers library: its class's arguments, each checked as read.

What such a file leaves out is what its class takes by default, and what its class does not take is
left alone, as diffusers does; the table of all classes is ``assets/schedulers.json``, made by
``diffviz.exchange.make_schedulers``.  A file is untrusted: whatever is wrong with a value that is
read becomes a ``ConfigError`` in words for the person who chose it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = ["MAX_BYTES", "MAX_T", "ConfigError", "SchedulerFile", "classes", "shown"]

MAX_BYTES = 1_000_000
"""The largest file that is read."""

MAX_T = 10_000
"""The longest chain that is read."""

_MIN_T = 2
_LONGEST_NAME = 60
_LIKE = {"LTXEulerAncestralRFScheduler": "FlowMatchEulerDiscreteScheduler"}  # whose stops it takes
_TABLE = Path(__file__).parent / "assets" / "schedulers.json"


class ConfigError(ValueError):
    """A config that is no schedule; the message says what happened, why, and what to do."""


@lru_cache(maxsize=1)
def classes() -> dict[str, dict[str, Any]]:
    """The arguments of every scheduler class of diffusers and their defaults, by its name."""
    table: dict[str, dict[str, Any]] = json.loads(_TABLE.read_text("utf-8"))["classes"]
    return table


class SchedulerFile:
    """What a file says, and what its class takes where it says nothing; null counts as nothing.

    Args:
        data: the whole file.

    Attributes:
        name: the class, as the file names it; "scheduler" where it names none.

    Raises:
        ConfigError: too large, not JSON, not an object, or with a strange name of a class; when a
            value is read, if that is of the wrong type or out of range.
    """

    def __init__(self, data: bytes | str) -> None:
        self._values = _parse(data)
        self.name = self._class_name()
        self._asked: dict[str, None] = {}
        self._defaults = classes().get(_LIKE.get(self.name, self.name))

    def _class_name(self) -> str:
        name = self._values.get("_class_name")
        name = "scheduler" if name is None else name
        if not isinstance(name, str) or not name.isidentifier() or len(name) > _LONGEST_NAME:
            raise ConfigError(
                f"_class_name is {shown(name)}, which is no name of a class: use the file that "
                "diffusers wrote."
            )
        return name

    def _get(self, key: str, hidden: bool = False) -> Any:
        given = self._values.get(key)
        if self._defaults is None:
            self._asked[key] = None
            return given
        if key not in self._defaults and not hidden:
            return None
        self._asked[key] = None
        return self._defaults.get(key) if given is None else given

    def used(self) -> str:
        """The part of the file that was read, as JSON without spaces; it reads the same."""
        defaults = self._defaults or {}
        kept = {"_class_name": self.name} if "_class_name" in self._values else {}
        for key in self._asked:
            value = self._values.get(key)
            if value is not None and value != defaults.get(key, False):
                kept[key] = value
        return json.dumps(kept, separators=(",", ":"))

    def takes(self, key: str) -> bool:
        """Whether its class takes an argument, or the file has it where the class is not known."""
        return key in (self._values if self._defaults is None else self._defaults)

    def left_out(self, *keys: str) -> list[str]:
        """Those of some arguments that the file sets and its class does not take."""
        return [key for key in keys if self._values.get(key) and not self.takes(key)]

    def has(self, key: str) -> bool:
        """Whether there is a value, in the file or by default."""
        return self._get(key) is not None

    def says(self, key: str, value: object) -> bool:
        """Whether a value, given or by default, is this one."""
        return bool(self._get(key) == value)

    def flag(self, key: str) -> bool:
        """A value that is true or false; nothing is false."""
        given = self._get(key)
        if given is not None and not isinstance(given, bool):
            raise ConfigError(f"{key} is {shown(given)}, and must be true or false.")
        return bool(given)

    def number(self, key: str, default: float | None = None, *, hidden: bool = False) -> float:
        """A finite number.

        Args:
            key: the argument.
            default: taken where neither the file nor its class has a value.
            hidden: whether diffusers reads it from the file though the class does not take it.
        """
        given = self._get(key, hidden)
        if given is None:
            if default is None:
                raise ConfigError(
                    f"{key} is missing from this config, and the schedule needs it: add it, or "
                    "choose the complete file that diffusers wrote."
                )
            return default
        return _number(key, given)

    def positive(self, key: str, default: float | None = None, *, hidden: bool = False) -> float:
        """A number above 0, as ``number``."""
        given = self.number(key, default, hidden=hidden)
        if given <= 0:
            raise ConfigError(f"{key} is {given:g}, and must be a positive number.")
        return given

    def floor(self, key: str) -> float:
        """A number that may be minus infinity, which is what it is where there is none."""
        given = self._get(key)
        return -math.inf if given is None or given == -math.inf else _number(key, given)

    def whole(self, key: str, default: int | None = None, *, hidden: bool = False) -> int:
        """A whole number."""
        given = self.number(key, default, hidden=hidden)
        if not float(given).is_integer():
            raise ConfigError(f"{key} is {given:g}, and must be a whole number.")
        return int(given)

    def text(self, key: str) -> str:
        """A word that may be any; empty where there is none."""
        given = self._get(key)
        if given is not None and not isinstance(given, str):
            raise ConfigError(f"{key} is {shown(given)}, and must be a word in quotes.")
        return given or ""

    def word(self, key: str, options: Sequence[str], otherwise: str = "") -> str:
        """A word, one of some.

        Args:
            key: the argument.
            options: the words that are known.
            otherwise: what else could be done.
        """
        given = self._get(key)
        if given is None and self._defaults is None:
            return options[0]
        if not isinstance(given, str):
            raise ConfigError(f"{key} is {shown(given)}, and must be a word in quotes.")
        if given not in options:
            raise ConfigError(
                f"{key} is {shown(given)}, and only {', '.join(options)} are read: choose another "
                f"config{otherwise}."
            )
        return given

    def length(self) -> int:
        """How many noisings the chain has."""
        return _length(self.whole("num_train_timesteps"), "num_train_timesteps is")

    def betas(self) -> list[float]:
        """The variances of a chain that are written out."""
        given = self._get("trained_betas")
        if not isinstance(given, list):
            raise ConfigError(f"trained_betas is {shown(given)}, and must be a list of numbers.")
        _length(len(given), "trained_betas has a length of")
        return [_number(f"trained_betas[{k}]", value) for k, value in enumerate(given)]


def _parse(data: bytes | str) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise ConfigError(
            f"This file has {len(data) / 1e6:.1f} MB and a scheduler config has a few lines: "
            f"at most {MAX_BYTES / 1e6:.0f} MB are read. Choose the file scheduler_config.json."
        )
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        values = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigError(
            f"This file is not valid JSON ({error.msg.removesuffix(' at')} at {where}): mend it, "
            "or choose the file scheduler_config.json that diffusers wrote."
        ) from error
    except (ValueError, RecursionError) as error:  # bytes that are no text, or nested without end
        raise ConfigError(
            "This file is not JSON text: choose the file scheduler_config.json that diffusers "
            "wrote."
        ) from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"This file holds {shown(values)}, and a scheduler config is an object, "
            '{"_class_name": ..., ...}: choose the file scheduler_config.json.'
        )
    return values


def _number(key: str, given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ConfigError(f"{key} is {shown(given)}, and must be a number.")
    try:
        amount = float(given)
    except OverflowError as error:
        raise ConfigError(
            f"{key} is beyond what a number can hold: give a finite value."
        ) from error
    if not math.isfinite(amount):
        raise ConfigError(
            f"{key} is {shown(given)}, which is no number to work with: give a finite value."
        )
    return amount


def _length(given: int, what: str) -> int:
    if not _MIN_T <= given <= MAX_T:
        raise ConfigError(
            f"{what} {given:,}, and chains of {_MIN_T} to {MAX_T:,} noisings are drawn: choose "
            "another config."
        )
    return given


def shown(value: object) -> str:
    """A value of a file as a short piece of text."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:40]}…"
