"""Values as Deno stores them (V8's structured clone) to what JSON can hold.

The package `v8serialize` reads the stream; this file says what each value becomes, and refuses, with its path, what JSON
would lose: a Map, bytes, NaN, a cycle. Deno 2.9 writes version 16 of the format, which that package does not know yet: for
the types read here its body is that of version 15, except that array buffer views, refused anyway, differ.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from v8serialize.constants import SerializationTag as Tag
from v8serialize.decode import ReadableTagStream

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[["_Reader", "Path", int], Any]

MAX_DEPTH: Final = 100
MAX_WEIGHT: Final = 4 << 20
"""How much a value may come to: about its bytes as JSON, shared parts counted as often as they appear."""

_HEADERS: Final = frozenset(bytes((Tag.kVersion, version)) for version in range(13, 17))
_BODY: Final = 2
_SAFE: Final = 1 << 53
_SIGNED: Final = -(1 << 63)
_UNSIGNED: Final = 1 << 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_$][\w$]*\Z", re.ASCII)

_REFUSED: Final = {
    Tag.kBeginJSMap: "a Map; send a plain object: Object.fromEntries(map)",
    Tag.kBeginJSSet: "a Set; send an array: [...set]",
    Tag.kArrayBuffer: "bytes; send text (base64) or an array of numbers",
    Tag.kResizableArrayBuffer: "bytes; send text (base64) or an array of numbers",
    Tag.kRegExp: "a regular expression; send its source as text",
    Tag.kError: "an Error; send its message as text",
}


Path = tuple[str | int, ...]


class UnreadableValueError(ValueError):
    """The bytes are no V8 value, or hold what JSON cannot; the message says where (`payload.at[2]`) and what."""


class _Unfinished:
    """Stands for an object that is still being read: a reference to it is a cycle."""


_UNFINISHED: Final = _Unfinished()
_UNDEFINED: Final = _Unfinished()


def decode(data: bytes) -> Any:
    """Return the value in `data` as plain JSON values; raises `UnreadableValueError` and nothing else."""
    if data[:2] not in _HEADERS:
        raise UnreadableValueError("it is no V8 value of a known version (it begins with ff 0d to ff 10)")
    reader = _Reader(ReadableTagStream(data, pos=_BODY))
    try:
        value = reader.read((), 0)
    except UnreadableValueError:
        raise
    except (ValueError, OverflowError, IndexError) as error:  # the package's own errors are ValueErrors
        raise UnreadableValueError(f"it is damaged near byte {reader.position}: {_said(error)}") from None
    if data[reader.position :].strip(b"\0"):
        raise UnreadableValueError(f"it goes on behind its end, at byte {reader.position}")
    return None if value is _UNDEFINED else value


class _Reader:
    """Reads one value. Objects are numbered as they begin, for references to them."""

    def __init__(self, stream: ReadableTagStream) -> None:
        self._stream = stream
        self._data = bytes(stream.data)
        self._objects: list[tuple[Any, int]] = []
        self._weight = 0

    @property
    def position(self) -> int:
        """Return how far the stream was read."""
        return self._stream.pos

    def read(self, path: Path, depth: int, tag: int | None = None) -> Any:
        """Read the value at `path`, whose tag may have been read already."""
        if tag is None:
            tag = self._tag()
        if depth > MAX_DEPTH:
            raise UnreadableValueError(f"{where(path)} lies more than {MAX_DEPTH} objects deep")
        self._weigh(2, path)
        reader = _READERS.get(tag)
        if reader is None:
            known = Tag(tag) if tag in _KNOWN else None
            what = _REFUSED.get(known) if known else None
            name = known.name if known else f"tag {tag}"
            raise UnreadableValueError(
                f"{where(path)} is {what or f'a value that JSON does not have ({name})'}"
            )
        return reader(self, path, depth)

    def _tag(self) -> int:
        """Read a tag; zeros before it are padding."""
        at = self._stream.pos
        while not (tag := self._data[at]):  # beyond the end: an IndexError, which `decode` explains
            at += 1
        self._stream.pos = at + 1
        return tag

    def _weigh(self, weight: int, path: Path) -> None:
        self._weight += weight
        if self._weight > MAX_WEIGHT:
            raise UnreadableValueError(f"{where(path)} makes it larger than {MAX_WEIGHT} bytes of JSON")

    def keep(self, value: Any) -> Any:
        self._objects.append((value, 2))
        return value

    def double(self, path: Path, _depth: int) -> float:
        value = self._stream.read_double()
        if not math.isfinite(value):
            raise UnreadableValueError(f"{where(path)} is {value}, which JSON does not have")
        # JavaScript has one kind of number and writes whole ones without a point.
        return int(value) if value.is_integer() and abs(value) <= _SAFE else value

    def big(self, path: Path, _depth: int) -> int:
        value = self._stream.read_bigint()
        if not _SIGNED <= value < _UNSIGNED:
            raise UnreadableValueError(f"{where(path)} is a BigInt beyond 64 bits; send it as text")
        return value

    def text(self, encoding: str) -> str:
        length = self._stream.read_varint(max_bits=32)
        self._weigh(length, ())
        raw = bytes(self._stream.read_bytes(length))
        return raw.decode(encoding, "replace")  # a half of a surrogate pair has no form in UTF-8

    def date(self, path: Path, _depth: int) -> str:
        milliseconds = self._stream.read_double()
        try:
            moment = _EPOCH + timedelta(milliseconds=milliseconds)
        except (OverflowError, ValueError):
            raise UnreadableValueError(f"{where(path)} is a Date beyond the years 1 to 9999") from None
        return str(self.keep(moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")))

    def reference(self, path: Path, _depth: int) -> Any:
        number = self._stream.read_varint(max_bits=32)
        if number >= len(self._objects):
            raise UnreadableValueError(f"{where(path)} refers to an object that is not there")
        value, weight = self._objects[number]
        if value is _UNFINISHED:
            raise UnreadableValueError(f"{where(path)} contains itself; JSON cannot hold a cycle")
        self._weigh(weight, path)
        return value

    def integer(self, _path: Path, _depth: int) -> int:
        return self._stream.read_int32()

    def unsigned(self, _path: Path, _depth: int) -> int:
        return self._stream.read_uint32()

    def _begin(self) -> tuple[int, int]:
        self._objects.append((_UNFINISHED, 0))
        return len(self._objects) - 1, self._weight

    def _end(self, begun: tuple[int, int], value: Any) -> Any:
        number, weight = begun
        self._objects[number] = (value, self._weight - weight + 2)
        return value

    def plain_object(self, path: Path, depth: int) -> dict[str, Any]:
        begun = self._begin()
        found: dict[str, Any] = {}
        for key, value in self._members(path, depth, Tag.kEndJSObject):
            found[str(key)] = value
        return self._end(begun, found)

    def _members(self, path: Path, depth: int, end: Tag) -> list[tuple[str | int | float, Any]]:
        """Read keys and values up to `end`; members that are undefined are left out, as JSON.stringify does."""
        found: list[tuple[str | int | float, Any]] = []
        count = 0
        while (tag := self._tag()) != end:
            key = self.read(path, depth + 1, tag)
            if isinstance(key, bool) or not isinstance(key, str | int | float):
                raise UnreadableValueError(f"{where(path)} is damaged: a key of it is no text")
            value = self.read((*path, key if isinstance(key, int) else str(key)), depth + 1)
            count += 1
            if value is not _UNDEFINED:
                found.append((key, value))
        self._expect(count, path)
        return found

    def _expect(self, count: int, path: Path) -> None:
        if self._stream.read_varint(max_bits=32) != count:
            raise UnreadableValueError(f"{where(path)} is damaged: its counts differ")

    def dense(self, path: Path, depth: int) -> list[Any]:
        begun = self._begin()
        length = self._stream.read_varint(max_bits=32)
        items: list[Any] = []
        for index in range(length):  # ends with the stream, whatever the length says
            value = self.read((*path, index), depth + 1)
            items.append(None if value is _UNDEFINED else value)
        self._only_items(self._members(path, depth, Tag.kEndDenseJSArray), items, path)
        self._expect(length, path)
        return self._end(begun, items)

    def sparse(self, path: Path, depth: int) -> list[Any]:
        begun = self._begin()
        length = self._stream.read_varint(max_bits=32)
        self._weigh(5 * length, path)  # each hole is a null
        items: list[Any] = [None] * length
        self._only_items(self._members(path, depth, Tag.kEndSparseJSArray), items, path)
        self._expect(length, path)
        return self._end(begun, items)

    def _only_items(
        self,
        members: list[tuple[str | int | float, Any]],
        items: list[Any],
        path: Path,
    ) -> None:
        for key, value in members:
            if not isinstance(key, int) or not 0 <= key < len(items):
                raise UnreadableValueError(f"{where(path)} is an array with a member {key!r} of its own")
            items[key] = value


def _text_in(encoding: str) -> "Read":
    return lambda reader, _path, _depth: reader.text(encoding)


def _constant(*, value: Any) -> "Read":
    return lambda _reader, _path, _depth: value


def _boxed(read: "Read") -> "Read":
    return lambda reader, path, depth: reader.keep(read(reader, path, depth + 1))


_READERS: Final["dict[int, Read]"] = {
    int(tag): read
    for tag, read in {
        Tag.kNull: _constant(value=None),
        Tag.kUndefined: _constant(value=_UNDEFINED),
        Tag.kTheHole: _constant(value=_UNDEFINED),
        Tag.kTrue: _constant(value=True),
        Tag.kFalse: _constant(value=False),
        Tag.kInt32: _Reader.integer,
        Tag.kUint32: _Reader.unsigned,
        Tag.kDouble: _Reader.double,
        Tag.kBigInt: _Reader.big,
        Tag.kOneByteString: _text_in("latin-1"),
        Tag.kTwoByteString: _text_in("utf-16-le"),
        Tag.kUtf8String: _text_in("utf-8"),
        Tag.kDate: _Reader.date,
        Tag.kTrueObject: _boxed(_constant(value=True)),
        Tag.kFalseObject: _boxed(_constant(value=False)),
        Tag.kNumberObject: _boxed(_Reader.double),
        Tag.kBigIntObject: _boxed(_Reader.big),
        Tag.kStringObject: _boxed(_Reader.read),
        Tag.kObjectReference: _Reader.reference,
        Tag.kBeginJSObject: _Reader.plain_object,
        Tag.kBeginDenseJSArray: _Reader.dense,
        Tag.kBeginSparseJSArray: _Reader.sparse,
    }.items()
}
_KNOWN: Final = frozenset(int(tag) for tag in Tag)


def where(path: Path) -> str:
    """Write a path as JavaScript would: `payload.at[2]`; the value itself is “the message”."""
    text = ""
    for part in path[:MAX_DEPTH]:
        if isinstance(part, str) and _PLAIN_KEY.match(part):
            text += f".{part}" if text else part
        else:
            text += f"[{part!r}]"
    return text[:200] or "the message"


def _said(error: Exception) -> str:
    return str(getattr(error, "message", error))[:200]
