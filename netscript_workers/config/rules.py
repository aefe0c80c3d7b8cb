"""Rules between settings: what no single value can break alone."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from netscript_workers.config.choices import Provider
from netscript_workers.config.place import Place, dotted, problem_at
from netscript_workers.domain.problem import Problem

if TYPE_CHECKING:
    from netscript_workers.config.definitions import JobTable, TaskTable
    from netscript_workers.config.node import Node
    from netscript_workers.config.settings import Settings

_URL_OF: Final = {Provider.REDIS: "redis_url"}
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})


def broken_rules(settings: "Settings") -> list[Problem]:
    """Return every broken rule."""
    rules = _Rules(settings)
    return [
        *rules.ids(),
        *rules.topics(),
        *rules.members(),
        *rules.listening(),
        *rules.unconfined(),
        *rules.nowhere(),
    ]


class _Rules:
    def __init__(self, settings: "Settings") -> None:
        self._settings = settings

    def _at(self, node: "Node", key: str) -> Place:
        return self._settings.place_of(*node.place.path, key)

    def _targets(self) -> Iterator["JobTable | TaskTable"]:
        yield from self._settings.jobs
        yield from self._settings.tasks
        for group in self._settings.groups:
            yield from group.jobs
            yield from group.tasks

    def ids(self) -> Iterator[Problem]:
        """No two targets share an id, be they jobs or tasks."""
        first: dict[str, Place] = {}
        for target in self._targets():
            place = self._at(target, "id")
            if target.id in first:
                message = f"the id “{target.id}” is taken already, by {_where(first[target.id])}"
                yield problem_at(
                    "E023", place, message, "jobs and tasks share one space of ids: rename one of them"
                )
            first.setdefault(target.id, place)

    def topics(self) -> Iterator[Problem]:
        """No two groups bind one topic."""
        first: dict[str, Place] = {}
        for group in self._settings.groups:
            place = self._at(group, "topic")
            if group.topic in first:
                message = f"the topic “{group.topic}” has a group already, at {_where(first[group.topic])}"
                yield problem_at("E024", place, message, "put the jobs and tasks of both into one group")
            first.setdefault(group.topic, place)

    def members(self) -> Iterator[Problem]:
        """A member of a group takes the group's topic, so it cannot name another."""
        for group in self._settings.groups:
            for member in (*group.jobs, *group.tasks):
                if member.topic is not None and member.topic != group.topic:
                    message = (
                        f"“{member.id}” names the topic “{member.topic}”, but its group binds “{group.topic}”"
                    )
                    hint = "leave the topic out, or move the definition out of the group"
                    yield problem_at("E025", self._at(member, "topic"), message, hint)

    def listening(self) -> Iterator[Problem]:
        """An API that others can reach asks for a token."""
        api = self._settings.api
        host = api.listen.rpartition(":")[0]
        if host not in _LOOPBACK and api.token is None:
            place = self._settings.place_of("api", "listen")
            message = f"the API would listen on {api.listen} without a token"
            yield problem_at(
                "E026", place, message, "set api.token (“env:NAME” reads it from the environment)"
            )

    def nowhere(self) -> Iterator[Problem]:
        """A provider that is a server has a URL."""
        provider = self._settings.queue_provider
        key = _URL_OF.get(provider)
        if key is not None and getattr(self._settings.connections, key) is None:
            place = self._settings.place_of("queue_provider")
            message = f"the queue provider is {provider.value}, but nothing says where it is"
            yield problem_at("E030", place, message, f"set connections.{key}, or {key.upper()}")

    def unconfined(self) -> Iterator[Problem]:
        """`require_permissions` closes the door of a task without permissions."""
        if not self._settings.require_permissions:
            return
        tasks = [*self._settings.tasks, *(task for group in self._settings.groups for task in group.tasks)]
        for task in tasks:
            if task.permissions is None:
                message = f"the task “{task.id}” has no permissions, and require_permissions is set"
                hint = "add permissions, at least permissions = “none”"
                yield problem_at("E027", task.place, message, hint)


def _where(place: Place) -> str:
    position = f" ({place.file}:{place.line}:{place.column})" if place.line else ""
    return dotted(place.path) + position
