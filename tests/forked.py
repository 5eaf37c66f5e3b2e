"""Runs Python programs that use the library as `python ARGUMENTS` would, without importing the backend for each, which
takes longer than most of them.

A server has imported the backend and computed nothing; each program runs in a process forked from it. So the variables
of the environment that matter at the import are those of the tests. A test of what is written at the import, of the
memory that a process takes, of signals or of terminals starts a new process. So does `run` on JAX, whose threads do not
survive a fork, and on PyTorch.
"""

import atexit
import functools
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

AT_IMPORT = ("CUDA_", "JAX_", "KERAS_BACKEND", "LD_", "OMP_", "PYTHON", "TF_", "XLA_")  # how such variables begin


def run_anew(*arguments, cwd=None, env=None, timeout=300, text=True):
    """Like `run`, in a process that imports the backend itself."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=env, timeout=timeout, text=text, capture_output=True)


def run(*arguments, cwd=None, env=None, timeout=300, text=True):
    """Runs a program that uses the library, in a forked process on TensorFlow.

    Args:
        arguments: those of Python: "-c" and code, "-m" and a module, or a file; then the program's own.
        cwd: the program's folder; None for that of the tests.
        env: all variables of its environment; None for those of the tests.
        timeout: whole seconds, after which the program is killed.
        text: whether its output is text, or bytes.

    Returns:
        A `subprocess.CompletedProcess`.
    """
    cwd, env = cwd or os.getcwd(), dict(os.environ if env is None else env)
    if env.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        return run_anew(*arguments, cwd=cwd, env=env, timeout=timeout, text=text)
    with tempfile.TemporaryDirectory() as folder:
        code = _server()(command=[*map(os.fsdecode, arguments)], cwd=str(cwd), env=env, timeout=timeout, folder=folder)
        said = [Path(folder, name).read_bytes() for name in ("1", "2")]
    if code == -signal.SIGALRM:
        raise subprocess.TimeoutExpired(arguments, timeout, *said)
    return subprocess.CompletedProcess(arguments, code, *(part.decode() if text else part for part in said))


@functools.cache
def _server():
    """Starts the server. Returns a function of what `_program` takes, which gives the exit code."""
    server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.communicate)  # it ends with its input
    settings = _at_import(os.environ)

    def ask(env, **program):
        assert _at_import(env) == settings, f"other variables for the import than {settings}: start a process"
        print(json.dumps({"env": env, **program}), file=server.stdin, flush=True)
        return int(server.stdout.readline())

    return ask


def _at_import(env):
    return {name: value for name, value in env.items() if name.startswith(AT_IMPORT)}


def _program(command, cwd, env, timeout, folder):
    """Runs a program in this process, with the output in two files."""
    signal.alarm(timeout)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    files = [open(os.devnull), open(os.path.join(folder, "1"), "w"), open(os.path.join(folder, "2"), "w")]
    for number, file in enumerate(files):
        os.dup2(file.fileno(), number)
    sys.stdin = files[0]
    how, *rest = command
    if how == "-c":
        sys.argv, sys.path[0] = ["-c", *rest[1:]], ""
        exec(rest[0], {"__name__": "__main__"})
    elif how == "-m":
        sys.argv, sys.path[0] = rest, cwd
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = command, os.path.dirname(how)
        runpy.run_path(how, run_name="__main__")


def _serve():
    import keras_gans  # noqa: F401  (and no part of it that it does not import itself)

    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            _program(**json.loads(line))
            sys.exit()  # after which Python ends as it always does
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _serve()
