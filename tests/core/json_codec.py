"""The JSON codec on its own: a state whose engine only encodes and decodes."""

from __future__ import annotations

from typing import Any

from fleet import _core

ENGINE = """
local core = ...
local result
return {
    apply = function(event)
        if event.encode then
            local text, wrong = core.json_encode(event.value)
            result = { value = text, wrong = wrong }
        elseif event.again then
            local value, wrong = core.json_decode(event.text)
            if not wrong then value, wrong = core.json_encode(value) end
            result = { value = value, wrong = wrong }
        else
            local value, wrong = core.json_decode(event.text)
            result = { value = value, wrong = wrong }
        end
    end,
    flush = function() return result end,
    failed = function() end,
}
"""

_core.set_modules({"json_test_engine": _core.compile_lua(ENGINE.encode(), "@json_test_engine")})


class NotJson(Exception):
    """The codec refused; the text is its message."""


class Codec:
    """One Lua state, used for many values."""

    def __init__(self, memory_limit: int = 256 << 20) -> None:
        self.state = _core.LuaState(engine="json_test_engine", memory_limit=memory_limit)
        self.state.set_program(_core.Program({}, None))

    def close(self) -> None:
        self.state.close()

    def step(self, event: dict[str, Any]) -> Any:
        out = self.state.step(event, 30.0)
        if "wrong" in out:
            raise NotJson(out["wrong"])
        return out.get("value") if out else None

    def encode(self, value: Any) -> str:
        """The JSON text of a plain value (through the flat format: dicts and lists become tables)."""
        text = self.step({"encode": True, "value": value})
        assert isinstance(text, str)
        return text

    def decode(self, text: str | bytes) -> Any:
        """The value of a JSON text. The flat format has no empty list: both kinds of empty table are {}."""
        return self.step({"text": text})

    def again(self, text: str | bytes) -> str:
        """Decode and encode: what a payload that passes through a workflow becomes."""
        written = self.step({"text": text, "again": True})
        assert isinstance(written, str)
        return written
