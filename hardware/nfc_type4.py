"""nfcpy's Type 4 tag, read in fewer exchanges; imported only when `nfc_tag` reads such a card.

nfcpy asks for a file's length before each file, which costs two exchanges that a child has to wait for.
"""

from typing import Any

import nfc.tag.tt4

AHEAD_BYTES = 64
"""How much of a file is asked for at once: a length and a token's message, and less than any frame's limit."""


class QuickType4Tag(nfc.tag.tt4.Type4ATag):  # type: ignore[misc]  # nfcpy has no types
    """A Type 4A tag whose files are read together with their length."""

    class NDEF(nfc.tag.tt4.Type4Tag.NDEF):  # type: ignore[misc]
        """The tag's NDEF message."""

        _ahead = b""
        _file_bytes = 15
        """The container's, before it says how long the message's file is."""

        def _read_binary(self, offset: int, size: int) -> Any:
            if offset == 0:
                self._ahead = self._read_ahead()
            ahead = self._ahead[offset : offset + size]
            return ahead if len(ahead) == size else super()._read_binary(offset, size)

        def _read_ahead(self) -> Any:
            if hasattr(self, "_ndef_file"):
                self._file_bytes = self._capacity + self._nlen_size
            try:
                return super()._read_binary(0, min(self._file_bytes, AHEAD_BYTES))
            except nfc.tag.tt4.Type4TagCommandError as error:
                if error.errno <= 0:  # not the card's refusal but its silence
                    raise
                return b""
