"""What a worker process that decodes untrusted videos may do, held by the kernel: Linux, as far as its kernel can.

    no new rights   a program that it starts gains none (`no_new_privs`)
    seccomp         no new socket or connection, no other program, no look into other processes, no change of the system
    Landlock        reads Python, libraries, the batch's videos and models; writes the output folder; nothing else

A decoder that is taken over then has the videos and the results of its batch, but no other file of the account and no
network to send them over. Everything here happens once, before the first task, and cannot be undone. What the kernel
lacks is left out; `fervid doctor` says what is active. Not covered: processor time, and side channels.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

NO_NEW_PRIVS, SECCOMP, LANDLOCK = "no new privileges", "seccomp", "Landlock"

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
LANDLOCK_RULE_PATH_BENEATH, LANDLOCK_VERSION = 1, 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG, REFER, TRUNCATE = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 13, 1 << 14
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | 1 << 15
READ = READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER | TRUNCATE
HANDLED_BY_VERSION = (0, (1 << 13) - 1, (1 << 14) - 1, (1 << 15) - 1, (1 << 15) - 1, (1 << 16) - 1)
"""What each version of Landlock can forbid of files."""
NET_VERSION, BIND_AND_CONNECT_TCP = 4, 0b11
SCOPE_VERSION, ABSTRACT_SOCKETS_AND_SIGNALS = 6, 0b11

SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64", "/etc", "/proc", "/sys/devices/system", "/sys/fs/cgroup", "/nix/store")
DEVICES_READ, DEVICES_WRITTEN = ("/dev/urandom", "/dev/random", "/dev/zero"), ("/dev/null",)
MOST_FILES = 1000
"""Of videos that are named one by one; of more their folders are."""

X86_64, ARM64 = "x86_64", "aarch64"
ARCHITECTURES = {X86_64: 0xC000003E, ARM64: 0xC00000B7}
FORBIDDEN_CALLS = {
    # name: x86-64, arm64
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "io_uring_setup": (425, 425),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "setns": (308, 268),
    "unshare": (272, 97),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "open_by_handle_at": (304, 265),
}
X32_BIT = 0x40000000
"""Calls of another numbering on x86-64, which would pass by the list."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The files and folders that a worker may read, and those that it may write as well."""

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()

    @classmethod
    def of(cls, videos: Iterable[Path], others: Iterable[Path], folders: Iterable[Path]) -> Sandbox:
        """Videos, models and other files that settings name are read, the folders of results are written too."""
        files = _real(videos)
        if len(files) > MOST_FILES:
            files = list(dict.fromkeys(map(os.path.dirname, files)))
        return cls((*files, *_real(others), *_python_folders()), (*_real(folders), *_caches()))


def confine(sandbox: Sandbox) -> tuple[str, ...]:
    """Shut this process in, before it has any other thread; returns what is active. Never raises."""
    if sys.platform != "linux":
        return ()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return ()
    active = [NO_NEW_PRIVS]
    if _restrict_files(libc, sandbox):
        active.append(LANDLOCK)
    if _filter_calls(libc):
        active.append(SECCOMP)
    return tuple(active)


def active_here() -> tuple[str, ...]:
    """What of all this works on this machine, tried in a process of its own."""
    import subprocess

    code = "from fervid.batch.sandbox import *; print('|'.join(confine(Sandbox(read=('/',)))))"
    search = os.pathsep.join(path or os.curdir for path in sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": search},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return tuple(filter(None, done.stdout.strip().split("|")))


def _restrict_files(libc: ctypes.CDLL, sandbox: Sandbox) -> bool:
    version = libc.syscall(LANDLOCK_CREATE, None, 0, LANDLOCK_VERSION)
    if version < 1:
        return False
    handled = HANDLED_BY_VERSION[min(version, len(HANDLED_BY_VERSION) - 1)]
    attributes = struct.pack("=Q", handled)
    if version >= NET_VERSION:
        attributes += struct.pack("=Q", BIND_AND_CONNECT_TCP)
    if version >= SCOPE_VERSION:
        attributes += struct.pack("=Q", ABSTRACT_SOCKETS_AND_SIGNALS)
    rules = libc.syscall(LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    if rules < 0:
        return False
    try:
        for path in (*sandbox.read, *SYSTEM_FOLDERS, *DEVICES_READ):
            _allow(libc, rules, path, READ & handled)
        for path in (*sandbox.write, *DEVICES_WRITTEN):
            _allow(libc, rules, path, WRITE & handled)
        return bool(libc.syscall(LANDLOCK_RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, access: int) -> None:
    """Allow access to a file, or to what is below a folder; one that is not there needs no rule."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (OSError, ValueError):
        return
    try:
        if not os.path.isdir(path):
            access &= OF_FILES
        rule = struct.pack("=Qi", access, descriptor)
        libc.syscall(LANDLOCK_ADD, rules, LANDLOCK_RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)


def _filter_calls(libc: ctypes.CDLL) -> bool:
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        return False
    program = _program(machine)
    code = ctypes.create_string_buffer(program)

    class _Filter(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    described = _Filter(len(program) // 8, ctypes.addressof(code))
    return bool(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(described), 0, 0) == 0)


def _program(machine: str) -> bytes:
    """The filter as instructions of the classic packet filter: forbidden calls fail with EPERM, others pass."""
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    allow, refuse = 0x7FFF0000, 0x00050000 | errno.EPERM
    column = 0 if machine == X86_64 else 1
    numbers = [both[column] for both in FORBIDDEN_CALLS.values()]
    tests = [(equal, number) for number in numbers]
    if machine == X86_64:
        tests.insert(0, (at_least, X32_BIT))
    n = len(tests)
    lines = [
        (load, 0, 0, 4),  # the architecture
        (equal, 0, n + 2, ARCHITECTURES[machine]),  # another one: refused
        (load, 0, 0, 0),  # the number of the call
        *((kind, n - i, 0, value) for i, (kind, value) in enumerate(tests)),
        (answer, 0, 0, allow),
        (answer, 0, 0, refuse),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def _real(paths: Iterable[Path]) -> list[str]:
    """Paths without links; a name that no file can have is left out, as there is nothing to allow."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            found.append(os.path.realpath(path))
    return found


def _python_folders() -> list[str]:
    """Where Python, its libraries and this package are. A program that runs code of its own names no folder."""
    found = dict.fromkeys((sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.realpath(sys.executable)))
    own = Path(__file__).resolve().parents[1]
    return [*found, str(own), *(os.path.abspath(path) for path in sys.path if path)]


def _caches() -> list[str]:
    """The folder in which Matplotlib keeps its list of fonts, made here since a worker may not."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folders = [os.environ.get("MPLCONFIGDIR") or os.path.join(base, "matplotlib")]
    for folder in folders:
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError:
            return []
    return folders
