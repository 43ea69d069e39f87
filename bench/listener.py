"""A page's connection to a screen, in a process of its own as a browser is: `python -m bench.listener PORT`.

Prints `ANSWER BOOT_NS` for each answer as it comes.
"""

import json
import subprocess
import sys
from http.client import HTTPConnection
from typing import Self

from hardware.reader import boot_ns


def main(port: int) -> None:
    """Listen until the screen closes."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/events")
    last = -1
    for line in connection.getresponse():
        at_ns = boot_ns()
        if line.startswith(b"data: "):
            answer = json.loads(line.removeprefix(b"data: "))["answer"]
            if last == -1 or (answer is not None and answer != last):
                last = 0 if answer is None else answer
                print(last, at_ns, flush=True)
    connection.close()


class Listener:
    """The process; a context manager that ends with the screen's server."""

    def __init__(self, port: int) -> None:
        command = [sys.executable, "-m", "bench.listener", str(port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        self._process.__enter__()
        self._next()
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.kill()
        self._process.__exit__(None, None, None)

    def came_at_ns(self, answer: int) -> int:
        """When the answer came. Raises: RuntimeError when the stream ended without it."""
        while True:
            came, at_ns = self._next()
            if came >= answer:
                return at_ns

    def _next(self) -> tuple[int, int]:
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        if len(words) != 2:
            raise RuntimeError("the page was not told")
        return int(words[0]), int(words[1])


if __name__ == "__main__":
    main(int(sys.argv[1]))
