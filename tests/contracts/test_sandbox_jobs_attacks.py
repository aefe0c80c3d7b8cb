"""What a hostile job would try, as root and as an ordinary user: shown to succeed unconfined, it fails under permissions."""

import os
import sys

import pytest

from netscript_workers.domain.permissions import Permissions
from support import attacks, ground
from support.confined import NOBODY
from support.hostile_job import tried_by

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux"),
    pytest.mark.skipif(
        os.geteuid() != 0, reason="only root can show both root's runs and an ordinary user's"
    ),
]
USERS = {"root": 0, "ordinary user": NOBODY}
HOLDS = {"rooms": False, "landlock alone": True}
# A run may always start what it was, or anything else, once it may run everything.
OF_PROGRAMS = {name for name in attacks.ATTACKS if name.startswith("run_")}
# With the network granted, these are what was granted.
OF_NETWORK = {"tcp", "tcp_listen", "udp", "udp_v6", "netlink", "raw", "packet"}
# Landlock keeps what files hold, not that they are there; only a view of one's own hides that.
NOT_HIDDEN = {"landlock alone": {"see_outside"}, "rooms": set[str]()}


@pytest.mark.parametrize("who", USERS)
def test_every_attack_of_a_job_succeeds_unconfined(who):
    with ground.laid_out(USERS[who]) as place:
        stopped = tried_by(USERS[who], place, None, without_rooms=False)
    left_out = attacks.ROOT_ONLY if who != "root" else set()
    assert stopped.keys() == attacks.ATTACKS.keys()
    assert {name: why for name, why in stopped.items() if why and name not in left_out} == {}


@pytest.mark.parametrize(
    ("net", "run", "granted"),
    [(False, False, set[str]()), (False, True, OF_PROGRAMS), (True, False, OF_NETWORK)],
    ids=["nothing", "programs", "network"],
)
@pytest.mark.parametrize("how", HOLDS)
@pytest.mark.parametrize("who", USERS)
def test_no_attack_of_a_job_succeeds_but_what_is_granted(who, how, net, run, granted):
    with ground.laid_out(USERS[who]) as place:
        permissions = Permissions(net=net, run=run, read=(place.granted,), write=(place.out,))
        stopped = tried_by(USERS[who], place, permissions, without_rooms=HOLDS[how])
    succeeded = {name for name, why in stopped.items() if not why}
    assert stopped.keys() == attacks.ATTACKS.keys()
    assert succeeded - granted - NOT_HIDDEN[how] == set()
