"""What tests of scripts on the bare core share."""

from __future__ import annotations


class ScriptError(Exception):
    """The script under test failed; the text is its error and traceback."""
