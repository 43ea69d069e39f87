"""What every view needs: settings, store, clock and secrets, bound to the Flask app."""

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from attendance.clock import Clock
from server.config import ServerSettings
from server.keys import Secrets
from server.store.engine import Store

_EXTENSION = "tadaima"


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running server."""

    settings: ServerSettings
    store: Store
    clock: Clock
    secrets: Secrets


def bind(app: Flask, services: Services) -> None:
    """Make the services those of the app."""
    app.extensions[_EXTENSION] = services


def services() -> Services:
    """Return the services of the app that serves the current request. Raises: RuntimeError outside an app's context."""
    return cast("Services", current_app.extensions[_EXTENSION])
