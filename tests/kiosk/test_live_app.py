"""The readers' view as a web application: who may look, and what it tells of readers that work or do not."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from attendance.cards import Trust
from attendance.catalogue import Language
from hardware.reader import Medium, TagType
from kiosk.config import ReaderKind, ReaderSettings
from kiosk.errors import ScreenError
from kiosk.live.app import PICTURE_HEADER, LiveServer, create_app
from kiosk.live.standing import CardBook, Standing
from kiosk.live.verdicts import Distance, Hint
from kiosk.live.watched_reader import SeenRead, WatchedReaders
from kiosk.timekeeping import KioskClock
from tests.kiosk.door_parts import HANAS_TOKEN, STRANGE_TOKEN
from tests.kiosk.live_parts import book, fifo, seen, still, watching, words

HOME = "http://127.0.0.1:8750"
TRIES = 2000


@pytest.fixture
def known(tmp_path: Path) -> Iterator[CardBook]:
    with book(tmp_path) as opened:
        yield opened


def camera(name: str = "camera") -> ReaderSettings:
    return ReaderSettings(name=name, kind=ReaderKind.QR_CAMERA, source="nowhere.avi")


def client_of(readers: WatchedReaders, language: Language = Language.EN) -> FlaskClient:
    return create_app(readers.each, words(language), KioskClock()).test_client()


def unstarted(known: CardBook, *wanted: ReaderSettings) -> tuple[WatchedReaders, FlaskClient]:
    readers = WatchedReaders(wanted or (camera(),), known, lambda _: None)
    return readers, client_of(readers)


def state(client: FlaskClient) -> list[dict[str, Any]]:
    readers: list[dict[str, Any]] = json.loads(client.get("/state", base_url=HOME).data)["readers"]
    return readers


def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(TRIES):
        if holds():
            return
        threading.Event().wait(0.005)
    pytest.fail("it did not come")


def feed(path: Path, *lines: str) -> None:
    with path.open("w") as device:
        device.writelines(f"{line}\n" for line in lines)


@pytest.mark.parametrize("path", ["/", "/state", "/picture/0", "/events", "/static/live.js", "/nowhere"])
def test_every_answer_is_for_this_machine_and_kept_nowhere(known: CardBook, path: str) -> None:
    readers, client = unstarted(known)
    assert readers.each[0].looker is not None
    readers.each[0].looker.watch(*seen())
    response = client.get(path, base_url=HOME)
    response.close()
    assert response.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert client.get(path, headers={"Host": "evil.example"}).status_code == 421
    assert client.get(path, base_url=HOME, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get(path, base_url=HOME, headers={"Origin": "http://evil.example"}).status_code == 403


def test_it_is_not_served_to_other_machines(known: CardBook) -> None:
    readers, _ = unstarted(known)
    with pytest.raises(ScreenError, match="this machine"):
        LiveServer(readers.each, words(), KioskClock(), host="0.0.0.0", port=0)


@pytest.mark.parametrize("language", Language)
def test_the_page_says_in_large_letters_that_nothing_is_recorded(known: CardBook, language: Language) -> None:
    readers, _ = unstarted(known)
    page = client_of(readers, language).get("/", base_url=HOME).text
    assert f"<h1>{words(language).text('live.banner')}</h1>" in page
    assert "<style" not in page
    assert "style=" not in page


def test_a_picture_comes_with_what_is_drawn_over_it_and_only_once(known: CardBook) -> None:
    readers, client = unstarted(known)
    assert client.get("/picture/0", base_url=HOME).status_code == 204
    looker = readers.each[0].looker
    assert looker is not None
    looker.watch(*seen())
    response = client.get("/picture/0?after=0", base_url=HOME)
    assert (response.status_code, response.mimetype, response.data[:2]) == (200, "image/jpeg", b"\xff\xd8")
    overlay = json.loads(response.headers[PICTURE_HEADER])
    assert overlay["size"] == [640, 480]
    (outline,) = overlay["outlines"]
    assert (outline["ours"], outline["label"]) == (True, words().text("live.outline.known"))
    assert client.get(f"/picture/0?after={overlay['number']}", base_url=HOME).status_code == 204


def test_what_is_drawn_over_a_picture_holds_nothing_of_a_code(known: CardBook) -> None:
    readers, client = unstarted(known)
    looker = readers.each[0].looker
    assert looker is not None
    looker.watch(*seen("HTTPS://EVIL.EXAMPLE/X"))
    response = client.get("/picture/0", base_url=HOME)
    assert json.loads(response.headers[PICTURE_HEADER])["outlines"][0]["ours"] is False
    assert "EVIL" not in str(response.headers) + client.get("/state", base_url=HOME).text


@pytest.mark.parametrize("path", ["/picture/1", "/picture/-1", "/picture/x", "/picture/99999999999999999999"])
def test_there_is_no_picture_of_what_is_no_camera(known: CardBook, tmp_path: Path, path: str) -> None:
    _, client = unstarted(known, camera(), fifo(tmp_path / "nfc"))
    assert client.get(path, base_url=HOME).status_code == 404


def test_a_childs_screen_left_open_at_this_address_is_told_to_load_itself_anew(known: CardBook) -> None:
    _, client = unstarted(known)
    response = client.get("/events", base_url=HOME)
    assert response.mimetype == "text/event-stream"
    told = json.loads(response.data.removeprefix(b"data: "))
    assert told["process"] == json.loads(client.get("/state", base_url=HOME).data)["process"]


def test_the_reads_of_a_reader_are_told_newest_first_and_never_whole(known: CardBook, tmp_path: Path) -> None:
    device = tmp_path / "nfc"
    os.mkfifo(device)
    with watching((fifo(device),), known) as readers:
        client = client_of(readers)
        eventually(lambda: readers.each[0].fault is None and not readers.each[0].late)
        feed(device, f"nfc_text {HANAS_TOKEN.text}", f"qr {STRANGE_TOKEN.text}", "nfc_uid 04A1B2C3", "nfc_random_uid")
        eventually(lambda: len(readers.each[0].reads) == 4)
        (reader,) = state(client)
    assert [each["tone"] for each in reader["reads"]] == ["bad", "care", "care", "good"]
    assert [each["start"] for each in reader["reads"]] == ["", "04A1…", STRANGE_TOKEN.text[:4] + "…", "TAEA…"]
    assert [each["trust"][:8] for each in reader["reads"]] == ["", "Trust T0", "Trust T1", "Trust T1"]
    assert HANAS_TOKEN.text not in json.dumps(reader)
    assert HANAS_TOKEN.text not in repr(readers.each[0].reads)
    assert all(not each.raw.payload for each in readers.each[0].reads)


def test_a_reader_that_is_unplugged_says_why_and_what_to_do_and_comes_back_by_itself(
    known: CardBook, tmp_path: Path
) -> None:
    device = tmp_path / "nfc"
    with watching((fifo(device),), known) as readers:
        client = client_of(readers)
        eventually(lambda: readers.each[0].fault is not None)
        (reader,) = state(client)
        assert not reader["works"]
        assert "No such file" in reader["state"]
        assert reader["remedy"]
        os.mkfifo(device)
        eventually(lambda: readers.each[0].fault is None)
        assert state(client)[0]["works"]
        device.unlink()
        eventually(lambda: readers.each[0].fault is not None)
        assert "unplugged" in state(client)[0]["state"]


def test_a_source_that_makes_no_sense_is_told_and_the_others_are_watched(known: CardBook, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "nfc")
    senseless = ReaderSettings(name="table", kind=ReaderKind.NFC, source="bluetooth")
    with watching((senseless, fifo(tmp_path / "nfc")), known) as readers:
        client = client_of(readers)
        feed_when_open(readers, tmp_path / "nfc")
        table, nfc = state(client)
    assert (table["works"], "bluetooth" in table["state"]) == (False, True)
    assert len(nfc["reads"]) == 1


def feed_when_open(readers: WatchedReaders, device: Path) -> None:
    eventually(lambda: not readers.each[-1].late and readers.each[-1].fault is None)
    feed(device, "nfc_text hello")
    eventually(lambda: len(readers.each[-1].reads) == 1)


def test_a_camera_tells_how_well_it_sees(known: CardBook, tmp_path: Path) -> None:
    with watching((still(tmp_path),), known) as readers:
        client = client_of(readers)
        eventually(lambda: bool(readers.each[0].reads))
        (reader,) = state(client)
    seen_by = reader["camera"]
    assert (seen_by["tone"], seen_by["card"]) == ("good", words().text("live.standing.known"))
    assert "6.1 pixels" in seen_by["pixels"]
    assert seen_by["percent"] == 100
    (read,) = reader["reads"]
    assert read["start"] == "TAEA…"


def test_a_camera_that_is_lost_shows_no_picture_any_more_and_is_taken_up_again(known: CardBook, tmp_path: Path) -> None:
    wanted = still(tmp_path)
    with watching((wanted,), known) as readers:
        client = client_of(readers)
        eventually(lambda: client.get("/picture/0", base_url=HOME).status_code == 200)
        for path in tmp_path.glob("frame_*.png"):
            path.unlink()
        eventually(lambda: readers.each[0].fault is not None)
        assert client.get("/picture/0", base_url=HOME).status_code == 204
        assert not state(client)[0]["works"]
        still(tmp_path)
        eventually(lambda: client.get("/picture/0", base_url=HOME).status_code == 200)


def test_a_foreign_code_in_view_outweighs_the_card_of_a_moment_ago(known: CardBook) -> None:
    readers, client = unstarted(known)
    looker = readers.each[0].looker
    assert looker is not None
    looker.watch(*seen())
    assert state(client)[0]["camera"]["tone"] == "good"
    threading.Event().wait(0.15)
    looker.watch(*seen("HTTPS://EVIL.EXAMPLE/X"))
    told = state(client)[0]["camera"]
    assert (told["tone"], told["verdict"]) == ("bad", words().text("live.distance.foreign"))
    assert told["pixels"] == told["card"] == ""


def test_another_code_is_not_given_the_size_of_the_card_before_it(known: CardBook, tmp_path: Path) -> None:
    told: list[SeenRead] = []
    readers = WatchedReaders((still(tmp_path, payload="HTTPS://EVIL.EXAMPLE/X"),), known, told.append)
    looker = readers.each[0].looker
    assert looker is not None
    looker.watch(*seen())
    readers.start()
    eventually(lambda: bool(told))
    readers.stop()
    assert [(each.judgement.standing, each.module_px) for each in told] == [(Standing.FOREIGN, None)]


def test_a_camera_without_a_card_asks_for_one(known: CardBook) -> None:
    _, client = unstarted(known)
    told = state(client)[0]["camera"]
    assert (told["tone"], told["verdict"], told["percent"]) == ("none", words().text("live.distance.none"), None)


@pytest.mark.parametrize("language", Language)
def test_every_code_has_a_sentence(language: Language) -> None:
    ids = words(language).ids
    kinds: dict[str, Any] = {
        "standing": Standing, "outline": Standing, "trust": Trust, "hint": Hint, "distance": Distance, "medium": Medium,
        "tag": TagType,
    }  # fmt: skip
    missing = {f"live.{kind}.{code}" for kind, codes in kinds.items() for code in codes} - ids
    assert missing == set()
