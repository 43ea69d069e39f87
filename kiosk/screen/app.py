"""The screen as a web application of this machine: the page, its stream of views, and what to press."""

import hmac
from collections.abc import Iterator

import msgspec
from flask import Flask, Response, abort, render_template, request

from attendance.records import Direction
from attendance.roster import COLOUR_HEX
from kiosk.loopback import seal
from kiosk.screen.screen import Screen
from kiosk.screen.staff_panel import BODY_BYTES, staff_panel

TOKEN_HEADER = "X-Tadaima-Page"  # noqa: S105 - the header's name, not what is in it
RETRY_MS = 500


def create_app(screen: Screen) -> Flask:
    """Return the application that shows a screen and passes presses to it."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES
    seal(app)

    @app.get("/")
    def page() -> str:
        return render_template("screen.html", words=screen.words, process=screen.process)

    @app.get("/colours.css")
    def colours() -> Response:
        rules = (
            f'.colour[data-colour="{colour}"] {{ background: {value}; }}\n' for colour, value in COLOUR_HEX.items()
        )
        return Response("".join(rules), mimetype="text/css")

    @app.get("/events")
    def events() -> Response:
        return Response(_stream(screen), mimetype="text/event-stream")

    @app.post("/undo/<int:answer_id>")
    def undo(answer_id: int) -> tuple[str, int]:
        _refuse_without_token(screen)
        screen.undo(answer_id)
        return "", 204

    @app.post("/choose/<int:answer_id>/<any(entry, exit):direction>")
    def choose(answer_id: int, direction: str) -> tuple[str, int]:
        _refuse_without_token(screen)
        screen.choose(answer_id, Direction(direction))
        return "", 204

    if screen.staff is not None:
        app.register_blueprint(staff_panel(screen, screen.staff, lambda: _refuse_without_token(screen)))
    return app


def _stream(screen: Screen) -> Iterator[bytes]:
    """Server-sent events: one message a view."""
    yield b"retry: %d\n\n" % RETRY_MS
    encode = msgspec.json.Encoder().encode
    for view in screen.watch():
        yield b"data: " + encode(view) + b"\n\n"


def _refuse_without_token(screen: Screen) -> None:
    """A press needs what only the page of this process was given; a page of the process before loads itself anew."""
    if not hmac.compare_digest(request.headers.get(TOKEN_HEADER, "").encode(), screen.process.encode()):
        abort(403)
