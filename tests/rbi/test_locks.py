"""Each lock protects what it is for."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

from rbi.locks import ConsoleLock, DateLock, FileLock


def in_threads(count: int, work: Callable[[int], None]) -> None:
    barrier = threading.Barrier(count)

    def start(n: int) -> None:
        barrier.wait()
        work(n)

    threads = [threading.Thread(target=start, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class SlowStream(io.StringIO):
    """A stream that writes one character at a time and lets other threads in between, as terminals do."""

    def write(self, text: str) -> int:
        for character in text:
            super().write(character)
            threading.Event().wait(0)
        return len(text)


def test_lines_of_two_threads_never_mix() -> None:
    stream = SlowStream()
    console = ConsoleLock(stream)
    in_threads(4, lambda n: [console.write_line(str(n) * 30) for _ in range(20)] and None)
    lines = stream.getvalue().splitlines()
    assert sorted(lines) == sorted(str(n) * 30 for n in range(4) for _ in range(20))


def test_a_line_stays_one_line() -> None:
    stream = io.StringIO()
    ConsoleLock(stream).write_line("one\ntwo\r\nthree")
    assert stream.getvalue().count("\n") == 1


def test_a_block_of_output_is_not_interrupted_by_lines() -> None:
    stream = SlowStream()
    console = ConsoleLock(stream)

    def work(n: int) -> None:
        if n:
            console.write_line("line")
        else:
            with console.held() as out:
                out.write("first\n")
                out.write("second\n")

    in_threads(3, work)
    assert "first\nsecond\n" in stream.getvalue()


def test_a_claim_is_held_by_one_thread_at_a_time(tmp_path: Path) -> None:
    claims = FileLock(tmp_path)
    inside: list[int] = []
    most: list[int] = []

    def work(n: int) -> None:
        with claims.hold("batches"):
            inside.append(n)
            most.append(len(inside))
            threading.Event().wait(0.01)
            inside.remove(n)

    in_threads(5, work)
    assert most == [1] * 5


def holder(folder: Path, name: str) -> subprocess.Popen[str]:
    program = (
        "import sys, time; from pathlib import Path; from rbi.locks import FileLock\n"
        "with FileLock(Path(sys.argv[1])).hold(sys.argv[2]):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder), name], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_claim_of_another_process_cannot_be_had_until_that_process_dies(tmp_path: Path) -> None:
    process = holder(tmp_path, "idea")
    try:
        with FileLock(tmp_path).try_hold("idea") as mine:
            assert not mine
        with FileLock(tmp_path).try_hold("another") as mine:
            assert mine
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    with FileLock(tmp_path).try_hold("idea") as mine:
        assert mine


def test_midnight_changes_the_folder_exactly_once_however_many_ask() -> None:
    days = [date(2026, 1, 31)]
    changes: list[date] = []

    def on_change(day: date) -> str:
        changes.append(day)
        threading.Event().wait(0.01)
        return str(day)

    lock = DateLock("2026-01-31", lambda: days[0], on_change)
    assert lock.folder() == "2026-01-31"
    days[0] = date(2026, 2, 1)
    seen: list[str] = []
    in_threads(20, lambda _: seen.append(lock.folder()))
    assert changes == [date(2026, 2, 1)]
    assert set(seen) == {"2026-02-01"}


def test_a_clock_set_back_does_not_change_the_folder_back() -> None:
    days = [date(2026, 2, 1)]
    lock = DateLock("2026-02-01", lambda: days[0], lambda day: str(day))
    days[0] = date(2026, 1, 31)
    assert lock.folder() == "2026-02-01"
