"""Starts the console commands within milliseconds: forked from a process that has imported them, and nothing more.

What runs is the command itself, `main()` with its arguments, in a process group of its own; only Python's start and the
imports, nine tenths of the time, are left out. Run as `python -m bench.warm_start`; ends, with all it started, when
whoever started it does.
"""

import ctypes
import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {
    "tadaima-kiosk": "kiosk.cli",
    "tadaima-server": "server.cli",
    "tadaima-provision": "provisioning.cli",
}
_IMPORTED = (
    *COMMANDS.values(),
    *("kiosk.run", "kiosk.sync_process", "hardware.fake", "server.run", "server.app", "server.web.live"),
    *("alembic.command", "bench.mutants", "logging.config", "gunicorn.workers.gthread"),
)
_SUBREAPER = 36
"""prctl PR_SET_CHILD_SUBREAPER: what a killed process leaves behind becomes ours to reap. Source: linux/prctl.h."""


class CommandFailed(Exception):
    """A command that was to do its work did not; the text is what it said last."""


class WarmStart:
    """Starts, kills and waits for commands; a context manager that leaves none behind. Thread: one."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TADAIMA_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.warm_start"],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def log(self, name: str) -> Path:
        """Return where a process of that name says what it says."""
        return self._log_dir / f"{name}.log"

    def start(self, name: str, command: Sequence[str], *, mutant: str = "") -> int:
        """Start a command and return its id, which is also that of its group; `mutant` breaks it on purpose first."""
        return int(self._ask({"start": list(command), "log": str(self.log(name)), "mutant": mutant}))

    def kill(self, leader: int) -> None:
        """Kill a process that was started and all its group, and return when it is gone."""
        self._ask({"kill": leader})

    def running(self, leader: int) -> bool:
        """Say whether a process that was started still runs."""
        return bool(self._ask({"running": leader}))

    def run(self, name: str, *command: str) -> str:
        """Run a command to its end and return what it printed. Raises: CommandFailed."""
        log = self.log(name)
        before = log.stat().st_size if log.exists() else 0
        code = self._ask({"wait": self.start(name, command)})
        said = log.read_bytes()[before:].decode()
        if code != 0:
            raise CommandFailed(f"{' '.join(command)}: {said}")
        return said

    def _ask(self, request: Mapping[str, object]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise CommandFailed("the process that starts the others is gone")
        return json.loads(answer)


class _Nursery:
    """The other side: forks, and keeps count of what lives."""

    def __init__(self) -> None:
        self._exit_codes: dict[int, int | None] = {}

    def answer(self, request: Mapping[str, Any]) -> object:
        match request:
            case {"start": command, "log": log, "mutant": mutant}:
                return self._start(command, log, mutant)
            case {"kill": leader}:
                with suppress(ProcessLookupError):
                    os.killpg(leader, signal.SIGKILL)
                return self._wait(leader)
            case {"wait": leader}:
                return self._wait(leader)
            case {"running": leader}:
                self._reap(os.WNOHANG)
                return self._exit_codes[leader] is None
        raise ValueError(request)

    def end(self) -> None:
        """Kill whatever still lives."""
        for leader in list(self._exit_codes):
            with suppress(ProcessLookupError):
                os.killpg(leader, signal.SIGKILL)
        with suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)

    def _start(self, command: Sequence[str], log: str, mutant: str) -> int:
        leader = os.fork()
        if leader == 0:
            _become(command, log, mutant)
        with suppress(PermissionError, ProcessLookupError):
            os.setpgid(leader, leader)  # here as well as there, whichever comes first
        self._exit_codes[leader] = None
        return leader

    def _wait(self, leader: int) -> int | None:
        while self._exit_codes[leader] is None:
            self._reap(0)
        self._reap(os.WNOHANG)
        return self._exit_codes[leader]

    def _reap(self, how: int) -> None:
        """Take note of what has ended; what a killed leader left behind comes to us too."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, how)
                if pid == 0:
                    return
                if pid in self._exit_codes:
                    self._exit_codes[pid] = os.waitstatus_to_exitcode(status)
                how = os.WNOHANG


def _become(command: Sequence[str], log: str, mutant: str) -> NoReturn:
    """Be a command, in the child; never returns."""
    code = 70
    try:
        os.setpgid(0, 0)
        said = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        for target, source in enumerate((nothing, said, said)):
            os.dup2(source, target)
        sys.argv = list(command)
        if mutant:
            getattr(importlib.import_module("bench.mutants"), mutant)()
        importlib.import_module(COMMANDS[command[0]]).main()
        code = 0
    except SystemExit as told:
        code = told.code if isinstance(told.code, int) else int(told.code is not None)
    except Exception:  # noqa: BLE001 - as Python does at its end
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Import, and then do as told, a line of JSON at a time."""
    for name in _IMPORTED:
        importlib.import_module(name)
    ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)
    nursery = _Nursery()
    try:
        for line in sys.stdin:
            print(json.dumps(nursery.answer(json.loads(line))), flush=True)
    finally:
        nursery.end()


if __name__ == "__main__":
    main()
