"""Publisher confirms: which messages of which batch the broker has taken."""

import asyncio


class Batch:
    """Messages published together. `done` ends with how many of them the broker refused."""

    __slots__ = ("done", "left", "refused")

    def __init__(self, count: int, done: "asyncio.Future[int]") -> None:
        """Wait for `count` confirms."""
        self.left = count
        self.refused = 0
        self.done = done


class Confirms:
    """The books of one channel in confirm mode. The broker numbers messages from 1, and so do we."""

    def __init__(self) -> None:
        """Begin with nothing published."""
        self._last = 0
        self._open: dict[int, Batch] = {}  # in rising order

    def expect(self, count: int) -> Batch:
        """Note that the next `count` messages go out now."""
        batch = Batch(count, asyncio.get_running_loop().create_future())
        for _ in range(count):
            self._last += 1
            self._open[self._last] = batch
        return batch

    def hear(self, tag: int, *, multiple: bool, taken: bool) -> None:
        """Take the broker's word for message `tag`, and for all before it if `multiple`."""
        tags = [tag]
        if multiple:
            tags.clear()
            for one in self._open:
                if one > tag:
                    break
                tags.append(one)
        for one in tags:
            batch = self._open.pop(one, None)
            if batch is None:
                continue
            batch.left -= 1
            batch.refused += not taken
            if batch.left == 0 and not batch.done.done():
                batch.done.set_result(batch.refused)

    def fail(self, error: BaseException) -> None:
        """End every wait with `error`; confirms that come all the same change nothing."""
        for batch in set(self._open.values()):
            if not batch.done.done():
                batch.done.set_exception(error)
                batch.done.exception()  # whoever waited may be gone: nobody needs to hear of it then
