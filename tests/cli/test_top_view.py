"""What `workers top` shows of a look at the queue."""

from msgspec import structs

from contracts.runners import execution
from netscript_workers.cli.top_view import RUN_HEADINGS, WORKER_HEADINGS, Look, run_rows, worker_rows
from netscript_workers.domain.execution import Progress
from netscript_workers.domain.overview import SlotInfo, WorkerInfo

RUN = structs.replace(execution("charge"), started_at=1_000, worker_id="w1", progress=Progress(40, "half"))
WORKER = WorkerInfo(
    id="w1",
    host="h",
    pid=10,
    role="worker",
    topics=("default",),
    slots_total=3,
    slots_busy=1,
    started_at=0,
    last_seen_at=0,
    slots=(
        SlotInfo(mode="web-worker", pid=11, execution_id=RUN.id, memory=3 << 20),
        SlotInfo(mode="web-worker", pid=12, memory=2 << 20),
        SlotInfo(mode="in-process", pid=10, execution_id="other"),
    ),
)
SEEN = Look(depths=(), workers=(WORKER,), running=(RUN,), dead=0, now=3_000, at=0.0)


def test_a_run_is_shown_with_its_time_the_memory_of_its_slot_and_its_progress():
    (row,) = run_rows(SEEN)
    shown = dict(zip(RUN_HEADINGS, row, strict=True))
    assert (shown["FOR"], shown["MEMORY"], shown["PROGRESS"]) == ("2.0 s", "3.0 MB", "████░░░░░░ 40 % half")


def test_a_worker_is_shown_with_the_processes_of_its_slots_and_their_memory():
    (row,) = worker_rows(SEEN)
    shown = dict(zip(WORKER_HEADINGS, row, strict=True))
    assert (shown["BUSY"], shown["SLOTS"], shown["MEMORY"]) == ("1/3", "2", "5.0 MB")
