"""The command line: a short function for each command, and the one place that prints errors and exits."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from rbi import __version__
from rbi.config import Settings, load
from rbi.errors import ExitCode, RbiError, UsageError
from rbi.settings_table import BY_KEY, SETTINGS, suggestion
from rbi.terminal import (
    IDEA_THREADS,
    abandon,
    ending_signals,
    prepare_streams,
    printable,
    say,
    settle_streams,
    standard_input,
)

if TYPE_CHECKING:
    from models.factory import ModelFactory
    from rbi.selection import Wishes

# Heavy imports (rich, pandas, the SDKs) live inside the commands: `rbi --help` has to answer at once.

Command = Callable[[argparse.Namespace], int]

_EPILOG = """exit codes: 0 every idea reached an outcome; 1 an error that is explained; 2 wrong usage;
3 stopped at the budget, or ideas are left to try again, resumable; 130 interrupted, resumable.

first steps:  rbi init   then   rbi run"""
_RETRY_FAILED = (
    "take up again what failed, never traded or got no document; where models were asked, they are asked anew"
)
_BACKTEST_SETTINGS = (
    *("results", "name", "data", "env", "sandbox", "workers", "timeout"),
    *("cash", "commission", "spread", "margin"),
)


class _Parser(argparse.ArgumentParser):
    """Argparse, with its errors in our three parts."""

    def error(self, message: str) -> NoReturn:
        found = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        if found:
            options = [word.strip(" '") for word in found.group(2).split(",")]
            raise UsageError(
                f"there is no {found.group(1)!r}", where=self.prog, fix=suggestion(found.group(1), options)
            )
        raise UsageError(message, where=self.prog, fix=f"`{self.prog} --help` says how it is used")

    def options(self) -> list[str]:
        """Every long option of this command."""
        strings = [string for action in self._actions for string in action.option_strings]
        return [string for string in strings if string.startswith("--")]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Ends the process itself if a batch has left threads behind that wait for a server: the interpreter would wait
    for them, too.
    """
    prepare_streams()
    code = _code_of(argv)
    if any(thread.name.startswith(IDEA_THREADS) for thread in threading.enumerate()):
        os._exit(code)
    return code


def _code_of(argv: Sequence[str] | None) -> int:
    # Ended from outside is ended by the user: the same way out, with what was started ended too.
    for number in ending_signals():
        signal.signal(number, signal.default_int_handler)
    try:
        arguments = _parse(argv)
        command: Command = arguments.command
        return command(arguments)
    except RbiError as error:
        return _complain(error)
    except BrokenPipeError:
        # The reader of our output left (`rbi results | head`): nobody is there to be told.
        abandon(sys.stdout)
        return ExitCode.OK
    except KeyboardInterrupt:
        say("\ninterrupted; everything recorded so far is safe. A batch goes on with: rbi resume")
        return ExitCode.INTERRUPTED
    except OSError as error:
        return _complain(_from_os(error))
    except Exception as error:  # noqa: BLE001 - a fault of ours: three parts all the same
        return _complain(_from_fault(error))
    finally:
        settle_streams()


def _complain(error: RbiError) -> int:
    say(f"rbi: {printable(error.what)}")
    if error.where:
        say(f"  where: {printable(error.where)}")
    if error.fix:
        say(f"  fix:   {printable(error.fix)}")
    return int(error.exit_code)


def _from_fault(error: Exception) -> RbiError:
    import traceback

    if os.environ.get("RBI_DEBUG"):
        traceback.print_exception(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return RbiError(
        f"an error inside rbi: {type(error).__name__}: {error}",
        where=f"{Path(frame.filename).name}:{frame.lineno}",
        fix="please report it (RBI_DEBUG=1 shows the details); everything recorded so far is safe",
    )


def _from_os(error: OSError) -> RbiError:
    import errno

    fixes = {
        errno.ENOSPC: "free some space on the disk, then `rbi resume`: everything recorded so far is safe",
        errno.EDQUOT: "free some of your disk quota, then `rbi resume`: everything recorded so far is safe",
        errno.EROFS: "choose a folder that can be written, with --results",
        errno.EACCES: "choose a folder that you may write, with --results, or change its permissions",
        errno.EPERM: "choose a folder that you may write, with --results, or change its permissions",
        errno.ENAMETOOLONG: "use a shorter path",
        errno.ENOTDIR: "a file stands where a folder is needed: name another folder",
        errno.EEXIST: "a file stands where a folder is needed: name another folder",
        errno.EISDIR: "a folder stands where a file is needed: name another file",
        errno.ELOOP: "the path leads in a circle of links: name another",
        errno.EMFILE: "allow more open files (`ulimit -n 4096`) or use fewer --workers, then `rbi resume`",
    }
    fix = fixes.get(error.errno or 0, "see `rbi doctor`")
    return RbiError(error.strerror or str(error), where=str(error.filename or ""), fix=fix)


# Parsing


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    arguments, unknown = _parser().parse_known_args(argv)
    if unknown:
        parser: _Parser = arguments.parser
        if arguments.command is _resume:
            _refuse_identity(unknown, parser.prog)
        close = _nearest(unknown[0].partition("=")[0], parser.options())
        fix = f"did you mean {close}?" if close else f"`{parser.prog} --help` says how it is used"
        raise UsageError(f"unknown argument {unknown[0]!r}", where=parser.prog, fix=fix)
    return arguments


def _refuse_identity(unknown: Sequence[str], where: str) -> None:
    """Say of a setting that a batch keeps for life that it is one."""
    flags = [setting.flag for setting in SETTINGS if setting.identity and not setting.resumable]
    kept = next((word for word in (u.partition("=")[0] for u in unknown) if word in flags), None)
    if kept:
        raise UsageError(
            f"a batch keeps its {kept} for life",
            where=where,
            fix=f"`rbi run {kept} ... --name ANOTHER` begins another batch: recorded answers are used again",
        )


def _nearest(word: str, options: Sequence[str]) -> str:
    """The option that ``word`` is a slip for; empty if it is like none."""
    names = {option.strip("-"): option for option in options}
    # The dashes, which all have, would make short words look alike.
    close = difflib.get_close_matches(word.strip("-"), names, n=1, cutoff=0.7) if word.startswith("-") else []
    return names[close[0]] if close else ""


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="rbi",
        description="From a file of trading ideas to tested strategies and a leaderboard you can believe.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"rbi {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=_Parser)

    run = _add(commands, "run", "take every idea of a file to a tested strategy", _run)
    _ideas(run)
    run.add_argument("--watch", action="store_true", help="go on with ideas that are added, until Ctrl-C")
    run.add_argument("--yes", action="store_true", help="begin without asking, whatever it may cost")
    _settings(run, [s.key for s in SETTINGS if s.key != "ideas"])

    own = _add(
        commands, "backtest", "run strategies of your own on every dataset, without a model", _backtest
    )
    own.add_argument("paths", nargs="+", metavar="PATH", help="a .py file, or a folder of them")
    own.add_argument(
        "--part",
        choices=("full", "dev"),
        default="full",
        help="all bars, or those before the hold-out (default: full)",
    )
    _mode(own)
    own.add_argument(
        "--repair",
        action="store_true",
        help="mend what is certain first, and guard the orders or bars that what is left then ends at; nothing is"
        " written to your files, and the results name each change",
    )
    _settings(own, [s.key for s in SETTINGS if s.key in _BACKTEST_SETTINGS])

    checking = _add(
        commands, "check", "what will fail or mislead in strategies of your own; runs nothing", _check
    )
    checking.add_argument("paths", nargs="+", metavar="PATH", help="a .py file, or a folder of them")
    _mode(checking)
    checking.add_argument(
        "--write",
        metavar="DIR",
        default="",
        help="write the files, repaired or as they were, below this folder",
    )
    checking.add_argument(
        "--guards",
        action="store_true",
        help="leave out or round orders that the engine refuses, too: this changes which orders are placed",
    )

    plan = _add(
        commands, "plan", "what `rbi run` would ask, cost and take; asks nobody and writes nothing", _plan
    )
    _ideas(plan)
    _settings(plan, [s.key for s in SETTINGS if s.key not in ("ideas", "confirm_above")])

    resume = _add(commands, "resume", "continue the latest batch, or a named one", _resume)
    resume.add_argument("batch", nargs="?", metavar="RUN", help="name of the batch")
    resume.add_argument("--retry-failed", action="store_true", help=_RETRY_FAILED)
    _settings(resume, [s.key for s in SETTINGS if s.resumable])

    for name, text, command in (
        ("status", "how far a batch is and what it has cost", _status),
        ("results", "the leaderboard of a batch", _results),
    ):
        viewer = _add(commands, name, text, command)
        viewer.add_argument("batch", nargs="?", metavar="RUN", help="name of the batch (default: the latest)")
        _settings(viewer, ["results"])

    show = _add(commands, "show", "one idea: summary, code, log or stats", _show)
    show.add_argument("idea", metavar="IDEA", help="its number, its id, or a part of its name or text")
    show.add_argument("--batch", metavar="RUN", help="name of the batch (default: the latest)")
    which = show.add_mutually_exclusive_group()
    which.add_argument("--code", action="store_true", help="the strategy's code")
    which.add_argument("--log", action="store_true", help="calls, backtests and what they printed")
    which.add_argument("--stats", action="store_true", help="every statistic of every dataset")
    _settings(show, ["results"])

    models = _add(commands, "models", "the providers, their keys and prices", _models)
    models.add_argument(
        "names",
        nargs="*",
        metavar="PROVIDER[:NAME]",
        help="with --check: only these (default: all usable ones)",
    )
    models.add_argument(
        "--check",
        action="store_true",
        help="ask each for one token, which may cost a little; exit code 1 if one does not answer,"
        " or if there is none to ask",
    )
    _settings(
        _add(commands, "doctor", "check this machine and folder", _doctor), ["results", "env", "sandbox"]
    )
    env = _add(commands, "env", "the environment that strategies run in", _env)
    env.add_argument("action", choices=("show", "create", "remove"), help="what to do with it")
    _settings(env, ["env"])
    init = _add(commands, "init", "write a first ideas file, rbi.toml and .env.example", _init)
    init.add_argument("folder", nargs="?", default=".", help="where (default: here)")
    init.add_argument(
        "--prompts",
        action="store_true",
        dest="with_prompts",
        help="the prompts, too, in a folder of that name",
    )
    return parser


def _ideas(parser: argparse.ArgumentParser) -> None:
    """The ideas of a command, and what is said of them on the command line alone."""
    parser.add_argument(
        "ideas_file",
        nargs="?",
        metavar="IDEAS",
        help="a file with one idea a line, a folder with one a file, or - for standard input"
        " (default: ideas/ideas.txt)",
    )
    for flag, text in (
        (
            "--again",
            "make a new trial of ideas that are finished: models are asked anew, in a batch of its own",
        ),
        ("--retry-failed", _RETRY_FAILED),
        ("--dedupe", "run ideas that nearly repeat another, with the same numbers, once"),
        ("--keep-flagged", "run lines that look like fragments, headings or prompts, too"),
        ("--keep-infeasible", "write strategies for ideas that need data which is not here, too"),
    ):
        parser.add_argument(flag, action="store_true", help=text)


def _mode(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mode",
        choices=("auto", "class", "script"),
        default="auto",
        help="what the files are: a strategy class, a program that calls Backtest itself, or told by whether"
        " they use Backtest anywhere (default: auto)",
    )


def _wishes(arguments: argparse.Namespace) -> Wishes:
    from rbi.selection import Wishes

    return Wishes(
        again=arguments.again,
        retry_failed=arguments.retry_failed,
        dedupe=arguments.dedupe,
        keep_flagged=arguments.keep_flagged,
        keep_infeasible=arguments.keep_infeasible,
    )


def _add(commands: Any, name: str, text: str, command: Command) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, allow_abbrev=False
    )
    parser.set_defaults(command=command, parser=parser)
    parser.add_argument("--json", action="store_true", help="output for machines")
    parser.add_argument("--config", metavar="FILE", help="settings file (default: rbi.toml here)")
    return parser


def _settings(parser: argparse.ArgumentParser, keys: Sequence[str]) -> None:
    for key in keys:
        setting = BY_KEY[key]
        options: dict[str, Any] = {"dest": key, "help": setting.help, "metavar": setting.metavar}
        if setting.repeatable:
            options["action"] = "append"
        parser.add_argument(setting.flag, default=argparse.SUPPRESS, **options)


def _flags(arguments: argparse.Namespace) -> dict[str, Any]:
    said = {key: value for key, value in vars(arguments).items() if key in BY_KEY}
    if getattr(arguments, "ideas_file", None) is not None:
        said["ideas"] = arguments.ideas_file
    return said


def _load(arguments: argparse.Namespace) -> Settings:
    config = Path(arguments.config) if arguments.config else None
    return load(_flags(arguments), folder=Path(), environ=os.environ, config=config)


# Commands


def _run(arguments: argparse.Namespace) -> int:
    from rbi.app import run

    return run(
        _load(arguments),
        _wishes(arguments),
        json_output=arguments.json,
        yes=arguments.yes,
        watch=arguments.watch,
    )


def _backtest(arguments: argparse.Namespace) -> int:
    from rbi.app import backtest
    from rbi.backtest_command import BacktestRequest

    request = BacktestRequest(
        tuple(arguments.paths), str(Path.cwd()), arguments.part, arguments.mode, arguments.repair
    )
    return backtest(_load(arguments), request, json_output=arguments.json)


def _check(arguments: argparse.Namespace) -> int:
    from rbi.check_command import CheckRequest, as_json, page, read_and_check

    request = CheckRequest(tuple(arguments.paths), arguments.mode, arguments.write, arguments.guards)
    found, checked, written = read_and_check(request)
    if arguments.json:
        _print_json(as_json(checked, found, written))
    else:
        for line in page(checked, found):
            print(line)
    return ExitCode.ERROR if any(one.problems for one in checked) else ExitCode.OK


def _plan(arguments: argparse.Namespace) -> int:
    from rbi.console import console
    from rbi.intake.sources import read_source
    from rbi.plan import plan
    from rbi.plan_view import plan_json, plan_page

    settings = _load(arguments)
    made = plan(settings, read_source(settings.ideas, standard_input()), _wishes(arguments))
    if arguments.json:
        _print_json(plan_json(made))
    else:
        console().print(plan_page(made))
    return ExitCode.OK


def _resume(arguments: argparse.Namespace) -> int:
    from rbi.app import resume

    return resume(
        arguments.batch,
        _flags(arguments),
        _load(arguments),
        retry_failed=arguments.retry_failed,
        json_output=arguments.json,
    )


def _status(arguments: argparse.Namespace) -> int:
    from rbi.console import console
    from rbi.economy import economy
    from rbi.views import status_json, status_page
    from rbi.workplace import open_existing

    with open_existing(Path(_load(arguments).results)) as workplace:
        batch = workplace.find_batch(arguments.batch)
        records = workplace.journal.ideas(batch.name)
        totals = workplace.journal.totals(batch.name)
        took = economy(workplace.journal.spending(batch.name), records)
        if arguments.json:
            _print_json(status_json(batch, records, totals, took))
        else:
            others = [b for b in workplace.journal.batches() if b.name != batch.name]
            again = workplace.resume_command(batch.name)
            console().print(status_page(batch, records, totals, took, others, again=again))
    return ExitCode.OK


def _results(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from rbi.console import console
    from rbi.views import counts_line, results_table
    from rbi.workplace import open_existing

    with open_existing(Path(_load(arguments).results)) as workplace:
        batch = workplace.find_batch(arguments.batch)
        rows = workplace.leaderboard(batch.name)
        if arguments.json:
            _print_json([asdict(row) for row in rows])
        else:
            out = console()
            out.print(results_table(rows, title=batch.name, width=out.width))
            out.print(counts_line(workplace.journal.ideas(batch.name)))
    return ExitCode.OK


def _show(arguments: argparse.Namespace) -> int:
    from rbi.show import show
    from rbi.workplace import open_existing

    with open_existing(Path(_load(arguments).results)) as workplace:
        batch = workplace.find_batch(arguments.batch)
        part = next((name for name in ("code", "log", "stats") if getattr(arguments, name)), "summary")
        show(workplace, batch, arguments.idea, part, as_json=arguments.json)
    return ExitCode.OK


def _models(arguments: argparse.Namespace) -> int:
    from models.cost import PriceTable
    from models.factory import ModelFactory

    settings = _load(arguments)
    factory = ModelFactory(settings.environ, own=settings.providers, prices=PriceTable(settings.prices))
    if arguments.check:
        return _check_models(factory, arguments)
    if arguments.names:
        raise UsageError(
            f"{arguments.names[0]} is named without --check",
            where="rbi models",
            fix=f"`rbi models --check {arguments.names[0]}` asks it; `rbi models` lists all",
        )
    return _list_models(factory, arguments)


def _list_models(factory: ModelFactory, arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from rbi.console import console
    from rbi.models_page import models_page, print_page

    listings = factory.available()
    if arguments.json:
        _print_json([asdict(listing) for listing in listings])
    else:
        out = console()
        print_page(out, models_page(listings, width=out.width))
    return ExitCode.OK


def _check_models(factory: ModelFactory, arguments: argparse.Namespace) -> int:
    from rbi.console import console
    from rbi.models_page import checks_page, print_page
    from rbi.provider_check import check_providers, checks_json

    checks = check_providers(factory, arguments.names)
    if arguments.json:
        _print_json(checks_json(checks))
    elif checks:
        out = console()
        print_page(out, checks_page(checks, width=out.width))
    if not checks:
        raise RbiError(
            "no provider can be used here, so none was asked",
            where="rbi models --check",
            fix="put a key such as OPENAI_API_KEY=... into .env, or start Ollama; `rbi models` lists what each needs",
        )
    return ExitCode.OK if all(checked.ok for checked in checks) else ExitCode.ERROR


def _doctor(arguments: argparse.Namespace) -> int:
    from rbi.doctor import examine, measure_levels, report

    settings = _load(arguments)
    findings, levels = examine(settings), measure_levels(settings)
    if arguments.json:
        _print_json(
            {
                "findings": [finding.as_json() for finding in findings],
                "levels": [level.as_json() for level in levels],
            }
        )
    else:
        report(findings, levels)
    return ExitCode.OK if all(finding.ok for finding in findings) else ExitCode.ERROR


def _env(arguments: argparse.Namespace) -> int:
    from rbi.app import environment_command

    description = environment_command(_load(arguments), arguments.action)
    if arguments.json:
        _print_json(description)
    else:
        for key, value in description.items():
            print(f"{key}: {value}")
    return ExitCode.OK


def _init(arguments: argparse.Namespace) -> int:
    from rbi.init import write_first_files

    made = write_first_files(Path(arguments.folder), prompts=arguments.with_prompts)
    if arguments.json:
        _print_json(made)
    else:
        for name, what in made.items():
            print(f"{what:<8} {name}")
        print("next: rbi run" + (" --prompts prompts" if arguments.with_prompts else ""))
    return ExitCode.OK


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))
