"""An enrolled kiosk for tests, without a server."""

from pathlib import Path

from kiosk.identity import Identity, coming_key, store_identity
from tests.kiosk.door_parts import UID_KEY

NOWHERE = "http://127.0.0.1:1"


def enrol(data_dir: Path, *, server_url: str = NOWHERE, site_name: str = "Sakura") -> Identity:
    coming_key(data_dir)
    identity = Identity(kiosk="kiosk-1", site="site-1", site_name=site_name, server_url=server_url, uid_key=UID_KEY)
    store_identity(data_dir, identity)
    return identity
