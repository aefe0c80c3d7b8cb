"""The words that some settings choose from."""

from enum import StrEnum


class Provider(StrEnum):
    """Where the queue lives (SPEC section 9). `memory` is for tests: nothing survives the process."""

    AUTO = "auto"
    DENO_KV = "deno-kv"
    REDIS = "redis"
    POSTGRES = "postgres"
    AMQP = "amqp"
    MEMORY = "memory"


class ScalingMode(StrEnum):
    """Whether a group runs in the common process or, under `workers run`, in one of its own."""

    COMBINED = "combined"
    DISTRIBUTED = "distributed"


class SandboxPolicy(StrEnum):
    """What becomes of a run whose permissions cannot be enforced here."""

    REQUIRE = "require"
    BEST_EFFORT = "best-effort"
    OFF = "off"


class LogLevel(StrEnum):
    """The least severe level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How log lines look; `auto` is `text` on a terminal and `json` elsewhere."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"
