"""Names: readable with the kiosk's own key, by nobody else."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attendance.errors import WireError
from attendance.names import SealedNames, kiosk_key, seal, unseal
from attendance.roster import DisplayName

MASTER = bytes(range(32))
KEY = kiosk_key(MASTER, "kiosk-1")
NAMES = {"c1": DisplayName("髙橋 花", "たかはし はな"), "c2": DisplayName("李 明", "り みん")}

packs = st.dictionaries(st.text(max_size=10), st.builds(DisplayName, st.text(max_size=20), st.text(max_size=20)))


@given(packs)
def test_names_survive_being_sealed_and_unsealed(names: dict[str, DisplayName]) -> None:
    assert unseal(seal(names, KEY), KEY) == names


def test_a_pack_says_nothing_to_who_has_no_key() -> None:
    pack = seal(NAMES, KEY)
    assert "花".encode() not in pack.box
    assert "花" not in repr(pack)
    with pytest.raises(WireError):
        unseal(pack, bytes(32))


def test_every_kiosk_has_a_key_of_its_own() -> None:
    assert kiosk_key(MASTER, "kiosk-1") == KEY
    with pytest.raises(WireError):
        unseal(seal(NAMES, KEY), kiosk_key(MASTER, "kiosk-2"))
    with pytest.raises(WireError):
        unseal(seal(NAMES, KEY), kiosk_key(bytes(32), "kiosk-1"))


def test_the_same_names_sealed_twice_look_different() -> None:
    assert seal(NAMES, KEY) != seal(NAMES, KEY)


def test_any_changed_byte_is_noticed() -> None:
    pack = seal(NAMES, KEY)
    for place in range(len(pack.box)):
        box = bytearray(pack.box)
        box[place] ^= 1
        with pytest.raises(WireError):
            unseal(SealedNames(pack.nonce, bytes(box)), KEY)
    with pytest.raises(WireError):
        unseal(SealedNames(bytes(12), pack.box), KEY)


@pytest.mark.parametrize("pack", [SealedNames(b"", b""), SealedNames(b"short", b"x"), SealedNames(bytes(12), b"")])
def test_a_torn_pack_is_a_wire_error(pack: SealedNames) -> None:
    with pytest.raises(WireError):
        unseal(pack, KEY)


@pytest.mark.parametrize("key", [b"", b"short", bytes(33)])
def test_a_torn_key_is_a_wire_error(key: bytes) -> None:
    with pytest.raises(WireError):
        unseal(seal(NAMES, KEY), key)


def test_a_pack_travels_as_json() -> None:
    pack = seal(NAMES, KEY)
    assert msgspec.json.decode(msgspec.json.encode(pack), type=SealedNames) == pack
