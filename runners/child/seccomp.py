"""The system call filter: what strategies need is allowed, everything else is refused.

A filter is a program for the kernel's classic BPF machine that looks at the number and the arguments of each call. It
cannot look at what arguments point to. Refused is ``EPERM``, which Python raises as `PermissionError`.
"""

import ctypes
import errno
import struct

from rbi_child.system_calls import numbers, system_call

FILES = """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek open creat openat close close_range
    dup dup2 dup3 stat lstat fstat newfstatat statx statfs fstatfs access faccessat faccessat2 readlink readlinkat
    getdents getdents64 getcwd chdir fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat
    symlink symlinkat ftruncate fallocate fsync fdatasync flock fadvise64 sendfile copy_file_range umask
    pipe pipe2 poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
    eventfd eventfd2
"""
MEMORY_AND_THREADS = """
    mmap mprotect munmap mremap madvise brk msync
    futex set_robust_list set_tid_address rseq gettid exit exit_group wait4 waitid sched_yield getcpu
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait sigaltstack restart_syscall
    pause alarm setitimer getitimer
"""
INFORMATION = """
    nanosleep gettimeofday time times getrusage sysinfo uname getrandom
    getpid getppid getpgrp getuid geteuid getgid getegid getresuid getresgid getgroups
    sched_get_priority_max sched_get_priority_min getrlimit setrlimit
"""
# Landlock does not govern these: they reach every file that the user owns, unless only own files can be seen.
FILE_ATTRIBUTES = "chmod fchmod fchmodat utime utimes utimensat futimesat truncate"
# The C library and Python go on without these, but only after the answer that they are not supported.
EXTENDED_ATTRIBUTES = """
    setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
    removexattr lremovexattr fremovexattr
"""
FALLEN_BACK_FROM = "clone3 openat2"
FIRST_NEW_CALL = 451  # later than what any C library insists on

# Calls whose first argument is a process: itself only, so that there is no telling which others exist.
OF_A_PROCESS = (
    "prlimit64 sched_getaffinity sched_setaffinity sched_getscheduler sched_getparam getpgid getsid"
)
TO_A_PROCESS = "kill tgkill"
OF_A_CLOCK = "clock_gettime clock_getres clock_nanosleep"  # a negative clock is that of a process

FCNTL = (0, 1, 2, 3, 4, 5, 36, 1030, 1032)  # duplicate, flags, asking for a lock, the size of a pipe
# F_SETLK, F_SETLKW and their OFD variants: granted without taking them. There is no other process to keep out, and each
# lock would be kernel memory that no limit counts.
FCNTL_LOCKS = (6, 7, 37, 38)
IOCTL = (0x541B, 0x5421, 0x5450, 0x5451)  # FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
IOCTL_OF_TERMINALS = (0x5401, 0x5413, 0x802C542A)  # TCGETS, TIOCGWINSZ, TCGETS2: no terminal here
PRCTL = (15, 16, 0x53564D41)  # PR_SET_NAME, PR_GET_NAME, PR_SET_VMA (names of memory)

CLONE_THREAD = 0x00010000
CLONE_FILES = 0x00000400  # else a thread has descriptors that nobody counts
CLONE_OF_THREADS = (
    0x007D0F00  # VM FS FILES SIGHAND THREAD SYSVSEM SETTLS PARENT_SETTID CHILD_CLEARTID DETACHED
)
O_ACCMODE, O_WRONLY, O_RDWR, O_TRUNC = 0o3, 0o1, 0o2, 0o1000

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32 = 0x40000000  # added to numbers of the x32 interface of x86-64

LOAD, IF_EQUAL, IF_AT_LEAST, IF_ANY_BIT, AND, JUMP, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x05, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
ALLOW, KILL, ANSWER = 0x7FFF0000, 0x80000000, 0x00050000
FILTER_MODE = 1


def answering(number):
    """The block that ends a call with that error."""
    return ((RETURN, 0, 0, ANSWER | number),)


ALLOWED = ((RETURN, 0, 0, ALLOW),)
KILLED = ((RETURN, 0, 0, KILL),)
REFUSED = answering(errno.EPERM)
UNSUPPORTED = answering(95)  # EOPNOTSUPP; written out, for other systems count differently
NOT_THERE = answering(38)  # ENOSYS
NO_TERMINAL = answering(25)  # ENOTTY
NO_CLOCK = answering(errno.EINVAL)
GRANTED = answering(0)


def load(position):
    """Take an argument's low half: all that the kernel takes of an int."""
    return (LOAD, 0, 0, ARGUMENTS + 8 * position)


def if_one_of(values, block):
    """Go into ``block`` if what is loaded is one of ``values``, else past it."""
    return [step for value in values for step in ((IF_EQUAL, 0, len(block), value), *block)]


def argument_in(position, values):
    """The block that allows a call if that argument is one of ``values``."""
    return (load(position), *if_one_of(values, ALLOWED), *REFUSED)


def no_truncation_while_reading(position):
    """For open flags: Landlock before version 3 sees only the access mode, and O_TRUNC works with any."""
    return (
        load(position),
        (IF_ANY_BIT, 1, 0, O_TRUNC),
        *ALLOWED,
        (AND, 0, 0, O_ACCMODE),
        *if_one_of((O_WRONLY, O_RDWR), ALLOWED),
        *REFUSED,
    )


THREADS_ONLY = (
    load(0),
    (IF_ANY_BIT, 0, 1, ~CLONE_OF_THREADS & 0xFFFFFFFF),
    *REFUSED,
    (AND, 0, 0, CLONE_THREAD | CLONE_FILES),
    *if_one_of((CLONE_THREAD | CLONE_FILES,), ALLOWED),
    *REFUSED,
)
FILE_CONTROL = (load(1), *if_one_of(FCNTL_LOCKS, GRANTED), *if_one_of(FCNTL, ALLOWED), *REFUSED)
TERMINAL_FREE = (load(1), *if_one_of(IOCTL, ALLOWED), *if_one_of(IOCTL_OF_TERMINALS, NO_TERMINAL), *REFUSED)
COMMON_CLOCKS = (load(0), (IF_AT_LEAST, 0, 1, 0x80000000), *NO_CLOCK, *ALLOWED)


def policy(own_pid, foreign_files):
    """What becomes of each call, by name: a block that always ends. What is not in it is refused.

    ``foreign_files``: whether files are in sight that are not the strategy's to change.
    """
    own = (0, own_pid)
    own_priority = (
        load(0),
        (IF_EQUAL, 1, 0, 0),
        *REFUSED,
        *argument_in(1, own),
    )  # of a process, not of a user
    return {
        **dict.fromkeys(f"{FILES} {MEMORY_AND_THREADS} {INFORMATION}".split(), ALLOWED),
        **dict.fromkeys(FILE_ATTRIBUTES.split(), REFUSED if foreign_files else ALLOWED),
        **dict.fromkeys(EXTENDED_ATTRIBUTES.split(), UNSUPPORTED),
        # On a disk it takes gigabytes in no time; the C library then writes instead.
        **({"fallocate": UNSUPPORTED} if foreign_files else {}),
        **dict.fromkeys(FALLEN_BACK_FROM.split(), NOT_THERE),
        **dict.fromkeys(OF_A_PROCESS.split(), argument_in(0, own)),
        **dict.fromkeys(TO_A_PROCESS.split(), argument_in(0, (own_pid,))),
        **dict.fromkeys(OF_A_CLOCK.split(), COMMON_CLOCKS),
        **dict.fromkeys(("getpriority", "setpriority"), own_priority),
        **(
            {"open": no_truncation_while_reading(1), "openat": no_truncation_while_reading(2)}
            if foreign_files
            else {}
        ),
        "clone": THREADS_ONLY,
        "fcntl": FILE_CONTROL,
        "ioctl": TERMINAL_FREE,
        "prctl": argument_in(0, PRCTL),
    }


def program(machine, own_pid, foreign_files):
    """The filter for that machine and the process of that id, as ``(code, if true, if false, value)`` steps."""
    known = numbers(machine)
    blocks = {known[name]: block for name, block in policy(own_pid, foreign_files).items() if name in known}
    ranges = [(0, REFUSED)]  # the first number for which each block is
    for number in sorted({*blocks, *(number + 1 for number in blocks), FIRST_NEW_CALL}):
        block = blocks.get(number, NOT_THERE if number >= FIRST_NEW_CALL else REFUSED)
        if number == ranges[-1][0]:
            ranges[-1] = (number, block)
        elif block is not ranges[-1][1]:
            ranges.append((number, block))
    if machine == "x86_64":
        ranges.append((X32, KILLED))
    return (
        (LOAD, 0, 0, ARCHITECTURE),
        (IF_EQUAL, 1, 0, ARCHITECTURES[machine]),
        *KILLED,
        (LOAD, 0, 0, NUMBER),
        *search(ranges),
    )


def search(ranges):
    """A binary search for the loaded number's block: the kernel tries every number when it takes the filter."""
    if len(ranges) == 1:
        return list(ranges[0][1])
    middle = len(ranges) // 2
    below, above = search(ranges[:middle]), search(ranges[middle:])
    return [(IF_AT_LEAST, 0, 1, ranges[middle][0]), (JUMP, 0, 0, len(below)), *below, *above]


def pack(steps):
    """The program as the kernel takes it."""
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def install(steps):
    """Filter this process and its descendants from now on, for good. Needs no_new_privs."""
    packed = Program(len(steps), pack(steps))
    system_call("system call filter", "seccomp", FILTER_MODE, 0, bytes(packed))
