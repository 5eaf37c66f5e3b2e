"""Batches that are made before they are asked for, by worker threads or processes."""

import concurrent.futures
import multiprocessing
import os
import threading

from keras_gans.errors import ConfigurationError

ALL = 0, 1  # the share of the only machine
MOST_WORKERS = 8  # by default
FOR_EACH = 4  # batches that wait for each worker at most: more would only be made for nothing when a training ends


class Ahead:
    """The batches of steps, made before they are asked for.

    A batch follows from its step alone, so it does not matter which worker makes it, and when: no order is lost, and
    there is nothing to rewind.

    Args:
        batches: `Batches`.
        share: see `Batches.at`.
    """

    def __init__(self, batches, share):
        self.others, self.waiting = () if share == ALL else (share,), {}
        self.batches, self.closed, self.lock = batches, False, threading.Lock()
        workers = batches.decoding["workers"] or usable_processors()
        self.depth = max(1, min(batches.decoding["ahead"] // max(1, batches.batch_bytes), FOR_EACH * workers))
        if batches.decoding["use_multiprocessing"]:
            # Not forked: a process with the threads of a backend cannot be.
            self.pool = concurrent.futures.ProcessPoolExecutor(
                workers, multiprocessing.get_context("spawn"), _begin, (batches,)
            )
            self.read = _read
        else:
            self.pool = concurrent.futures.ThreadPoolExecutor(workers, "batches")
            self.read = batches.at

    def at(self, step):
        """The batch of a step; those of the next steps are begun."""
        wanted = range(step, step + self.depth)
        with self.lock:  # what reads an epoch that was ended early may still ask beside the next one
            if self.closed:
                return self.batches.at(step, *self.others)
            for other in [other for other in self.waiting if other not in wanted]:
                self.waiting.pop(other).cancel()
            for one in wanted:
                if one not in self.waiting:
                    self.waiting[one] = self.pool.submit(self.read, one, *self.others)
            asked = self.waiting.pop(step)
        try:
            return asked.result()
        except concurrent.futures.BrokenExecutor as error:
            raise ConfigurationError(
                "Expected processes that decode images. Received: they ended. A script must start its work under "
                '`if __name__ == "__main__":`, because each process imports it; or leave out use_multiprocessing=True.'
            ) from error

    def close(self):
        """Ends the workers; batches that wait are dropped."""
        with self.lock:
            self.closed = True
            self.waiting.clear()
        self.pool.shutdown(wait=False, cancel_futures=True)


def usable_processors():
    """How many processors this process may use, at most `MOST_WORKERS`."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, MOST_WORKERS)


_batches = None  # of a worker process


def _begin(batches):
    global _batches
    _batches = batches


def _read(*arguments):
    return _batches.at(*arguments)
