"""A machine for the filters of seccomp, as strict as the kernel: it refuses a program that the kernel would not take."""

import struct

BYTES_OF_A_CALL = 64
LOAD, AND, RETURN = 0x20, 0x54, 0x06
JUMPS = {
    0x15: lambda value, operand: value == operand,
    0x35: lambda value, operand: value >= operand,
    0x45: lambda value, operand: bool(value & operand),
}


def instructions(program: bytes) -> list[tuple[int, int, int, int]]:
    """Take a program apart, and check of every instruction what the kernel checks."""
    found = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    assert 0 < len(found) <= 4096
    for place, (code, if_true, if_false, value) in enumerate(found):
        assert code in {LOAD, AND, RETURN, *JUMPS}, f"{code:#x} at {place} is no instruction"
        if code == LOAD:
            assert value % 4 == 0
            assert value < BYTES_OF_A_CALL
        if code in JUMPS:
            assert place + 1 + max(if_true, if_false) < len(found), f"a jump out of the program at {place}"
    assert found[-1][0] == RETURN
    return found


def verdict(
    program: list[tuple[int, int, int, int]], number: int, audit: int, arguments: tuple[int, ...]
) -> int:
    """Return what `program` says of a call; arguments are 64 bits, the rest of the six is 0."""
    call = struct.pack("<iIQ6Q", number, audit, 0, *arguments, *(0,) * (6 - len(arguments)))
    at = loaded = 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        if code == LOAD:
            (loaded,) = struct.unpack_from("<I", call, value)
        elif code == AND:
            loaded &= value
        elif code == RETURN:
            return value
        else:
            at += if_true if JUMPS[code](loaded, value) else if_false
