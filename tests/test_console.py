import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator

import pytest

from yolox_attn.console import (
    as_line,
    called_as,
    count,
    echo,
    outliving_readers,
    printable,
    shortlist,
    write_anywhere,
)


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("tools/train.py", "python tools/eval.py"),
        ("/home/me/yolox_attn/tools/train.py", "python /home/me/yolox_attn/tools/eval.py"),
        ("/home/me/.venv/bin/yolox-attn", "yolox-attn eval"),
        ("/home/me/yolox_attn/cli/__main__.py", "python -m yolox_attn.cli eval"),
        ("-c", "yolox-attn eval"),
    ],
)
def test_a_command_is_called_as_the_user_called_the_program(
    program: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [program, "train"])
    assert called_as("eval") == says


def test_products_go_to_stdout_and_remarks_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    echo("AP 0.4")
    echo("epoch 1", err=True)
    assert capsys.readouterr() == ("AP 0.4\n", "epoch 1\n")


@pytest.mark.parametrize(
    ("encoding", "text", "written"),
    [
        ("ascii", "40.1 ± 0.5", "40.1 +- 0.5"),
        ("ascii", "yolox…cam, \u7ea2", "yolox...cam, \\u7ea2"),
        ("utf-8", "40.1 ± 0.5", "40.1 ± 0.5"),
        ("utf-8", "no text: \udcff", "no text: \\udcff"),
    ],
)
def test_any_text_can_be_written_in_any_encoding(
    encoding: str, text: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = io.BytesIO()
    with monkeypatch.context() as patch:
        stream = io.TextIOWrapper(taken, encoding=encoding)
        patch.setattr(sys, "stdout", stream)
        write_anywhere()
        echo(text)
    assert taken.getvalue().decode(encoding) == f"{written}\n"
    stream.close()


def test_a_line_is_one_line_and_not_endless() -> None:
    assert as_line("a\nb") == "a\\nb"
    line = as_line("begin" + "x" * 5000 + "end")
    assert len(line) < 1600
    assert (line[:6], line[-4:]) == ("beginx", "xend")
    assert "(3508 characters left out)" in line


def test_what_is_said_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    echo("class \x1b[2J\r\nred")
    assert capsys.readouterr().out == "class \\x1b[2J\\r\nred\n"


@contextlib.contextmanager
def unread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let both streams lead into a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        yield
        with contextlib.suppress(OSError):
            stream.flush()


def test_without_a_reader_work_goes_on_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with unread(monkeypatch):
        with pytest.raises(BrokenPipeError):
            echo("AP 0.4")
        with outliving_readers():
            for _ in range(3):
                echo("epoch 1")
                print("epoch 1", file=sys.stderr, flush=True)
        echo("it stays silent")


def test_another_error_of_a_stream_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(OSError, match="no space left"), outliving_readers():
        echo("AP 0.4")


def test_numbers_have_their_plural() -> None:
    assert [count(n, "seed") for n in (0, 1, 3)] == ["0 seeds", "1 seed", "3 seeds"]


def test_a_shortlist_ends_in_dots_where_there_is_more() -> None:
    assert shortlist("abc") == "a, b, c"
    assert shortlist(iter("abcd")) == "a, b, c, ..."
    assert shortlist("abc", most=1) == "a, ..."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a b é 图.png", "a b é 图.png"),
        ("a\nb\0\x1b[1m", "a\\nb\\x00\\x1b[1m"),
        ("\u202egnp.a\ud800", "\\u202egnp.a\\ud800"),
    ],
)
def test_what_cannot_be_seen_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert shortlist([text]) == shown
