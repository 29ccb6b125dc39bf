"""The system calls that Python does not offer, and their numbers on the machines that confinement knows."""

import ctypes
import os
import struct
import sys

PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 1, 24, 38, 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITY_HEADER = struct.pack("Ii", 0x20080522, 0)  # version 3 of the structure, this process
NO_CAPABILITIES = bytes(24)

MACHINES = ("x86_64", "aarch64")

# One number for each of `MACHINES`; None where the machine never had the call. They are for ever: the kernel does
# not renumber. Source: the kernel's arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
NUMBERS = {
    "read": (0, 63),
    "write": (1, 64),
    "readv": (19, 65),
    "writev": (20, 66),
    "pread64": (17, 67),
    "pwrite64": (18, 68),
    "preadv": (295, 69),
    "pwritev": (296, 70),
    "preadv2": (327, 286),
    "pwritev2": (328, 287),
    "lseek": (8, 62),
    "open": (2, None),
    "creat": (85, None),
    "openat": (257, 56),
    "close": (3, 57),
    "close_range": (436, 436),
    "dup": (32, 23),
    "dup2": (33, None),
    "dup3": (292, 24),
    "stat": (4, None),
    "lstat": (6, None),
    "fstat": (5, 80),
    "newfstatat": (262, 79),
    "statx": (332, 291),
    "statfs": (137, 43),
    "fstatfs": (138, 44),
    "access": (21, None),
    "faccessat": (269, 48),
    "faccessat2": (439, 439),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "getdents": (78, None),
    "getdents64": (217, 61),
    "getcwd": (79, 17),
    "chdir": (80, 49),
    "fchdir": (81, 50),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "truncate": (76, 45),
    "ftruncate": (77, 46),
    "fallocate": (285, 47),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    "flock": (73, 32),
    "fadvise64": (221, 223),
    "sendfile": (40, 71),
    "copy_file_range": (326, 285),
    "umask": (95, 166),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "utime": (132, None),
    "utimes": (235, None),
    "utimensat": (280, 88),
    "futimesat": (261, None),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    "msync": (26, 227),
    "pipe": (22, None),
    "pipe2": (293, 59),
    "poll": (7, None),
    "ppoll": (271, 73),
    "select": (23, None),
    "pselect6": (270, 72),
    "epoll_create": (213, None),
    "epoll_create1": (291, 20),
    "epoll_ctl": (233, 21),
    "epoll_wait": (232, None),
    "epoll_pwait": (281, 22),
    "epoll_pwait2": (441, 441),
    "eventfd": (284, None),
    "eventfd2": (290, 19),
    "futex": (202, 98),
    "set_robust_list": (273, 99),
    "set_tid_address": (218, 96),
    "rseq": (334, 293),
    "gettid": (186, 178),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "wait4": (61, 260),
    "waitid": (247, 95),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "rt_sigpending": (127, 136),
    "rt_sigsuspend": (130, 133),
    "rt_sigtimedwait": (128, 137),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "pause": (34, None),
    "alarm": (37, None),
    "setitimer": (38, 103),
    "getitimer": (36, 102),
    "nanosleep": (35, 101),
    "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "uname": (63, 160),
    "getrandom": (318, 278),
    "getcpu": (309, 168),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getresuid": (118, 148),
    "getresgid": (120, 150),
    "getgroups": (115, 158),
    "getpgrp": (111, None),
    "sched_yield": (24, 124),
    "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126),
    "getrlimit": (97, 163),
    "setrlimit": (160, 164),
    "kill": (62, 129),
    "tgkill": (234, 131),
    "clone": (56, 220),
    "clone3": (435, 435),
    "openat2": (437, 437),
    "fcntl": (72, 25),
    "ioctl": (16, 29),
    "prctl": (157, 167),
    "prlimit64": (302, 261),
    "sched_getaffinity": (204, 123),
    "sched_setaffinity": (203, 122),
    "sched_getscheduler": (145, 120),
    "sched_getparam": (143, 121),
    "getpgid": (121, 155),
    "getsid": (124, 156),
    "getpriority": (140, 141),
    "setpriority": (141, 140),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "getxattr": (191, 8),
    "lgetxattr": (192, 9),
    "fgetxattr": (193, 10),
    "listxattr": (194, 11),
    "llistxattr": (195, 12),
    "flistxattr": (196, 13),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "pivot_root": (155, 41),
    "mount_setattr": (442, 442),
    "capset": (126, 91),
    "seccomp": (317, 277),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
}


class ConfinementError(OSError):
    """A level cannot be had here. Its text says which step failed and why."""


libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def machine():
    """Which of `MACHINES` this is. Raises `ConfinementError` for any other, and for other systems than Linux."""
    name = os.uname().machine
    if sys.platform != "linux" or name not in MACHINES or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise ConfinementError(
            f"confinement is for 64-bit Linux on {' and '.join(MACHINES)}, not for this machine"
        )
    return name


def numbers(name):
    """System call numbers by name on the machine of that name."""
    column = MACHINES.index(name)
    return {call: found[column] for call, found in NUMBERS.items() if found[column] is not None}


def checked(step, answer):
    """``answer`` of a C function. Raises `ConfinementError` if it says that it failed."""
    if answer < 0:
        raise ConfinementError(f"{step}: {os.strerror(ctypes.get_errno())}")
    return answer


def system_call(step, name, *arguments):
    """Make the system call ``name``: bytes are pointers. Raises `ConfinementError` naming ``step``."""
    number = NUMBERS[name][MACHINES.index(machine())]
    wide = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return checked(step, libc.syscall(ctypes.c_long(number), *wide))


def mount(step, source, place, kind, flags, options=""):
    """mount(2); ``source`` and ``kind`` may be None."""
    names = [name.encode() if name is not None else None for name in (source, place, kind)]
    checked(step, libc.mount(*names, ctypes.c_ulong(flags), options.encode()))


def unmount(step, place):
    """umount2(2), also where something still has files of it open."""
    detach = 2
    checked(step, libc.umount2(place.encode(), detach))


def unshare(step, flags):
    """unshare(2)."""
    checked(step, libc.unshare(flags))


def prctl(option, *values):
    """prctl(2): its answer, negative if it failed."""
    words = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    return libc.prctl(option, *words)


def refuse_new_privileges():
    """No program that is started from now on can have more rights than this process."""
    checked("no_new_privs", prctl(PR_SET_NO_NEW_PRIVS, 1))


def forget_capabilities():
    """Make sure that no descendant can get a capability back. A no-op for who may not, having none."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    capability = 0
    while prctl(PR_CAPBSET_DROP, capability) == 0:
        capability += 1


def drop_capabilities():
    """From now on this process has none: as root, it is root in name only."""
    system_call("dropping capabilities", "capset", CAPABILITY_HEADER, NO_CAPABILITIES)
