"""What cannot be enforced is refused or said, and the queue's own file is seen by nobody."""

import os
import sys

import pytest

from netscript_workers.domain.permissions import Permissions
from netscript_workers.errors import PermissionsUnenforceableError
from support import ground
from support.confined import Order, run_as

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can show root's runs"),
]


def test_what_cannot_be_enforced_is_refused_with_the_cure_or_run_and_said():
    order = Order(
        argv=("/bin/true",), cwd="/", permissions=Permissions(net=("example.com:443",)), without_rooms=True
    )
    with pytest.raises(
        PermissionsUnenforceableError, match=r"net: a list of hosts needs a network namespace.*allow user"
    ):
        run_as(0, [order])
    effort = Order(
        argv=order.argv, cwd="/", permissions=order.permissions, without_rooms=True, strictness="best-effort"
    )
    run = run_as(0, [effort])[0]
    assert run.status == 0
    assert "a list of hosts needs a network namespace" in run.not_enforced[0]


def test_a_hidden_file_is_not_seen_even_where_all_is_granted():
    with ground.laid_out(0) as place:
        orders = [
            Order(
                argv=("/bin/cat", place.at["queue"]),
                cwd=place.work,
                permissions=Permissions(read=True, write=True),
                hidden=hidden,
            )
            for hidden in ((), (place.at["queue"],))
        ]
        runs = run_as(0, orders)
    assert [run.status for run in runs] == [0, 1]
