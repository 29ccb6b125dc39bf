"""Names that the libraries of the strategy environment have, and what models call them instead."""

from __future__ import annotations

from rbi.repairs.words import words

COLUMNS = ("Open", "High", "Low", "Close", "Volume")

BACKTESTING = {
    "backtesting": frozenset(
        {"Backtest", "Strategy", "Pool", "lib", "test", "backtesting", "set_bokeh_output"}
    ),
    "backtesting.backtesting": frozenset({"Backtest", "Strategy", "Order", "Trade", "Position"}),
    "backtesting.lib": words(
        """
    barssince cross crossover plot_heatmaps quantile compute_stats resample_apply random_ohlc_data
    OHLCV_AGG TRADES_AGG SignalStrategy TrailingStrategy FractionalBacktest MultiBacktest Backtest
    Strategy
    """
    ),
    "backtesting.test": frozenset({"SMA", "GOOG", "EURUSD", "BTCUSD"}),
}

# Where a name of the engine comes from if it is not where it was looked for.
ENGINE_HOMES = {
    "Backtest": "backtesting",
    "Strategy": "backtesting",
    "SMA": "backtesting.test",
    **dict.fromkeys(
        sorted(BACKTESTING["backtesting.lib"] - BACKTESTING["backtesting"] - {"OHLCV_AGG"}), "backtesting.lib"
    ),
}

# Imports by which a name that is used but nowhere bound is known.
USUAL_IMPORTS = {
    "np": "import numpy as np",
    "numpy": "import numpy",
    "pd": "import pandas as pd",
    "pandas": "import pandas",
    "talib": "import talib",
    "pandas_ta": "import pandas_ta",
    "pta": "import pandas_ta as pta",
    "math": "import math",
    "random": "import random",
    "datetime": "import datetime",
    "itertools": "import itertools",
    "warnings": "import warnings",
    "timedelta": "from datetime import timedelta",
    "deque": "from collections import deque",
    "defaultdict": "from collections import defaultdict",
    "Counter": "from collections import Counter",
    "partial": "from functools import partial",
    "stats": "from scipy import stats",
    "linregress": "from scipy.stats import linregress",
    "argrelextrema": "from scipy.signal import argrelextrema",
    "find_peaks": "from scipy.signal import find_peaks",
    "Optional": "from typing import Optional",
    "Dict": "from typing import Dict",
    "List": "from typing import List",
    "Tuple": "from typing import Tuple",
    "Any": "from typing import Any",
    **{name: f"from {home} import {name}" for name, home in ENGINE_HOMES.items()},
}

INSTALLED = words(
    """
    numpy pandas backtesting talib pandas_ta pandas_ta_classic scipy bokeh dateutil pytz tzdata yaml
    jinja2 PIL packaging tornado narwhals contourpy xyzservices markupsafe
    """
)

CHARTS = frozenset({"matplotlib", "seaborn", "plotly", "mplfinance", "pylab"})
FEEDS = words(
    """
    yfinance ccxt requests urllib http httpx aiohttp websocket websockets socket alpaca_trade_api
    binance pandas_datareader fredapi quandl polygon coinbase praw tweepy
    """
)

TALIB_FIGURES = words(
    """
    AC ACCBANDS ACOS AD ADD ADOSC ADR ADX ADXR AO APO AROON AROONOSC ASIN ATAN ATR AVGDEV AVGPRICE
    BBANDS BETA BOP CCI CEIL CMF CMO CMOU COPPOCK CORREL COS COSH CUMSUM CVI DEMA DIV DONCHIAN DPO DX
    EFI EMA ER ERI EXP FLOOR FOSC FRACTAL HA HMA HT_DCPERIOD HT_DCPHASE HT_PHASOR HT_SINE HT_TRENDLINE
    HT_TRENDMODE IMI KAMA KC KDJ LINEARREG LINEARREG_ANGLE LINEARREG_INTERCEPT LINEARREG_SLOPE LN LOG10
    MA MACD MACDEXT MACDFIX MAMA MARKETFI MASSI MAVP MAX MAXINDEX MEDPRICE MFI MIDPOINT MIDPRICE MIN
    MININDEX MINMAX MINMAXINDEX MINUS_DI MINUS_DM MOM MULT NATR NVI OBV PERCENTILE PERCENTRANK PLUS_DI
    PLUS_DM PPO PVI PVO PVT QSTICK RMA ROC ROCP ROCR ROCR100 RSI RVI RVOL SAR SAREXT SIN SINH SMA SMI
    SQRT STDDEV STOCH STOCHF STOCHRSI SUB SUM SUPERTREND T3 TAN TANH TEMA TRANGE TRIMA TRIX TSF TSI
    TYPPRICE ULTOSC VAR VHF VORTEX VWAP VWMA WAD WCLPRICE WILLR WMA ZLEMA
    """
)
_CANDLES = words(
    """
    2CROWS 3BLACKCROWS 3INSIDE 3LINESTRIKE 3OUTSIDE 3STARSINSOUTH 3WHITESOLDIERS ABANDONEDBABY ADVANCEBLOCK BELTHOLD
    BREAKAWAY CLOSINGMARUBOZU CONCEALBABYSWALL COUNTERATTACK DARKCLOUDCOVER DOJI DOJISTAR DRAGONFLYDOJI ENGULFING
    EVENINGDOJISTAR EVENINGSTAR GAPSIDESIDEWHITE GRAVESTONEDOJI HAMMER HANGINGMAN HARAMI HARAMICROSS HIGHWAVE HIKKAKE
    HIKKAKEMOD HOMINGPIGEON IDENTICAL3CROWS INNECK INVERTEDHAMMER KICKING KICKINGBYLENGTH LADDERBOTTOM
    LONGLEGGEDDOJI LONGLINE MARUBOZU MATCHINGLOW MATHOLD MORNINGDOJISTAR MORNINGSTAR ONNECK PIERCING RICKSHAWMAN
    RISEFALL3METHODS SEPARATINGLINES SHOOTINGSTAR SHORTLINE SPINNINGTOP STALLEDPATTERN STICKSANDWICH TAKURI TASUKIGAP
    THRUSTING TRISTAR UNIQUE3RIVER UPSIDEGAP2CROWS XSIDEGAP3METHODS
    """
)
TALIB = TALIB_FIGURES | {f"CDL{name}" for name in _CANDLES}
TALIB_OTHERS = frozenset(
    {
        "abstract",
        "stream",
        "get_functions",
        "get_function_groups",
        "MA_Type",
        "set_unstable_period",
        "func",
        "FRACTAL",
    }
)
TALIB_SEVERAL = words(
    """
    HT_PHASOR HT_SINE MINMAX MINMAXINDEX AROON ERI FRACTAL KDJ MACD MACDEXT MACDFIX SMI STOCH STOCHF
    STOCHRSI VORTEX ACCBANDS BBANDS DONCHIAN KC MAMA SUPERTREND HA
    """
)
TALIB_PERIOD = words(
    """
    ADX ADXR AROON AROONOSC ATR AVGDEV BBANDS BETA CCI CMO CORREL DEMA DX EMA KAMA LINEARREG
    LINEARREG_ANGLE LINEARREG_INTERCEPT LINEARREG_SLOPE MA MAX MAXINDEX MFI MIDPOINT MIDPRICE MIN
    MININDEX MINMAX MINUS_DI MINUS_DM MOM NATR PLUS_DI PLUS_DM ROC ROCP ROCR ROCR100 RSI SMA STDDEV
    STOCHRSI SUM T3 TEMA TRIMA TRIX TSF VAR WILLR WMA
    """
)
# What the arrays that a function gives are called, in their order.
TALIB_OUTPUTS = {
    "MACD": (("macd",), ("signal", "sig"), ("hist",)),
    "MACDEXT": (("macd",), ("signal", "sig"), ("hist",)),
    "MACDFIX": (("macd",), ("signal", "sig"), ("hist",)),
    "BBANDS": (("upper", "up"), ("mid", "basis"), ("lower", "low")),
}
# Arguments by the names that other libraries give them.
TALIB_ARGUMENTS = {
    name: {
        "fast": "fastperiod",
        "slow": "slowperiod",
        "signal": "signalperiod",
        "fast_period": "fastperiod",
        "slow_period": "slowperiod",
        "signal_period": "signalperiod",
        "fastlength": "fastperiod",
        "slowlength": "slowperiod",
    }
    for name in ("MACD", "PPO", "APO")
} | {
    "STOCH": {"fastk": "fastk_period", "slowk": "slowk_period", "slowd": "slowd_period"},
    "STOCHF": {"fastk": "fastk_period", "fastd": "fastd_period"},
}
# Names that mean one function, whatever library they were read about in.
TALIB_MEANT = {
    "HULL": "HMA",
    "HULLMA": "HMA",
    "HULL_MA": "HMA",
    "STD_DEV": "STDDEV",
    "STDEVP": "STDDEV",
    "AWESOME_OSCILLATOR": "AO",
    "CHAIKIN_MONEY_FLOW": "CMF",
    "HIGHEST": "MAX",
    "LOWEST": "MIN",
    "STD": "STDDEV",
    "STDEV": "STDDEV",
    "BB": "BBANDS",
    "BOLLINGER": "BBANDS",
    "BOLLINGER_BANDS": "BBANDS",
    "WILLIAMS_R": "WILLR",
    "LINREG": "LINEARREG",
    "TRUE_RANGE": "TRANGE",
    "MOMENTUM": "MOM",
    "VARIANCE": "VAR",
    "PLUSDI": "PLUS_DI",
    "MINUSDI": "MINUS_DI",
}

PANDAS_TA = words(
    """
    aberration accbands ad adosc adx adxr alma amat ao aobv apo aroon atr av avgprice avolume bbands
    below beta bias bop brar cci cdl cdl_doji cdl_inside cdl_pattern cdl_z ce cfo cg chop cksp cmf cmo
    coppock correl cpr cti cvi decay decreasing dema dm donchian dpo drawdown dsp dx ebsw edecay efi ema
    emv entropy eom er eri fisher fosc fwma ha hilo hl2 hlc3 hma ht_dcperiod ht_dcphase ht_phasor
    ht_sine ht_trendline ht_trendmode hvol hwc hwma ichimoku increasing inertia jma kama kc kdj kst
    kurtosis kvo lag linreg linregangle linregintercept linregslope log_return long_run lrsi ma macd
    macdext macdfix mad mama marketfi massi mavp mcgd md median medprice mfi midpoint midprice minus_dm
    mmar mom msw natr nvi obv ohlc4 pdist percent_return pgo plus_dm pmax po ppo psar psl pvi pvo pvol
    pvr pvt pwma qqe qstick quantile rainbow rma roc rocp rocr rocr100 rsi rsx rvgi rvi sarext short_run
    sinwma skew slope sma smi squeeze squeeze_pro ssf stc stderr stdev stoch stochf stochrsi supertrend
    swma t3 td_seq tema thermo tos_stdevall trima trix trixh true_range tsf tsi ttm_trend typprice ui uo
    variance vfi vhf vidya vortex vosc vp vwap vwma vwmacd wad wcp willr wma zlma zscore
    """
)
PANDAS_TA_SERIES = words(
    """
    ad alma ao apo atr bop cci cfo cg chop cmf cmo coppock dema dpo efi ema entropy eom fwma hl2 hlc3
    hma kama kurtosis linreg log_return ma mad median mfi midpoint midprice mom natr obv ohlc4
    percent_return pgo pvi nvi pwma quantile rma roc rsi rsx rvi sinwma skew slope sma ssf stdev swma t3
    tema trima true_range tsf ui uo variance vidya vwap vwma wcp willr wma zlma zscore
    """
)
PANDAS_TA_MEANT = {
    "williams_percent_r": "willr",
    "williams": "willr",
    "moving_average": "sma",
    "zero_lag_ema": "zlma",
    "chande_momentum": "cmo",
    "chande_momentum_oscillator": "cmo",
    "choppiness_index": "chop",
    "choppiness": "chop",
    "awesome_oscillator": "ao",
    "hull_moving_average": "hma",
    "hull_ma": "hma",
    "hull": "hma",
    "weighted_moving_average": "wma",
    "momentum": "mom",
    "rate_of_change": "roc",
    "stochastic_rsi": "stochrsi",
    "stoch_rsi": "stochrsi",
    "fisher_transform": "fisher",
    "elder_force_index": "efi",
    "force_index": "efi",
    "z_score": "zscore",
    "super_trend": "supertrend",
    "vortex_indicator": "vortex",
    "average_directional_index": "adx",
    "ultimate_oscillator": "uo",
    "stddev": "stdev",
    "std": "stdev",
    "bollinger_bands": "bbands",
    "bollinger": "bbands",
    "williams_r": "willr",
    "keltner": "kc",
    "keltner_channels": "kc",
    "heikinashi": "ha",
    "heikin_ashi": "ha",
    "standard_deviation": "stdev",
    "average_true_range": "atr",
    "relative_strength_index": "rsi",
    "simple_moving_average": "sma",
    "exponential_moving_average": "ema",
    "money_flow_index": "mfi",
    "on_balance_volume": "obv",
    "commodity_channel_index": "cci",
    "keltner_channel": "kc",
    "donchian_channel": "donchian",
    "donchian_channels": "donchian",
    "parabolic_sar": "psar",
    "stochastic": "stoch",
    "stochastic_oscillator": "stoch",
    "tr": "true_range",
    "linear_regression": "linreg",
    "var": "variance",
    "zlema": "zlma",
}

# Functions that give a table: what its columns begin with, in their order.
PANDAS_TA_TABLES = {
    "bbands": ("BBL", "BBM", "BBU", "BBB", "BBP"),
    "macd": ("MACD", "MACDh", "MACDs"),
    "stoch": ("STOCHk", "STOCHd"),
    "stochrsi": ("STOCHRSIk", "STOCHRSId"),
    "adx": ("ADX", "DMP", "DMN"),
    "aroon": ("AROOND", "AROONU", "AROONOSC"),
    "supertrend": ("SUPERT", "SUPERTd", "SUPERTl", "SUPERTs"),
    "donchian": ("DCL", "DCM", "DCU"),
    "vortex": ("VTXP", "VTXM"),
    "psar": ("PSARl", "PSARs", "PSARaf", "PSARr"),
    "ppo": ("PPO", "PPOh", "PPOs"),
    "kst": ("KST", "KSTs"),
    "tsi": ("TSI", "TSIs"),
    "trix": ("TRIX", "TRIXs"),
    "fisher": ("FISHERT", "FISHERTs"),
    "accbands": ("ACCBL", "ACCBM", "ACCBU"),
}

# Removed in numpy 2, with what is the same today.
NUMPY_RENAMED = {
    "NaN": "nan",
    "NAN": "nan",
    "Inf": "inf",
    "Infinity": "inf",
    "infty": "inf",
    "PINF": "inf",
    "float_": "float64",
    "product": "prod",
    "cumproduct": "cumprod",
    "alltrue": "all",
    "sometrue": "any",
    "in1d": "isin",
    "trapz": "trapezoid",
    "round_": "round",
}
NUMPY_BUILTINS = {"float": "float", "int": "int", "object": "object", "str": "str"}

# Frequencies that pandas 3 no longer takes, with their names today.
FREQUENCIES = {
    "H": "h",
    "T": "min",
    "S": "s",
    "L": "ms",
    "U": "us",
    "N": "ns",
    "M": "ME",
    "Q": "QE",
    "A": "YE",
    "Y": "YE",
    "BM": "BME",
    "BQ": "BQE",
    "BA": "BYE",
    "BH": "bh",
}

POSITION = frozenset({"size", "pl", "pl_pct", "is_long", "is_short", "close"})
POSITION_MEANT = {
    "pnl": "pl",
    "profit": "pl",
    "unrealized_pnl": "pl",
    "unrealized_pl": "pl",
    "profit_loss": "pl",
    "qty": "size",
    "quantity": "size",
    "shares": "size",
    "units": "size",
    "long": "is_long",
    "short": "is_short",
    "islong": "is_long",
    "isshort": "is_short",
}
ENTRY_PRICE = words(
    """
    entry_price entry entryprice entry_prices avg_price average_price avg_entry_price open_price
    avg_cost price cost_basis average_entry_price price_open
    """
)
TRADE = words(
    """
    size entry_price exit_price entry_bar exit_bar entry_time exit_time tag is_long is_short pl pl_pct
    value sl tp close
    """
)
TRADE_MEANT = {
    "pnl": "pl",
    "profit": "pl",
    "open_price": "entry_price",
    "price": "entry_price",
    "entry": "entry_price",
    "entry_index": "entry_bar",
    "entry_date": "entry_time",
    "entry_datetime": "entry_time",
    "open_time": "entry_time",
    "stop_loss": "sl",
    "stop": "sl",
    "take_profit": "tp",
    "target": "tp",
    "qty": "size",
    "quantity": "size",
}
STRATEGY = frozenset(
    {"I", "init", "next", "buy", "sell", "equity", "data", "position", "orders", "trades", "closed_trades"}
)
BAR_NUMBER = words(
    """
    i _i bar_index current_bar idx current_index current_idx bar_idx _bar bar_number current_bar_index
    bar_num _current_bar _bar_index curr_bar candle_index
    """
)
ORDER_KEYWORDS = frozenset({"size", "limit", "stop", "sl", "tp", "tag"})
ORDER_KEYWORDS_MEANT = {
    "stop_loss": "sl",
    "stoploss": "sl",
    "sl_price": "sl",
    "stop_loss_price": "sl",
    "take_profit": "tp",
    "takeprofit": "tp",
    "tp_price": "tp",
    "take_profit_price": "tp",
    "limit_price": "limit",
    "stop_price": "stop",
    "quantity": "size",
    "qty": "size",
    "units": "size",
    "shares": "size",
    "comment": "tag",
    "label": "tag",
    "reason": "tag",
    "name": "tag",
}

BACKTEST_KEYWORDS = (
    "data",
    "strategy",
    "cash",
    "spread",
    "commission",
    "margin",
    "trade_on_close",
    "hedging",
    "exclusive_orders",
    "finalize_trades",
)
BACKTEST_KEYWORDS_MEANT = {
    **dict.fromkeys(
        ("initial_cash", "starting_cash", "start_cash", "initial_capital", "starting_capital", "capital"),
        "cash",
    ),
    **dict.fromkeys(("commissions", "commission_rate", "commission_pct"), "commission"),
}
# What a run's statistics are called, and what they are called instead, without blanks, signs and units.
STATISTICS = frozenset(
    {
        "Start",
        "End",
        "Duration",
        "Exposure Time [%]",
        "Equity Final [$]",
        "Equity Peak [$]",
        "Commissions [$]",
        "Return [%]",
        "Buy & Hold Return [%]",
        "Return (Ann.) [%]",
        "Volatility (Ann.) [%]",
        "CAGR [%]",
        "Sharpe Ratio",
        "Sortino Ratio",
        "Calmar Ratio",
        "Alpha [%]",
        "Beta",
        "Max. Drawdown [%]",
        "Avg. Drawdown [%]",
        "Max. Drawdown Duration",
        "Avg. Drawdown Duration",
        "# Trades",
        "Win Rate [%]",
        "Best Trade [%]",
        "Worst Trade [%]",
        "Avg. Trade [%]",
        "Max. Trade Duration",
        "Avg. Trade Duration",
        "Profit Factor",
        "Expectancy [%]",
        "SQN",
        "Kelly Criterion",
    }
)
STATISTICS_MEANT = {
    **dict.fromkeys(("totaltrades", "numberoftrades", "numtrades", "tradecount", "oftrades"), "# Trades"),
    "return": "Return [%]",
    "totalreturn": "Return [%]",
    "annualreturn": "Return (Ann.) [%]",
    "annualizedreturn": "Return (Ann.) [%]",
    "annualvolatility": "Volatility (Ann.) [%]",
    "sharpe": "Sharpe Ratio",
    "sortino": "Sortino Ratio",
    "calmar": "Calmar Ratio",
    "maximumdrawdown": "Max. Drawdown [%]",
    "averagedrawdown": "Avg. Drawdown [%]",
    "averagetrade": "Avg. Trade [%]",
    "exposure": "Exposure Time [%]",
    "buyandholdreturn": "Buy & Hold Return [%]",
    "finalequity": "Equity Final [$]",
    "peakequity": "Equity Peak [$]",
}
