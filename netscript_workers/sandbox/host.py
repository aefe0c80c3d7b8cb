"""What a host can enforce, as facts."""

import msgspec

from netscript_workers.sandbox.cgroups import Groups


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about this kernel and what this process may do with it. Texts name what is missing, empty where nothing is.

    `machine` is a processor whose system calls are known here, empty else. `landlock` is its ABI, 0 for none. `is_root`: the
    machine's root runs this. `user_rooms`: rooms are made with a user namespace. `groups` is what was delegated of cgroup v2.
    """

    kernel: str
    machine: str
    landlock: int
    is_root: bool
    rooms_missing: str
    filter_missing: str
    user_rooms: bool = True
    proc_missing: str = ""
    groups: Groups = Groups(missing="nobody has looked for control groups", cure="ask `workers doctor`")

    @property
    def has_rooms(self) -> bool:
        """Whether a run can have a view of the files, a network and a list of processes of its own."""
        return not self.rooms_missing

    @property
    def has_filter(self) -> bool:
        """Whether system calls can be filtered and answered."""
        return bool(self.machine) and not self.filter_missing
