"""The raw log of a run survives whatever a child prints."""

from pathlib import Path

from vibeboard.runner import log
from vibeboard.runner.log import RunLog, Tail


def test_a_line_is_found_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    lines = [f"line {number}\n".encode() for number in range(2000)]
    stream = b"".join(lines)
    with RunLog(path) as writing:
        for start in range(0, len(stream), 777):
            writing.append(stream[start : start + 777])

    for number in (0, 1, 255, 256, 257, 1024, 1999):
        offset = log.line_offset(path, number)
        assert log.read(path, offset).text.startswith(f"line {number}\n")
    assert log.line_offset(path, 9999) == len(stream)


def test_a_log_that_exists_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    with RunLog(path) as writing:
        writing.append(b"first\n" * 300)
    log.index_of(path).write_bytes(b"torn")

    with RunLog(path) as writing:
        writing.append(b"second\n" * 300)

    assert log.read(path, log.line_offset(path, 300)).text.startswith("second")
    assert log.read(path, log.line_offset(path, 299)).text.startswith("first\nsecond")


def test_a_log_is_cut_at_its_cap_and_what_is_dropped_is_counted(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.log"
    with RunLog(path, cap=1000) as writing:
        for _ in range(30):
            writing.append(b"x" * 100)
        assert writing.dropped == 2000
    with RunLog(path, cap=1000) as again:
        again.append(b"more")
        assert again.dropped == 4

    text = log.read(path).text
    assert text == "x" * 1000 + "\n[cut here: the log reached 1000 bytes]\n"


def test_characters_are_not_torn_between_two_reads(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    text = "aé€😀" * 50
    with RunLog(path) as writing:
        writing.append(text.encode())

    read, offset = "", 0
    while (piece := log.read(path, offset, limit=7)).text:
        read += piece.text
        offset = piece.next_offset

    assert read == text


def test_bytes_that_are_no_text_are_kept_and_shown_as_such(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    with RunLog(path) as writing:
        writing.append(b"\xff\x00\xfe ok \xe2\x82")

    assert path.read_bytes() == b"\xff\x00\xfe ok \xe2\x82"
    piece = log.read(path)
    assert piece.text == "\ufffd\x00\ufffd ok "
    assert log.read(path, piece.next_offset).text == "\ufffd"


def test_a_second_stream_does_not_tear_a_line(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    with RunLog(path) as writing:
        writing.append(b'{"half":')
        writing.aside(b"warning\n")
        writing.append(b'"whole"}\nnext')
        writing.aside(b"late")

    assert path.read_text() == '{"half":"whole"}\nwarning\nnext\nlate\n'


def test_a_tail_keeps_the_last_lines() -> None:
    tail = Tail(20)
    tail.append(b"a" * 100)
    tail.append(b"\n\none\ntwo  \n\n")

    assert len(tail.text) == 20
    assert tail.lines(2) == "one\ntwo"
