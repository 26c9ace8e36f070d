"""Lists that come a page at a time."""

import asyncio
import collections
import threading
from typing import Callable, Deque, Generic, List, Optional, Sequence, Tuple, TypeVar

_Item = TypeVar("_Item")


class Pages(Generic[_Item]):
    """What is on the pages of a list, one item after the other: `for item in pages`, or `async for`.

    A page is asked for when the one before has been read.  An error does not end it: the next step asks for
    the same page again.  Used by one thread or task at a time.
    """

    def __init__(self, ask: Callable[[str], Tuple[Sequence[_Item], str]], after: str) -> None:
        """Made by the clients.  ask: the page after this one, and where the next begins."""
        self._ask = ask
        self._next: Optional[str] = after
        self._items: Deque[_Item] = collections.deque()
        self._asking = threading.Lock()

    @property
    def next(self) -> Optional[str]:
        """Where the page begins that has not been asked for yet: the `after` of another such list.

        None: the last page has been read.
        """
        return self._next

    def page(self) -> Optional[List[_Item]]:
        """The next page, or what is left of the one that is being read; None: there is none.

        A page may be empty although others follow.
        """
        with self._asking:
            if not self._items and not self._fetch():
                return None
            items = list(self._items)
            self._items.clear()
            return items

    def __iter__(self) -> "Pages[_Item]":
        return self

    def __next__(self) -> _Item:
        if not self._fill():
            raise StopIteration
        return self._items.popleft()

    def __aiter__(self) -> "Pages[_Item]":
        return self

    async def __anext__(self) -> _Item:
        """A page is waited for in a thread of the loop's; who cancels that loses no item."""
        if not self._items and not await asyncio.get_running_loop().run_in_executor(None, self._fill):
            raise StopAsyncIteration
        return self._items.popleft()

    def _fill(self) -> bool:
        """Whether there is an item, after any number of empty pages."""
        with self._asking:
            while not self._items:
                if not self._fetch():
                    return False
            return True

    def _fetch(self) -> bool:
        if self._next is None:
            return False
        items, following = self._ask(self._next)
        self._items.extend(items)
        self._next = following or None
        return True
