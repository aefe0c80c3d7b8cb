"""Everything a hostile Python program would try, first shown to succeed unconfined, fails under its permissions."""

import functools
import json
import os
import sys

import pytest

from netscript_workers.domain.permissions import Permissions
from support import attacks, ground
from support.confined import NOBODY, Order, Run, run_as

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
NOT_HIDDEN = {("landlock alone", "see_outside")}


@functools.cache
def results(user: int, permissions: Permissions | None, *, without_rooms: bool) -> dict[str, str]:
    """Run all attacks once: what stopped each, or nothing."""
    with ground.laid_out(user) as place:
        if permissions is not None:
            permissions = Permissions(
                net=permissions.net,
                read=(place.granted,),
                write=(place.out,),
                run=permissions.run,
            )
        order = Order(
            argv=place.argv(),
            cwd=place.work,
            permissions=permissions,
            entry=place.script,
            without_rooms=without_rooms,
        )
        run: Run = run_as(user, [order])[0]
    assert run.status == 0, run
    return json.loads(run.out)


NOTHING = Permissions()
PROGRAMS = Permissions(run=True)
NETWORK = Permissions(net=True)


@pytest.mark.parametrize("name", sorted(attacks.ATTACKS))
@pytest.mark.parametrize("who", USERS)
def test_an_attack_succeeds_unconfined(who, name):
    if who != "root" and name in attacks.ROOT_ONLY:
        pytest.skip("only root could do that in the first place")
    stopped = results(USERS[who], None, without_rooms=False)[name]
    if name == "flag_what_is_readable" and "Inappropriate ioctl" in stopped:
        pytest.skip("files have no flags in this file system")
    assert stopped == ""


@pytest.mark.parametrize("name", sorted(attacks.ATTACKS))
@pytest.mark.parametrize("how", HOLDS)
@pytest.mark.parametrize("who", USERS)
def test_an_attack_fails_without_permission(who, how, name):
    assert results(USERS[who], NOTHING, without_rooms=HOLDS[how])[name] != "" or (how, name) in NOT_HIDDEN


@pytest.mark.parametrize("name", sorted(attacks.ATTACKS.keys() - OF_PROGRAMS))
@pytest.mark.parametrize("how", HOLDS)
@pytest.mark.parametrize("who", USERS)
def test_an_attack_fails_with_programs_granted(who, how, name):
    assert results(USERS[who], PROGRAMS, without_rooms=HOLDS[how])[name] != "" or (how, name) in NOT_HIDDEN


@pytest.mark.parametrize("name", sorted(attacks.ATTACKS.keys() - OF_NETWORK))
@pytest.mark.parametrize("how", HOLDS)
@pytest.mark.parametrize("who", USERS)
def test_an_attack_fails_with_the_network_granted(who, how, name):
    assert results(USERS[who], NETWORK, without_rooms=HOLDS[how])[name] != "" or (how, name) in NOT_HIDDEN
