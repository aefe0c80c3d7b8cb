"""Which functions can be handlers."""

import functools
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from netscript_workers import JobContext
from netscript_workers.errors import DefinitionError
from support.authoring import handler_of


@dataclass
class Order:
    number: int


def generator(ctx):
    yield 1


async def async_generator(ctx):
    yield 1


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: 1, "takes no context"),
        (lambda ctx, payload, more: 1, "nothing would fill its parameter 'more'"),
        (lambda ctx, *, key: 1, "nothing would fill its parameter 'key'"),
        (generator, "a generator cannot be a handler"),
        (async_generator, "a generator cannot be a handler"),
    ],
)
def test_an_impossible_signature_is_refused_with_the_reason(function, words):
    with pytest.raises(DefinitionError, match=words):
        handler_of(function)


def plain(payload: dict): ...


def in_words(payload: "dict[str, int]"): ...


def a_model(order: Order, ctx: JobContext): ...


@pytest.mark.parametrize("function", [plain, in_words, a_model])
def test_a_payload_in_the_place_of_the_context_is_refused(function):
    with pytest.raises(DefinitionError, match="is annotated as a payload, and is given the context"):
        handler_of(function)


class Reporting(Protocol):
    async def progress(self, percent: float) -> None: ...


def of_the_context(ctx: JobContext): ...


def of_a_protocol(ctx: Reporting, payload: dict): ...


def of_either(ctx: JobContext | None, payload: Order): ...


def of_anything(ctx: Any): ...


def of_a_word(ctx: "JobContext"): ...


@pytest.mark.parametrize("function", [of_the_context, of_a_protocol, of_either, of_anything, of_a_word])
def test_a_context_may_be_annotated_in_any_way(function):
    assert handler_of(function).function is function


@pytest.mark.parametrize(
    ("function", "takes_payload"),
    [
        (lambda ctx: 1, False),
        (lambda ctx, /: 1, False),
        (lambda ctx, payload: 1, True),
        (lambda ctx, payload=None, *rest, **more: 1, True),
        (lambda ctx, *rest: 1, False),
        (lambda ctx, payload, retries=3: 1, True),
    ],
)
def test_usual_signatures_are_taken(function, takes_payload):
    assert (handler_of(function).decode is not None) is takes_payload


def test_a_wrapped_function_is_seen_through():
    def decorated(function):
        @functools.wraps(function)
        async def wrapper(*args, **kwargs):
            return await function(*args, **kwargs)

        return wrapper

    @decorated
    async def inner(ctx, payload: dict[str, int]): ...

    handler = handler_of(inner)
    assert handler.is_async
    assert handler.annotation == dict[str, int]
