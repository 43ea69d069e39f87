"""The demo's processes: started, listened to, and ended, whatever happens."""

import contextlib
import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from provisioning.errors import DemoFailed

STOP_S = 15.0


class Process:
    """One running program whose output is kept line by line and can be waited for."""

    def __init__(
        self, name: str, command: Sequence[str], *, ends: bool, log_dir: Path, environ: Mapping[str, str]
    ) -> None:
        self.name = name
        self._ends = ends
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self._log = (log_dir / f"{name}.log").open("w", encoding="utf-8")
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environ),
            text=True,
            bufsize=1,
            start_new_session=True,  # Ctrl-C is for the demo alone, which ends the others in order
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def wait_for(self, pattern: str, *, timeout_s: float) -> re.Match[str]:
        """Return the first match in any line, past or to come. Raises: DemoFailed when it ends or stays silent."""

        def found() -> bool:
            return self._ended or self._match(pattern) is not None

        with self._news:
            self._news.wait_for(found, timeout_s)
            match = self._match(pattern)
        if match is None:
            raise DemoFailed(f"{self.name} did not say {pattern!r}", tail=self.lines[-15:])
        return match

    def matches(self, pattern: str) -> list[re.Match[str]]:
        """Return the matches in all lines so far."""
        with self._news:
            return [match for line in self.lines if (match := re.search(pattern, line))]

    def _match(self, pattern: str) -> re.Match[str] | None:
        return next((match for line in self.lines if (match := re.search(pattern, line))), None)

    def say(self, line: str) -> None:
        """Write a line to the program's standard input."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(f"{line}\n")
        self._popen.stdin.flush()

    @property
    def running(self) -> bool:
        """Whether the program has not ended."""
        return self._popen.poll() is None

    @property
    def failed(self) -> bool:
        """Whether the program ended, other than by having done its work."""
        return self._popen.poll() not in ((None, 0) if self._ends else (None,))

    def stop(self) -> None:
        """End the program, by force if it does not listen or an impatient person interrupts the wait."""
        if self.running:
            self._popen.send_signal(signal.SIGTERM)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(STOP_S)
        finally:
            self._popen.kill()
            self._popen.wait()
            self._listener.join()
            for stream in (self._popen.stdin, self._popen.stdout, self._log):
                if stream is not None:
                    stream.close()

    def _listen(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self._log.write(line)
            self._log.flush()
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


class Ensemble:
    """All processes of a demo; leaving it ends them, last started first."""

    def __init__(self, *, log_dir: Path, environ: Mapping[str, str]) -> None:
        self._log_dir = log_dir
        self._environ = environ
        self._processes: list[Process] = []
        self._stops = contextlib.ExitStack()  # goes on when one stop is interrupted
        log_dir.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stops.close()

    def start(self, name: str, *command: str, ends: bool = False) -> Process:
        """Start a program under a name of its own; one that `ends` may do so when its work is done."""
        process = Process(name, command, ends=ends, log_dir=self._log_dir, environ=self._environ)
        self._processes.append(process)
        self._stops.callback(process.stop)
        return process

    def run(self, *command: str) -> str:
        """Run a command to its end and return its output. Raises: DemoFailed when it fails."""
        done = subprocess.run(
            command, env=dict(self._environ), text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode != 0:
            raise DemoFailed(f"{' '.join(command[:4])} failed", tail=(done.stdout + done.stderr).splitlines()[-15:])
        return done.stdout

    def dead(self) -> list[str]:
        """Return the names of the processes that failed, or ended though they serve until they are stopped."""
        return [process.name for process in self._processes if process.failed]
