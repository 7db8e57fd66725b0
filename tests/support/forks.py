"""Runs of pytest in forks of a process that has imported already what a light run imports.

A run is a process of its own, with its folder, environment and descriptors, and so is each of its
workers under xdist; what it saves is the second or two that Python takes to import everything.
Whatever is about the start of Python, or about what is imported, wants a fresh process instead.
"""

from __future__ import annotations

import atexit
import gc
import inspect
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from support.places import TESTS

BEGIN = ("PYTHON", "LANG", "LC_", "HF_", "TRANSFORMERS_")
"""Variables that are read where Python or a library starts."""
READ = 1 << 20
"""More than any request has bytes."""


class Server:
    """The process that forks, with Python begun in an environment, and `more` modules imported.

    It ends with the process that started it.
    """

    def __init__(self, more=(), environment=os.environ):
        self._folder = tempfile.TemporaryDirectory(prefix="forks-")
        self.socket = str(Path(self._folder.name, "socket"))
        self.environment = _of_python(environment)
        # The first one writes down what a light run imports, and the others read it.
        self.light = server().light if more else str(Path(self._folder.name, "modules.txt"))
        command = [sys.executable, "-m", "support.forks", self.socket, self.light, *more]
        paths = [str(TESTS), *filter(None, [environment.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            command,
            env=environment | {"PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._process.stdout.readline()  # it listens
        atexit.register(self.end)

    def end(self):
        """End it, and keep nothing."""
        atexit.unregister(self.end)
        self._process.stdin.close()
        self._process.wait()
        self._folder.cleanup()


def _of_python(environment):
    """What the start of Python depends on, but for what each fork heeds itself."""
    heeded = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(BEGIN) and name not in heeded
    }


@cache
def server(*more):
    """One for all runs of this process; `more` modules are imported as well."""
    return Server(more)


def possible(environment=os.environ, of=None):
    """Whether there are forks here, and Python would start here as it did there."""
    return hasattr(os, "pidfd_open") and _of_python(environment) == (of or server()).environment


def popen(command, *, stdout, stderr, **_):
    """In place of `Pytester.popen` for `python -mpytest ...`."""
    paths = filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")])  # as it has them
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    with Path(os.devnull).open() as nothing:
        asked = ("pytest", command[2:], Path.cwd(), environment)
        return Fork(server().socket, *asked, (nothing, stdout, stderr))


def run(module, arguments, **how):
    """`python -m MODULE`, as `begin` has it: the finished process."""
    return begin(module, arguments, **how)()


def begin(
    module,
    arguments,
    *,
    folder,
    environment=os.environ,
    more=(),
    of=None,
    fresh=False,
    text=True,
):
    """Begin `python -m MODULE`: gives what waits for its end, and tells how it ended.

    It is a fork, unless it is to be `fresh`: of the server `of`, or of one that has `more`
    imported. It says text, unless `text` is false.
    """
    arguments = [str(argument) for argument in arguments]
    if fresh or not possible(environment, of):
        command = [sys.executable, "-m", module, *arguments]
        pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen(command, cwd=folder, env=environment, text=text, **pipes)

        def told():
            told = process.communicate()
            return subprocess.CompletedProcess(command, process.returncode, *told)

        return told
    out, err = (tempfile.TemporaryFile("w+" if text else "w+b") for _ in range(2))  # noqa: SIM115
    with Path(os.devnull).open() as nothing:
        asked = (module, arguments, folder, environment)
        fork = Fork((of or server(*more)).socket, *asked, (nothing, out, err))

    def ended():
        with out, err:
            status = fork.wait()
            for file in (out, err):
                file.seek(0)
            return subprocess.CompletedProcess(arguments, status, out.read(), err.read())

    return ended


class Fork:
    """One process: asked for by whoever tests, or by a run for its workers."""

    stdin = None

    def __init__(self, path, module, arguments, folder, environment, files):
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(path)
        asked = {"module": module, "arguments": list(arguments), "folder": str(folder)}
        asked |= {"environment": dict(environment), "umask": os.umask(0o022)}
        os.umask(asked["umask"])
        told = json.dumps(asked).encode()
        numbers = [file if isinstance(file, int) else file.fileno() for file in files]
        socket.send_fds(self._connection, [len(told).to_bytes(4)], numbers)
        self._connection.sendall(told)
        self.pid = int.from_bytes(self._connection.recv(4))
        self._status = None

    def kill(self):
        """End it."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wait(self):
        """Its exit status, negative for a signal, as `subprocess` has it."""
        if self._status is None:
            with self._connection:
                told = self._connection.recv(4)
            if not told:
                raise RuntimeError("the process that forks has ended")
            self._status = int.from_bytes(told, signed=True)
        return self._status


# -- in the process that forks ---------------------------------------------------------------------


def _serve(path):
    """Fork for whoever asks; returns the request in each fork, and None at the end."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    poll = select.poll()
    for each in (0, listening.fileno()):
        poll.register(each, select.POLLIN)
    running = {}  # a descriptor of a process -> (its id, who waits for it)
    while True:
        for ready, _ in poll.poll():
            if ready == 0:
                return None
            if ready in running:
                poll.unregister(ready)
                _ended(ready, *running.pop(ready))
                continue
            connection, _ = listening.accept()
            request, files = _received(connection)
            pid = os.fork()
            if not pid:
                for each in (listening, connection, *(waiting for _, waiting in running.values())):
                    each.close()
                return request, files
            for each in files:
                os.close(each)
            connection.sendall(pid.to_bytes(4))
            number = os.pidfd_open(pid)
            running[number] = pid, connection
            poll.register(number, select.POLLIN)


def _received(connection):
    start, files, *_ = socket.recv_fds(connection, 4, 3)
    left, parts = int.from_bytes(start), []
    while left:
        parts.append(connection.recv(min(left, READ)))
        left -= len(parts[-1])
    return json.loads(b"".join(parts)), files


def _ended(number, pid, connection):
    _, status = os.waitpid(pid, 0)
    os.close(number)
    with connection, suppress(OSError):  # who asked may be gone
        connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, signed=True))


def _become(request, files, paths, path):
    """In a fork: be the process that was asked for."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    os.umask(request["umask"])
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [str(Path.cwd()), *filter(None, given), *paths]
    if "torch" in sys.modules and (threads := os.environ.get("OMP_NUM_THREADS")):
        sys.modules["torch"].set_num_threads(int(threads))
    _fork_workers(path)
    if request["module"] is None:
        sys.argv = ["-c"]
        exec(eval(sys.stdin.readline()), {"__name__": "__main__"})  # noqa: S102, S307 - as execnet
    else:
        sys.argv = ["-m", *request["arguments"]]
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def _fork_workers(path):
    """Have the workers of xdist forked as well."""
    from execnet import gateway_io
    from xdist import workermanage

    workermanage._sys_path = list(sys.path)  # else that of the process that imported it

    class Worker(gateway_io.Popen2IO):
        def __init__(self, args, execmodel):
            (theirs, ours), (mine, given) = os.pipe(), os.pipe()
            self._fork = Fork(path, None, (), Path.cwd(), os.environ, (theirs, given, 2))
            os.close(theirs)
            os.close(given)
            super().__init__(os.fdopen(ours, "wb"), os.fdopen(mine, "rb"), execmodel)

        def wait(self):
            return self._fork.wait()

        def kill(self):
            self._fork.kill()

    gateway_io.Popen2IOMaster = Worker


LIGHT = """
import sys

def pytest_unconfigure():
    with open("modules.txt", "w") as file:
        file.writelines(f"{name}\\n" for name in sys.modules)
"""
"""A plugin that tells what a run has imported."""
MODELS = (
    *("torch", "transformers", "datasets", "peft", "trl", "accelerate", "safetensors.torch"),
    *("transformers.models.opt.modeling_opt", "transformers.models.auto.modeling_auto"),
    *("trl.trainer.sft_trainer", "trl.trainer.dpo_trainer", "trl.trainer.reward_trainer"),
    *("alignment.policies.huggingface", "alignment.judges.reward_model"),
    *("alignment.training.models", "alignment.training.trainers"),
)
"""What a run with models imports more."""
OF_ENDPOINTS = (
    *("openai.resources.chat.completions.completions", "openai.resources.completions"),
    *("httpcore2", "httpcore2._backends.anyio", "anyio._backends._asyncio", "filelock"),
    *("alignment.serving.client", "alignment.serving.limits"),
    *("alignment.policies.endpoint", "alignment.judges.llm"),
)
OF_HUB = ("datasets", "huggingface_hub.constants", "alignment.prompts.hub")
OF_FIGURES = ("matplotlib.figure", "matplotlib.font_manager", "matplotlib.backends.backend_svg")
OF_XDIST = ("xdist.dsession", "xdist.workermanage", "xdist.remote", "execnet.gateway_io")


def _modules_of_a_light_run(folder):
    """What a run of a small world, in this folder, has imported at its end."""
    from support.worlds import QUIET, World

    World(folder)
    (folder / "light.py").write_text(LIGHT)
    command = [sys.executable, "-m", "pytest", *QUIET, "-p", "light"]
    command += ["--alignment-profile=world.toml", "--alignment-store=store"]
    command += ["--alignment-format=json", "--alignment-format=md"]
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=False)
    return (folder / "modules.txt").read_text()


def _import_what_runs_import(light, more):
    """Import, through pytest as a run does, what the file `light` names, and `more`."""
    from importlib import import_module

    from _pytest.config import _prepareconfig

    from support.worlds import QUIET

    with tempfile.TemporaryDirectory(prefix="forks-") as folder:
        if not light.is_file():
            light.write_text(_modules_of_a_light_run(Path(folder)))
        names = light.read_text().split()
        names += [*OF_XDIST, *OF_ENDPOINTS, *OF_HUB, *OF_FIGURES, *more]
        config = _prepareconfig([*QUIET, f"--rootdir={folder}", "-c", os.devnull])
        for name in names:
            if name not in {"__main__", "light", "test_suite"} and name not in sys.modules:
                with suppress(ImportError):
                    import_module(name)
        config._ensure_unconfigure()
        # It looks at the path of every module, once: where a test fails, for its source.
        inspect.getmodule(compile("", os.devnull, "exec"))


def main(path, light, *more):
    """Serve at the socket of this path, with what the file `light` names and `more` imported."""
    began = [os.path.realpath(each) for each in os.environ["PYTHONPATH"].split(os.pathsep)]
    paths = [each for each in sys.path[1:] if os.path.realpath(each) not in began]
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    _import_what_runs_import(Path(light), more)
    gc.freeze()  # nothing that is here already is looked at again
    found = _serve(path)
    if found is not None:
        _become(*found, paths, path)


if __name__ == "__main__":
    from support.forks import main as start  # one module, whoever imports it

    start(*sys.argv[1:])
