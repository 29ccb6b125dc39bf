"""Strategies as models write them, each with one or two mistakes, by kind of mistake.

``RUNS``: after repair they run. ``REPORTED``: they cannot be repaired with certainty, and a problem says why.
``SCRIPTS`` and ``SCRIPTS_REPORTED`` are whole programs.
"""

from __future__ import annotations

from dataclasses import dataclass

HEAD = """import numpy as np
import pandas as pd
import talib
from backtesting import Backtest, Strategy
from backtesting.lib import crossover
"""
CROSS_INIT = """self.fast = self.I(talib.SMA, self.data.Close, 8)
self.slow = self.I(talib.SMA, self.data.Close, 21)"""
CROSS_NEXT = """if crossover(self.fast, self.slow) and not self.position:
    self.buy(size=0.5)
elif crossover(self.slow, self.fast) and self.position:
    self.position.close()"""


@dataclass(frozen=True, slots=True)
class Case:
    """A source, and the kind of mistake in it."""

    name: str
    source: str


def _indented(code: str) -> str:
    return "".join(f"        {line}\n" if line else "\n" for line in code.strip("\n").split("\n"))


def strategy(
    init: str = CROSS_INIT, following: str = CROSS_NEXT, *, head: str = HEAD, body: str = "", tail: str = ""
) -> str:
    """A module with one strategy."""
    attributes = (
        "".join(f"    {line}\n" if line else "\n" for line in body.strip("\n").split("\n")) if body else ""
    )
    return (
        f"{head}\n\nclass Idea(Strategy):\n    period = 14\n    stop_pct = 0.05\n{attributes}\n"
        f"    def init(self):\n{_indented(init)}\n    def next(self):\n{_indented(following)}{tail}"
    )


def _cases(kind: str, *sources: str) -> list[Case]:
    return [Case(f"{kind} {number}", source) for number, source in enumerate(sources, 1)]


ENTER = """\
if self.data.Close[-1] > {0} and not self.position:
    self.buy(size=0.4)
elif self.position and self.data.Close[-1] < {0}:
    self.position.close()"""
ARRAYS = _cases(
    "array as a series",
    strategy("self.ma = self.I(lambda: self.data.Close.rolling(20).mean())", ENTER.format("self.ma[-1]")),
    strategy(
        """\
close = self.data.Close
self.ma = self.I(lambda x: x.rolling(20).mean(), close)""",
        ENTER.format("self.ma[-1]"),
    ),
    strategy("self.prev = self.I(lambda: self.data.Close.shift(1))", ENTER.format("self.prev[-1]")),
    strategy("self.ema = self.data.Close.ewm(span=20, adjust=False).mean()", ENTER.format("self.ema[-1]")),
    strategy(
        """\
self.hh = self.data.High.rolling(20).max().shift(1)
self.ll = self.data.Low.rolling(20).min().shift(1)""",
        """\
if self.data.Close[-1] > self.hh[-1] and not self.position:
    self.buy()
elif self.data.Close[-1] < self.ll[-1]:
    self.position.close()""",
    ),
    strategy(
        "pass",
        """\
if len(self.data) < 30:
    return
ma = self.data.Close.rolling(20).mean()
"""
        + ENTER.format("ma[-1]"),
    ),
    strategy("pass", ENTER.format("self.data.Close.ewm(span=10).mean().iloc[-1]")),
    strategy(
        "pass",
        """\
price = self.data.Close.iloc[-1]
prev = self.data.Close.iloc[-2]
if price > prev * 1.01 and not self.position:
    self.buy(size=0.3)
elif self.position:
    self.position.close()""",
    ),
    strategy(
        "self.rsi = self.I(talib.RSI, self.data.Close, 14)",
        """\
rsi = self.rsi.iloc[-1]
if rsi < 35 and not self.position:
    self.buy()
elif rsi > 60:
    self.position.close()""",
    ),
    strategy(
        "self.rsi = self.I(talib.RSI, self.data.Close.values, 14)",
        """\
if self.rsi[-1] < 35 and not self.position:
    self.buy()
elif self.rsi[-1] > 60:
    self.position.close()""",
    ),
    strategy(
        """\
close = self.data.Close.to_numpy()
self.rsi = self.I(talib.RSI, close, 14)""",
        """\
if self.rsi[-1] < 35 and not self.position:
    self.buy()
elif self.rsi[-1] > 60:
    self.position.close()""",
    ),
    strategy(
        """\
def momentum(arr, n):
    return arr.pct_change(n)
self.mom = self.I(momentum, self.data.Close, 10)""",
        """\
if self.mom[-1] > 0.02 and not self.position:
    self.buy()
elif self.mom[-1] < 0:
    self.position.close()""",
    ),
    strategy(
        "self.z = self.I(self.zscore, self.data.Close, 20)",
        """\
if self.z[-1] < -1 and not self.position:
    self.buy()
elif self.z[-1] > 0:
    self.position.close()""",
        body="""\
def zscore(self, price, n):
    mean = price.rolling(n).mean()
    std = price.rolling(n).std()
    return (price - mean) / std""",
    ),
    strategy(
        "self.atr = self.I(atr, self.data.High, self.data.Low, self.data.Close, 14)",
        """\
if self.data.Close[-1] > self.data.Close[-2] + self.atr[-1] and not self.position:
    self.buy()
elif self.position and self.data.Close[-1] < self.data.Close[-2]:
    self.position.close()""",
        head=HEAD
        + """\

def atr(high, low, close, n):
    tr1 = high - low
    tr2 = (high - close.shift(1)).abs()
    tr3 = (low - close.shift(1)).abs()
    tr = pd.concat([pd.Series(tr1), tr2, tr3], axis=1).max(axis=1)
    return tr.rolling(n).mean()
""",
    ),
    strategy(
        "self.vol = self.data.Volume.rolling(20).mean()",
        """\
if self.data.Volume[-1] > self.vol[-1] * 1.2 and not self.position:
    self.buy()
elif self.position:
    self.position.close()""",
    ),
    strategy(
        "self.obv = self.I(lambda c, v: (np.sign(c.diff()) * v).fillna(0).cumsum(), self.data.Close, self.data.Volume)",
        """\
if self.obv[-1] > self.obv[-2] and not self.position:
    self.buy()
elif self.obv[-1] < self.obv[-2]:
    self.position.close()""",
    ),
    strategy(
        """\
mid = (self.data.High + self.data.Low) / 2
self.jaw = self.I(lambda: mid.rolling(13).mean())""",
        ENTER.format("self.jaw[-1]"),
    ),
    strategy(
        """\
self.macd, self.sig, self.hist = self.I(talib.MACD, self.data.Close)
self.sm = self.I(lambda: self.hist.rolling(5).mean())""",
        """\
if self.sm[-1] > 0 and not self.position:
    self.buy()
elif self.sm[-1] < 0:
    self.position.close()""",
    ),
    strategy(
        "self.atr = self.I(talib.ATR, self.data.High, self.data.Low, self.data.Close, 14)",
        """\
avg = self.atr.rolling(10).mean()[-1]
if self.atr[-1] > avg and not self.position:
    self.buy(size=0.3)
elif self.atr[-1] < avg:
    self.position.close()""",
    ),
    strategy(
        "pass",
        """\
high = self.data.High.tail(20).max()
if self.data.Close[-1] >= high * 0.99 and not self.position:
    self.buy()
elif self.position and self.data.Close[-1] < high * 0.9:
    self.position.close()""",
    ),
    strategy(
        "pass",
        """\
closes = self.data.Close
change = closes.pct_change().iloc[-1]
if change > 0.01 and not self.position:
    self.buy()
elif change < -0.01:
    self.position.close()""",
    ),
    strategy(
        """\
self.up = self.I(lambda: self.data.Close.rolling(20).mean() + 2 * self.data.Close.rolling(20).std())
self.mid = self.I(lambda: self.data.Close.rolling(20).mean())""",
        """\
if self.data.Close[-1] > self.up[-1] and not self.position:
    self.buy()
elif self.data.Close[-1] < self.mid[-1]:
    self.position.close()""",
    ),
    strategy(
        """\
close = pd.Series(self.data.Close)
self.ma = close.rolling(20).mean()""",
        ENTER.format("self.ma[-1]"),
    ),
    strategy(
        """\
close = self.data.Close.s
self.ma = close.rolling(20).mean()""",
        ENTER.format("self.ma[-1]"),
    ),
    strategy(
        """\
returns = self.data.Close.pct_change()
self.vol = returns.rolling(20).std()
self.avg = self.vol.rolling(10).mean()""",
        """\
if self.vol[-1] < self.avg[-1] and not self.position:
    self.buy()
elif self.vol[-1] > self.avg[-1]:
    self.position.close()""",
    ),
    strategy(
        "self.q = self.I(lambda x: x.rolling(50).quantile(0.8), self.data.Close)", ENTER.format("self.q[-1]")
    ),
    strategy(
        "self.rank = self.I(lambda x: x.rolling(50).rank(pct=True), self.data.Close)",
        """\
if self.rank[-1] > 0.9 and not self.position:
    self.buy()
elif self.rank[-1] < 0.5:
    self.position.close()""",
    ),
    strategy(
        """\
typical = (self.data.High + self.data.Low + self.data.Close) / 3
pv = typical * self.data.Volume
self.vwap = self.I(lambda: pv.rolling(20).sum() / self.data.Volume.rolling(20).sum())""",
        ENTER.format("self.vwap[-1]"),
    ),
    strategy(
        "pass",
        """\
df = self.data.df
ma = df['Close'].rolling(10).mean()[-1]
"""
        + ENTER.format("ma"),
    ),
    strategy(
        "pass",
        """\
s = pd.Series(self.data.Close)
ma = s.rolling(10).mean()[-1]
"""
        + ENTER.format("ma"),
    ),
)
ATTRIBUTES = _cases(
    "invented attribute",
    strategy(
        CROSS_INIT,
        CROSS_NEXT
        + """\

if self.position and self.data.Close[-1] < self.position.entry_price * 0.97:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
price = self.data.Close[-1]
if self.position:
    if price > self.position.entry_price * (1 + self.stop_pct):
        self.position.close()
else:
    self.buy(size=0.5)""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    if self.fast[-1] > self.slow[-1]:
        self.buy(size=0.5)
    return
entry = self.position.avg_price
if self.data.Close[-1] < entry * 0.95 or self.data.Close[-1] > entry * 1.1:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if crossover(self.fast, self.slow):
    self.buy(size=0.2)
if self.position.is_long and self.data.Close[-1] < self.position.entry_price * 0.9:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        CROSS_NEXT
        + """\

if self.position and self.position.pnl < -500:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position.is_open:
    self.buy(size=0.3)
elif self.fast[-1] < self.slow[-1]:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if self.position.size() == 0:
    self.buy(size=0.3)
elif self.position.is_long():
    if self.fast[-1] < self.slow[-1]:
        self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if self.position > 0:
    if self.fast[-1] < self.slow[-1]:
        self.position.close()
else:
    self.buy(size=0.3)""",
    ),
    strategy(
        CROSS_INIT,
        """\
if self.i < 30:
    return
"""
        + CROSS_NEXT,
    ),
    strategy(
        CROSS_INIT,
        """\
i = self._i
if i % 20 == 0 and not self.position:
    self.buy()
elif self.position and i % 7 == 0:
    self.position.close()""",
    ),
    strategy(
        "self.entry_bar = None",
        """\
if not self.position:
    self.buy(size=0.5)
    self.entry_bar = self.bar_index
elif self.bar_index - self.entry_bar > 5:
    self.position.close()""",
    ),
    strategy(
        "self.entry_bar = 0",
        """\
bar = self.current_bar
if not self.position and self.data.Close[-1] > self.data.Open[-1]:
    self.buy(size=0.5)
    self.entry_bar = bar
elif self.position and bar - self.entry_bar >= 10:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if crossover(self.fast, self.slow) and not self.position:
    size = int(self.broker.equity * 0.1 / self.data.Close[-1])
    if size >= 1:
        self.buy(size=size)
elif crossover(self.slow, self.fast):
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    size = int(self.cash * 0.5 / self.data.Close[-1])
    if size > 0:
        self.buy(size=size)
elif self.fast[-1] < self.slow[-1]:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
value = self.broker.getvalue()
if not self.position and value > 0:
    self.buy(size=0.5)
elif self.fast[-1] < self.slow[-1]:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position and self.portfolio_value > 100:
    self.buy(size=0.5)
elif self.fast[-1] < self.slow[-1]:
    self.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    self.buy(size=0.5)
elif self.fast[-1] < self.slow[-1]:
    self.close_position()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    self.buy(size=0.5)
elif self.fast[-1] < self.slow[-1]:
    self.position.close(reason='cross down')""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    self.buy(size=0.5)
elif self.fast[-1] < self.slow[-1]:
    self.position.exit()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    self.buy(size=0.5)
for trade in self.trades:
    if trade.pnl < 0 and self.fast[-1] < self.slow[-1]:
        trade.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    self.buy(size=0.5)
else:
    trade = self.trades[-1]
    held = len(self.data) - trade.entry_index
    if held > 8:
        trade.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    self.buy(size=0.5, sl=self.data.Close[-1] * 0.9)
elif self.trades[-1].stop_loss < self.data.Close[-1] * 0.8:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    self.buy(size=0.5)
elif self.trades[-1].is_open and self.fast[-1] < self.slow[-1]:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    self.sell(size=0.3)
elif self.data.Close[-1] > self.position.entry_price * 1.03 or self.data.Close[-1] < self.position.open_price * 0.95:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
pos = self.position
if not pos:
    self.buy(size=0.4)
elif pos and self.data.Close[-1] > pos.entry_price * 1.04:
    pos.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    self.buy(size=0.4)
elif self.position and (self.data.index[-1] - self.position.entry_time).days > 12:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if len(self.position) == 0:
    self.buy(size=0.4)
elif self.fast[-1] < self.slow[-1]:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if self.position.quantity == 0:
    self.buy(size=0.4)
elif self.fast[-1] < self.slow[-1]:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position and self.equity() > 0:
    self.buy(size=0.4)
elif self.fast[-1] < self.slow[-1]:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if self.position.is_flat:
    self.buy(size=0.4)
elif abs(self.position) > 0 and self.fast[-1] < self.slow[-1]:
    self.position.close()""",
    ),
)
INDICATORS = _cases(
    "indicator",
    strategy(
        "self.rsi = self.I(ta.rsi, self.data.Close, length=14)",
        """\
if self.rsi[-1] < 35 and not self.position:
    self.buy()
elif self.rsi[-1] > 55:
    self.position.close()""",
        head=HEAD + "import pandas_ta as ta\n",
    ),
    strategy(
        "self.atr = self.I(ta.atr, self.data.High, self.data.Low, self.data.Close, length=14)",
        """\
if self.atr[-1] > self.atr[-2] and not self.position:
    self.buy(size=0.2)
elif self.position:
    self.position.close()""",
        head=HEAD + "import pandas_ta as ta\n",
    ),
    strategy(
        "self.ma = self.I(lambda x: ta.ema(x, 20), self.data.Close)",
        ENTER.format("self.ma[-1]"),
        head=HEAD + "import pandas_ta as ta\n",
    ),
    strategy(
        """\
close = self.data.Close
self.ma = self.I(lambda: ta.sma(close, length=20))""",
        ENTER.format("self.ma[-1]"),
        head=HEAD + "import pandas_ta as ta\n",
    ),
    strategy(
        "self.vwap = self.I(ta.vwap, self.data.High, self.data.Low, self.data.Close, self.data.Volume)",
        ENTER.format("self.vwap[-1]"),
        head=HEAD + "import pandas_ta as ta\n",
    ),
    strategy(
        "self.bb = self.I(ta.bbands, self.data.Close, length=20)",
        """\
if self.data.Close[-1] > self.bb[2][-1] and not self.position:
    self.buy()
elif self.data.Close[-1] < self.bb[1][-1]:
    self.position.close()""",
        head=HEAD + "import pandas_ta as ta\n",
    ),
    strategy(
        "self.cmf = self.I(ta.CMF, self.data.High, self.data.Low, self.data.Close, self.data.Volume)",
        """\
if self.cmf[-1] > 0 and not self.position:
    self.buy()
elif self.cmf[-1] < 0:
    self.position.close()""",
        head=HEAD + "import pandas_ta as ta\n",
    ),
    strategy(
        "self.kc = self.I(lambda: ta.hma(self.data.Close, length=16))",
        ENTER.format("self.kc[-1]"),
        head=HEAD + "import pandas_ta as ta\n",
    ),
    strategy("self.ma = self.I(talib.sma, self.data.Close, timeperiod=20)", ENTER.format("self.ma[-1]")),
    strategy("self.ma = self.I(talib.Ema, self.data.Close, timeperiod=20)", ENTER.format("self.ma[-1]")),
    strategy(
        """\
self.hh = self.I(talib.HIGHEST, self.data.High, timeperiod=20)
self.ll = self.I(talib.LOWEST, self.data.Low, timeperiod=20)""",
        """\
if self.data.Close[-1] > self.hh[-2] and not self.position:
    self.buy()
elif self.data.Close[-1] < self.ll[-2]:
    self.position.close()""",
    ),
    strategy(
        "self.sd = self.I(talib.STDEV, self.data.Close, 20)",
        """\
if self.sd[-1] > self.sd[-2] and not self.position:
    self.buy()
elif self.position:
    self.position.close()""",
    ),
    strategy("self.ma = self.I(talib.SMA, self.data.Close, length=20)", ENTER.format("self.ma[-1]")),
    strategy(
        "self.rsi = self.I(talib.RSI, self.data.Close, period=14)",
        """\
if self.rsi[-1] < 35 and not self.position:
    self.buy()
elif self.rsi[-1] > 55:
    self.position.close()""",
    ),
    strategy("self.ma = self.I(ta.SMA, self.data.Close, timeperiod=20)", ENTER.format("self.ma[-1]")),
    strategy(
        "self.rsi = self.I(ta.rsi, self.data.Close, length=14)",
        """\
if self.rsi[-1] < 35 and not self.position:
    self.buy()
elif self.rsi[-1] > 55:
    self.position.close()""",
    ),
    strategy(
        """\
def bollinger(series, n, k):
    mean = series.rolling(n).mean()
    dev = series.rolling(n).std()
    return mean + k * dev, mean, mean - k * dev
self.up, self.mid, self.low = self.I(bollinger, self.data.Close, 20, 2)""",
        """\
if self.data.Close[-1] < self.low[-1] and not self.position:
    self.buy()
elif self.data.Close[-1] > self.mid[-1]:
    self.position.close()""",
    ),
    strategy(
        "self.er = self.I(self.efficiency, self.data.Close)",
        """\
if self.er[-1] > 0.4 and not self.position:
    self.buy()
elif self.er[-1] < 0.2:
    self.position.close()""",
        body="""\
@staticmethod
def efficiency(close):
    change = close.diff(10).abs()
    noise = close.diff().abs().rolling(10).sum()
    return change / noise""",
    ),
    strategy(
        """\
self.trend = self.I(lambda x: x * 1, self.data.Close)
self.floor = self.I(lambda x: np.where(np.isnan(x), np.NaN, x * 0.98), self.data.Close)""",
        """\
if not self.position and self.trend[-1] > self.floor[-1]:
    self.buy(size=0.2)
elif self.data.Close[-1] < self.data.Open[-1]:
    self.position.close()""",
    ),
    strategy(
        "self.sig = self.I(lambda: pd.Series(self.data.Close).pct_change().fillna(method='ffill'))",
        """\
if self.sig[-1] > 0 and not self.position:
    self.buy()
elif self.sig[-1] < 0:
    self.position.close()""",
    ),
    strategy(
        "self.flag = self.I(lambda: (self.data.Close > self.data.Open).astype(np.float))",
        """\
if self.flag[-1] and not self.position:
    self.buy()
elif not self.flag[-1]:
    self.position.close()""",
    ),
    strategy(
        """\
def areas(c):
    return np.array([np.NaN] * 10 + [np.trapz(c[i - 10:i]) for i in range(10, len(c))])
self.slope = self.I(areas, self.data.Close)""",
        """\
if self.slope[-1] > self.slope[-2] and not self.position:
    self.buy()
elif self.slope[-1] < self.slope[-2]:
    self.position.close()""",
    ),
    strategy(
        """\
self.w = self.I(lambda: self.data.Close.s.resample('W-FRI').last().reindex(self.data.index, method='ffill'))
self.h = self.I(lambda: self.data.Close.s.resample('24H').last().reindex(self.data.index).ffill())""",
        ENTER.format("self.w[-1]"),
    ),
    strategy(
        "self.up = self.I(lambda h: ta.highest(h, 20) if False else h.rolling(20).max(), self.data.High)",
        ENTER.format("self.up[-2]"),
        head=HEAD + "import pandas_ta as ta\n",
    ),
)
IMPORTS = _cases(
    "import",
    strategy(
        head="""\
import talib
from backtesting import Strategy, Backtest, crossover
"""
    ),
    strategy(
        head="""\
import talib
from backtesting import Strategy
"""
    ),
    strategy(
        head="""\
from backtesting import Strategy
from backtesting.lib import crossover
"""
    ),
    strategy(
        """\
self.fast = self.I(SMA, self.data.Close, 8)
self.slow = self.I(SMA, self.data.Close, 21)""",
        head="""\
from backtesting import Strategy
from backtesting.lib import crossover, SMA
""",
    ),
    strategy(
        """\
self.fast = self.I(SMA, self.data.Close, 8)
self.slow = self.I(SMA, self.data.Close, 21)""",
        head="""\
from backtesting import Strategy
from backtesting.lib import crossover
""",
    ),
    strategy(
        head="""\
import talib
from backtesting import Strategy
from backtesting.lib import cross_over, crossover
"""
    ),
    strategy(
        head="""\
import talib
from backtesting import Strategy
from backtesting.lib import crossovers as crossover
"""
    ),
    strategy(
        CROSS_INIT,
        CROSS_NEXT.replace("crossover(self.slow, self.fast)", "crossunder(self.fast, self.slow)"),
        head="""\
import talib
from backtesting import Strategy
from backtesting.lib import crossover, crossunder
""",
    ),
    strategy(
        CROSS_INIT,
        """\
if crossunder(self.slow, self.fast) and not self.position:
    self.buy()
elif crossunder(self.fast, self.slow):
    self.position.close()""",
        head="""\
import talib
from backtesting import Strategy
from backtesting.lib import crossunder
""",
    ),
    strategy(
        head=HEAD
        + """\
import matplotlib.pyplot as plt
import seaborn as sns
"""
    ),
    strategy(
        head=HEAD
        + """\
import yfinance as yf
from termcolor import cprint
"""
    ),
    strategy(head=HEAD + "from backtesting.indicators import RSI\n"),
    strategy(
        head=HEAD
        + """\
from backtesting.test import GOOG
from backtesting.utils import sma
"""
    ),
    strategy(
        "self.ma = self.I(lambda x: pd.Series(x).rolling(20).mean(), self.data.Close)",
        ENTER.format("self.ma[-1]"),
        head="from backtesting import Strategy\n",
    ),
    strategy(
        "self.win = deque(maxlen=5)",
        """\
self.win.append(self.data.Close[-1])
if len(self.win) == 5 and self.win[-1] > np.mean(self.win) and not self.position:
    self.buy()
elif self.position and math.floor(self.win[-1]) < np.mean(self.win):
    self.position.close()""",
        head="from backtesting import Strategy\n",
    ),
    strategy(
        head="""\
import talib
from backtesting.backtesting import Strategy
from backtesting.lib import crossover
import ta
"""
    ),
    strategy(
        tail="""\


data = pd.read_csv('/Users/me/data/BTC-USD-15m.csv', parse_dates=True, index_col='datetime')
data.columns = data.columns.str.strip().str.lower()
bt = Backtest(data, Idea, cash=1_000_000, commission=.002)
stats = bt.run()
print(stats)
bt.plot()
"""
    ),
    strategy(
        tail="""\


from backtesting.test import GOOG
bt = Backtest(GOOG, Idea, cash=10_000)
stats = bt.optimize(period=range(5, 30, 5), maximize='Return [%]')
print(stats._strategy)
"""
    ),
    strategy(
        tail="""\


def load():
    return pd.read_csv('data.csv')

data = load()
data = data.rename(columns=str.title)
result = Backtest(data, Idea).run()
"""
    ),
    strategy(
        tail="""\


try:
    df = pd.read_csv('data.csv')
    print(Backtest(df, Idea).run())
except Exception as error:
    raise
"""
    ),
    strategy(
        head="import yfinance as yf\n" + HEAD,
        tail="""\


df = yf.download('BTC-USD')
print(Backtest(df, Idea).run())
""",
    ),
)
COLUMNS = _cases(
    "column",
    strategy("self.ma = self.I(talib.SMA, self.data.close, 20)", ENTER.format("self.ma[-1]")),
    strategy("self.ma = self.I(talib.SMA, self.data['close'], 20)", ENTER.format("self.ma[-1]")),
    strategy(
        "self.atr = self.I(talib.ATR, self.data.high, self.data.low, self.data.close, 14)",
        """\
if self.data.close[-1] > self.data.open[-1] + self.atr[-1] * 0.2 and not self.position:
    self.buy()
elif self.position and self.data.close[-1] < self.data.open[-1]:
    self.position.close()""",
    ),
    strategy("pass", ENTER.format("self.data.df['close'].mean()")),
    strategy(
        "pass",
        """\
if self.data.Datetime[-1].month % 2 and not self.position:
    self.buy()
elif self.position and self.data.Datetime[-1].day > 20:
    self.position.close()""",
    ),
    strategy(
        "pass",
        """\
now = self.data.datetime[-1]
if now.day == 3 and not self.position:
    self.buy()
elif self.position and now.day == 10:
    self.position.close()""",
    ),
    strategy(
        "pass",
        """\
last = self.data.iloc[-1]
if last['Close'] > last['Open'] and not self.position:
    self.buy()
elif self.position and last.Close < last.Open:
    self.position.close()""",
    ),
    strategy(
        "pass",
        """\
recent = self.data[['High', 'Low']].tail(5)
if self.data.Close[-1] > recent['High'].mean() and not self.position:
    self.buy()
elif self.position:
    self.position.close()""",
    ),
    strategy("self.data['ma'] = talib.SMA(self.data.Close, 20)", ENTER.format("self.data.ma[-1]")),
    strategy(
        """\
self.data['ma'] = pd.Series(self.data.Close).rolling(20).mean()
self.data['up'] = self.data['ma'] * 1.01""",
        ENTER.format("self.data['up'][-1]"),
    ),
    strategy(
        "self.data['ret'] = self.data.Close.pct_change()",
        """\
if self.data.ret[-1] > 0.01 and not self.position:
    self.buy()
elif self.position:
    self.position.close()""",
    ),
    strategy(
        """\
d = self.data
self.ma = self.I(talib.SMA, d.volume, 20)""",
        """\
if self.data.volume[-1] > self.ma[-1] and not self.position:
    self.buy()
elif self.position:
    self.position.close()""",
    ),
    strategy(
        """\
df = self.data.df
self.ma = self.I(lambda: df['close'].rolling(20).mean())""",
        ENTER.format("self.ma[-1]"),
    ),
    strategy(
        "pass",
        """\
n = self.data.shape[0]
if n % 10 == 0 and not self.position:
    self.buy()
elif n % 10 == 5:
    self.position.close()""",
    ),
)
CALLS = _cases(
    "arguments",
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    self.buy(size=0.5, stop_loss=self.data.Close[-1] * 0.9, take_profit=self.data.Close[-1] * 1.2)""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    self.buy(0.5)
elif self.fast[-1] < self.slow[-1]:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    self.sell(quantity=5, sl_price=self.data.Close[-1] * 1.1)
elif self.fast[-1] > self.slow[-1]:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    self.buy(size=0.5, comment='enter')
elif self.fast[-1] < self.slow[-1]:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    self.buy(size=0.5, limit_price=self.data.Close[-1])
elif self.fast[-1] < self.slow[-1]:
    self.position.close('exit')""",
    ),
    strategy("super().__init__()\n" + CROSS_INIT),
    HEAD
    + """\


class Idea(Strategy):
    n = 20

    def __init__(self):
        super().__init__()
        self.ma = self.I(talib.SMA, self.data.Close, self.n)

    def next(self):
"""
    + _indented(ENTER.format("self.ma[-1]")),
    HEAD
    + """\


class Idea(Strategy):
    def next(self):
        if len(self.data) % 20 == 0 and not self.position:
            self.buy(size=0.5)
        elif len(self.data) % 20 == 9:
            self.position.close()
""",
    strategy(
        CROSS_INIT,
        """\
if self.data.Close() [-1] > 0 and not self.position:
    self.buy(size=0.5)
elif self.fast[-1] < self.slow[-1]:
    self.position.close()""",
    ),
    strategy(
        CROSS_INIT,
        """\
if not self.position:
    self.buy(size=0.5, tp_price=self.data.Close[-1] * 1.05, reason='x')
elif self.fast[-1] < self.slow[-1]:
    self.position.close()""",
    ),
)
IN_NEXT = _cases(
    "indicator in next",
    strategy(
        "pass",
        """\
m, s, h = self.I(talib.MACD, self.data.Close)
if m[-1] > s[-1] and not self.position:
    self.buy()
elif m[-1] < s[-1]:
    self.position.close()""",
    ),
    strategy(
        "pass",
        """\
self.fast = self.I(talib.SMA, self.data.Close, 8, name="fast")
self.slow = self.I(talib.SMA, self.data.Close, timeperiod=21)
if crossover(self.fast, self.slow) and not self.position:
    self.buy(size=0.5)
elif self.fast[-1] < self.slow[-1]:
    self.position.close()""",
    ),
)
LINES = [
    *_cases(
        "indicator lines",
        strategy(
            "self.macd, self.macd_signal = self.I(talib.MACD, self.data.Close)",
            """\
if crossover(self.macd, self.macd_signal) and not self.position:
    self.buy()
elif crossover(self.macd_signal, self.macd):
    self.position.close()""",
        ),
        strategy(
            "self.change = self.I(self.returns, self.data.Close)",
            ENTER.format("100 + self.change[-1]"),
            body="def returns(self, close):\n    return np.diff(np.log(close))",
        ),
        strategy(
            "self.change = self.I(lambda: np.diff(self.data.Close))", ENTER.format("100 + self.change[-1]")
        ),
        strategy(
            "self.bands = self.I(ta.bbands, pd.Series(self.data.Close), 20, 2)\nself.top = self.bands['BBU_20_2.0']",
            ENTER.format("self.top[-1]"),
            head=HEAD + "import pandas_ta as ta\n",
        ),
        strategy(
            """\
bands = ta.bbands(pd.Series(self.data.Close), length=20, std=2)
self.top = self.I(lambda: bands['BBU_20_2'])""",
            ENTER.format("self.top[-1]"),
            head=HEAD + "import pandas_ta as ta\n",
        ),
        strategy(
            "self.top = self.I(ta.highest, pd.Series(self.data.High), 20)",
            ENTER.format("self.top[-2]"),
            head=HEAD + "import pandas_ta as ta\n",
        ),
        strategy(
            "self.obv = self.I(talib.OBV, self.data.Close, self.data.Volume.astype(int))",
            ENTER.format("100 + self.obv[-1] * 0"),
        ),
        strategy(
            "self.top, _, _ = self.I(talib.BBANDS, self.data.Close, period=20, std=2)",
            ENTER.format("100 + self.top[-1] * 0"),
        ),
        strategy(
            "self.macd, self.signal, self.hist = self.I(talib.MACD, self.data.Close, fast=12, slow=26, signal=9)",
            ENTER.format("100 + self.hist[-1] * 0"),
        ),
    ),
    *_cases(
        "outside the class",
        strategy(
            "pass",
            ENTER.format("above(100)").replace("above", "self.above"),
            head=HEAD + "def above(x):\n    return x\n",
        ),
        strategy("pass", "if self.data.i > 50 and not self.position:\n    self.buy()"),
    ),
    *_cases(
        "class value",
        strategy("self.ma = self.I(talib.SMA, self.data.Close, period)", ENTER.format("self.ma[-1]")),
        strategy(
            "pass",
            """\
price = self.data.Close[-1]
if not self.position:
    self.buy(sl=min([price * (1 - stop_pct) for _ in range(period)]))""",
        ),
    ),
    *_cases(
        "stop after its order",
        strategy(
            "pass",
            """\
price = self.data.Close[-1]
if not self.position:
    self.buy(size=0.5)
    print(f"long at {price:.2f}")
    self.trades[-1].sl = price * 0.9
    self.trades[-1].tp = price * 1.2""",
        ),
        strategy(
            "pass",
            """\
if not self.position:
    self.buy()
    self.trades[-1].sl = self.data.Close[-1] * 0.9""",
        ),
        strategy(
            "pass",
            """\
price = self.data.Close[-1]
if not self.position:
    self.buy(size=0.5, sl=price * 0.8, tp=price * 1.1)
elif self.position.is_long and price * 0.9 > self.position.sl:
    self.position.sl = price * 0.9""",
        ),
    ),
    *_cases(
        "array as a number",
        strategy(
            "self.ma = self.I(talib.SMA, self.data.Close, 9)",
            'print(f"🌙 {self.ma:.2f} {self.data.Close[-1]:.2f}")\n' + ENTER.format("self.ma[-1]"),
        ),
        strategy("pass", 'print(f"{self.data.Close * 2:.2f}")\n' + ENTER.format("100")),
    ),
    *_cases(
        "account",
        strategy("self.start = self._broker.starting_cash", ENTER.format("100 + self.start * 0")),
        strategy("pass", ENTER.format("100 + self._broker.get_equity() * 0")),
        strategy("pass", ENTER.format("100 + self.broker.initial_cash * 0 + self.initial_capital * 0")),
        strategy(
            "pass",
            """\
if not self.position:
    self.buy(size=int(self.broker.get_cash() * 0.1 / self.data.Close[-1]))
elif self.data.Close[-1] > 120:
    self.position.close()""",
        ),
    ),
    *_cases(
        "crossing",
        strategy(
            following="""\
if talib.CROSSOVER(self.fast, self.slow) and not self.position:
    self.buy()
elif talib.crossunder(self.fast, self.slow):
    self.position.close()""",
        ),
    ),
]
OWN = _cases(
    "engine's name for an own thing",
    strategy(
        "self.ma = self.I(talib.SMA, self.data.Close, 9)\nself.position = None",
        """\
if self.data.Close[-1] > self.ma[-1] and self.position is None:
    self.buy(size=5)
    self.position = 'long'
elif self.data.Close[-1] < self.ma[-1] and self.position == 'long':
    self.sell(size=5)
    self.position = None""",
    ),
    strategy(
        "self.position = None\nself.ma = self.I(talib.SMA, self.data.Close, 9)", ENTER.format("self.ma[-1]")
    ),
    strategy(
        "self.position = None",
        "if not self.position:\n    self.buy(size=5, sl=self.data.Close[-1] * 0.97, tp=self.data.Close[-1] * 1.03)",
    ),
    strategy(
        "self.trades = []\nself.ma = self.I(talib.SMA, self.data.Close, 9)",
        ENTER.format("self.ma[-1]") + "\nself.trades.append(self.data.Close[-1])",
    ),
)
ELSEWHERE = _cases(
    "word of another engine",
    strategy(
        "self.ma = self.I(talib.SMA, self.data.Close, self.params.period)",
        """\
if len(self) < 30:
    return
if self.data.Close[-1] > self.ma[-1] and not self.in_position:
    self.log("buying")
    self.buy(size=int(self.get_equity() / 2 / self.data.Close[-1]))
elif self.data.Close[-1] < self.ma[-1]:
    self.position.close()""",
    ),
    strategy(
        "self.ma = self.I(talib.SMA, self.data.Close, 9)",
        """\
if not self.position:
    self.cancel_all_orders()
    if self.data.Close[-1] > self.ma[-1]:
        self.buy(size=0.5)
elif self.position.pnl_pct > 0.02 or self.position.pnl_pct < -self.stop_pct:
    self.position.close()""",
    ),
    strategy(
        "self.ma = self.I(talib.SMA, self.data.Close, 9)",
        """\
close = self.data.Close[-1]
if not self.position:
    if close > self.ma[-1]:
        self.buy(size=0.5, sl=close * 0.9)
elif close * 0.95 > self.position.stop_loss:
    self.position.set_sl(close * 0.95)""",
    ),
    strategy(
        "self.up = self.I(self.later, self.data.Close, 3)",
        """\
if self.up[-1] > 0 and not self.position:
    self.buy(size=0.5)
elif self.up[-1] < 0:
    self.position.close()""",
        tail="\n    def later(self, x, n):\n        return x[n:] - x[:-n]\n",
    ),
    strategy("self.ma = self.I(talib.SMA(self.data.Close, 9))", ENTER.format("self.ma[-1]")),
    strategy(
        """\
high, low, close = self.data.High, self.data.Low, self.data.Close
ranges = pd.concat([high - low, (high - close.shift()).abs()], axis=1).max(axis=1)
self.atr = self.I(lambda: ranges.rolling(9).mean())""",
        ENTER.format("self.data.Close[-2] + self.atr[-1] / 4"),
    ),
    strategy(
        "self.data['half'] = self.data.Close.rolling(9).mean()\nself.ma = self.I(lambda: self.data['half'].shift(1))",
        ENTER.format("self.ma[-1]"),
    ),
    strategy(
        "self.ma = self.I(talib.SMA, self.data.Close, 9)",
        """\
if self.position.size > 0:
    if self.data.Close[-1] < self.ma[-1]:
        self.position.close()
elif self.position.size < 0:
    pass
elif self.data.Close[-1] > self.ma[-1]:
    self.buy(size=int(self.broker.cash / 2 / self.data.Close[-1]))""",
    ),
    strategy(
        "self.ma = self.I(talib.SMA, self.data.Close, 9)",
        "self.decide()",
        tail="\n    def decide(self):\n        if self._i % 9 == 3 and not self.position:\n"
        "            self.buy(size=0.5)\n"
        "        elif self._i % 9 == 0:\n            self.position.close()\n",
    ),
    strategy(
        "self.ma = self.I(talib.SMA, self.data.Close, 9)",
        ENTER.format("self.ma[-1]"),
        tail="\n    def __init__(self):\n        super().__init__()\n        self.count = 0\n",
    ),
)
RUNS = [*ARRAYS, *ATTRIBUTES, *INDICATORS, *IMPORTS, *COLUMNS, *CALLS, *IN_NEXT, *LINES, *OWN, *ELSEWHERE]

REPORTED = [
    *_cases(
        "indicator_in_next",
        strategy(
            "pass",
            """\
ma = self.I(lambda c: pd.Series(c).rolling(9).mean(), self.data.Close)
if ma[-1] > 0 and not self.position:
    self.buy()
elif len(self.data) % 5 == 0:
    self.position.close()""",
        ),
    ),
    *_cases(
        "units",
        strategy(
            CROSS_INIT,
            """\
if not self.position:
    size = self.equity * 0.02 / (self.data.Close[-1] * 0.05)
    self.buy(size=size)
elif self.fast[-1] < self.slow[-1]:
    self.position.close()""",
        ),
        strategy(
            CROSS_INIT,
            """\
if not self.position:
    self.buy(size=(self.equity * 0.5) / self.data.Close[-1])
elif self.fast[-1] < self.slow[-1]:
    self.position.close()""",
        ),
        strategy(
            CROSS_INIT,
            """\
risk = self.equity * 0.01
if not self.position:
    units = risk / (self.data.Close[-1] * 0.013)
    self.sell(size=round(units, 4))
elif self.fast[-1] > self.slow[-1]:
    self.position.close()""",
        ),
    ),
    *_cases(
        "order_price",
        strategy(
            CROSS_INIT,
            """\
price = self.data.Close[-1]
if not self.position:
    self.buy(size=0.5, sl=price * 1.05)""",
        ),
        strategy(
            CROSS_INIT,
            """\
price = self.data.Close[-1]
if not self.position:
    self.sell(size=0.5, sl=price * (1 - self.stop_pct), tp=price * (1 + self.stop_pct))""",
        ),
        strategy(
            "self.atr = self.I(talib.ATR, self.data.High, self.data.Low, self.data.Close, 14)",
            """\
if not self.position:
    self.sell(size=0.5, tp=self.data.Close[-1] + 2 * self.atr[-1])""",
        ),
    ),
    *_cases(
        "data_missing",
        strategy(
            "self.vix = self.I(lambda: self.data.VIX)",
            """\
if self.vix[-1] > 20 and not self.position:
    self.buy()""",
        ),
        strategy(
            "pass",
            """\
if self.data.funding_rate[-1] < 0 and not self.position:
    self.buy()""",
        ),
        strategy(
            "self.oi = self.data['OpenInterest']",
            """\
if not self.position and self.data.Close[-1] > 0:
    self.buy()""",
        ),
        strategy(
            "self.extra = pd.read_csv('sentiment.csv')",
            """\
if self.extra['score'].iloc[len(self.data)] > 0:
    self.buy()""",
        ),
    ),
    *_cases(
        "invented_attribute",
        strategy(
            CROSS_INIT,
            """\
if not self.position and self.market_regime == 'bull':
    self.buy()""",
        ),
        strategy(
            CROSS_INIT,
            """\
if self.cash > 0:
    self.buy(size=int(self.cash / self.data.Close[-1]))""",
        ),
        strategy(
            CROSS_INIT,
            """\
if not self.position:
    self.buy()
elif self.position.direction == 'long':
    self.position.close()""",
        ),
    ),
    *_cases(
        "import",
        strategy(
            "self.m = RandomForestClassifier()",
            head=HEAD + "from sklearn.ensemble import RandomForestClassifier\n",
        ),
    ),
    *_cases(
        "arguments",
        strategy(
            CROSS_INIT,
            """\
if not self.position:
    self.buy(price=self.data.Close[-1], size=0.5)""",
        ),
    ),
    *_cases(
        "invented_function",
        strategy(
            "self.x = self.I(talib.ICHIMOKU, self.data.High, self.data.Low)", ENTER.format("self.x[-1]")
        ),
    ),
    *_cases(
        "no_strategy_class",
        strategy(
            tail="""\


class Other(Strategy):
    def init(self):
        pass

    def next(self):
        pass
"""
        ),
    ),
]
MISLEADING = [
    *_cases(
        "look_ahead",
        strategy("self.x = self.I(lambda: pd.Series(self.data.Close).shift(-1))", ENTER.format("self.x[-1]")),
        strategy(
            "self.x = self.I(lambda: pd.Series(self.data.Close).rolling(21, center=True).mean())",
            ENTER.format("self.x[-1]"),
        ),
        strategy(
            """\
top = self.data.High.max()
self.x = self.I(lambda: self.data.Close / top)""",
            """\
if self.x[-1] < 0.5 and not self.position:
    self.buy()""",
        ),
        strategy("self.x = self.I(lambda: pd.Series(self.data.Close).bfill())", ENTER.format("self.x[-1]")),
        strategy(
            """\
from scipy.signal import argrelextrema
peaks = argrelextrema(self.data.High, np.greater, order=5)[0]
marks = np.zeros(len(self.data))
marks[peaks] = 1
self.x = self.I(lambda: marks)""",
            """\
if self.x[-1] and not self.position:
    self.sell()
elif self.position:
    self.position.close()""",
        ),
        strategy(
            "self.x = self.I(lambda c: (c - c.mean()) / c.std(), self.data.Close)",
            """\
if self.x[-1] < -1 and not self.position:
    self.buy()
elif self.x[-1] > 0:
    self.position.close()""",
        ),
    ),
    *_cases(
        "not_revealed",
        strategy(
            "self.close = self.data.Close",
            """\
if self.close[-1] > self.close[-2] and not self.position:
    self.buy()
elif self.position:
    self.position.close()""",
        ),
        strategy("self.ma = talib.SMA(self.data.Close, 20)", ENTER.format("self.ma[-1]")),
        strategy("self.ma = pd.Series(self.data.Close).rolling(20).mean()", ENTER.format("self.ma.iloc[-1]")),
    ),
    *_cases(
        "no_effect",
        strategy(
            CROSS_INIT,
            """\
if not self.position:
    self.buy(size=0.4)
else:
    self.position.sl = self.data.Close[-1] * 0.95
"""
            + CROSS_NEXT,
        ),
    ),
    *_cases(
        "never_true",
        strategy(
            CROSS_INIT,
            """\
if self.position == 0:
    self.buy()
elif self.fast[-1] < self.slow[-1]:
    self.position.close()""",
        ),
        strategy(
            CROSS_INIT,
            """\
if crossover(self.fast[-1], self.slow[-1]):
    self.buy()""",
        ),
    ),
    *_cases(
        "first_bar",
        strategy(
            CROSS_INIT,
            """\
if self.data.Close[0] > self.data.Close[-1] and not self.position:
    self.buy()
elif self.position:
    self.position.close()""",
        ),
    ),
    *_cases(
        "terms",
        strategy(
            tail="""\


if __name__ == '__main__':
    print(Backtest(pd.read_csv('x.csv'), Idea, exclusive_orders=True).run())
"""
        ),
    ),
    *_cases(
        "units",
        strategy(
            CROSS_INIT,
            """\
if not self.position:
    self.buy()
elif self.position.pl_pct > 0.03:
    self.position.close()""",
        ),
    ),
]

LOAD = """
data = pd.read_csv("/home/me/rbi/BTC-USD-15m.csv")
data.columns = data.columns.str.strip().str.lower()
data = data.rename(columns={"open": "Open", "high": "High", "low": "Low", "close": "Close", "volume": "Volume"})
data["datetime"] = pd.to_datetime(data["datetime"])
data = data.set_index("datetime")
"""
RUN = """\

bt = Backtest(data, Idea, cash=1_000_000, commission=0.002)
stats = bt.run()
print(stats)
"""
CHART_HEAD = HEAD + "import matplotlib.pyplot as plt\n"
SCRIPTS = _cases(
    "script",
    *(
        case.source + "\n" + LOAD + RUN
        for case in [*ARRAYS[:8], *ATTRIBUTES[:12], *INDICATORS[:8], *COLUMNS[:3], *CALLS[:3]]
    ),
    strategy(
        head=CHART_HEAD,
        tail=LOAD
        + RUN
        + """\
plt.figure(figsize=(10, 5))
plt.plot(stats['_equity_curve']['Equity'])
plt.show()
""",
    ),
    strategy(
        head=CHART_HEAD,
        tail=LOAD
        + RUN
        + """\
fig, ax = plt.subplots()
ax.plot(stats['_equity_curve']['Equity'])
ax.set_title('x')
plt.savefig('x.png')
""",
    ),
    strategy(head=HEAD + "import yfinance as yf\n", tail=LOAD + RUN),
    strategy(
        head="""\
import talib
from backtesting import Backtest, Strategy
""",
        tail=LOAD + RUN,
    ),
    strategy(
        "self.obv = self.I(talib.OBV, self.data.Close, self.data.Volume)",
        """\
if self.obv[-1] > self.obv[-2] and not self.position:
    self.buy()
elif self.obv[-1] < self.obv[-2]:
    self.position.close()""",
        tail=LOAD + "data['Volume'] = data['Volume'].fillna(0).astype(int)\n" + RUN,
    ),
    strategy(
        tail=LOAD
        + """\
how = {'Open': 'first', 'High': 'max', 'Low': 'min', 'Close': 'last', 'Volume': 'sum'}
daily = data.resample('3D').agg(how).fillna(method='ffill')
data = daily.dropna()
"""
        + RUN
    ),
    strategy(
        following="if self.data.datetime[-1].day > 5:\n    self.buy(size=0.1)",
        tail="data = pd.read_csv('x.csv')\ndata['datetime'] = pd.to_datetime(data['datetime'])\n"
        "data = data.set_index('datetime')\n" + RUN,
    ),
    strategy(
        tail="data = pd.read_csv('x.csv')\ndata.columns = ['Date', 'Open', 'High', 'Low', 'Close', 'Volume']\n"
        "data = data.set_index('Date')\n" + RUN,
    ),
    strategy(tail=LOAD + "data = data.resample('2T').ffill().resample('24H').last().dropna()\n" + RUN),
)
ALL = [*RUNS, *REPORTED, *MISLEADING]
