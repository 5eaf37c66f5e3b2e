"""The command `keras-gans`, killing itself with SIGKILL at the place that the first argument names: "step 7" when seven
steps of the model are done; "writestr 2" just before the second call of a function that writing a checkpoint calls; "-"
nowhere."""

import os
import signal
import sys
import zipfile

import keras

# In the order in which a checkpoint is written: the weights, half a file then; reading it back; putting it on the disk;
# the renames. Pictures and logs are put on the disk and renamed too.
CALLED = {
    "writestr": zipfile.ZipFile,
    "testzip": zipfile.ZipFile,
    "fsync": os,
    "replace": os,
}


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at_call(name, count):
    owner, calls = CALLED[name], iter(range(count - 1))
    function = getattr(owner, name)

    def called(*args, **kwargs):
        if next(calls, None) is None:
            kill()
        return function(*args, **kwargs)

    setattr(owner, name, called)


def kill_after_step(count):
    from keras_gans.callbacks import SampleGrid

    def on_train_batch_end(self, batch, logs=None):
        if int(keras.ops.convert_to_numpy(self.model.step)) >= count:
            kill()

    SampleGrid.on_train_batch_end = on_train_batch_end


if __name__ == "__main__":
    place, *sys.argv[1:] = sys.argv[1:]
    name, _, count = place.partition(" ")
    if name == "step":
        kill_after_step(int(count))
    elif name in CALLED:
        kill_at_call(name, int(count))
    from keras_gans_cli import app

    app.main()
