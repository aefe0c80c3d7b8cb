"""Who is compared: one row for each product and way of running it."""

from dataclasses import dataclass

PRODUCT = "netscript-workers"


@dataclass(frozen=True)
class Row:
    """One line of the comparison.

    `share` of the asked number of runs is measured, so that slow ones take no longer than fast ones. `requires` is
    what pip installs (nothing for ours), `python` the least version that takes it. `kept` says what is left of a finished run.
    """

    engine: str
    peer: str
    way: str
    program: str
    variant: str
    servers: tuple[str, ...]
    requires: tuple[str, ...] = ()
    share: float = 1.0
    kept: str = "nothing"
    python: tuple[int, int] = (3, 11)

    @property
    def ours(self) -> bool:
        """Tell whether this is the product of this repository."""
        return self.peer == PRODUCT


def _ours(engine: str, servers: tuple[str, ...], store: str = "") -> tuple[Row, ...]:
    return tuple(
        Row(
            engine,
            PRODUCT,
            f"{way}{store}",
            "with_ours",
            f"{engine} {mode}",
            servers,
            kept="record, 7 + 90 days",
        )
        for way, mode in (("in-process, 1 process", "in-process"), ("web-worker, 2 slots", "web-worker"))
    )


_CELERY_REDIS = ("celery[redis]", "hiredis")
_RQ = ("rq", "hiredis")
_DRAMATIQ_REDIS = ("dramatiq[redis]", "hiredis")
_TASKIQ_REDIS = ("taskiq", "taskiq-redis", "uvloop", "hiredis")
_ARQ = ("arq", "uvloop", "hiredis")
_HUEY = ("huey", "redis", "hiredis")
_SAQ = ("saq[redis,postgres]", "psycopg[binary]", "hiredis", "uvloop")
_NEW = (3, 12)
_REDIS = ("redis",)
_POSTGRES = ("postgres",)
_AMQP = ("amqp",)

ROWS: tuple[Row, ...] = (
    *_ours("redis", _REDIS),
    Row(
        "redis", "ardiq", "1 process", "with_ardiq", "1", _REDIS, ("ardiq",), 0.5, "result, for a while", _NEW
    ),
    Row(
        "redis",
        "ardiq",
        "2 processes",
        "with_ardiq",
        "2",
        _REDIS,
        ("ardiq",),
        0.5,
        "result, for a while",
        _NEW,
    ),
    Row("redis", "taskiq", "2 processes", "with_taskiq", "redis", _REDIS, _TASKIQ_REDIS, 0.5),
    Row("redis", "huey", "2 threads", "with_huey", "redis threads", _REDIS, _HUEY, 0.5),
    Row("redis", "huey", "2 processes", "with_huey", "redis processes", _REDIS, _HUEY, 0.5),
    Row("redis", "dramatiq", "2 processes of 8", "with_dramatiq", "redis", _REDIS, _DRAMATIQ_REDIS, 0.5),
    Row("redis", "saq", "1 process", "with_saq", "1", _REDIS, _SAQ, 0.25, "result, 10 min"),
    Row("redis", "saq", "2 processes", "with_saq", "2", _REDIS, _SAQ, 0.25, "result, 10 min"),
    Row("redis", "arq", "polls at 10 ms", "with_arq", "eager", _REDIS, _ARQ, 0.25, "result, 1 h"),
    Row("redis", "arq", "polls at 0.5 s", "with_arq", "default", _REDIS, _ARQ, 0.25, "result, 1 h"),
    Row("redis", "celery", "prefork 2", "with_celery", "prefork", _REDIS, _CELERY_REDIS, 0.25),
    Row("redis", "celery", "threads 10", "with_celery", "threads", _REDIS, _CELERY_REDIS, 0.25),
    Row("redis", "rq", "2 workers, fork", "with_rq", "fork", _REDIS, _RQ, 0.025, "result, 500 s"),
    Row("redis", "rq", "2 workers, simple", "with_rq", "simple", _REDIS, _RQ, 0.25, "result, 500 s"),
    *_ours("postgres", _POSTGRES),
    Row(
        "postgres",
        "pgqueuer",
        "1 process, batch 100",
        "with_pgqueuer",
        "",
        _POSTGRES,
        ("pgqueuer[asyncpg,cli]", "uvloop"),
        0.5,
        "log line",
    ),
    Row("postgres", "saq", "1 process", "with_saq", "1", _POSTGRES, _SAQ, 0.25, "result, 10 min"),
    Row("postgres", "saq", "2 processes", "with_saq", "2", _POSTGRES, _SAQ, 0.25, "result, 10 min"),
    Row("postgres", "oban", "1 process", "with_oban", "", _POSTGRES, ("oban",), 0.25, "row, 1 day", _NEW),
    Row(
        "postgres",
        "procrastinate",
        "1 process",
        "with_procrastinate",
        "",
        _POSTGRES,
        ("procrastinate", "psycopg[binary]"),
        0.25,
        "row",
    ),
    *_ours("amqp", _AMQP, ", records in a file"),
    *_ours("amqp", ("amqp", "redis"), ", records in Redis"),
    Row("amqp", "dramatiq", "2 processes of 8", "with_dramatiq", "amqp", _AMQP, ("dramatiq[rabbitmq]",), 0.5),
    Row(
        "amqp",
        "taskiq",
        "2 processes",
        "with_taskiq",
        "amqp",
        _AMQP,
        ("taskiq", "taskiq-aio-pika", "uvloop"),
        0.5,
    ),
    Row("amqp", "celery", "prefork 2", "with_celery", "prefork", _AMQP, ("celery",), 0.25),
    Row("amqp", "celery", "threads 10", "with_celery", "threads", _AMQP, ("celery",), 0.25),
    *_ours("deno-kv", ()),
    Row("deno-kv", "huey", "SQLite, 2 threads", "with_huey", "sqlite", (), _HUEY, 0.5),
)


def chosen(only: list[str]) -> list[Row]:
    """Return the rows that every kind of word in `only` allows: engines and peers (none of a kind allows all)."""
    engines = {row.engine for row in ROWS} & set(only)
    peers = {row.peer for row in ROWS} & set(only)
    unknown = set(only) - engines - peers
    if unknown:
        known = sorted({row.engine for row in ROWS}) + sorted({row.peer for row in ROWS})
        raise SystemExit(f"--only: “{min(unknown)}” is none of {', '.join(known)}")
    return [
        row for row in ROWS if (not engines or row.engine in engines) and (not peers or row.peer in peers)
    ]
