"""Tests of handlers without a server, a file or a process: one run, or a whole queue worked off in memory.

`run_job(process_payment, {"order_id": "A-1"})` runs a handler once. `LocalWorker` is a queue and its worker
in the test's own event loop; `drain` is the same for tests without one.
"""

from netscript_workers.testing.local_worker import LocalWorker, drain
from netscript_workers.testing.run import JobRun, run_job, run_job_async

__all__ = ["JobRun", "LocalWorker", "drain", "run_job", "run_job_async"]
