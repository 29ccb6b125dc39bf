"""Landlock: which files a process can read and write, decided by the process itself and for good.

It knows nothing of stat, chmod, chown, utime and extended attributes: those are for the system call filter.
"""

# No pathlib here: none of this needs more than the plain calls.
# ruff: noqa: PTH112, PTH118, PTH208

import os
import struct

from rbi_child.system_calls import ConfinementError, system_call

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG, MAKE_SYM = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 12
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
FIRST_RIGHTS = (1 << 13) - 1  # what version 1 knows

READING = READ_FILE | READ_DIR
ENTRIES = REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM | REFER
WRITING = WRITE_FILE | TRUNCATE
SCRATCH = READING | WRITING | ENTRIES
OF_A_FILE = EXECUTE | READ_FILE | WRITING | IOCTL_DEV  # what can be granted on what is not a folder

BIND_AND_CONNECT_TCP = 3
ABSTRACT_SOCKETS_AND_SIGNALS = 3
PATH_BENEATH = 1
DEVICES = {
    "/dev/null": READ_FILE | WRITING,
    **dict.fromkeys(("/dev/zero", "/dev/random", "/dev/urandom"), READ_FILE),
}


def version():
    """Landlock's interface version in this kernel; 0 if it has none or it is off."""
    try:
        return system_call("landlock", "landlock_create_ruleset", None, 0, 1)
    except ConfinementError:
        return 0


class Ruleset:
    """What is allowed: nothing of what it governs, until it is granted. ``descriptor`` is inherited by forks."""

    def __init__(self, known, ungoverned=0):
        """``known`` is Landlock's version, ``ungoverned`` are the rights that stay as they are."""
        rights = FIRST_RIGHTS
        for right, since in ((REFER, 2), (TRUNCATE, 3), (IOCTL_DEV, 5)):
            rights |= right if known >= since else 0
        self.governed = rights & ~ungoverned
        fields = [self.governed]
        if known >= 4:
            fields.append(BIND_AND_CONNECT_TCP)
        if known >= 6:
            fields.append(ABSTRACT_SOCKETS_AND_SIGNALS)
        attributes = struct.pack(f"{len(fields)}Q", *fields)
        self.descriptor = system_call(
            "landlock rules", "landlock_create_ruleset", attributes, len(attributes), 0
        )

    def grant(self, path, rights):
        """Allow ``rights`` on ``path`` and below. What does not exist needs no rule."""
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return
        try:
            rights &= self.governed & (-1 if os.path.isdir(path) else OF_A_FILE)
            if rights:
                rule = struct.pack("=Qi", rights, descriptor)
                step = f"landlock rule for {path}"
                system_call(step, "landlock_add_rule", self.descriptor, PATH_BENEATH, rule, 0)
        finally:
            os.close(descriptor)

    def grant_reading(self, path, hidden):
        """Allow reading ``path`` and below, but not of the real paths ``hidden``: their siblings, one by one.

        The names in folders above a hidden one can be listed, and by that its own too.
        """
        path = os.path.realpath(path)
        if any(path == place or path.startswith(place + os.sep) for place in hidden):
            return
        if not any(place.startswith(os.path.join(path, "")) for place in hidden):
            self.grant(path, READING)
            return
        self.grant(path, READ_DIR)
        for name in os.listdir(path):
            self.grant_reading(os.path.join(path, name), hidden)

    def grant_devices(self):
        """Allow the devices that give or take bytes and nothing else."""
        for path, rights in DEVICES.items():
            self.grant(path, rights)

    def enforce(self):
        """From now on, for this process and its descendants. Needs no_new_privs."""
        system_call("landlock", "landlock_restrict_self", self.descriptor, 0)

    def close(self):
        """Its descriptor is not needed any more; what was enforced stays."""
        os.close(self.descriptor)
