"""What may be logged of an unexpected exception: its places in the code, never its text, which may hold a payload."""

import traceback


def where(error: BaseException) -> str:
    """Return the places an exception passed through, innermost last, as `file:line` joined by `>`."""
    frames = traceback.extract_tb(error.__traceback__)
    return ">".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames)
