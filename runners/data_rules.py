"""Failures of strategies that ask for data, or for columns, which are not there or have another name."""

from __future__ import annotations

from runners.base import FailureKind
from runners.failure_rule import BARS, ENGINE, FILE, Rule, names

_COLUMNS = "The columns of self.data are Open, High, Low, Close and Volume, written so; the times are self.data.index."
_RENAME = (
    "Give Backtest a frame with the columns Open, High, Low, Close (and Volume), written so, and a DatetimeIndex: "
    "rename the columns, then set_index(pd.to_datetime(...))."
)
_OHLCV = r"adj[ _]?close|open|high|low|close|volume|date|time|datetime|date_?time|timestamp|index|unnamed.*"
_FRAME_API = (
    "iloc|loc|iat|at|shape|columns|values|rolling|ewm|shift|diff|pct_change|tail|head|copy|resample|iterrows|"
    "to_frame|to_df|to_pandas|to_dict|to_numpy|itertuples|describe|assign|join|merge|set_index|reset_index|"
    "dropna|fillna|apply|empty|size|ta"
)
_NO_STATISTIC = (
    "There is no statistic of that name: look at stats.index, such as 'Sharpe Ratio' and 'Return [%]'."
)
DATA_RULES = (
    Rule(
        FailureKind.COLUMN,
        _COLUMNS,
        module="backtesting._util",
        bases=names("KeyError AttributeError"),
        message=rf"(?i)^(Column )?'({_OHLCV})'",
    ),
    Rule(
        FailureKind.INVENTED_ATTRIBUTE,
        "self.data is not a DataFrame: self.data.Close[-1] is the current close, self.data.df a frame of the bars so "
        "far.",
        module="backtesting._util",
        message=f"^(Column )?'({_FRAME_API})'",
    ),
    Rule(FailureKind.DATA_MISSING, BARS, module="backtesting._util", bases=names("KeyError AttributeError")),
    Rule(
        FailureKind.DATA_MISSING,
        f"Do not call Backtest: define the class and let the runner run it. {BARS}",
        f"The data given to Backtest is not a DataFrame. {FILE}",
        module=ENGINE,
        bases=names("TypeError"),
        message="must be a pandas.DataFrame",
    ),
    Rule(
        FailureKind.COLUMN,
        f"Do not call Backtest: define the class and let the runner run it. {BARS}",
        _RENAME,
        module=ENGINE,
        message="must be a pandas.DataFrame",
    ),
    Rule(FailureKind.COLUMN, _RENAME, bases=names("AttributeError"), message="attribute 'is_numeric'"),
    Rule(
        FailureKind.COLUMN,
        "Some prices are NaN: look at how the file was read and the columns were named; drop such rows.",
        module=ENGINE,
        message="OHLC values are missing",
    ),
    Rule(
        FailureKind.DATA_MISSING,
        "No rows are left: look at what was dropped or filtered before Backtest was called.",
        module=ENGINE,
        message="`data` is empty",
    ),
    Rule(
        FailureKind.COLUMN,
        _COLUMNS,
        _RENAME,
        module="pandas",
        message=rf"(?i)^\W*(None of \W*(Index\W*)?)?({_OHLCV})['\"\]]",
        bases=names("KeyError"),
    ),
    Rule(
        FailureKind.COLUMN,
        "The library names this column in another way: look at .columns, or take it by position with .iloc[:, n].",
        module="pandas",
        bases=names("KeyError"),
        message=r"^['\"][A-Za-z0-9]+(_[\d.]+)+['\"]$",
    ),
    Rule(
        FailureKind.ERROR,
        "A number in brackets is a label of a Series, not a position: use .iloc[-1].",
        module="pandas",
        bases=names("KeyError ValueError"),
        message=r"^(np\.int64\()?-?\d+(\)?$| is not in range)",
    ),
    Rule(
        FailureKind.ERROR,
        "Not every backtest has that statistic: take it with stats.get(name), and look at stats.index.",
        module="pandas",
        bases=names("KeyError"),
        message=r"\[[%$]\]|Ratio|Trades|SQN|Kelly|Drawdown|Profit Factor|Win Rate|Expectancy|Total Return|Final Equity|"
        r"^'(_trades|_equity_curve|Beta)'",
    ),
    Rule(FailureKind.ERROR, _NO_STATISTIC, bases=names("KeyError"), owner=names("_Stats")),
    Rule(
        FailureKind.ERROR,
        "The table of trades has the columns Size, EntryBar, ExitBar, EntryPrice, ExitPrice, SL, TP, PnL, Commission, "
        "ReturnPct, EntryTime, ExitTime, Duration and Tag.",
        module="pandas",
        bases=names("KeyError"),
        source=r"(?i)trades\w*(['\"]\])?(\[|\.(groupby|sort_values|set_index|drop)\()",
    ),
    Rule(
        FailureKind.ERROR,
        "The equity curve has the columns Equity, DrawdownPct and DrawdownDuration.",
        module="pandas",
        bases=names("KeyError"),
        source=r"(?i)equity_?(curve|df)?(['\"]\])?\[",
    ),
    Rule(
        FailureKind.ERROR,
        _NO_STATISTIC,
        module="pandas",
        bases=names("KeyError"),
        source=r"\b(bt_|back_?test_)?(st|stats?|results?|output|performance|metrics)\[",
    ),
    Rule(FailureKind.DATA_MISSING, BARS, FILE, module="pandas", bases=names("KeyError")),
    Rule(
        FailureKind.COLUMN,
        _COLUMNS,
        _RENAME,
        bases=names("AttributeError"),
        message=rf"(?i)'(DataFrame|Series)' object has no attribute '({_OHLCV})'",
    ),
    Rule(
        FailureKind.COLUMN,
        "The file has no column of that name: look at its columns before naming an index_col.",
        module="pandas",
        bases=names("ValueError"),
        message="is not in list$",
    ),
    Rule(
        FailureKind.COLUMN,
        "Look at the columns before naming them: file.columns; times are parsed with pd.to_datetime.",
        bases=names("ValueError TypeError"),
        message=r"match format|^Index \w+ invalid|Missing column provided to|Usecols do not match|Length mismatch|"
        r"datetime string|DatetimeIndex|assemble",
    ),
)
