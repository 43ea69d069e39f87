"""Cards: the opaque token on a QR card or in an NFC tag, and what becomes of it (step 3 of the straight line).

A token is 128 random bits. Its one textual form, for QR and NFC alike, is 29 upper-case base32 characters: the
version letter ``T``, then 140 bits, which are the token and a 12-bit check. 29 characters are what QR version 2 holds
at error correction Q in alphanumeric mode, the card that reads best (Source: ISO/IEC 18004 table 7; measured in
docs/reading.md). Only the hash of a token leaves this module towards a kiosk.
"""

import hashlib
import hmac
import re
import secrets
from enum import StrEnum

import msgspec

from attendance.errors import CardFormatError

TOKEN_BYTES = 16
TEXT_LENGTH = 29
_VERSION = "T"
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"  # RFC 4648 base32
_CHECK_BITS = 12
_BODY_LENGTH = TEXT_LENGTH - len(_VERSION)
_TEXT = re.compile(rf"{_VERSION}[A-Z2-7]{{{_BODY_LENGTH}}}")
_CHECK_DOMAIN = b"tadaima card check 1\0"
_HASH_DOMAIN = b"tadaima card hash 1\0"


class CardForm(StrEnum):
    """What a card shows to a reader."""

    TOKEN = "token"  # noqa: S105 - a code, not a secret
    """Our token, printed or in NDEF (trust tier T1)."""
    UID = "uid"
    """The UID of an ISO 14443 tag (trust tier T0)."""
    IDM = "idm"
    """System code and IDm of a FeliCa card (trust tier T0)."""


class Trust(StrEnum):
    """How far what a card shows can be believed."""

    T0 = "t0"
    """A number that any reader can see and copy: fit for attendance in sight of staff, never for a lock."""
    T1 = "t1"
    """A token that nobody can make up, but that can still be copied from the card."""


class CardToken:
    """The secret of one card; `repr` and `str` never show it."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        if len(raw) != TOKEN_BYTES:
            msg = f"a token is {TOKEN_BYTES} bytes, not {len(raw)}"
            raise ValueError(msg)
        self._raw = raw

    @classmethod
    def new(cls) -> "CardToken":
        """Draw a fresh token from the system's secure random source."""
        return cls(secrets.token_bytes(TOKEN_BYTES))

    @classmethod
    def from_text(cls, text: str) -> "CardToken":
        """Parse the textual form. Raises: CardFormatError."""
        if not _TEXT.fullmatch(text):
            raise CardFormatError("wrong length, letters or version")
        bits = 0
        for letter in text[len(_VERSION) :]:
            bits = bits << 5 | _ALPHABET.index(letter)
        raw = (bits >> _CHECK_BITS).to_bytes(TOKEN_BYTES, "big")
        if bits & ((1 << _CHECK_BITS) - 1) != _check(raw):
            raise CardFormatError("the check does not fit: misread or mistyped")
        return cls(raw)

    @property
    def text(self) -> str:
        """The textual form, to be printed or written to a tag."""
        bits = int.from_bytes(self._raw, "big") << _CHECK_BITS | _check(self._raw)
        body = "".join(_ALPHABET[bits >> shift & 31] for shift in range(5 * (_BODY_LENGTH - 1), -1, -5))
        return _VERSION + body

    @property
    def ref(self) -> "CardRef":
        """The card as kiosks and records know it."""
        return CardRef(card_hash=hashlib.sha256(_HASH_DOMAIN + self._raw).hexdigest(), form=CardForm.TOKEN)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CardToken) and hmac.compare_digest(self._raw, other._raw)

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        return "CardToken(redacted)"


class CardRef(msgspec.Struct, frozen=True):
    """A card as kiosks and records know it: a hash that does not lead back to the token."""

    card_hash: str
    """64 lower-case hexadecimal digits."""
    form: CardForm

    def __repr__(self) -> str:
        return f"CardRef({self.short}, {self.form})"

    @property
    def short(self) -> str:
        """The first 8 digits, fit for logs and for staff to tell unknown cards apart."""
        return self.card_hash[:8]


def parse_card(payload: bytes) -> CardRef:
    """Return the card that a QR code, an NDEF text or a scanner's line names. Raises: CardFormatError."""
    try:
        text = payload.decode("ascii")
    except UnicodeDecodeError as error:
        raise CardFormatError("not plain text") from error
    return CardToken.from_text(text).ref


def uid_card(form: CardForm, uid: bytes, uid_key: bytes) -> CardRef:
    """Return the card that a UID or IDm names; keyed, since UIDs are few enough to be guessed from a bare hash.

    `uid_key` is the municipality's own 32 secret bytes. Raises: CardFormatError for an empty UID.
    """
    if form is CardForm.TOKEN or not uid:
        raise CardFormatError("no UID")
    digest = hmac.new(uid_key, form.value.encode() + b"\0" + uid, hashlib.sha256).hexdigest()
    return CardRef(card_hash=digest, form=form)


def trust_of(form: CardForm) -> Trust:
    """Return how far a card of that form can be believed."""
    return Trust.T1 if form is CardForm.TOKEN else Trust.T0


def looks_like_card(payload: bytes) -> bool:
    """Say whether a payload parses as one of our tokens; decoders use it to drop misreads early."""
    try:
        parse_card(payload)
    except CardFormatError:
        return False
    return True


def _check(raw: bytes) -> int:
    digest = hashlib.sha256(_CHECK_DOMAIN + raw).digest()
    return int.from_bytes(digest[:2], "big") >> (16 - _CHECK_BITS)
