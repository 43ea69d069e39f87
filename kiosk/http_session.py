"""The HTTP session of a kiosk: through a proxy of the municipality and with its certificates, as the settings say."""

import requests

from kiosk.config import SyncSettings


def open_session(settings: SyncSettings, server_url: str) -> requests.Session:
    """Return a session to be closed; what the settings leave empty is as the environment says, as requests reads it."""
    session = requests.Session()
    around = session.merge_environment_settings(server_url, {}, None, None, None)
    proxy = settings.proxy
    session.proxies = {"http": proxy, "https": proxy} if proxy else around["proxies"]
    session.verify = settings.ca_file or around["verify"]
    session.trust_env = False  # else it would win over what is set here
    return session
