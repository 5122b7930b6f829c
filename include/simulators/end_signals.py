"""Ctrl-C (SIGINT) and SIGTERM end a program in order, in whatever way it was started."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_END_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def in_order_at_end_signals() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt, and SIGTERM SystemExit, so that the `with` blocks are left one after another.

    Further signals are ignored, because they would interrupt that. A shell that starts a program in the background
    makes it ignore SIGINT, and its children inherit that; a handler of our own ends both. Outside the main thread this
    does nothing.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield
        return

    def leave(number: int, _frame: FrameType | None) -> None:
        for each in _END_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in _END_SIGNALS}
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is leave:  # no signal came
            for number, handler in before.items():
                signal.signal(number, handler)
