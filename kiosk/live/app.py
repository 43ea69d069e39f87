"""The readers' view as a web application of this machine: the page, its state, and each camera's newest picture.

Every answer is short: the page asks again when it is ready, so that a slow page misses pictures and a closed one
leaves nothing behind. Nothing is kept.
"""

import json
import secrets
from collections.abc import Sequence

import msgspec
from flask import Flask, Response, abort, render_template, request

from attendance.catalogue import Catalogue
from attendance.clock import Clock
from kiosk.live.view import PageView, picture_view, reader_view, trouble_of
from kiosk.live.watched_reader import WatchedReader
from kiosk.loopback import LoopbackServer, seal

PICTURE_HEADER = "X-Tadaima-Picture"
_THREADS = 8


def create_app(readers: Sequence[WatchedReader], words: Catalogue, clock: Clock) -> Flask:
    """Return the application that shows what the readers see."""
    app = Flask(__name__)
    seal(app)
    process = secrets.token_urlsafe(16)

    @app.get("/")
    def page() -> str:
        return render_template("live.html", words=words, process=process, readers=readers)

    @app.get("/state")
    def state() -> Response:
        reading = clock.read()
        view = PageView(process, tuple(reader_view(reader, reading, words) for reader in readers))
        return Response(msgspec.json.encode(view), mimetype="application/json")

    @app.get("/picture/<int:number>")
    def picture(number: int) -> Response | tuple[str, int]:
        reader = readers[number] if number < len(readers) else None
        if reader is None or reader.looker is None:
            abort(404)
        # The last picture of a camera that is lost would look as if it worked.
        look = None if trouble_of(reader) else reader.looker.look()
        if look is None or look.number == request.args.get("after", type=int):
            return "", 204
        # In a header, so that outlines and picture can never be of different frames.
        overlay = json.dumps(msgspec.to_builtins(picture_view(look, words)))
        return Response(look.jpeg, mimetype="image/jpeg", headers={PICTURE_HEADER: overlay})

    @app.get("/events")
    def events() -> Response:
        """Answer a child's screen that was left open at this address: it loads itself anew, and is this page then."""
        return Response(b"data: " + msgspec.json.encode({"process": process}) + b"\n\n", mimetype="text/event-stream")

    return app


class LiveServer(LoopbackServer):
    """Serves the view until stopped. Thread: one caller."""

    def __init__(
        self, readers: Sequence[WatchedReader], words: Catalogue, clock: Clock, *, host: str, port: int
    ) -> None:
        """`port` 0 takes a free one. Raises: ScreenError for a host that other machines could reach."""
        super().__init__(create_app(readers, words, clock), host, port, name="live", threads=_THREADS)
