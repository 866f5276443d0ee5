"""One act for all who wait for the same: the last value counts, all get the answer.

Many edits of one comment that wait for their turn become one edit; many who ask
for the same thing are told by one request. Whoever comes after an act has begun is
told by the next one, so nobody is given an answer older than the question.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

Value = TypeVar("Value")
Result = TypeVar("Result")


class Turn(Generic[Value]):
    """One act to come, and what it is to act with."""

    def __init__(self, value: Value, close: Callable[["Turn[Value]"], None]) -> None:
        self._value = value
        self._close = close

    @property
    def value(self) -> Value:
        """The last value so far."""
        return self._value

    def replace(self, value: Value) -> None:
        """Act with ``value`` instead."""
        self._value = value

    def take(self) -> Value:
        """The last value. Whoever comes later belongs to the next turn."""
        self._close(self)
        return self._value


class _Shared(Turn[Value], Generic[Value, Result]):
    """A turn and what came of it."""

    outcome: asyncio.Future[Result] | None = None


class Turns(Generic[Value, Result]):
    """Turns of many keys; those of one key follow one another."""

    def __init__(self) -> None:
        self._open: dict[Hashable, _Shared[Value, Result]] = {}
        self._locks: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()

    async def share(
        self,
        key: Hashable,
        value: Value,
        act: Callable[[Turn[Value]], Awaitable[Result]],
    ) -> Result:
        """Let one of all who wait for ``key`` act, and give its result to all.

        ``act`` has to ``take`` the value right before it uses it. An error is the
        error of all; somebody who is cancelled is no reason for the others to end.
        """
        turn = self._join(key, value)
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            if turn.outcome is None:
                try:
                    result = await act(turn)
                except Exception as error:
                    turn.outcome = _failed(error)
                    raise
                else:
                    turn.outcome = _done(result)
                finally:
                    self._close(key, turn)
            return turn.outcome.result()

    def _join(self, key: Hashable, value: Value) -> _Shared[Value, Result]:
        turn = self._open.get(key)
        if turn is None:
            turn = _Shared(value, lambda closed: self._close(key, closed))
            self._open[key] = turn
        else:
            turn.replace(value)
        return turn

    def _close(self, key: Hashable, turn: Turn[Value]) -> None:
        if self._open.get(key) is turn:
            del self._open[key]


def _done(result: Result) -> asyncio.Future[Result]:
    outcome = asyncio.get_running_loop().create_future()
    outcome.set_result(result)
    return outcome


def _failed(error: Exception) -> asyncio.Future[Result]:
    outcome = asyncio.get_running_loop().create_future()
    outcome.set_exception(error)
    outcome.exception()  # seen: the one who acted is told by raising
    return outcome
