"""The system call filter, run step by step for both machines: what it allows, what it refuses, and for whom."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import runners


def child_module(name: str) -> ModuleType:
    """A module of what runs inside the strategy environment, under the name that it has there."""
    folder = Path(runners.__file__).parent / "child"
    spec = importlib.util.spec_from_file_location(
        "rbi_child", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    sys.modules.setdefault("rbi_child", importlib.util.module_from_spec(spec))
    return importlib.import_module(f"rbi_child.{name}")


seccomp = child_module("seccomp")
NUMBERS = {machine: child_module("system_calls").numbers(machine) for machine in ("x86_64", "aarch64")}
MACHINES = pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
SIGHTS = pytest.mark.parametrize("foreign_files", [False, True], ids=["own files", "foreign files"])
OWN = 4321
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
I386 = 0x40000003
ALLOWED, KILLED, DONE = "allowed", "killed", "nothing is done, successfully"

# name, number on x86-64, number on aarch64 ("-": never had it)
DANGEROUS = """
fork 57 - vfork 58 - execve 59 221 execveat 322 281 clone3 435 435
socket 41 198 socketpair 53 199 connect 42 203 bind 49 200 listen 50 201 accept 43 202 accept4 288 242
sendto 44 206 sendmsg 46 211 sendmmsg 307 269 recvfrom 45 207 recvmsg 47 212 recvmmsg 299 243
ptrace 101 117 process_vm_readv 310 270 process_vm_writev 311 271 process_madvise 440 440 kcmp 312 272
tkill 200 130 rt_sigqueueinfo 129 138 rt_tgsigqueueinfo 297 240
pidfd_open 434 434 pidfd_send_signal 424 424 pidfd_getfd 438 438
setuid 105 146 setgid 106 144 setreuid 113 145 setregid 114 143 setresuid 117 147 setresgid 119 149
setgroups 116 159 setfsuid 122 151 setfsgid 123 152 setsid 112 157 setpgid 109 154 capget 125 90 capset 126 91
ioprio_get 252 31 ioprio_set 251 30 sched_setscheduler 144 119 sched_setparam 142 118
sched_setattr 314 274 sched_getattr 315 275 get_robust_list 274 100
mount 165 40 umount2 166 39 pivot_root 155 41 chroot 161 51 open_tree 428 428 move_mount 429 429
fsopen 430 430 fsmount 432 432 mount_setattr 442 442 unshare 272 97 setns 308 268
bpf 321 280 perf_event_open 298 241 userfaultfd 323 282 seccomp 317 277
io_uring_setup 425 425 io_uring_enter 426 426 io_uring_register 427 427
keyctl 250 219 add_key 248 217 request_key 249 218 memfd_create 319 279 memfd_secret 447 447
name_to_handle_at 303 264 open_by_handle_at 304 265 mknod 133 - mknodat 259 33 personality 135 92
shmget 29 194 shmat 30 196 shmctl 31 195 semget 64 190 semop 65 193 msgget 68 186 msgsnd 69 189 mq_open 240 180
inotify_init 253 - inotify_init1 294 26 fanotify_init 300 262 chown 92 - lchown 94 - fchown 93 55 fchownat 260 54
vmsplice 278 75 splice 275 76 tee 276 77 signalfd4 289 74 timerfd_create 283 85 mincore 27 232
sync 162 81 syncfs 306 267 reboot 169 142 kexec_load 246 104 init_module 175 105 sethostname 170 161
swapon 167 224 acct 163 89 syslog 103 116 mlockall 151 230 arch_prctl 158 - iopl 172 - modify_ldt 154 -
clock_settime 227 112 settimeofday 164 170 quotactl 179 60
"""


def pinned(column: int) -> dict[str, int]:
    words = DANGEROUS.split()
    rows = (words[at : at + 3] for at in range(0, len(words), 3))
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


PINNED = {"x86_64": pinned(1), "aarch64": pinned(2)}
NEEDED = {
    "x86_64": {"read": 0, "write": 1, "mmap": 9, "openat": 257, "futex": 202, "exit_group": 231, "rseq": 334},
    "aarch64": {
        "read": 63,
        "write": 64,
        "mmap": 222,
        "openat": 56,
        "futex": 98,
        "exit_group": 94,
        "rseq": 293,
    },
}
THREAD_OF_GLIBC, THREAD_OF_MUSL, FORK_OF_GLIBC, SPAWN_OF_GLIBC = 0x3D0F00, 0x7D0F00, 0x1200011, 0x4111


def data_of(number: int, arguments: Sequence[int], architecture: int) -> bytes:
    """struct seccomp_data, little-endian as both machines are."""
    words = [value & 0xFFFFFFFFFFFFFFFF for value in (*arguments, 0, 0, 0, 0, 0, 0)[:6]]
    return struct.pack("<iIQ6Q", number - (number >> 31 << 32), architecture, 0, *words)


def run(steps: Sequence[tuple[int, int, int, int]], data: bytes) -> int:
    """What the kernel's classic BPF machine returns; an error for anything that it would not take."""
    at, held = 0, 0
    while True:
        code, if_true, if_false, value = steps[at]
        at += 1
        match code:
            case 0x20:
                assert value % 4 == 0
                held = int.from_bytes(data[value : value + 4], "little")
            case 0x54:
                held &= value
            case 0x05:
                at += value
            case 0x15:
                at += if_true if held == value else if_false
            case 0x35:
                at += if_true if held >= value else if_false
            case 0x45:
                at += if_true if held & value else if_false
            case 0x06:
                return value
            case _:
                raise AssertionError(f"no such instruction: {code:#x}")


def said(answer: int) -> str:
    """The kernel's action in words: an error by its name."""
    if answer >> 16 == 0x0005:
        return {0: DONE, 95: "EOPNOTSUPP", 38: "ENOSYS"}.get(answer & 0xFFFF) or errno.errorcode[
            answer & 0xFFFF
        ]
    return {0x7FFF0000: ALLOWED, 0x80000000: KILLED}[answer]


class Filter:
    """A filter of one machine, asked about calls by name or number."""

    def __init__(self, machine: str, *, foreign_files: bool = True) -> None:
        self.machine = machine
        self.steps = seccomp.program(machine, own_pid=OWN, foreign_files=foreign_files)

    def __call__(self, call: str | int, *arguments: int, architecture: int | None = None) -> str:
        number = call if isinstance(call, int) else NUMBERS[self.machine][call]
        return said(run(self.steps, data_of(number, arguments, architecture or ARCHITECTURE[self.machine])))


FILTERS = {machine: Filter(machine) for machine in ("x86_64", "aarch64")}


@MACHINES
@SIGHTS
def test_the_kernel_takes_the_program(machine: str, foreign_files: bool) -> None:
    steps = Filter(machine, foreign_files=foreign_files).steps
    assert len(steps) <= 4096
    for at, (code, if_true, if_false, value) in enumerate(steps):
        assert 0 <= if_true <= 255
        assert 0 <= if_false <= 255
        assert 0 <= value < 2**32
        if code == 0x05:
            assert at + 1 + value < len(steps)
        elif code in (0x15, 0x35, 0x45):
            assert at + 1 + max(if_true, if_false) < len(steps)
    assert steps[-1][0] == 0x06
    assert len(seccomp.pack(steps)) == 8 * len(steps)


@MACHINES
@SIGHTS
def test_no_dangerous_call_is_allowed(machine: str, foreign_files: bool) -> None:
    ask = Filter(machine, foreign_files=foreign_files)
    answers = {name: ask(number) for name, number in PINNED[machine].items()}
    assert {name for name, answer in answers.items() if answer != "EPERM"} == {"clone3"}
    assert answers["clone3"] == "ENOSYS"


@MACHINES
def test_what_every_program_needs_is_allowed_under_its_number(machine: str) -> None:
    ask = Filter(machine)
    assert {name: ask(number) for name, number in NEEDED[machine].items()} == dict.fromkeys(
        NEEDED[machine], ALLOWED
    )


@MACHINES
@given(
    number=st.integers(0, 2**32 - 1) | st.integers(0, 600),
    arguments=st.lists(st.integers(0, 2**64 - 1), max_size=6),
)
def test_a_call_that_is_not_in_the_table_is_never_allowed(
    machine: str, number: int, arguments: list[int]
) -> None:
    answer = FILTERS[machine](number, *arguments)
    if number not in NUMBERS[machine].values():
        x32 = machine == "x86_64" and number >= 0x40000000
        assert answer == (KILLED if x32 else "ENOSYS" if number >= 451 else "EPERM")


@MACHINES
@given(number=st.integers(0, 600), architecture=st.integers(0, 2**32 - 1))
@example(number=0, architecture=I386)
@example(number=63, architecture=ARCHITECTURE["x86_64"])
@example(number=0, architecture=ARCHITECTURE["aarch64"])
def test_another_machines_calls_end_the_process(machine: str, number: int, architecture: int) -> None:
    if architecture not in (0, ARCHITECTURE[machine]):
        assert FILTERS[machine](number, architecture=architecture) == KILLED


@MACHINES
def test_threads_can_be_made_but_no_processes(machine: str) -> None:
    ask = FILTERS[machine]
    assert ask("clone", THREAD_OF_GLIBC) == ask("clone", THREAD_OF_MUSL) == ALLOWED
    new_namespaces = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
    for flags in (0, 17, FORK_OF_GLIBC, SPAWN_OF_GLIBC, *(THREAD_OF_GLIBC | flag for flag in new_namespaces)):
        assert ask("clone", flags) == "EPERM", hex(flags)


@MACHINES
@given(flags=st.integers(0, 2**64 - 1))
def test_a_clone_that_is_allowed_stays_in_the_process(machine: str, flags: int) -> None:
    if FILTERS[machine]("clone", flags) == ALLOWED:
        assert flags & 0x10000
        assert flags & 0x400
        assert not flags & 0x7E02F0FF


@MACHINES
@pytest.mark.parametrize("call", ["kill", "tgkill"])
@given(process=st.integers(-(2**31), 2**31 - 1))
@example(process=-1)
@example(process=0)
@example(process=1)
@example(process=-OWN)
def test_signals_go_to_the_own_process_only(machine: str, call: str, process: int) -> None:
    assert FILTERS[machine](call, OWN, 9) == ALLOWED
    if process != OWN:
        assert FILTERS[machine](call, process, 0) == "EPERM"


@MACHINES
@pytest.mark.parametrize("call", ["prlimit64", "sched_getaffinity", "sched_setaffinity", "getpgid", "getsid"])
@given(process=st.integers(-(2**31), 2**31 - 1))
@example(process=1)
def test_other_processes_cannot_be_asked_about(machine: str, call: str, process: int) -> None:
    expected = ALLOWED if process in (0, OWN) else "EPERM"
    assert FILTERS[machine](call, process) == expected


@MACHINES
def test_priorities_are_the_own_processs(machine: str) -> None:
    ask = FILTERS[machine]
    for call in ("getpriority", "setpriority"):
        assert ask(call, 0, 0) == ask(call, 0, OWN) == ALLOWED
        assert {ask(call, 0, 1), ask(call, 1, 0), ask(call, 2, 0)} == {"EPERM"}


@MACHINES
def test_clocks_of_other_processes_cannot_be_read(machine: str) -> None:
    ask = FILTERS[machine]
    assert ask("clock_gettime", 1) == ask("clock_gettime", 3) == ALLOWED
    assert ask("clock_getres", (~1 << 3) | 2) == ask("clock_gettime", -6) == "EINVAL"


@MACHINES
def test_of_fcntl_ioctl_and_prctl_only_the_harmless_part_is_there(machine: str) -> None:
    ask = FILTERS[machine]
    assert {ask("fcntl", 5, command) for command in (0, 1, 2, 3, 4, 5, 36, 1030, 1032)} == {ALLOWED}
    assert {ask("fcntl", 5, lock) for lock in (6, 7, 37, 38)} == {DONE}
    set_owner, set_signal, set_pipe_size, notify, set_lease, add_seals = 8, 10, 1031, 1026, 1024, 1033
    for command in (set_owner, set_signal, 15, set_pipe_size, notify, set_lease, add_seals):
        assert ask("fcntl", 5, command) == "EPERM"
    assert ask("ioctl", 1, 0x541B) == ask("ioctl", 1, 0x5451) == ALLOWED
    assert ask("ioctl", 1, 0x5401) == ask("ioctl", 1, 0x5413) == "ENOTTY"
    inject_input, set_immutable = 0x5412, 0x40086602
    assert ask("ioctl", 1, inject_input) == ask("ioctl", 1, set_immutable) == "EPERM"
    assert ask("prctl", 15) == ALLOWED
    for option in (1, 4, 8, 22, 24, 35, 36, 47, 59):
        assert ask("prctl", option) == "EPERM"


@MACHINES
def test_space_on_a_shared_disk_cannot_be_taken_without_writing(machine: str) -> None:
    assert Filter(machine, foreign_files=True)("fallocate") == "EOPNOTSUPP"
    assert Filter(machine, foreign_files=False)("fallocate") == ALLOWED


@MACHINES
def test_attributes_of_files_can_be_changed_only_where_all_files_are_the_strategys(machine: str) -> None:
    calls = [
        name for name in ("chmod", "fchmodat", "fchmod", "utimensat", "truncate") if name in NUMBERS[machine]
    ]
    assert {Filter(machine, foreign_files=False)(call) for call in calls} == {ALLOWED}
    assert {Filter(machine, foreign_files=True)(call) for call in calls} == {"EPERM"}
    assert Filter(machine, foreign_files=False)("setxattr") == "EOPNOTSUPP"


@MACHINES
@given(flags=st.integers(0, 2**32 - 1))
@example(flags=0o1000)
@example(flags=0o1003)
def test_foreign_files_cannot_be_emptied_by_opening_them_for_reading(machine: str, flags: int) -> None:
    expected = "EPERM" if flags & 0o1000 and flags & 3 not in (1, 2) else ALLOWED
    assert FILTERS[machine]("openat", -100, 0, flags) == expected
    if machine == "x86_64":
        assert FILTERS[machine]("open", 0, flags) == expected
