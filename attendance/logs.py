"""How all processes log: one line of key=value on standard error, which systemd keeps."""

import logging
import time


class _Formatter(logging.Formatter):
    """Puts UTC time, level and logger before the message."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__(
            "at=%(asctime)s.%(msecs)03dZ level=%(levelname)s logger=%(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"
        )


def log_to_stderr(*, quiet: tuple[str, ...] = ()) -> None:
    """Send everything from INFO on to standard error; of the `quiet` loggers only warnings."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in quiet:
        logging.getLogger(name).setLevel(logging.WARNING)
