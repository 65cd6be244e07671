import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from yolox_attn.runs import scratch_folder

WAITING = """
import signal, sys, time
from pathlib import Path
from yolox_attn.runs import scratch_folder
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a job in the background
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "half a file").write_text("...")
    print("making", flush=True)
    time.sleep(60)
"""


def test_the_folder_is_there_for_the_time_of_the_block(tmp_path: Path) -> None:
    with scratch_folder(tmp_path, ".model.onnx.") as folder:
        assert folder.parent == tmp_path
        assert folder.name.startswith(".model.onnx.")
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_what_ends_the_process_takes_the_folder_with_it(
    number: signal.Signals, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "making\n"
    assert list(tmp_path.iterdir()) != []
    process.send_signal(number)
    code = process.wait(20)
    process.stdout.close()
    assert code == (-2 if number is signal.SIGINT else 128 + number)
    assert list(tmp_path.iterdir()) == []


def test_who_listens_to_a_signal_goes_on_hearing_it(tmp_path: Path) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with scratch_folder(tmp_path):
            os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_another_thread_signals_keep_their_meaning(tmp_path: Path) -> None:
    found: list[object] = []

    def work() -> None:
        with scratch_folder(tmp_path):
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]
