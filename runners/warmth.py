"""Which level of containment works here, and a server that is ready at that level."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from runners.base import STRONG, Level, RunInterrupted, RunnerError
from runners.clean_environment import clean_environment
from runners.environments import Environment
from runners.interruption import Interruption
from runners.launchers import ColdLauncher, WarmLauncher
from runners.limits import Limits
from runners.process import Job, Launcher, run_process
from runners.sandbox import confinement, possible_levels
from runners.warm import ServerFailed, WarmServer
from runners.work_folder import work_folder

_SELF_TEST_S = 60.0
_ABILITIES = ("scratch", "libraries")
_ATTEMPTS = ("read", "write", "network", "fork", "exec", "signal")
_LIBRARIES = ("talib", "pandas_ta", "scipy.signal", "scipy.stats")  # imported once for all strategies
_STARTS = 3  # how often a server is started, or a throwaway child, that somebody kills meanwhile


@dataclass(frozen=True, slots=True)
class Containment:
    """Which levels may be used: at least ``minimum``; or ``exactly`` one, whether or not a stronger one works."""

    minimum: Level = Level.COLD
    exactly: Level | None = None

    @classmethod
    def named(cls, text: str) -> Containment:
        """Of a setting: empty, a level that is the least, or ``=`` and the level to be used.

        Raises `ValueError` for anything else.
        """
        if text.startswith("="):
            return cls(exactly=Level(text[1:]))
        return cls(Level(text)) if text else cls()

    def allows(self, level: Level) -> bool:
        """Whether ``level`` may be used."""
        return level is self.exactly if self.exactly else level.strength >= self.minimum.strength


class Warmth:
    """Launchers for one environment at the strongest level that works, found by trying it with a process.

    Safe to use from many threads. ``why_not`` says of each level that was tried in vain what stood in the way.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        scratch_root: Path,
        limits: Limits,
        containment: Containment,
        interruption: Interruption,
    ) -> None:
        self._environment = environment
        self._scratch_root = scratch_root
        self._limits = limits
        self._containment = containment
        self._interruption = interruption
        self._settings = confinement(environment, limits, scratch_root)
        self._lock = threading.Lock()
        self._server: WarmServer | None = None
        self._level: Level | None = None
        self._libraries: tuple[str, ...] = _LIBRARIES
        self.why_not: dict[Level, str] = {}

    def launcher(self) -> Launcher:
        """One that works now; a server that has ended is replaced by one at the same level.

        Raises `RunnerError` if no level that is allowed works here, or the one that did works no longer, and
        `RunInterrupted` after an interrupt.
        """
        with self._lock:
            if self._level is Level.COLD:
                return self._cold()
            if self._server and self._server.alive():
                return WarmLauncher(self._server)
            self._server = None
            for level in self._levels():
                if launcher := self._try(level):
                    return launcher
                if self._interruption.is_set():
                    raise interrupted()  # that, and not the level, may be why it does not work
        raise self._refused()

    def discard(self, launcher: Launcher) -> None:
        """Give up the server behind ``launcher``: what it starts does not work. Its other jobs begin again."""
        with self._lock:
            if self._server and isinstance(launcher, WarmLauncher) and launcher.server is self._server:
                self._server.kill()
                self._server = None

    def close(self) -> None:
        """End the server."""
        with self._lock:
            if self._server:
                self._server.close()
            self._server = None

    def _levels(self) -> tuple[Level, ...]:
        """Those to be tried. One that has worked is kept: a server that was killed must not weaken what comes after."""
        if self._level:
            return (self._level,)
        return tuple(level for level in possible_levels() if self._containment.allows(level))

    def _try(self, level: Level) -> Launcher | None:
        for _ in range(_STARTS):
            if self._interruption.is_set():
                return None
            if level is Level.COLD:
                self._level = level
                return self._cold()
            try:
                server = self._start(level)
            except ServerFailed as error:
                self.why_not[level] = str(error)
                if error.killed:
                    continue
                return None
            problem = self._problem(server)
            if not problem:
                self.why_not.pop(level, None)
                self._server, self._level = server, level
                return WarmLauncher(server)
            self.why_not[level] = problem
            killed = server.was_killed()
            server.close()
            if not killed:
                return None
        return None

    def _start(self, level: Level) -> WarmServer:
        """A server; without the libraries that strategies may use, if it is only with them that it does not start.

        One that starts a thread when it is imported, for instance, can still be imported by each strategy.
        """
        try:
            return self._start_with(level, self._libraries)
        except ServerFailed as error:
            if error.killed or not self._libraries:
                raise
            try:
                server = self._start_with(level, ())
            except ServerFailed:
                raise error from None
            self._libraries = ()
            return server

    def _start_with(self, level: Level, libraries: Sequence[str]) -> WarmServer:
        python = self._environment.python
        return WarmServer(
            python,
            level=level,
            confinement=self._settings,
            libraries=libraries,
            environ=clean_environment(python, Path("/nonexistent")),
            marker=f"RBI_RUN={uuid.uuid4().hex}",
            interruption=self._interruption,
        )

    def _problem(self, server: WarmServer) -> str:
        """What a throwaway child finds wrong with the level; empty if it keeps what it promises."""
        for _ in range(_STARTS):
            found = examine(WarmLauncher(server), self._limits, self._scratch_root, self._interruption)
            if found or not server.alive():
                break
        if not found:
            return "a process at this level does not work"
        if not found["scratch"]:
            return "the work folder cannot be written to"
        if not found["libraries"]:
            return "the environment's files cannot be read by the user that strategies run as (chmod -R a+rX)"
        allowed = [name for name in _ATTEMPTS if not found[name]]
        return f"not refused: {', '.join(allowed)}" if allowed and server.level in STRONG else ""

    def _cold(self) -> Launcher:
        return ColdLauncher(self._environment.python, self._settings)

    def _refused(self) -> RunnerError:
        if self._level:
            return RunnerError(
                f"strategies can no longer be contained at the level {self._level}, at which they ran so far: "
                f"{self.why_not.get(self._level, 'no server starts')}",
                hint="something ends the processes of rbi, maybe for want of memory; then run the same command again",
            )
        asked = self._containment.exactly or self._containment.minimum
        why = "; ".join(f"{level}: {reason}" for level, reason in self.why_not.items())
        return RunnerError(
            f"strategies cannot be contained at the level {asked} here" + (f" ({why})" if why else ""),
            hint="look at `rbi doctor`, or allow a weaker level with --sandbox",
        )


def interrupted() -> RunInterrupted:
    """What a run ends in that was stopped from outside."""
    return RunInterrupted("the backtest was interrupted", hint="run the same command again to continue")


def examine(
    launcher: Launcher, limits: Limits, scratch_root: Path, interruption: Interruption
) -> Mapping[str, bool] | None:
    """What a child of ``launcher`` is refused, by attempt; ``None`` if it does not answer."""
    with NamedTemporaryFile() as foreign, work_folder(scratch_root, launcher.level) as folder:
        Path(foreign.name).chmod(0o644)
        job = Job(
            request={"mode": "self_test", "scenarios": []},
            bars=(),
            scratch=folder,
            timeout_s=_SELF_TEST_S,
            whole_s=_SELF_TEST_S,
            limits=limits,
            confinement={"limits": limits.rlimits(int(_SELF_TEST_S)), "foreign_file": foreign.name},
        )
        return _read(run_process(job, launcher, interruption).result)


def _read(channel: bytes) -> Mapping[str, bool] | None:
    """No strategy has written to the channel, but a library may have damaged it."""
    try:
        said = json.loads(channel.splitlines()[-1])["self_test"]
        return {name: said[name] is True for name in (*_ATTEMPTS, *_ABILITIES)}
    except (IndexError, ValueError, KeyError, TypeError):
        return None
