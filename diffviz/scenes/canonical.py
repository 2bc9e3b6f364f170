"""The canonical word of a frozen config: what names a run in an address.

A word is the config's class and, as compact JSON, those fields that differ from their defaults, in
their order.  So equal configs have equal words, and a new field with a default changes no word.
What is not plain (the bytes of an upload or a drawing) is named by the digest of its content; such
a word says which config it is of, and whoever keeps the content can make it again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, field, fields, is_dataclass
from hashlib import sha256
from itertools import chain
from types import NoneType, UnionType
from typing import (
    Any,
    Literal,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

C = TypeVar("C")
MAX_WORD = 8000
"""Characters that a word may have: a custom schedule's curve and a drawing fit in it."""

_DIGEST = "sha256"
_LARGEST = 2**53  # whole number that any reader of JSON keeps
_MOST = 500  # things in a row
_QUOTED = 40  # characters of what cannot be used


@runtime_checkable
class Checked(Protocol):
    """A config with limits that are not those of one field."""

    def check(self) -> None:
        """Raise ``ValueError`` where it cannot be had, in words for whoever wrote the word."""
        ...


def within(default: Any, low: float, high: float) -> Any:
    """A field of a config that is a number from ``low`` to ``high``; ``MISSING`` is no default."""
    return field(default=default, metadata={"low": low, "high": high})


def among(default: Any, *words: Iterable[str]) -> Any:
    """A field of a config that is one of some words, such as the keys of registries."""
    return field(default=default, metadata={"words": words})


def word_of(config: Any) -> str:
    """Return the canonical word of a frozen dataclass of plain values, tuples and such classes."""
    return f"{type(config).__name__}{json_of(config)}"


def json_of(config: Any) -> str:
    """Return the word of a config without the name of its class.

    A slash in a text is escaped, so that what reads paths on the way finds none in it.
    """
    return json.dumps(_plain(config), separators=(",", ":")).replace("/", "\\u002f")


def config_of(kind: type[C], word: str) -> C:
    """Return the config that a word is of: ``config_of(type(c), word_of(c)) == c``.

    Raises:
        ValueError: if the word is not one of this class, names content by its digest, or asks for
            something out of range; the message is for whoever wrote the word.
    """
    name = kind.__name__
    if not word.startswith(f"{name}{{"):
        raise ValueError(f"this is not the word of a {name}: {word[:_QUOTED]}")
    return config_from(kind, word.removeprefix(name))


def config_from(kind: type[C], text: str) -> C:
    """Return the config that ``json_of`` wrote; raises as ``config_of`` does."""
    if len(text) > MAX_WORD:
        raise ValueError(f"this word has {len(text):,} characters: {MAX_WORD:,} at most are read")
    try:
        plain = json.loads(text)
        json.dumps(plain, ensure_ascii=False).encode()  # half a character is none
    except (ValueError, RecursionError):
        raise ValueError(f"this is not a word: {text[:_QUOTED]}") from None
    made: C = _made(kind, plain, kind.__name__)
    return made


def value_word(value: float | str) -> str:
    """A number or a name as words have it: whole numbers without a point."""
    return json.dumps(_plain(value))


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {
            each.name: _plain(own)
            for each in fields(value)
            if each.compare and (own := getattr(value, each.name)) != default_of(each)
        }
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return {_DIGEST: sha256(value).hexdigest()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def default_of(of: Field[Any]) -> Any:
    """The default of a field of a config; ``MISSING`` where it has none."""
    return of.default if of.default_factory is MISSING else of.default_factory()


def _made(hint: Any, plain: Any, name: str) -> Any:
    """The value of a type that was written so; ``name`` is what it is of, for complaints."""
    options = get_args(hint)
    if isinstance(plain, Mapping) and _DIGEST in plain:
        raise ValueError("this word names content by its digest, which it does not hold")
    if get_origin(hint) in (Union, UnionType):
        if plain is None and NoneType in options:
            return None
        return _made(next(each for each in options if each is not NoneType), plain, name)
    if get_origin(hint) is Literal:
        return _checked(plain, plain in options, name, f"one of {', '.join(map(str, options))}")
    if get_origin(hint) is tuple:
        short = isinstance(plain, list) and len(plain) <= _MOST
        _checked(plain, short, name, f"a list of at most {_MOST} things")
        each = options[:1] * len(plain) if options[1:] == (...,) else options
        _checked(plain, len(each) == len(plain), name, f"{len(each)} values")
        return tuple(_made(one, own, name) for one, own in zip(each, plain, strict=True))
    if is_dataclass(hint):
        return _config(hint, plain, name)
    if hint is float:
        return _checked(plain, _is_number(plain), name, "a number")
    if hint is int:
        whole = type(plain) is int and abs(plain) <= _LARGEST
        return _checked(plain, whole, name, "a whole number")
    what = {bool: "true or false", str: "a text"}
    return _checked(plain, type(plain) is hint, name, what.get(hint, "given by its content"))


def _config(kind: Any, plain: Any, name: str) -> Any:
    """The config of a class that was written so."""
    _checked(plain, isinstance(plain, Mapping), name, f"the word of a {kind.__name__}")
    hints, known = get_type_hints(kind), {each.name: each for each in fields(kind)}
    if not plain.keys() <= known.keys():
        unknown = _listed(plain.keys() - known.keys())
        raise ValueError(f"a {kind.__name__} has no {unknown}: it has {_listed(known)}")
    made = {key: _made(hints[key], own, key) for key, own in plain.items()}
    for key, own in made.items():
        _in_range(known[key].metadata, own, key)
    missing = [n for n, each in known.items() if default_of(each) is MISSING and n not in made]
    if missing:
        raise ValueError(f"a {kind.__name__} needs {_listed(missing)}")
    config = kind(**made)
    if isinstance(config, Checked):
        config.check()
    return config


def _is_number(plain: Any) -> bool:
    real = isinstance(plain, int | float) and not isinstance(plain, bool)
    return real and abs(plain) <= sys.float_info.max


def _in_range(limits: Mapping[str, Any], own: Any, name: str) -> None:
    if "low" in limits:
        low, high = limits["low"], limits["high"]
        _checked(own, low <= own <= high, name, f"from {low:,} to {high:,}")
    if "words" in limits:
        words = list(chain(*limits["words"]))
        _checked(own, own in words, name, f"one of {_listed(words)}")


def _checked(plain: Any, good: bool, name: str, what: str) -> Any:
    if not good:
        raise ValueError(f"{name} is {json.dumps(plain)[:_QUOTED]}: it must be {what}")
    return plain


def _listed(words: Iterable[str]) -> str:
    return ", ".join(str(word)[:_QUOTED] for word in words)
