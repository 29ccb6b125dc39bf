"""The strategy environment that rbi makes itself, with uv, at first use."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import uv
from filelock import FileLock, Timeout

from runners.base import RunnerError
from runners.installed import digest, first_damaged
from runners.probe import Probe, ProbeFailed, home_in, is_shortage, probe
from runners.untrusted_text import neutralise

PINS = Path(__file__).with_name("strategy-env.txt")
_MARKER = "made-by-rbi"
_INSTALL_S = 1800
_BUNDLED_SHARE = 0.75  # of the rows of the datasets that come with backtesting.py
_PASSED_ON = re.compile(
    r"PATH|HOME|LANG|LC_.*|TMPDIR|XDG_.*|SSL_CERT_.*|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|(?i:\w*_proxy)|UV_.*|PIP_.*"
)
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)

Progress = Callable[[str], None]


def folder_in(cache: Path) -> Path:
    """Where the venv for this python and these pins is, made or not."""
    base = f"{platform.python_implementation()} {platform.python_version()} {base_python()}"
    return cache / "envs" / hashlib.sha256(PINS.read_bytes() + base.encode()).hexdigest()[:16]


def ensure(folder: Path, cache: Path, environ: Mapping[str, str], progress: Progress) -> Probe:
    """Make the venv in ``folder``, or again if it is broken. Returns what its python answers.

    Two processes that need it at once make it once. Raises `RunnerError` if it cannot be made.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder, progress):
            return _ensure_locked(folder, cache, environ, progress)
    except OSError as error:
        raise RunnerError(
            f"the strategy environment cannot be made in {folder.parent}: {error.strerror or error}",
            hint="make space, or set another cache folder that can be written",
        ) from error


def remove(cache: Path) -> None:
    """Delete every venv that was made under ``cache``."""
    for folder in sorted(path for path in (cache / "envs").glob("*") if path.is_dir()):
        with _locked(folder, lambda _: None):
            shutil.rmtree(folder)


def base_python() -> Path:
    """The interpreter that rbi's own environment was made from: it stays when that one is deleted."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = Path(sys.base_prefix) / "bin" / name
    return found if found.exists() else Path(sys.executable)


def install_environ(environ: Mapping[str, str], cache: Path) -> dict[str, str]:
    """What uv may see of ``environ``: enough to reach an index, nothing that looks like a secret.

    Without a home folder that can be written, uv's own cache goes under ``cache``.
    """
    kept = {k: v for k, v in environ.items() if _PASSED_ON.fullmatch(k) and not _SECRET.search(k)}
    home = kept.get("HOME")
    if "UV_CACHE_DIR" not in kept and not (home and os.access(home, os.W_OK)):
        kept["UV_CACHE_DIR"] = str(cache / "uv")
    if ssl.get_default_verify_paths().cafile:
        # What the rest of the machine trusts, a company's own certificate included; uv alone trusts Mozilla's.
        kept.setdefault("UV_SYSTEM_CERTS", "true")
    return kept


@contextmanager
def _locked(folder: Path, progress: Progress) -> Iterator[None]:
    lock = FileLock(folder.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress("another process is making the strategy environment; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _ensure_locked(folder: Path, cache: Path, environ: Mapping[str, str], progress: Progress) -> Probe:
    if folder.exists():
        try:
            return _checked(folder, cache)
        except ProbeFailed as error:
            if error.passing:  # others may be using it: nothing shows that it is broken
                raise RunnerError(
                    f"the strategy environment cannot be looked at: {error}",
                    hint="end other programs, or allow more open files (ulimit -n 4096), then run it again",
                ) from error
            progress(f"making the strategy environment again: {error}")
            shutil.rmtree(folder)
    progress(f"making the strategy environment in {folder} (once, about 270 MB)")
    try:
        return _made(folder, cache, environ, progress)
    except ProbeFailed as error:
        progress(f"making the strategy environment again, with new downloads: {error}")
        shutil.rmtree(folder)
    try:
        return _made(folder, cache, environ, progress, reinstall=True)
    except ProbeFailed as error:
        raise RunnerError(
            f"the new strategy environment does not work: {error}",
            hint=f"see whether {base_python()} is complete and the disk is sound, or use your own: --env conda:NAME",
        ) from error


def _checked(folder: Path, cache: Path) -> Probe:
    marker = folder / _MARKER
    if not marker.is_file():
        raise ProbeFailed("it was not finished")
    if marker.read_bytes() != _contents(folder):
        raise ProbeFailed("its files are not those that were installed")
    return _probed(folder, cache)


def _made(
    folder: Path, cache: Path, environ: Mapping[str, str], progress: Progress, *, reinstall: bool = False
) -> Probe:
    """Raises `ProbeFailed` if what was installed is damaged or does not work."""
    _install(folder, install_environ(environ, cache), progress, reinstall=reinstall)
    for site_packages in _site_packages(folder):
        if damaged := first_damaged(site_packages):
            raise ProbeFailed(f"uv's cache gave a damaged file: {damaged}")
        cut_bundled_data(site_packages / "backtesting" / "test")
    answer = _probed(folder, cache)
    (folder / _MARKER).write_bytes(_contents(folder))
    return answer


def _probed(folder: Path, cache: Path) -> Probe:
    answer = probe(folder / "bin" / "python", home_in(cache))
    if answer.broken:
        raise ProbeFailed("; ".join(answer.broken.values()))
    return answer


def _contents(folder: Path) -> bytes:
    try:
        return "\n".join(digest(path) for path in _site_packages(folder)).encode()
    except OSError as error:
        raise ProbeFailed(f"its files cannot be read: {error}", passing=is_shortage(error)) from error


def _site_packages(folder: Path) -> list[Path]:
    return sorted((folder / "lib").glob("python*/site-packages"))


def _install(folder: Path, environ: Mapping[str, str], progress: Progress, *, reinstall: bool) -> None:
    try:
        executable = uv.find_uv_bin()
    except FileNotFoundError as error:
        raise RunnerError("uv is not installed", hint="install rbi again: it brings uv along") from error
    python = str(folder / "bin" / "python")
    _uv([executable, "venv", "--no-project", "--python", str(base_python()), str(folder)], environ, progress)
    # Copies: a strategy that writes into a file shared with uv's cache would damage whatever is installed from it.
    install = [
        "pip",
        "install",
        "--python",
        python,
        "--link-mode",
        "copy",
        "--compile-bytecode",
        "-r",
        str(PINS),
    ]
    _uv([executable, *install, *(["--reinstall"] if reinstall else [])], environ, progress)


def _uv(command: list[str], environ: Mapping[str, str], progress: Progress) -> None:
    """Run uv and pass on what it says as it says it. Raises `RunnerError` if it fails or takes too long."""
    lines: list[str] = []
    with subprocess.Popen(
        command,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(_INSTALL_S, give_up)
        timer.start()
        try:
            for line in process.stderr or ():
                lines.append(neutralise(line).rstrip())
                if not line.startswith(" "):
                    progress(lines[-1])
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
    if late.is_set():
        raise RunnerError(
            f"uv did not finish within {_INSTALL_S // 60} minutes",
            hint="look at the network, then run it again",
        )
    if process.returncode:
        raise RunnerError(
            "uv could not make the strategy environment:\n" + "\n".join(lines[-8:]), hint=_hint_for(lines)
        )


def _hint_for(lines: list[str]) -> str:
    said = "\n".join(lines).lower()
    if "no space left" in said or "quota" in said:
        return "free some space, or name another cache folder in the variable RBI_CACHE, then run it again"
    return "look at the network (proxies and UV_* settings are passed on), then run the same command again"


def cut_bundled_data(folder: Path) -> None:
    """Leave of every csv file in ``folder`` only its first rows: the last quarter is what strategies are judged on.

    The files are replaced, not written to: others may share their content.
    """
    for path in folder.glob("*.csv"):
        header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
        new = path.with_suffix(".new")
        new.write_text("".join([header, *rows[: int(len(rows) * _BUNDLED_SHARE)]]), encoding="utf-8")
        new.replace(path)
