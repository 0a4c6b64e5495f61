"""Waits for a condition instead of for a time."""

import time
from collections.abc import Callable


def wait_until[T](
    condition: Callable[[], T], timeout: float = 30, explain: Callable[[], object] = lambda: ""
) -> T:
    """Returns condition's first true result; an AssertionError with explain's if there is none in time."""
    deadline = time.monotonic() + timeout
    while True:
        if result := condition():
            return result
        assert time.monotonic() < deadline, f"not so within {timeout} s: {explain()}"
        time.sleep(0.02)
