"""The indicator functions that go into written strategies, verbatim. Never imported by rbi: read as text.

Every function takes arrays with one value a bar and returns one such array; a value depends on its own
bar and earlier ones only. Bars before a full window are NaN.
"""

# mypy: disable-error-code="no-any-return"
# pandas types many array results as Any; naming each one would clutter the strategies that users read.

import numpy as np
import pandas as pd

Line = np.ndarray


def crossed_above(left: Line, right: Line | float) -> bool:
    """Whether the left line went from at or below the right one to above it on this bar."""
    before, now = (right, right) if isinstance(right, int | float) else (right[-2], right[-1])
    return bool(left[-2] <= before and left[-1] > now)


def crossed_below(left: Line, right: Line | float) -> bool:
    """Whether the left line went from at or above the right one to below it on this bar."""
    before, now = (right, right) if isinstance(right, int | float) else (right[-2], right[-1])
    return bool(left[-2] >= before and left[-1] < now)


def crossed(left: Line, right: Line | float) -> bool:
    """Whether the left line crossed the right one on this bar, either way."""
    return crossed_above(left, right) or crossed_below(left, right)


def sma(line: Line, period: int) -> Line:
    """Simple moving average."""
    return pd.Series(line).rolling(period).mean().to_numpy()


def ema(line: Line, period: int) -> Line:
    """Exponential moving average with span ``period``."""
    return pd.Series(line).ewm(span=period, adjust=False, min_periods=period).mean().to_numpy()


def wilder(line: Line, period: int) -> Line:
    """Wilder's smoothing: exponential with factor 1 / ``period``."""
    return pd.Series(line).ewm(alpha=1 / period, adjust=False, min_periods=period).mean().to_numpy()


def wma(line: Line, period: int) -> Line:
    """Moving average weighted linearly, the last bar most."""
    weights = np.arange(period, 0, -1) / (period * (period + 1) / 2)
    average = np.convolve(np.asarray(line, dtype=float), weights)[: len(line)]
    average[: period - 1] = np.nan
    return average


def hma(line: Line, period: int) -> Line:
    """Hull moving average."""
    faster = 2 * wma(line, max(period // 2, 1)) - wma(line, period)
    return wma(faster, max(round(period**0.5), 1))


def tema(line: Line, period: int) -> Line:
    """Triple exponential moving average."""
    once = ema(line, period)
    twice = ema(once, period)
    return 3 * once - 3 * twice + ema(twice, period)


def dema(line: Line, period: int) -> Line:
    """Double exponential moving average."""
    once = ema(line, period)
    return 2 * once - ema(once, period)


def vwma(close: Line, volume: Line, period: int) -> Line:
    """Moving average weighted by volume; also the rolling VWAP of closes."""
    weight = pd.Series(volume).rolling(period).sum().replace(0, np.nan)
    return (pd.Series(close * volume).rolling(period).sum() / weight).to_numpy()


def rolling_vwap(high: Line, low: Line, close: Line, volume: Line, period: int) -> Line:
    """Volume-weighted average of the typical price over the last ``period`` bars."""
    return vwma((high + low + close) / 3, volume, period)


def vwap_band(high: Line, low: Line, close: Line, volume: Line, period: int, deviations: float) -> Line:
    """The rolling VWAP moved by standard deviations of the close."""
    return rolling_vwap(high, low, close, volume, period) + deviations * deviation(close, period)


def deviation(line: Line, period: int) -> Line:
    """Rolling standard deviation (population)."""
    return pd.Series(line).rolling(period).std(ddof=0).to_numpy()


def highest(line: Line, period: int) -> Line:
    """Highest value of the last ``period`` bars, this one included."""
    return pd.Series(line).rolling(period).max().to_numpy()


def lowest(line: Line, period: int) -> Line:
    """Lowest value of the last ``period`` bars, this one included."""
    return pd.Series(line).rolling(period).min().to_numpy()


def previous_highest(line: Line, period: int) -> Line:
    """Highest value of the ``period`` bars before this one."""
    return pd.Series(line).rolling(period).max().shift(1).to_numpy()


def previous_lowest(line: Line, period: int) -> Line:
    """Lowest value of the ``period`` bars before this one."""
    return pd.Series(line).rolling(period).min().shift(1).to_numpy()


def median(line: Line, period: int) -> Line:
    """Rolling median."""
    return pd.Series(line).rolling(period).median().to_numpy()


def percentile_rank(line: Line, period: int) -> Line:
    """Where this bar's value stands among the last ``period`` values, 0 to 100."""
    return pd.Series(line).rolling(period).rank(pct=True).to_numpy() * 100


def mean_plus_deviations(line: Line, period: int, deviations: float) -> Line:
    """Rolling mean moved up by a number of standard deviations."""
    return sma(line, period) + deviations * deviation(line, period)


def mean_minus_deviations(line: Line, period: int, deviations: float) -> Line:
    """Rolling mean moved down by a number of standard deviations."""
    return sma(line, period) - deviations * deviation(line, period)


def change(line: Line, period: int) -> Line:
    """Difference to the value ``period`` bars ago."""
    return pd.Series(line).diff(period).to_numpy()


def roc(line: Line, period: int) -> Line:
    """Rate of change over ``period`` bars, in percent."""
    return pd.Series(line).replace(0, np.nan).pct_change(period, fill_method=None).to_numpy() * 100


def divergence(close: Line, line: Line, period: int) -> Line:
    """1 where the close is at its low of ``period`` bars and the line is not, -1 at highs, else 0."""
    at_low = (close <= lowest(close, period)) & (line > lowest(line, period))
    at_high = (close >= highest(close, period)) & (line < highest(line, period))
    return at_low.astype(float) - at_high.astype(float)


def bollinger_upper(close: Line, period: int, deviations: float) -> Line:
    """Upper Bollinger Band."""
    return sma(close, period) + deviations * deviation(close, period)


def bollinger_lower(close: Line, period: int, deviations: float) -> Line:
    """Lower Bollinger Band."""
    return sma(close, period) - deviations * deviation(close, period)


def bollinger_width(close: Line, period: int, deviations: float) -> Line:
    """Distance between the Bollinger Bands, in percent of the middle band."""
    return 200 * deviations * deviation(close, period) / sma(close, period)


def bollinger_range(close: Line, period: int, deviations: float) -> Line:
    """Distance between the Bollinger Bands, in price."""
    return 2 * deviations * deviation(close, period)


def bollinger_percent(close: Line, period: int, deviations: float) -> Line:
    """Percent b: 0 at the lower Bollinger Band, 1 at the upper one."""
    spread = pd.Series(bollinger_range(close, period, deviations)).replace(0, np.nan).to_numpy()
    return (close - bollinger_lower(close, period, deviations)) / spread


def true_range(high: Line, low: Line, close: Line) -> Line:
    """The bar's range including the gap from the close before."""
    before = pd.Series(close).shift(1).to_numpy()
    return np.fmax(high, before) - np.fmin(low, before)


def atr(high: Line, low: Line, close: Line, period: int) -> Line:
    """Average true range, Wilder's smoothing."""
    return wilder(true_range(high, low, close), period)


def keltner_upper(high: Line, low: Line, close: Line, period: int, factor: float) -> Line:
    """Upper Keltner Channel: EMA plus a multiple of the ATR."""
    return ema(close, period) + factor * atr(high, low, close, period)


def keltner_lower(high: Line, low: Line, close: Line, period: int, factor: float) -> Line:
    """Lower Keltner Channel: EMA minus a multiple of the ATR."""
    return ema(close, period) - factor * atr(high, low, close, period)


def keltner_width(high: Line, low: Line, close: Line, period: int, factor: float) -> Line:
    """Distance between the Keltner Channel lines, in percent of the middle."""
    return 200 * factor * atr(high, low, close, period) / ema(close, period)


def squeeze(high: Line, low: Line, close: Line, period: int, deviations: float, factor: float) -> Line:
    """1 where the Bollinger Bands lie inside the Keltner Channel, else 0."""
    inside = bollinger_upper(close, period, deviations) < keltner_upper(high, low, close, period, factor)
    inside &= bollinger_lower(close, period, deviations) > keltner_lower(high, low, close, period, factor)
    return inside.astype(float)


def donchian_middle(high: Line, low: Line, period: int) -> Line:
    """Middle of the highest high and the lowest low of the ``period`` bars before this one."""
    return (previous_highest(high, period) + previous_lowest(low, period)) / 2


def donchian_width(high: Line, low: Line, close: Line, period: int) -> Line:
    """Height of the Donchian channel in percent of the close."""
    return 100 * (previous_highest(high, period) - previous_lowest(low, period)) / close


def rsi(close: Line, period: int) -> Line:
    """Relative strength index, 0 to 100, Wilder's smoothing."""
    move = pd.Series(close).diff().to_numpy()
    gain = wilder(np.where(np.isnan(move), np.nan, np.maximum(move, 0)), period)
    loss = wilder(np.where(np.isnan(move), np.nan, np.maximum(-move, 0)), period)
    total = pd.Series(gain + loss).replace(0, np.nan).to_numpy()
    return 100 * gain / total


def stochastic_rsi(close: Line, period: int) -> Line:
    """Where the RSI stands in its own range of ``period`` bars, 0 to 100, smoothed over 3 bars."""
    strength = rsi(close, period)
    low = lowest(strength, period)
    spread = pd.Series(highest(strength, period) - low).replace(0, np.nan).to_numpy()
    return sma(100 * (strength - low) / spread, 3)


def zscore(close: Line, period: int) -> Line:
    """Distance of the close from its rolling mean, in standard deviations."""
    spread = pd.Series(deviation(close, period)).replace(0, np.nan).to_numpy()
    return (close - sma(close, period)) / spread


def falls_in_a_row(line: Line, period: int) -> Line:
    """1 where each of the last ``period`` bars was lower than the one before it, else 0."""
    falling = pd.Series(pd.Series(line).diff() < 0).astype(float)
    return (falling.rolling(period).sum() == period).to_numpy().astype(float)


def rises_in_a_row(line: Line, period: int) -> Line:
    """1 where each of the last ``period`` bars was higher than the one before it, else 0."""
    return falls_in_a_row(-np.asarray(line), period)


def red_in_a_row(opened: Line, close: Line, period: int) -> Line:
    """1 where each of the last ``period`` bars closed below its open, else 0."""
    red = pd.Series((np.asarray(close) < np.asarray(opened)).astype(float))
    return (red.rolling(period).sum() == period).to_numpy().astype(float)


def green_in_a_row(opened: Line, close: Line, period: int) -> Line:
    """1 where each of the last ``period`` bars closed above its open, else 0."""
    return red_in_a_row(close, opened, period)


def atr_above(high: Line, low: Line, close: Line, line: Line, period: int, factor: float) -> Line:
    """The line moved up by a multiple of the ATR."""
    return line + factor * atr(high, low, close, period)


def atr_below(high: Line, low: Line, close: Line, line: Line, period: int, factor: float) -> Line:
    """The line moved down by a multiple of the ATR."""
    return line - factor * atr(high, low, close, period)


def stochastic(high: Line, low: Line, close: Line, period: int, smoothing: int) -> Line:
    """Stochastic %K, 0 to 100, smoothed over ``smoothing`` bars."""
    bottom = lowest(low, period)
    spread = pd.Series(highest(high, period) - bottom).replace(0, np.nan).to_numpy()
    return sma(100 * (close - bottom) / spread, smoothing)


def williams_r(high: Line, low: Line, close: Line, period: int) -> Line:
    """Williams %R, -100 to 0."""
    top = highest(high, period)
    spread = pd.Series(top - lowest(low, period)).replace(0, np.nan).to_numpy()
    return -100 * (top - close) / spread


def cci(high: Line, low: Line, close: Line, period: int) -> Line:
    """Commodity channel index."""
    typical = pd.Series((high + low + close) / 3)
    mean = typical.rolling(period).mean()
    spread = typical.rolling(period).apply(lambda part: np.abs(part - part.mean()).mean(), raw=True)
    return ((typical - mean) / (0.015 * spread.replace(0, np.nan))).to_numpy()


def mfi(high: Line, low: Line, close: Line, volume: Line, period: int) -> Line:
    """Money flow index, 0 to 100."""
    typical = (high + low + close) / 3
    move = pd.Series(typical).diff().to_numpy()
    inflow = pd.Series(np.where(move > 0, typical * volume, 0.0)).rolling(period).sum()
    outflow = pd.Series(np.where(move < 0, typical * volume, 0.0)).rolling(period).sum()
    return (100 * inflow / (inflow + outflow).replace(0, np.nan)).to_numpy()


def macd(close: Line, fast: int, slow: int) -> Line:
    """MACD line: fast EMA minus slow EMA."""
    return ema(close, fast) - ema(close, slow)


def macd_signal(close: Line, fast: int, slow: int, signal: int) -> Line:
    """Signal line: EMA of the MACD line."""
    return ema(macd(close, fast, slow), signal)


def macd_histogram(close: Line, fast: int, slow: int, signal: int) -> Line:
    """MACD line minus its signal line."""
    return macd(close, fast, slow) - macd_signal(close, fast, slow, signal)


def volume_macd(close: Line, volume: Line, fast: int, slow: int) -> Line:
    """MACD of volume-weighted averages: fast minus slow."""
    return vwma(close, volume, fast) - vwma(close, volume, slow)


def adx(high: Line, low: Line, close: Line, period: int) -> Line:
    """Average directional index, 0 to 100: strength of the trend, not its direction."""
    plus = directional_plus(high, low, close, period)
    minus = directional_minus(high, low, close, period)
    total = pd.Series(plus + minus).replace(0, np.nan).to_numpy()
    return wilder(100 * np.abs(plus - minus) / total, period)


def directional_plus(high: Line, low: Line, close: Line, period: int) -> Line:
    """+DI: share of upward movement in the true range."""
    up, down = pd.Series(high).diff().to_numpy(), -pd.Series(low).diff().to_numpy()
    return 100 * wilder(np.where((up > down) & (up > 0), up, 0.0), period) / atr(high, low, close, period)


def directional_minus(high: Line, low: Line, close: Line, period: int) -> Line:
    """-DI: share of downward movement in the true range."""
    up, down = pd.Series(high).diff().to_numpy(), -pd.Series(low).diff().to_numpy()
    return 100 * wilder(np.where((down > up) & (down > 0), down, 0.0), period) / atr(high, low, close, period)


def vortex_plus(high: Line, low: Line, close: Line, period: int) -> Line:
    """VI+: upward vortex movement over true range."""
    move = pd.Series(np.abs(high - pd.Series(low).shift(1).to_numpy()))
    span = pd.Series(true_range(high, low, close)).rolling(period).sum().replace(0, np.nan)
    return (move.rolling(period).sum() / span).to_numpy()


def vortex_minus(high: Line, low: Line, close: Line, period: int) -> Line:
    """VI-: downward vortex movement over true range."""
    move = pd.Series(np.abs(low - pd.Series(high).shift(1).to_numpy()))
    span = pd.Series(true_range(high, low, close)).rolling(period).sum().replace(0, np.nan)
    return (move.rolling(period).sum() / span).to_numpy()


def aroon_up(high: Line, period: int) -> Line:
    """Aroon up, 0 to 100: how recent the highest high is."""
    place = pd.Series(high).rolling(period + 1).apply(np.argmax, raw=True)
    return (100 * place / period).to_numpy()


def aroon_down(low: Line, period: int) -> Line:
    """Aroon down, 0 to 100: how recent the lowest low is."""
    place = pd.Series(low).rolling(period + 1).apply(np.argmin, raw=True)
    return (100 * place / period).to_numpy()


def obv(close: Line, volume: Line) -> Line:
    """On-balance volume."""
    return np.cumsum(np.sign(np.diff(close, prepend=close[0])) * np.nan_to_num(volume))


def accumulation(high: Line, low: Line, close: Line, volume: Line) -> Line:
    """Money flow volume of each bar: volume times where the close stands in the range, -1 to 1."""
    spread = pd.Series(high - low).replace(0, np.nan).to_numpy()
    return np.nan_to_num((2 * close - high - low) / spread * volume)


def cmf(high: Line, low: Line, close: Line, volume: Line, period: int) -> Line:
    """Chaikin money flow, -1 to 1."""
    total = pd.Series(volume).rolling(period).sum().replace(0, np.nan)
    return (pd.Series(accumulation(high, low, close, volume)).rolling(period).sum() / total).to_numpy()


def chaikin_oscillator(high: Line, low: Line, close: Line, volume: Line, fast: int, slow: int) -> Line:
    """Fast minus slow EMA of the accumulation line."""
    line = np.cumsum(accumulation(high, low, close, volume))
    return ema(line, fast) - ema(line, slow)


def chaikin_volatility(high: Line, low: Line, period: int) -> Line:
    """Rate of change of the averaged high-low range, in percent."""
    return roc(ema(high - low, period), period)


def force_index(close: Line, volume: Line, period: int) -> Line:
    """Elder's force index: EMA of price change times volume."""
    return ema(pd.Series(close).diff().to_numpy() * volume, period)


def cmo(close: Line, period: int) -> Line:
    """Chande momentum oscillator, -100 to 100."""
    move = pd.Series(close).diff()
    total = move.abs().rolling(period).sum().replace(0, np.nan)
    return (100 * move.rolling(period).sum() / total).to_numpy()


def tsi(close: Line, slow: int, fast: int) -> Line:
    """True strength index, -100 to 100."""
    move = pd.Series(close).diff().to_numpy()
    base = pd.Series(ema(ema(np.abs(move), slow), fast)).replace(0, np.nan).to_numpy()
    return 100 * ema(ema(move, slow), fast) / base


def fisher(high: Line, low: Line, period: int) -> Line:
    """Fisher transform of the median price's place in its range."""
    price = (high + low) / 2
    bottom = lowest(price, period)
    spread = pd.Series(highest(price, period) - bottom).replace(0, np.nan).to_numpy()
    place = ema(2 * (price - bottom) / spread - 1, 5)
    return np.arctanh(np.clip(place, -0.999, 0.999))


def awesome(high: Line, low: Line, fast: int, slow: int) -> Line:
    """Awesome oscillator: fast minus slow average of the median price."""
    price = (high + low) / 2
    return sma(price, fast) - sma(price, slow)


def trix(close: Line, period: int) -> Line:
    """Rate of change of a triple exponential average, in percent."""
    return roc(ema(ema(ema(close, period), period), period), 1)


def kst(close: Line, period: int) -> Line:
    """Know sure thing: weighted smoothed rates of change; ``period`` is the shortest of them."""
    spans = (period, period * 3 // 2, period * 2, period * 3)
    return np.sum(
        [weight * sma(roc(close, span), period) for weight, span in enumerate(spans, start=1)], axis=0
    )


def choppiness(high: Line, low: Line, close: Line, period: int) -> Line:
    """Choppiness index, about 0 (trend) to 100 (range)."""
    travelled = pd.Series(true_range(high, low, close)).rolling(period).sum()
    spread = pd.Series(highest(high, period) - lowest(low, period)).replace(0, np.nan)
    return (100 * np.log10(travelled / spread) / np.log10(period)).to_numpy()


def historical_volatility(close: Line, period: int) -> Line:
    """Standard deviation of the percent changes of the close, in percent a bar."""
    return pd.Series(roc(close, 1)).rolling(period).std().to_numpy()


def ichimoku_line(high: Line, low: Line, period: int) -> Line:
    """Middle of the range of ``period`` bars: tenkan-sen with 9, kijun-sen with 26."""
    return (highest(high, period) + lowest(low, period)) / 2


def cloud_top(high: Line, low: Line, fast: int, slow: int, span: int) -> Line:
    """Upper edge of the Ichimoku cloud drawn at this bar (computed ``slow`` bars ago)."""
    leading = (ichimoku_line(high, low, fast) + ichimoku_line(high, low, slow)) / 2
    return pd.Series(np.maximum(leading, ichimoku_line(high, low, span))).shift(slow).to_numpy()


def cloud_bottom(high: Line, low: Line, fast: int, slow: int, span: int) -> Line:
    """Lower edge of the Ichimoku cloud drawn at this bar (computed ``slow`` bars ago)."""
    leading = (ichimoku_line(high, low, fast) + ichimoku_line(high, low, slow)) / 2
    return pd.Series(np.minimum(leading, ichimoku_line(high, low, span))).shift(slow).to_numpy()


def heikin_ashi(opened: Line, high: Line, low: Line, close: Line) -> Line:
    """Body of the Heikin-Ashi candle: positive when it is bullish."""
    body_close = (opened + high + low + close) / 4
    body_open = np.empty(len(close))
    body_open[0] = (opened[0] + close[0]) / 2
    for bar in range(1, len(close)):
        body_open[bar] = (body_open[bar - 1] + body_close[bar - 1]) / 2
    return body_close - body_open


def engulfing(opened: Line, close: Line) -> Line:
    """1 where a rising body covers the falling one before it, -1 the other way round, else 0."""
    before_open, before_close = pd.Series(opened).shift(1).to_numpy(), pd.Series(close).shift(1).to_numpy()
    bullish = (before_close < before_open) & (close >= before_open) & (opened <= before_close)
    bearish = (before_close > before_open) & (close <= before_open) & (opened >= before_close)
    return (bullish & (close > opened)).astype(float) - (bearish & (close < opened)).astype(float)


def supertrend(high: Line, low: Line, close: Line, period: int, factor: float) -> Line:
    """SuperTrend line: below the price in an uptrend, above it in a downtrend."""
    reach = factor * atr(high, low, close, period)
    upper, lower = (high + low) / 2 + reach, (high + low) / 2 - reach
    line = np.full(len(close), np.nan)
    rising = True
    for bar in range(1, len(close)):
        if np.isnan(lower[bar - 1]):
            continue
        if close[bar - 1] <= upper[bar - 1]:
            upper[bar] = min(upper[bar], upper[bar - 1])
        if close[bar - 1] >= lower[bar - 1]:
            lower[bar] = max(lower[bar], lower[bar - 1])
        rising = close[bar] > upper[bar - 1] or (rising and close[bar] >= lower[bar - 1])
        line[bar] = lower[bar] if rising else upper[bar]
    return line


def parabolic_sar(high: Line, low: Line, step: float, limit: float) -> Line:
    """Parabolic stop and reverse: below the price in an uptrend, above it in a downtrend."""
    line = np.full(len(high), np.nan)
    rising, speed, stop, extreme = True, step, low[0], high[0]
    for bar in range(1, len(high)):
        stop += speed * (extreme - stop)
        if (low[bar] < stop) if rising else (high[bar] > stop):
            rising, speed, stop = not rising, step, extreme
            extreme = high[bar] if rising else low[bar]
        elif (high[bar] > extreme) if rising else (low[bar] < extreme):
            speed = min(speed + step, limit)
            extreme = high[bar] if rising else low[bar]
        line[bar] = stop
    return line
