"""Every stable code with its meaning: the one list that messages, tests and the README share.

Codes are never reused. E: the configuration cannot be used. W0: a hazard. W1: not available in this version
(`validate` warns, a daemon that needs it refuses to start).
"""

from collections.abc import Mapping
from typing import Final

ERRORS: Final[Mapping[str, str]] = {
    "E001": "the config file cannot be found or read",
    "E002": "broken TOML",
    "E003": "broken Python config: it cannot be compiled, or raises an exception",
    "E004": "a Python config binds no name, or several, to define_workers(…)",
    "E005": "an environment variable's value does not parse",
    "E006": "a command line option's value does not fit",
    "E007": "a reference (env:NAME, file:PATH, NAME_FILE) leads to nothing",
    "E010": "unknown key",
    "E011": "one key given twice, in both spellings",
    "E012": "a value of the wrong type",
    "E013": "a number out of its range",
    "E014": "a word that is none of the allowed ones",
    "E015": "a required key is missing",
    "E016": "no duration",
    "E017": "no size",
    "E018": "a bad id or name",
    "E019": "a bad URL, address or path",
    "E020": "bad permissions",
    "E021": "a bad cron expression",
    "E022": "an unknown timezone",
    "E023": "two targets with one id",
    "E024": "two groups with one topic",
    "E025": "a member of a group names another topic",
    "E026": "an API that listens beyond loopback without a token",
    "E027": "a task without permissions, under require_permissions",
    "E028": "the plan needs more memory than --max-memory allows",
    "E029": "the store cannot be reached (--connect)",
    "E030": "a queue provider whose server nothing names",
    "E031": "permissions or limits that this host cannot enforce, under sandbox = require",
    "E033": "a file of runtime_dir that cannot be used",
}

WARNINGS: Final[Mapping[str, str]] = {
    "W001": "WORKER_CONCURRENCY is set, which nothing reads",
    "W002": "a deno task without permissions runs with --allow-all",
    "W003": "a task without permissions is not confined",
    "W004": "a grant is a broad true",
    "W005": "a program that a task needs is not installed",
    "W006": "max_retries times timeout is over 15 minutes",
    "W007": "a synchronous handler in in-process mode cannot be stopped at its timeout",
    "W008": "a schedule comes due again before its run must have ended",
    "W009": "a timeout beyond RabbitMQ's consumer_timeout",
    "W010": "retries that outlive the retention of the record",
    "W011": "a job with permissions or limits always gets a fresh process",
    "W012": "a setting without effect here",
    "W013": "the memory queue is for tests: nothing survives, and no other process reaches it",
    "W014": "shutdown_timeout is at or over the 30 s that service managers give",
    "W015": "the records of amqp are in a file: all workers must be on this host",
    "W016": "permissions or limits that this host cannot enforce, under sandbox = best-effort",
}

NOT_AVAILABLE: Final[Mapping[str, str]] = {
    "W109": "exporting telemetry (OTEL_* variables)",
    "W111": "the HTTP API (workers api)",
}

CODES: Final[Mapping[str, str]] = {**ERRORS, **WARNINGS, **NOT_AVAILABLE}
