"""Batches that are made before they are asked for, by worker threads or processes."""

import concurrent.futures
import io
import mmap
import multiprocessing
import os
import pickle
import threading

import numpy as np

from keras_gans.errors import ConfigurationError
from keras_gans_core.errors import format_error

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
        end: the number of batches; None for no end.

    Raises:
        ConfigurationError: with `use_multiprocessing`, data that cannot be sent to another process.
    """

    def __init__(self, batches, share, end=None):
        self.others, self.waiting = () if share == ALL else (share,), {}
        self.batches, self.end, self.closed, self.lock = batches, end, False, threading.Lock()
        workers = batches.decoding["workers"] or usable_processors()
        self.depth = max(1, min(batches.decoding["ahead"] // max(1, batches.batch_bytes), FOR_EACH * workers))
        if batches.decoding["use_multiprocessing"]:
            # Not forked: a process with the threads of a backend cannot be.
            self.pool = concurrent.futures.ProcessPoolExecutor(
                workers, multiprocessing.get_context("spawn"), _begin, (_sent(batches),)
            )
            self.read = _read
        else:
            self.pool = concurrent.futures.ThreadPoolExecutor(workers, "batches")
            self.read = batches.at

    def at(self, step):
        """The batch of a step; those of the next steps are begun."""
        last = step + self.depth
        wanted = range(step, last if self.end is None else max(step + 1, min(last, self.end)))
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
        except concurrent.futures.CancelledError:
            return self.batches.at(step, *self.others)  # the workers were ended meanwhile
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


def _sent(batches):
    """What a process gets: memory maps are sent as the places of their files."""
    found = io.BytesIO()
    try:
        _Pickler(found).dump(batches)
    except ConfigurationError:
        raise
    except Exception as error:  # the user's classes may raise any
        raise ConfigurationError(
            f"Expected data that can be sent to other processes. Received: {format_error(error, longest=200)}. Define "
            "their classes in a module, not in a function, and open files only where examples are read; or leave out "
            "use_multiprocessing=True."
        ) from error
    return found.getvalue()


class _Pickler(pickle.Pickler):
    def reducer_override(self, value):
        if not isinstance(value, np.memmap) or value._mmap is None:
            return NotImplemented
        if value.filename is None or value.mode == "c":
            raise ConfigurationError(
                "Expected a memory map of a file that other processes can read. Received: one "
                f"{'without the name of its file' if value.filename is None else 'whose changes no file has (mode c)'}."
                " Map it with np.load(path, mmap_mode='r'), or leave out use_multiprocessing=True."
            )
        # The values may be a part of those that were mapped, whose offset NumPy does not change.
        begin = np.frombuffer(value._mmap, "uint8").__array_interface__["data"][0]
        place = value.__array_interface__["data"][0] - begin + value.offset - value.offset % mmap.ALLOCATIONGRANULARITY
        return _mapped, (value.filename, value.shape, value.dtype, place, value.strides)


def _mapped(path, shape, dtype, place, strides):
    return np.ndarray(shape, dtype, np.memmap(path, mode="r"), place, strides).view(np.memmap)


_batches = None  # of a worker process


def _begin(content):
    global _batches
    _batches = pickle.loads(content)


def _read(*arguments):
    return _batches.at(*arguments)
