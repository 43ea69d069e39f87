"""Who this kiosk is: its name on the server, its signing key, and where the server is; made once by enrolment."""

from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from kiosk.errors import NotEnrolled
from kiosk.private_files import make_private_folder, sync_folder, write_private

IDENTITY_FILE = "identity.json"
KEY_FILE = "kiosk.key"
COMING_KEY_FILE = "enrolling.key"
"""The key of an enrolment under way: asked again with the same one, the server can give the same answer."""


class Identity(msgspec.Struct, frozen=True):
    """What the server told the kiosk at enrolment, and where it was."""

    kiosk: str
    site: str
    site_name: str
    server_url: str
    uid_key: bytes
    """The municipality's key for hashing UIDs; secret."""

    def __repr__(self) -> str:
        return f"Identity(kiosk={self.kiosk!r}, site={self.site!r}, server_url={self.server_url!r})"

    def at(self, server_url: str) -> "Identity":
        """Return the same kiosk with its server at another address."""
        return msgspec.structs.replace(self, server_url=server_url)


def is_enrolled(data_dir: Path) -> bool:
    """Say whether there is an identity, readable or not. Raises: OSError."""
    return (data_dir / IDENTITY_FILE).exists()


def load_identity(data_dir: Path) -> Identity:
    """Return who this kiosk is. Raises: NotEnrolled when there is no identity or it cannot be read."""
    path = data_dir / IDENTITY_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Identity)
    except FileNotFoundError as error:
        raise NotEnrolled(f"{path} is missing: enrol this kiosk first") from error
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotEnrolled(f"{path} cannot be used: {error}") from error


def load_key(data_dir: Path) -> Ed25519PrivateKey:
    """Return the kiosk's signing key. Raises: NotEnrolled when there is none or it cannot be read."""
    return _read_key(data_dir / KEY_FILE)


def coming_key(data_dir: Path) -> Ed25519PrivateKey:
    """Return the key to enrol with, drawn and kept at the first call. Raises: OSError."""
    path = data_dir / COMING_KEY_FILE
    try:
        return _read_key(path)
    except NotEnrolled:
        key = Ed25519PrivateKey.generate()
        make_private_folder(data_dir)
        write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return key


def store_identity(data_dir: Path, identity: Identity) -> None:
    """Make the coming key and an identity those of this kiosk; cut short, it leaves no identity. Raises: OSError."""
    (data_dir / IDENTITY_FILE).unlink(missing_ok=True)
    sync_folder(data_dir)
    (data_dir / COMING_KEY_FILE).replace(data_dir / KEY_FILE)
    write_private(data_dir / IDENTITY_FILE, msgspec.json.encode(identity, order="sorted"))


def _read_key(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise NotEnrolled(f"{path} is missing: enrol this kiosk first") from error
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NotEnrolled(f"{path} cannot be used: {type(error).__name__}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise NotEnrolled(f"{path} cannot be used: not an Ed25519 key")
    return key
