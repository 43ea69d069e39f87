"""What staff and office see in a browser: pages rendered here, kept up to date by the live process."""

from flask import Flask

from server.services import services
from server.web import cards, login, office, staff
from server.web.pages import csrf, limiter, pages
from server.web.session import configure_session

__all__ = ["register"]
_VIEWS = (cards, login, office, staff)  # importing them adds their routes to the blueprint


def register(app: Flask) -> None:
    """Add the pages to an app whose services are bound."""
    with app.app_context():
        parts = services()
    configure_session(app, parts.settings, parts.secrets)
    # The kiosk API is signed and carries no cookie, so only the pages ask for the token (pages.py).
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    csrf.init_app(app)
    limiter.init_app(app)
    app.register_blueprint(pages)
