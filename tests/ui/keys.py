"""What a run of a page shows: the widget of a parameter, and the address."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest


def view(widgets: Any, slot: str) -> Any:
    """The widget of a parameter: one that was replaced has a number behind its key."""
    return next(w for w in widgets if (w.key or "").partition("#")[0] == slot)


def address(at: AppTest) -> dict[str, str]:
    """What stands in the address, one word a name."""
    found = {name: at.query_params[name] for name in at.query_params}
    words = {name: [word] if isinstance(word, str) else word for name, word in found.items()}
    assert all(len(word) == 1 for word in words.values())
    return {name: word[0] for name, word in words.items()}


def knobs(at: AppTest) -> dict[str, dict[str, Any]]:
    """What the knobs of a page are sent, by the parameter they show."""
    found = [each.proto for each in at.get("bidi_component")]
    protos = [proto for proto in found if proto.component_name == "diffviz_knob"]
    return {_slot(proto): json.loads(proto.json) for proto in protos}


def turn(at: AppTest, slot: str, value: float) -> AppTest:
    """Turn a knob to a value, and run the page."""
    protos = [each.proto for each in at.get("bidi_component")]
    proto = next(proto for proto in protos if _slot(proto) == slot)
    told = {"value": {"value": value, "count": json.loads(proto.json)["heard"] + 1}}
    states = at._tree.get_widget_states()
    states.widgets.add(id=proto.id, json_value=json.dumps(told))
    return at._run(states)


def _slot(proto: Any) -> str:
    """The parameter that a component shows: its key, less the number of one that was replaced."""
    return str(proto.id).split("-", 2)[2].partition("#")[0]
