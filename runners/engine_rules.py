"""Failures of strategies that use backtesting.py, or a library of indicators, in a way it does not have."""

from __future__ import annotations

from runners.base import FailureKind
from runners.failure_rule import ENGINE, Rule, names

_SERIES = (
    "Series of self.data and indicators are numpy arrays. Inside a function given to self.I, wrap the argument in "
    "pd.Series(...) first; elsewhere use .s, as in self.data.Close.s."
)
_MEMBERS = (
    "A strategy has self.data, self.I, buy, sell, position, orders, trades, closed_trades and equity. "
    "Assign everything else in init before it is used."
)
_LENGTH = (
    "A function given to self.I must return an array, or a tuple of arrays, as long as the data, not None."
)
_SERIES_API = (
    "shift|rolling|iloc|loc|iat|at|ewm|expanding|diff|pct_change|fillna|ffill|bfill|dropna|tail|head|values|apply|"
    "quantile|between|resample|cumsum|rank|where"
)
_WRONG_CALL = (
    r"unexpected keyword argument|required (positional|keyword-only) argument|takes .* arguments?\b|"
    r"multiple values for (keyword )?argument|incorrect type \(expected|invalid keyword argument|"
    r"input array type is not double|TA_BAD_PARAM|Unexpected `name=`|an integer is required|must be real number"
)
ORDER_RULES = (
    Rule(
        FailureKind.ARGUMENTS,
        "Give Backtest cash above 0, a margin above 0 and at most 1, and commission as a fraction below 0.1.",
        module=ENGINE,
        bases=names("AssertionError"),
        message=r"^(cash|margin|commission) should be |^Need fixed cash commission",
    ),
    Rule(
        FailureKind.ORDER_SIZE,
        "size must be a fraction between 0 and 1 or a whole number of units: round it and skip the order when it is 0 "
        "or not a number.",
        module=ENGINE,
        functions=names("buy sell"),
    ),
    Rule(
        FailureKind.ORDER_PRICE,
        "A price is NaN: an indicator has no value yet. Place no order until it has one (np.isnan).",
        module=ENGINE,
        message=r"orders require:.*\bnan\b",
    ),
    Rule(
        FailureKind.ORDER_PRICE,
        "For a long order sl < entry price < tp, for a short one tp < entry price < sl; the entry price is the limit, "
        "the stop, or the current close. Compute them from it and skip the order if they are on the wrong side.",
        module=ENGINE,
        message="orders require:",
    ),
    Rule(
        FailureKind.ORDER_SIZE,
        "The portion to close is above 0, at most 1.",
        module=ENGINE,
        functions=names("close"),
    ),
    Rule(
        FailureKind.ORDER_SIZE,
        "size must not be 0: skip the order then.",
        module=ENGINE,
        functions=names("new_order __init__"),
        bases=names("AssertionError"),
    ),
    Rule(
        FailureKind.ORDER_PRICE,
        "limit, stop, sl and tp are single finite numbers above 0 (self.data.Close[-1], not self.data.Close), or None.",
        module=ENGINE,
        functions=names("new_order __set_contingent"),
        bases=names("AssertionError ValueError TypeError"),
    ),
)
INDICATOR_RULES = (
    Rule(
        FailureKind.ARGUMENTS,
        "name= of self.I is a text, or one text for each array that the indicator returns.",
        module=ENGINE,
        functions=names("I"),
        message="Unexpected `name=`",
    ),
    Rule(
        FailureKind.ARGUMENTS,
        "self.I(function, *arguments, **keywords) calls the function with these arguments: it must take them.",
        module=ENGINE,
        functions=names("I"),
        bases=names("TypeError"),
        message=f"{_WRONG_CALL}|object is not callable",
    ),
    Rule(
        FailureKind.INDICATOR_SHAPE,
        f"{_LENGTH} pandas_ta returns None for fewer bars than it needs, and when it is not given a Series: "
        "wrap the argument in pd.Series(...).",
        module=ENGINE,
        functions=names("I"),
        message="returned value: None",
    ),
    Rule(FailureKind.INDICATOR_SHAPE, _LENGTH, module=ENGINE, functions=names("I")),
    Rule(
        FailureKind.INDICATOR_SHAPE,
        "An indicator is shorter than the data: declare indicators with self.I in init, never in next.",
        module="backtesting._stats",
        bases=names("IndexError"),
    ),
    Rule(
        FailureKind.INDICATOR_SHAPE,
        "The indicator returned None: pandas_ta does that for fewer bars than it needs, and when it is not given a "
        "Series. Wrap its arguments in pd.Series(...).",
        message="'?NoneType'? object",
        context='^Indicator "',
    ),
    Rule(
        FailureKind.INDICATOR_SHAPE,
        "The indicator returned None: pandas_ta does that for fewer bars than it needs, and when it is not given a "
        "Series. Wrap its arguments in pd.Series(...).",
        message="'?NoneType'? object",
        source=r"\b(p?ta|talib|pandas_ta)\.|self\.I\(",
    ),
    Rule(
        FailureKind.ERROR,
        "run and optimize return the statistics alone; optimize adds a heatmap with return_heatmap=True only.",
        bases=names("ValueError"),
        message="values to unpack",
        source=r",.*=.*\.(run|optimize)\(",
    ),
    Rule(
        FailureKind.INDICATOR_SHAPE,
        "Arrays that are combined must be equally long, and an indicator as long as the data; "
        "count how many arrays it really returns.",
        bases=names("ValueError"),
        message=r"broadcast|values to unpack|[Ll]ength of values|must (all )?be (of )?(the )?same length|same shape",
    ),
    Rule(
        FailureKind.INDICATOR_SHAPE,
        "Compare single values, the last ones: self.indicator[-1]. An indicator of several arrays is indexed twice, "
        "as in self.bands[0][-1].",
        bases=names("ValueError"),
        message="truth value of an? ",
    ),
    Rule(
        FailureKind.INDICATOR_SHAPE,
        "Give talib functions arrays of equal length that are not all NaN.",
        message="^inputs? (are all NaN|(array )?lengths are different|array has wrong dim)",
    ),
)
ATTRIBUTE_RULES = (
    Rule(
        FailureKind.ARRAY_AS_SERIES,
        _SERIES,
        bases=names("TypeError"),
        module="pandas",
        message=r"you passed a ['\"]?(_Array|_Indicator)",
    ),
    Rule(
        FailureKind.ARRAY_AS_SERIES,
        _SERIES,
        bases=names("AttributeError"),
        message=r"^'(_Array|_Indicator|numpy\.ndarray)' object has no attribute",
    ),
    Rule(
        FailureKind.ARRAY_AS_SERIES,
        f"{_SERIES} A single number has no history.",
        bases=names("AttributeError"),
        message=rf"^'(float|int|bool|tuple|list|numpy\.\w+)' object has no attribute '({_SERIES_API})'",
    ),
    Rule(
        FailureKind.INVENTED_ATTRIBUTE,
        "A position has size, pl, pl_pct, is_long, is_short and close(). The entry price is "
        "self.trades[-1].entry_price.",
        bases=names("AttributeError TypeError"),
        message="'Position' object",
    ),
    Rule(
        FailureKind.INVENTED_ATTRIBUTE,
        "The broker is private. Use self.equity, self.position, self.orders, self.trades and self.closed_trades.",
        bases=names("AttributeError"),
        message="'_?Broker' object has no attribute|has no attribute '_?broker'",
    ),
    Rule(
        FailureKind.INVENTED_ATTRIBUTE,
        "The number of the current bar is len(self.data) - 1.",
        bases=names("AttributeError"),
        message="has no attribute '_?(i|idx|index|bar|bars?_?index|current_bar|bar_?count)'",
    ),
    Rule(
        FailureKind.INVENTED_ATTRIBUTE,
        "self.data cannot be changed. Compute in init with self.I and assign the result to an attribute of self.",
        bases=names("AttributeError TypeError"),
        message="'_Data' object|property 'data' of|property '(Open|High|Low|Close|Volume|df|index)' of",
    ),
    Rule(
        FailureKind.INVENTED_ATTRIBUTE,
        "That attribute of backtesting.py can only be read: choose another name for your own.",
        bases=names("AttributeError"),
        message="has no setter|can't set attribute|object attribute .* is read-only",
    ),
    Rule(
        FailureKind.INVENTED_ATTRIBUTE,
        "A trade has size, entry_price, exit_price, entry_bar, exit_bar, entry_time, pl, pl_pct, value, sl, tp, "
        "is_long, is_short and close(); an order has size, limit, stop, sl, tp and cancel().",
        bases=names("AttributeError"),
        message="^'(Trade|Order)' object has no attribute",
    ),
    Rule(
        FailureKind.INVENTED_ATTRIBUTE,
        "The library has no function of that name. Compute it with numpy or pandas, or use another one.",
        bases=names("AttributeError"),
        message="^module '|^partially initialized module '",
    ),
    Rule(FailureKind.INVENTED_ATTRIBUTE, _MEMBERS, owner=names("Strategy")),
    Rule(
        FailureKind.ERROR,
        "Something here is None: assign a value before it is used, and check for None.",
        message="'?NoneType'?",
    ),
    Rule(
        FailureKind.INVENTED_ATTRIBUTE,
        "The object has no such attribute in the installed version: use one that it has.",
        bases=names("AttributeError"),
        message="has no attribute|was removed in",
    ),
    Rule(
        FailureKind.INVENTED_ATTRIBUTE,
        "Use self.position without brackets, and self.data.Close[-1] for the current close.",
        bases=names("TypeError"),
        message="'(_Array|_Indicator|Trade|Order)' object is not callable",
    ),
    Rule(
        FailureKind.INVENTED_ATTRIBUTE,
        "That is a value and not a function: leave the brackets out, as in self.position.size and self.equity.",
        bases=names("TypeError"),
        message="^'(int|float|bool|str|NoneType|numpy\\.\\w+)' object is not callable$",
        source=r"\bself\.|\b(trade|order|t|o)\.",
        context="^$",
    ),
)
CALL_RULES = (
    Rule(
        FailureKind.ARGUMENTS,
        "buy and sell take keyword arguments only: size, limit, stop, sl, tp and tag.",
        bases=names("TypeError"),
        message=rf"^(?=.*\b(buy|sell)\(\)).*({_WRONG_CALL})",
    ),
    Rule(
        FailureKind.ARGUMENTS,
        "A position closes with close(portion) and a trade too; neither takes anything else.",
        bases=names("TypeError"),
        message=rf"^(?=.*\b(Position|Trade)\.close\(\)).*({_WRONG_CALL})",
    ),
    Rule(
        FailureKind.ARGUMENTS,
        "self.I(function, *arguments, name=, plot=, overlay=, color=, scatter=, **keywords of the function).",
        bases=names("TypeError"),
        message=rf"^(?=.*\bStrategy\.I\(\)).*({_WRONG_CALL})",
    ),
    Rule(
        FailureKind.ARGUMENTS,
        "Do not define __init__ in the strategy: set class attributes, and prepare in init(self).",
        bases=names("TypeError"),
        message=rf"^(?=.*__init__\(\))(?!.*Backtest\.).*({_WRONG_CALL})",
        module="backtesting",
    ),
    Rule(
        FailureKind.ARGUMENTS,
        "Backtest(data, Strategy, cash=, spread=, commission=, margin=, trade_on_close=, hedging=, exclusive_orders=, "
        "finalize_trades=); run takes parameters of the strategy only.",
        bases=names("TypeError"),
        message=rf"^(?=.*Backtest\.).*({_WRONG_CALL})",
    ),
    Rule(
        FailureKind.ARGUMENTS,
        "talib takes arrays of float64: give it self.data.Close, or values.to_numpy(dtype=float) of a Series, and "
        "periods that are whole numbers of at least 2.",
        module="talib",
        message=_WRONG_CALL,
    ),
    Rule(
        FailureKind.ARGUMENTS,
        "talib takes arrays of float64: give it self.data.Close, or values.to_numpy(dtype=float) of a Series, and "
        "periods that are whole numbers of at least 2.",
        message=r"incorrect type \(expected|input array type is not double|TA_BAD_PARAM",
    ),
    Rule(
        FailureKind.ARGUMENTS,
        "Call it with the arguments that the installed version has.",
        bases=names("TypeError"),
        message=_WRONG_CALL,
    ),
)
