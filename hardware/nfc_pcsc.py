"""Step 1 of the line for NFC readers that pcscd drives: Sony RC-S300, ACR1252U, ACR122U, Identiv 3700 F.

docs/readers-nfc.md says what each of them can read.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hardware import pcsc_felica
from hardware.errors import DriverMissing, ReaderLost
from hardware.nfc_allowance import AllowanceSpent, card_allowance
from hardware.nfc_identity import ANY_SYSTEM, CardIdentity, identity_of_idm, identity_of_uid, is_random_idm
from hardware.nfc_tag import first_text
from hardware.nfc_turns import Turns, Unread
from hardware.pcsc_card import Kind, kind_of, read_number, read_type_2, read_type_4
from hardware.reader import Medium, RawRead, TagType, boot_ns

if TYPE_CHECKING:
    from hardware.pcsc_link import PcscLink

log = logging.getLogger(__name__)

_WAIT_S = 0.1
"""For a card to come or go; also how soon `close` is noticed."""
_PAUSE_S = 0.02
"""Before a card that fell silent is looked at again."""


@dataclass(frozen=True, slots=True)
class _Visit:
    """A card in the field that has shown its number."""

    kind: Kind
    identity: CardIdentity


class PcscReader:
    """The first reader of pcscd's whose name begins with `reader_prefix`.

    A tag with an NDEF text record is read as that text; any other as its UID, or as system code and IDm.
    """

    def __init__(
        self,
        name: str,
        reader_prefix: str = "",
        *,
        system_codes: Sequence[int] = (ANY_SYSTEM,),
        hold_off_s: float = 0.5,
    ) -> None:
        self.name = name
        self._prefix = reader_prefix
        self._system_codes = tuple(system_codes)
        self._hold_off_s = hold_off_s
        self._link: PcscLink | None = None
        self._lock = threading.Lock()

    def open(self) -> None:
        """Take the reader. Raises: ReaderLost when it is not there, DriverMissing when pyscard is not."""
        self.close()
        try:
            from hardware.pcsc_link import PcscLink
        except ImportError as error:
            raise DriverMissing("pyscard", "install Tadaima with its extra 'pcsc'") from error
        link = PcscLink(self.name, self._prefix)
        with self._lock:
            self._link = link
        log.info("nfc reader opened reader=%s pcsc_reader=%s", self.name, link.reader)

    def reads(self) -> Iterator[RawRead]:
        """Block and yield reads until closed. Raises: ReaderLost."""
        link = self._link
        if link is None:
            return
        try:
            yield from self._watch(link)
        except ReaderLost:
            if not link.stopping.is_set():
                raise

    def close(self) -> None:
        """Let go of the reader; a blocked `reads` ends within 1.2 s. Idempotent; never raises. Thread: any."""
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.close()

    def _watch(self, link: "PcscLink") -> Iterator[RawRead]:
        """Look at the field again and again until closed; yield each card that arrives, once it was read."""
        turns = Turns(self._hold_off_s)
        visit: _Visit | None = None
        wait_s = _WAIT_S
        while not link.stopping.is_set():
            field = link.look(wait_s)
            if field.changed or not field.present:
                visit = None
            if field.present and visit is None:
                if turns.unread is not None and link.allowance.spent:
                    turns.unread.attempts_left = 0
                if field.changed or turns.unread is None or link.allowance.spent:
                    link.allowance = card_allowance()
                visit = self._visit(link)
            turns.look(None if visit is None else visit.identity, time.monotonic())
            if visit is not None and turns.unread is not None:
                raw = self._read(link, visit, turns.unread)
                if raw is not None and turns.tell(raw.medium):
                    yield raw
                if raw is None or link.busy:
                    visit = None  # it fell silent: has it gone, or is that all it has to say? The next look tells
            link.disconnect()
            wait_s = _WAIT_S if turns.unread is None else _PAUSE_S

    def _visit(self, link: "PcscLink") -> _Visit | None:
        """Turn to the card in the field; None when it is of no use, or silent. Raises: ReaderLost."""
        from hardware.pcsc_link import CardSilent

        try:
            kind = kind_of(link.connect())
            identity = None if kind is None else self._identify(link, kind)
        except (CardSilent, AllowanceSpent):
            return None
        return None if kind is None or identity is None else _Visit(kind, identity)

    def _identify(self, link: "PcscLink", kind: Kind) -> CardIdentity | None:
        """What the card is known by; None for nothing. Raises: as `PcscLink.transmit`."""
        number = read_number(link.transmit, kind)
        if number is None:
            return None
        if kind.tag is not TagType.TYPE_3:
            return identity_of_uid(number)
        if is_random_idm(number):
            return identity_of_idm(number, ANY_SYSTEM)
        return pcsc_felica.identify(link.reader, link.transmit, number, self._system_codes)

    def _read(self, link: "PcscLink", visit: _Visit, unread: Unread) -> RawRead | None:
        """What the card says; None when it must be looked at again first. Raises: ReaderLost."""
        from hardware.pcsc_link import CardSilent

        if unread.attempts_left > 0 and visit.kind.may_hold_text:
            unread.attempts_left -= 1
            try:
                text = self._read_text(link, visit.kind)
            except CardSilent:
                return None
            except AllowanceSpent:
                if link.stopping.is_set():
                    return None
                text = None
            if text is not None:
                return self._raw(Medium.NFC_TEXT, text.encode("utf-8", "replace"), visit)
        return self._raw(visit.identity.medium, visit.identity.payload, visit)

    def _read_text(self, link: "PcscLink", kind: Kind) -> str | None:
        """The text on the tag; None for none, and for one that cannot be decoded. Raises: as `PcscLink.transmit`."""
        import ndef

        match kind.tag:
            case TagType.TYPE_3:
                message = pcsc_felica.read_type_3(link.reader, link.transmit)
            case TagType.TYPE_4:
                message = read_type_4(link.transmit)
            case _:
                message = read_type_2(link.transmit)
        try:
            return first_text(message) if message else None
        except ndef.DecodeError:
            log.info("nfc tag could not be read reader=%s", self.name)
            return None

    def _raw(self, medium: Medium, payload: bytes, visit: _Visit) -> RawRead:
        return RawRead(medium, payload, self.name, boot_ns(), visit.kind.tag)
