"""One answer of `workers doctor`."""

from enum import StrEnum

import msgspec


class State(StrEnum):
    """How good the answer is. `info` judges nothing; `problem` makes the command end with 1."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, how good it is, what was found, and what to do about it (nothing when it is fine)."""

    name: str
    state: State
    found: str
    advice: str = ""
