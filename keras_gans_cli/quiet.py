"""Imports the library without the backend's chatter."""

import contextlib
import os
import sys
import tempfile


@contextlib.contextmanager
def silence():
    """Keeps what is written to file descriptor 2 off the terminal; shows it if the block raises.

    TensorFlow writes there before its own log level is in force, so nothing in Python can filter it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        terminal = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(terminal, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)


def library(devices=1):
    """The module `keras_gans`, imported in silence. The backend's first operation runs in silence too, unless several
    devices or machines are to train together: TensorFlow must know about them before it."""
    with silence():
        import keras_gans  # before Keras, because it chooses TensorFlow's kernels

        if devices == 1 and "TF_CONFIG" not in os.environ:
            import keras

            keras.ops.convert_to_numpy(keras.ops.zeros((1,)))
    return keras_gans
