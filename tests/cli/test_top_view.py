"""What `workers top` shows of a look at the queue."""

from msgspec import structs

from contracts.runners import execution
from netscript_workers.cli.top_screen import Screen
from netscript_workers.cli.top_view import (
    LANE_HEADINGS,
    RUN_HEADINGS,
    WORKER_HEADINGS,
    Look,
    lane_rows,
    lanes_of,
    run_rows,
    worker_rows,
)
from netscript_workers.domain.execution import Progress, Status
from netscript_workers.domain.overview import SlotInfo, TopicDepth, WorkerInfo

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
SEEN = Look(depths=(), workers=(WORKER,), running=(RUN,), dead=0, now=3_000)


def test_a_run_is_shown_with_its_time_the_memory_of_its_slot_and_its_progress():
    (row,) = run_rows(SEEN)
    shown = dict(zip(RUN_HEADINGS, row, strict=True))
    assert (shown["FOR"], shown["MEMORY"], shown["PROGRESS"]) == ("2.0 s", "3.0 MB", "████░░░░░░ 40 % half")


def test_a_worker_is_shown_with_the_processes_of_its_slots_and_their_memory():
    (row,) = worker_rows(SEEN)
    shown = dict(zip(WORKER_HEADINGS, row, strict=True))
    assert (shown["BUSY"], shown["SLOTS"], shown["MEMORY"]) == ("1/3", "2", "5.0 MB")


def depth(topic, queued=0):
    return TopicDepth(topic=topic, pending=0, queued=queued, running=0, paused=False, oldest_age_ms=None)


def test_the_rate_of_a_lane_is_what_ended_on_all_its_workers_whatever_arrives():
    one = structs.replace(WORKER, topics=("default", "mail"), ended={"default": 1_000.0})
    two = structs.replace(WORKER, id="w2", ended={"default": 500.25})
    depths = lanes_of([depth("default", queued=9), depth("nobody's", queued=3)], [one, two])
    rows = lane_rows(structs.replace(SEEN, depths=depths, workers=(one, two)))
    shown = {row[0]: row[LANE_HEADINGS.index("ENDED/S")] for row in rows}
    assert shown == {"default": "1,500.2", "mail": "0.0", "nobody's": ""}


class Queue:
    """What the screen needs of an engine; `runs` are the running ones, newest first."""

    def __init__(self, *runs):
        self.runs = list(runs)
        self.cancelled = []
        self.is_away = False

    async def depths(self):
        if self.is_away:
            raise TimeoutError
        return []

    async def workers(self):
        return [WORKER]

    async def find(self, query):
        assert query.status is Status.RUNNING
        return list(self.runs)

    async def count_dead(self):
        return 0

    async def cancel_many(self, ids):
        self.cancelled += ids


async def press(screen, *keys):
    for key in keys:
        await screen.press(key)
        await screen.look_again()


async def test_a_key_cancels_the_run_that_was_chosen_though_others_have_started_since():
    queue = Queue(RUN)
    screen = Screen(queue, 1.0)
    await screen.look_again()
    await press(screen, "tab")
    queue.runs.insert(0, structs.replace(RUN, id="newer"))
    await screen.look_again()
    await screen.press("c")
    assert queue.cancelled == [RUN.id]


async def test_a_key_cancels_nothing_once_the_chosen_run_has_ended():
    queue = Queue(RUN)
    screen = Screen(queue, 1.0)
    await screen.look_again()
    await press(screen, "tab")
    queue.runs[:] = [structs.replace(RUN, id="newer")]
    await screen.look_again()
    await screen.press("c")
    assert queue.cancelled == []
    await press(screen, "down", "c")
    assert queue.cancelled == ["newer"]


async def test_a_queue_that_answers_again_is_said_to_be_away_no_more():
    queue = Queue()
    screen = Screen(queue, 1.0)
    queue.is_away = True
    await screen.look_again()
    assert screen.said == "the queue does not answer: nothing within 10 s"
    queue.is_away = False
    await screen.look_again()
    assert screen.said == ""
