"""The canonical word of a frozen config: what names a run in an address.

A word is the config's class and, as compact JSON, those fields that differ from their defaults, in
their order.  So equal configs have equal words, and a new field with a default changes no word.
What is not plain (the bytes of an upload or a drawing) is named by the digest of its content; such
a word says which config it is of, and whoever keeps the content can make it again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from hashlib import sha256
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

C = TypeVar("C")
_DIGEST = "sha256"


def word_of(config: Any) -> str:
    """Return the canonical word of a frozen dataclass of plain values, tuples and such classes."""
    return f"{type(config).__name__}{json.dumps(_plain(config), separators=(',', ':'))}"


def config_of(kind: type[C], word: str) -> C:
    """Return the config that a word is of: ``config_of(type(c), word_of(c)) == c``.

    Raises:
        ValueError: if the word is not one of this class, or names content by its digest.
    """
    name = kind.__name__
    if not word.startswith(f"{name}{{"):
        raise ValueError(f"this is not the word of a {name}: {word[:40]}")
    made: C = _made(kind, json.loads(word.removeprefix(name)))
    return made


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {
            field.name: _plain(own)
            for field in fields(value)
            if field.compare and (own := getattr(value, field.name)) != _default(field)
        }
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return {_DIGEST: sha256(value).hexdigest()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _made(hint: Any, plain: Any) -> Any:
    """The value of a type that was written so."""
    if get_origin(hint) in (Union, UnionType) and plain is not None:
        return _made(next(each for each in get_args(hint) if each is not NoneType), plain)
    if isinstance(plain, list):
        inner = get_args(hint)
        each = inner[:1] * len(plain) if inner[1:] == (...,) else inner
        return tuple(_made(*pair) for pair in zip(each, plain, strict=True))
    if not isinstance(plain, Mapping):
        return plain
    if _DIGEST in plain:
        raise ValueError("this word names content by its digest, which it does not hold")
    hints, names = get_type_hints(hint), {field.name for field in fields(hint)}
    if not plain.keys() <= names:
        raise ValueError(f"a {hint.__name__} has no {', '.join(plain.keys() - names)}")
    return hint(**{name: _made(hints[name], own) for name, own in plain.items()})
