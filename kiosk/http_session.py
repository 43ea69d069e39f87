"""The HTTP session of a kiosk: through a proxy of the municipality and with its certificates, as the settings say."""

import requests

from kiosk.config import SyncSettings


def open_session(settings: SyncSettings) -> requests.Session:
    """Return a session to be closed; what the settings leave empty is as the environment says, as requests reads it."""
    session = requests.Session()
    if settings.proxy:
        session.proxies = {"http": settings.proxy, "https": settings.proxy}
    if settings.ca_file:
        session.verify = settings.ca_file
    # requests lets the environment win over a session's own values.
    session.trust_env = not (settings.proxy or settings.ca_file)
    return session
