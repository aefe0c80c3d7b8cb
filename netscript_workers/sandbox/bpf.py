"""A small assembler for the filters of seccomp: classic BPF over the number, the machine and the arguments of a call."""

import struct
from typing import Final

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K

NUMBER_AT: Final = 0
MACHINE_AT: Final = 4
ALLOW: Final = 0x7FFF0000
NOTIFY: Final = 0x7FC00000
MAX_INSTRUCTIONS: Final = 4096


def errno(number: int) -> int:
    """Return the verdict “fails with this errno”."""
    return 0x00050000 | number


def argument_at(index: int) -> int:
    """Return where the low half of an argument stands (both machines are little-endian)."""
    return 16 + 8 * index


class Program:
    """Instructions in order. Tests jump over at most one verdict or block, so that no label is needed."""

    def __init__(self) -> None:
        self._instructions: list[tuple[int, int, int, int]] = []

    def load(self, offset: int) -> None:
        """Look at 32 bits of the call's description from now on."""
        self._add(_LOAD, 0, 0, offset)

    def keep_bits(self, mask: int) -> None:
        """Look at these bits of the value only."""
        self._add(_AND, 0, 0, mask)

    def verdict(self, verdict: int) -> None:
        """End with `verdict`, whatever was loaded."""
        self._add(_RETURN, 0, 0, verdict)

    def if_equal(self, value: int, verdict: int) -> None:
        """End with `verdict` when the loaded value is `value`."""
        self._add(_EQUAL, 0, 1, value)
        self._add(_RETURN, 0, 0, verdict)

    def unless_equal(self, value: int, verdict: int) -> None:
        """End with `verdict` when the loaded value is not `value`."""
        self._add(_EQUAL, 1, 0, value)
        self._add(_RETURN, 0, 0, verdict)

    def if_at_least(self, value: int, verdict: int) -> None:
        """End with `verdict` when the loaded value is `value` or more."""
        self._add(_AT_LEAST, 0, 1, value)
        self._add(_RETURN, 0, 0, verdict)

    def if_any_bit(self, mask: int, verdict: int) -> None:
        """End with `verdict` when the loaded value has one of these bits."""
        self._add(_ANY_BIT, 0, 1, mask)
        self._add(_RETURN, 0, 0, verdict)

    def block(self, value: int, body: "Program") -> None:
        """Run `body` when the loaded value is `value`; it must end with a verdict."""
        instructions = body.instructions
        self._add(_EQUAL, 0, len(instructions), value)
        self._instructions += instructions

    @property
    def instructions(self) -> list[tuple[int, int, int, int]]:
        """The instructions so far: code, jump if true, jump if false, value."""
        return list(self._instructions)

    def assembled(self) -> bytes:
        """Return the program as the kernel reads it."""
        if len(self._instructions) > MAX_INSTRUCTIONS:
            raise ValueError(
                f"a filter of {len(self._instructions)} instructions; the kernel takes {MAX_INSTRUCTIONS}"
            )
        return b"".join(struct.pack("=HBBI", *each) for each in self._instructions)

    def _add(self, code: int, if_true: int, if_false: int, value: int) -> None:
        self._instructions.append((code, if_true, if_false, value))
