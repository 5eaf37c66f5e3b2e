"""Runs the command `keras-gans`, and kills it at a call that changes a file of the run: python killed.py CALL ARGUMENTS

The run is in the folder `run`, and its calls are counted from 1 on; 0 kills none. How many there were, unless it was
killed, is in the file `calls`.
"""

import os
import signal
import sys
from pathlib import Path

from file_faults import calls_in

from keras_gans_cli import app

if __name__ == "__main__":
    kill = int(sys.argv.pop(1))

    def act(name, number):
        if number == kill:
            os.kill(os.getpid(), signal.SIGKILL)

    with calls_in("run", act) as names:
        try:
            app.main()
        finally:
            Path("calls").write_text(str(len(names)))
