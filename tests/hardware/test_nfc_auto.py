"""Which NFC driver is chosen, by setting and by what is plugged in."""

from pathlib import Path

import pytest

from hardware.errors import ReaderLost
from hardware.nfc_auto import AutoNfcReader
from hardware.nfc_models import MODELS, Route, plugged_readers
from hardware.reader import Medium
from hardware.soft_card import SoftField
from hardware.soft_tags import Type2Tag, ndef_message
from tests.hardware.nfc_watch import Watch
from tests.hardware.pcsc_daemon import PcscDaemon
from tests.hardware.soft_pcsc import Carriage, PcscCard

UID = bytes.fromhex("04a1b2c3d4e580")


class Machine:
    """A machine's USB devices and programs, in folders laid out as in /."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.usb = folder / "devices"
        self.usb.mkdir(parents=True)
        (self.usb / "usb1").mkdir()  # a hub's own folder without ids

    def plug(self, vendor: int, product: int, *, port: str = "1-1", module: str | None = None) -> None:
        device = self.usb / port
        interface = device / f"{port}:1.0"
        interface.mkdir(parents=True)
        (device / "idVendor").write_text(f"{vendor:04x}\n")
        (device / "idProduct").write_text(f"{product:04x}\n")
        if module is not None:
            (self.root / "drivers" / module).mkdir(parents=True)
            (interface / "driver").symlink_to(self.root / "drivers" / module)

    def install_pcscd(self) -> None:
        (self.root / "usr/sbin").mkdir(parents=True)
        (self.root / "usr/sbin/pcscd").touch()

    def reader(self, source: str = "") -> AutoNfcReader:
        return AutoNfcReader("door", source, usb_devices=self.usb, root=self.root, hold_off_s=0.1)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


def test_where_nothing_is_plugged_in_the_known_readers_are_named(machine: Machine) -> None:
    machine.plug(0x1D6B, 0x0002)
    with pytest.raises(ReaderLost, match=r"no NFC reader is plugged in.*RC-S380.*RC-S300.*ACR1252U"):
        machine.reader().open()


def test_a_machine_without_usb_has_no_reader(tmp_path: Path) -> None:
    with pytest.raises(ReaderLost, match="no NFC reader"):
        AutoNfcReader("door", usb_devices=tmp_path / "none").open()


def test_a_reader_that_the_kernel_took_is_told_with_the_module_to_blacklist(machine: Machine) -> None:
    machine.plug(0x054C, 0x06C3, module="port100")
    with pytest.raises(ReaderLost, match=r"RC-S380/P is taken.*blacklist port100"):
        machine.reader().open()


def test_the_driver_that_pcscd_itself_uses_is_no_obstacle(machine: Machine) -> None:
    machine.plug(0x054C, 0x0DC8, module="usbfs")
    assert [plugged.kernel_module for plugged in plugged_readers(machine.usb)] == [None]


def test_a_pcsc_reader_without_pcscd_is_told_with_what_to_install(machine: Machine) -> None:
    machine.plug(0x054C, 0x0DC9)
    with pytest.raises(ReaderLost, match=r"RC-S300/P needs pcscd: apt install pcscd"):
        machine.reader().open()


def test_of_two_readers_the_one_that_can_be_used_is_taken(machine: Machine) -> None:
    machine.plug(0x054C, 0x06C3, module="port100")
    machine.plug(0x072F, 0x223B, port="1-2")
    machine.install_pcscd()
    with PcscDaemon("ACS ACR1252 D") as daemon:
        watch = Watch(machine.reader(), daemon.slot)
        watch.hold(PcscCard(Type2Tag(UID, None), Carriage.DIRECT), seconds=0)
        assert watch.wait_for(1) == [(Medium.NFC_UID, UID)]
        watch.end()


def test_a_reader_replaced_by_another_model_is_found_at_the_next_opening(machine: Machine) -> None:
    machine.install_pcscd()
    reader = machine.reader()
    with pytest.raises(ReaderLost):
        reader.open()
    machine.plug(0x072F, 0x2200)
    with PcscDaemon("ACS ACR122U"):
        reader.open()
        reader.close()
    assert list(reader.reads()) == []


def test_nfcpy_is_asked_for_the_very_model_that_was_found(machine: Machine) -> None:
    machine.plug(0x054C, 0x06C1)
    with pytest.raises(ReaderLost, match="usb:054c:06c1"):
        machine.reader().open()


def test_pcsc_by_setting_takes_a_reader_by_the_beginning_of_its_name(machine: Machine) -> None:
    with PcscDaemon("SOFT PCD"):
        for source in ("pcsc", "pcsc:SOFT"):
            reader = machine.reader(source)
            reader.open()
            reader.close()
        with pytest.raises(ReaderLost, match="'ACS'"):
            machine.reader("pcsc:ACS").open()


def test_an_nfcpy_path_is_taken_as_before(machine: Machine) -> None:
    message = ndef_message(text="TADAIMA")
    with SoftField() as field:
        watch = Watch(machine.reader(f"udp:127.0.0.1:{field.port}"), field)
        watch.hold(Type2Tag(UID, message), seconds=0)
        assert watch.wait_for(1) == [(Medium.NFC_TEXT, b"TADAIMA")]
        watch.end()


def test_a_source_that_no_driver_knows_is_refused_before_anything_is_opened(machine: Machine) -> None:
    with pytest.raises(ValueError, match="not an nfcpy path"):
        machine.reader("pcscd")


def test_no_id_stands_in_the_table_twice_and_names_of_pcscd_are_given_where_needed() -> None:
    assert len({(model.vendor, model.product) for model in MODELS}) == len(MODELS)
    assert all(bool(model.pcsc_prefix) == (model.route is Route.PCSC) for model in MODELS)
