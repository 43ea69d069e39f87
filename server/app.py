"""The web process's app: kiosk API, pages and health, over services that are passed in."""

from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from sqlalchemy import select
from werkzeug.middleware.proxy_fix import ProxyFix

from attendance import wire
from attendance.clock import Clock
from server import web
from server.api.kiosk import api
from server.api.problems import PREFIX, answer_errors
from server.config import ServerSettings
from server.errors import StoreError
from server.keys import load_secrets
from server.services import Services, bind, services
from server.store.engine import Store
from server.store.tables import site
from server.web.faults import answer_person

ENROL_TRIES = "10 per minute; 60 per hour"
"""That were refused, from one address: a municipality's kiosks may all be behind it. A code counts its own besides."""
_HSTS = "max-age=31536000"
_STRICT = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create_app(settings: ServerSettings, store: Store, clock: Clock) -> Flask:
    """Return the app. The store stays its owner's. Raises: StoreError when there are no secrets yet."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = wire.MAX_BODY_BYTES
    bind(app, Services(settings=settings, store=store, clock=clock, secrets=load_secrets(Path(settings.data_dir))))
    if settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies)  # type: ignore[method-assign]
    answer_errors(app, answer_person)
    app.register_blueprint(api)
    limiter = Limiter(get_remote_address, app=app, storage_uri="memory://")
    limited: Any = limiter.limit(ENROL_TRIES, deduct_when=_was_refused)(app.view_functions["kiosk_api.enrol"])
    app.view_functions["kiosk_api.enrol"] = limited
    web.register(app)
    app.add_url_rule("/health", view_func=health)
    app.after_request(_be_strict)
    return app


def health() -> Response:
    """Say whether the server can serve, for monitors; nothing about anybody."""
    try:
        with services().store.read() as conn:
            conn.execute(select(site.c.id).limit(1)).all()
    except StoreError:
        return Response("store\n", status=503, mimetype="text/plain")
    return Response("ok\n", mimetype="text/plain")


def _was_refused(response: Response) -> bool:
    return response.status_code != HTTPStatus.OK


def _be_strict(response: Response) -> Response:
    """Add what every answer carries, where a page has not said something of its own."""
    for name, value in _STRICT.items():
        response.headers.setdefault(name, value)
    if services().settings.base_url.startswith("https://"):
        response.headers["Strict-Transport-Security"] = _HSTS
    if request.path.startswith(PREFIX):
        response.headers["Cache-Control"] = "no-store"
    return response
