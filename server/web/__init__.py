"""What staff and office see in a browser: pages rendered here, kept up to date by the live process."""

from importlib import import_module

from flask import Flask

_VIEWS = ("cards", "faults", "login", "office", "pins", "reports", "staff", "suspended")


def register(app: Flask) -> None:
    """Add the pages to an app whose services are bound."""
    # Imported here, so that a command that only makes an account does not load every page.
    from server.services import services
    from server.web.pages import csrf, limiter, pages
    from server.web.session import configure_session

    for view in _VIEWS:
        import_module(f"server.web.{view}")  # adds its routes to the blueprint
    with app.app_context():
        parts = services()
    configure_session(app, parts.settings, parts.secrets)
    # The kiosk API is signed and carries no cookie, so only the pages ask for the token (pages.py).
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    csrf.init_app(app)
    limiter.init_app(app)
    app.register_blueprint(pages)
