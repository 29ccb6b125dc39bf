"""Run as a script: what this interpreter is and which of the strategy libraries it can import, as one JSON line."""

import sys

del sys.path[0]  # this folder: its files are not for importing by name

import importlib  # noqa: E402
import importlib.metadata  # noqa: E402
import importlib.util  # noqa: E402
import json  # noqa: E402
import platform  # noqa: E402
import types  # noqa: E402

# module -> distributions that may provide it
LIBRARIES = {
    "numpy": ("numpy",),
    "pandas": ("pandas",),
    "backtesting": ("backtesting",),
    "talib": ("ta-lib",),
    "pandas_ta": ("pandas-ta", "pandas-ta-classic"),
    "scipy": ("scipy",),
}


def main():
    """Print the answer."""
    plotting = types.ModuleType("backtesting._plotting")  # as the harness does: bokeh is slow and not needed
    plotting.plot = plotting.plot_heatmaps = plotting.set_bokeh_output = None
    sys.modules["backtesting._plotting"] = plotting
    found = {"python": platform.python_version()}
    broken = {}
    for module, distributions in LIBRARIES.items():
        try:
            importlib.import_module(
                "pandas_ta_classic" if module == "pandas_ta" and not real_pandas_ta() else module
            )
            found[module] = version(distributions)
        except BaseException as error:  # noqa: BLE001 - a broken library can raise anything
            broken[module] = f"{type(error).__name__}: {error}"
    print()  # a library may have left a line of its own without an end
    print(json.dumps({"prefix": sys.prefix, "versions": found, "broken": broken}))


def real_pandas_ta():
    """Whether there is a package of that very name."""
    return importlib.util.find_spec("pandas_ta") is not None


def version(distributions):
    """The version of the first of them that is installed."""
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown"


main()
