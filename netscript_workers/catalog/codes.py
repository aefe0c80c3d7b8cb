"""The catalog's stable codes with their meanings, beside those of the config. Codes are never reused."""

from collections.abc import Mapping
from typing import Final

IMPORT_FAILED: Final = "E101"
NOTHING_TO_RUN: Final = "E102"
BAD_DEFINITION: Final = "E103"
DUPLICATE_ID: Final = "E104"
NOT_CONFINED: Final = "E105"
NO_SUCH_HANDLER: Final = "E106"
BAD_SCHEDULE: Final = "E107"
UNREADABLE: Final = "E108"
EMPTY_PROJECT: Final = "W020"
OVERRIDES_NOTHING: Final = "W021"
NO_PERMISSIONS: Final = "E027"  # the config's code for the same in the config file

CODES: Final[Mapping[str, str]] = {
    IMPORT_FAILED: "a module fails to import",
    NOTHING_TO_RUN: "a module exports nothing to run",
    BAD_DEFINITION: "a job or task is defined wrongly in code",
    DUPLICATE_ID: "two targets in different places with one id",
    NOT_CONFINED: "an entrypoint that is missing, or leads out of its directory",
    NO_SUCH_HANDLER: "an entrypoint's module has no such handler",
    BAD_SCHEDULE: "a bad cron expression or timezone in code",
    UNREADABLE: "a directory of job or task modules cannot be read",
    OVERRIDES_NOTHING: "an override in runtime_dir of a target that there is not",
    EMPTY_PROJECT: "there is nothing to run: no job and no task",
}
