"""A line on stderr about work that takes long."""

import sys
import time

import keras

QUIET = 2.0  # seconds: what takes less is not worth a line
EVERY = {True: 0.5, False: 10.0}  # seconds from one line to the next: on a terminal, where each replaces the last; else


def shown(items, what, count=None):
    """The same items; how many are done is written to stderr where they take more than two seconds.

    A terminal shows one line that changes. Elsewhere, as in a log file, there is a line every ten seconds.
    `keras.config.disable_interactive_logging()` turns the lines off.

    Args:
        items: a list, or a generator, of which the number of items is not known.
        what: words before the numbers, such as "Reading photos:".
        count: how many items will be taken; None for all.
    """
    if hasattr(items, "__len__"):
        count = len(items) if count is None else min(count, len(items))
    began, terminal, said, written = time.monotonic(), sys.stderr.isatty(), None, 0
    try:
        for done, item in enumerate(items):
            now = time.monotonic()
            late = now - began >= QUIET and (said is None or now - said >= EVERY[terminal])
            if late and keras.config.is_interactive_logging_enabled():
                line = f"{what} {done:,}"
                if count is not None:
                    left = (now - began) / done * max(0, count - done) if done else 0.0
                    line += f" of {count:,}{f', about {left:.0f} s left' if left >= 1 else ''}"
                print(
                    line.ljust(written if terminal else 0), end="\r" if terminal else "\n", file=sys.stderr, flush=True
                )
                said, written = now, len(line)
            yield item
    finally:
        if written and terminal:
            print(" " * written, end="\r", file=sys.stderr, flush=True)
