"""A shim over the calls by which Python writes, renames, syncs, makes and removes files.

For tests that kill a process at its N-th call, or have the call refused.
"""

import errno
import os
import signal
from contextlib import contextmanager

from alignment.files import sets

NAMES = ("chmod", "chown", "fsync", "link", "mkdir", "open", "rename", "replace", "rmdir", "unlink")
"""Of the module `os`, with `write`; `open` only counts where it makes a file."""


class Calls:
    """Counts calls; at each one whose number `meets` says so, `act(name)` comes before it.

    Of the bytes of a `write` half are written first.
    """

    def __init__(self, meets, act):
        self.meets, self.act, self.names = meets, act, []

    def note(self, name, first=lambda: None):
        self.names.append(name)
        if self.meets(len(self.names)):
            first()
            self.act(name)

    @contextmanager
    def noted(self, *, exchange=True):
        """Note calls; without `exchange` the file system knows no exchange of folders."""
        kept = {name: getattr(os, name) for name in (*NAMES, "write")}
        swap = sets._exchange

        def wrapped(name):
            def call(*arguments, **options):
                makes = name != "open" or (arguments[1:] and arguments[1] & os.O_CREAT)
                if makes:
                    self.note(name)
                return kept[name](*arguments, **options)

            return call

        def write(descriptor, content):
            half = content[: len(content) // 2]
            self.note("write", lambda: kept["write"](descriptor, half))
            return kept["write"](descriptor, content)

        def exchanged(one, other):
            if not exchange:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            self.note("renameat2")
            swap(one, other)

        try:
            for name in NAMES:
                setattr(os, name, wrapped(name))
            os.write, sets._exchange = write, exchanged
            yield self
        finally:
            for name, call in kept.items():
                setattr(os, name, call)
            sets._exchange = swap


def killed(number, action, **options):
    """Run `action` in a fork that is killed at its N-th call; whether it came to that."""
    child = os.fork()
    if not child:
        status = 1
        try:
            calls = Calls(number.__eq__, lambda _: os.kill(os.getpid(), signal.SIGKILL))
            with calls.noted(**options):
                action()
            status = 0
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    assert os.WIFSIGNALED(ended) or os.WEXITSTATUS(ended) == 0
    return os.WIFSIGNALED(ended)


def refused(number, error, action, *, lasting=False, **options):
    """Run `action` with its N-th call refused, or all from there on; whether it came to that.

    What the action raises is raised.
    """

    def refuse(name):
        raise OSError(error, os.strerror(error), name)

    calls = Calls(number.__le__ if lasting else number.__eq__, refuse)
    with calls.noted(**options):
        action()
    return len(calls.names) >= number
