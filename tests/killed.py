"""Runs the command `keras-gans` again and again, each time in a process of its own that may be killed at any call that
changes a file of the run: a server, because importing the backend takes longer than a small run.

It reads one JSON object a line, {"folder": ..., "arguments": [...], "kill": 7 or null}, and answers each with one:
{"code": ..., "calls": how many such calls were made or null, "said": what was written to the standard error}. A killed
process has the code -9. The run is in FOLDER/run. Each process is forked before the backend has computed anything.
"""

import json
import os
import signal
import sys
import tempfile
import traceback

import contract  # noqa: F401  (the recipes' models come from it)
from file_faults import calls_in

from keras_gans_cli import app


def run(folder, arguments, kill, said):
    """What a process does; its exit code."""
    os.chdir(folder)
    os.dup2(said.fileno(), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["keras-gans", *arguments]

    def act(name, number):
        if number == kill:
            os.kill(os.getpid(), signal.SIGKILL)

    with calls_in(os.path.join(folder, "run"), act) as names:
        try:
            app.main()
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException:
            traceback.print_exc()
            code = 1
    with open("calls", "w") as file:
        file.write(str(len(names)))
    return code


def serve():
    for line in sys.stdin:
        asked, calls = json.loads(line), None
        path = os.path.join(asked["folder"], "calls")
        with tempfile.TemporaryFile("w+") as said:
            process = os.fork()
            if process == 0:
                code = 1
                try:
                    code = run(asked["folder"], asked["arguments"], asked["kill"], said)
                finally:
                    sys.stderr.flush()
                    os._exit(code)
            _, status = os.waitpid(process, 0)
            if os.path.exists(path):
                with open(path) as file:
                    calls = int(file.read())
                os.remove(path)
            said.seek(0)
            about = {"code": os.waitstatus_to_exitcode(status), "calls": calls, "said": said.read()}
        print(json.dumps(about), flush=True)


if __name__ == "__main__":
    serve()
