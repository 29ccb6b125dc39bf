"""The series that rules can speak of: one row each, with default numbers and where its extremes lie."""

from __future__ import annotations

from dataclasses import dataclass

from models.providers.offline.rules import Series, Value

HLC = ("High", "Low", "Close")
HLCV = ("High", "Low", "Close", "Volume")


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of series.

    ``function`` is in the indicator source (empty: the bar column itself), ``columns`` its arguments before
    the numbers in ``defaults``. ``opposite`` is the kind that stands for it on the falling side. ``low`` and
    ``high`` are the customary extremes and ``centre`` the level that separates rising from falling; a series
    without them points no way.
    """

    label: str
    function: str
    columns: tuple[str, ...] = ("Close",)
    defaults: tuple[tuple[str, float], ...] = ()
    group: str = ""
    opposite: str = ""
    centre: float | None = None
    low: float | None = None
    high: float | None = None
    shape: str = ""


def _period(number: float) -> tuple[tuple[str, float], ...]:
    return (("period", number),)


_BANDS = (("period", 20.0), ("deviations", 2.0))
_CHANNEL = (("period", 20.0), ("factor", 2.0))
_MACD = (("fast", 12.0), ("slow", 26.0), ("signal", 9.0))
_CLOUD = (("fast", 9.0), ("slow", 26.0), ("span", 52.0))


def _bars() -> dict[str, Row]:
    return {
        "open": Row("open", "", ("Open",), shape="price"),
        "high": Row("high", "", ("High",), opposite="low", shape="price"),
        "low": Row("low", "", ("Low",), opposite="high", shape="price"),
        "close": Row("close", "", ("Close",), shape="price"),
        "volume": Row("volume", "", ("Volume",)),
    }


def _averages() -> dict[str, Row]:
    return {
        **{
            kind: Row(kind.upper(), kind, defaults=_period(20), shape="line")
            for kind in ("sma", "ema", "wma", "hma", "dema", "tema")
        },
        "vwma": Row("volume-weighted MA", "vwma", ("Close", "Volume"), _period(20), shape="line"),
        "vwap": Row("rolling VWAP", "rolling_vwap", HLCV, _period(20), shape="line"),
        "supertrend": Row("SuperTrend", "supertrend", HLC, (("period", 10.0), ("factor", 3.0)), shape="line"),
        "sar": Row(
            "parabolic SAR", "parabolic_sar", ("High", "Low"), (("step", 0.02), ("limit", 0.2)), shape="line"
        ),
        "tenkan": Row("tenkan-sen", "ichimoku_line", ("High", "Low"), _period(9), shape="line"),
        "kijun": Row("kijun-sen", "ichimoku_line", ("High", "Low"), _period(26), shape="line"),
    }


def _edges() -> dict[str, Row]:
    high_low = ("High", "Low")
    return {
        "bb_upper": Row(
            "upper Bollinger Band",
            "bollinger_upper",
            ("Close",),
            _BANDS,
            "bollinger",
            "bb_lower",
            shape="edge",
        ),
        "bb_lower": Row(
            "lower Bollinger Band",
            "bollinger_lower",
            ("Close",),
            _BANDS,
            "bollinger",
            "bb_upper",
            shape="edge",
        ),
        "bb_middle": Row("middle Bollinger Band", "sma", ("Close",), _period(20), "bollinger", shape="line"),
        "kc_upper": Row(
            "upper Keltner line", "keltner_upper", HLC, _CHANNEL, "keltner", "kc_lower", shape="edge"
        ),
        "kc_lower": Row(
            "lower Keltner line", "keltner_lower", HLC, _CHANNEL, "keltner", "kc_upper", shape="edge"
        ),
        "kc_middle": Row("middle Keltner line", "ema", ("Close",), _period(20), "keltner", shape="line"),
        "dc_upper": Row(
            "highest high before",
            "previous_highest",
            ("High",),
            _period(20),
            "channel",
            "dc_lower",
            shape="edge",
        ),
        "dc_lower": Row(
            "lowest low before", "previous_lowest", ("Low",), _period(20), "channel", "dc_upper", shape="edge"
        ),
        "dc_middle": Row(
            "middle of the channel", "donchian_middle", high_low, _period(20), "channel", shape="line"
        ),
        "vwap_upper": Row(
            "upper VWAP band", "vwap_band", HLCV, _BANDS, "vwap_band", "vwap_lower", shape="edge"
        ),
        "vwap_lower": Row(
            "lower VWAP band",
            "vwap_band",
            HLCV,
            (("period", 20.0), ("lower_deviations", -2.0)),
            "vwap_band",
            "vwap_upper",
            shape="edge",
        ),
        "cloud_top": Row(
            "top of the Ichimoku cloud", "cloud_top", high_low, _CLOUD, "cloud", "cloud_bottom", shape="edge"
        ),
        "cloud_bottom": Row(
            "bottom of the Ichimoku cloud",
            "cloud_bottom",
            high_low,
            _CLOUD,
            "cloud",
            "cloud_top",
            shape="edge",
        ),
    }


def _oscillators() -> dict[str, Row]:
    volume = ("Close", "Volume")
    return {
        "rsi": Row("RSI", "rsi", ("Close",), _period(14), centre=50, low=30, high=70),
        "stochastic": Row(
            "stochastic %K",
            "stochastic",
            HLC,
            (("period", 14.0), ("smoothing", 3.0)),
            centre=50,
            low=20,
            high=80,
        ),
        "zscore": Row("z-score of the close", "zscore", ("Close",), _period(20), centre=0, low=-2, high=2),
        "stoch_rsi": Row(
            "stochastic RSI", "stochastic_rsi", ("Close",), _period(14), centre=50, low=20, high=80
        ),
        "mfi": Row("money flow index", "mfi", HLCV, _period(14), centre=50, low=20, high=80),
        "williams": Row("Williams %R", "williams_r", HLC, _period(14), centre=-50, low=-80, high=-20),
        "cci": Row("CCI", "cci", HLC, _period(20), centre=0, low=-100, high=100),
        "cmo": Row("Chande momentum oscillator", "cmo", ("Close",), _period(14), centre=0, low=-50, high=50),
        "cmf": Row("Chaikin money flow", "cmf", HLCV, _period(20), centre=0, low=-0.2, high=0.2),
        "chaikin": Row(
            "Chaikin oscillator", "chaikin_oscillator", HLCV, (("fast", 3.0), ("slow", 10.0)), centre=0
        ),
        "force": Row("Elder's force index", "force_index", volume, _period(13), centre=0),
        "fisher": Row(
            "Fisher transform", "fisher", ("High", "Low"), _period(10), centre=0, low=-1.5, high=1.5
        ),
        "tsi": Row(
            "true strength index",
            "tsi",
            ("Close",),
            (("slow", 25.0), ("fast", 13.0)),
            centre=0,
            low=-25,
            high=25,
        ),
        "roc": Row("rate of change", "roc", ("Close",), _period(12), centre=0),
        "awesome": Row(
            "awesome oscillator", "awesome", ("High", "Low"), (("fast", 5.0), ("slow", 34.0)), centre=0
        ),
        "trix": Row("TRIX", "trix", ("Close",), _period(15), centre=0),
        "kst": Row("KST", "kst", ("Close",), _period(10), centre=0),
        "macd": Row("MACD line", "macd", ("Close",), _MACD[:2], "macd", centre=0),
        "macd_signal": Row("MACD signal line", "macd_signal", ("Close",), _MACD, "macd", centre=0),
        "macd_histogram": Row("MACD histogram", "macd_histogram", ("Close",), _MACD, "macd", centre=0),
        "volume_macd": Row("volume-weighted MACD", "volume_macd", volume, _MACD[:2], "volume_macd", centre=0),
        "percent_b": Row(
            "percent b", "bollinger_percent", ("Close",), _BANDS, "bollinger", centre=0.5, low=0, high=1
        ),
        "heikin": Row("Heikin-Ashi body", "heikin_ashi", ("Open", "High", "Low", "Close"), centre=0),
        "engulfing": Row("engulfing candle", "engulfing", ("Open", "Close"), centre=0),
        "obv": Row("on-balance volume", "obv", volume, shape="flow"),
        "vortex_plus": Row("VI+", "vortex_plus", HLC, _period(14), "vortex", shape="line"),
        "vortex_minus": Row("VI-", "vortex_minus", HLC, _period(14), "vortex", shape="line"),
        "di_plus": Row("+DI", "directional_plus", HLC, _period(14), "di", shape="line"),
        "di_minus": Row("-DI", "directional_minus", HLC, _period(14), "di", shape="line"),
        "aroon_up": Row("Aroon up", "aroon_up", ("High",), _period(25), "aroon", shape="line"),
        "aroon_down": Row("Aroon down", "aroon_down", ("Low",), _period(25), "aroon", shape="line"),
    }


def _states() -> dict[str, Row]:
    return {
        "adx": Row("ADX", "adx", HLC, _period(14)),
        "atr": Row("ATR", "atr", HLC, _period(14)),
        "bb_width": Row("Bollinger Band width (%)", "bollinger_width", ("Close",), _BANDS, "bollinger"),
        "bb_range": Row("Bollinger Band width (price)", "bollinger_range", ("Close",), _BANDS, "bollinger"),
        "kc_width": Row("Keltner Channel width (%)", "keltner_width", HLC, _CHANNEL, "keltner"),
        "dc_width": Row("Donchian channel height (%)", "donchian_width", HLC, _period(20), "channel"),
        "squeeze": Row(
            "Bollinger Bands inside the Keltner Channel",
            "squeeze",
            HLC,
            (("period", 20.0), ("deviations", 2.0), ("factor", 1.5)),
        ),
        "choppiness": Row("choppiness index", "choppiness", HLC, _period(14)),
        "volatility": Row(
            "historical volatility (% a bar)", "historical_volatility", ("Close",), _period(20)
        ),
        "chaikin_volatility": Row("Chaikin volatility", "chaikin_volatility", ("High", "Low"), _period(10)),
    }


def _in_a_row() -> dict[str, Row]:
    rows = {}
    for falling, rising, column in (
        ("lower_closes", "higher_closes", "Close"),
        ("lower_lows", "higher_highs", ""),
    ):
        low, high = (column, column) if column else ("Low", "High")
        rows[falling] = Row(
            f"{falling.replace('_', ' ')} in a row", "falls_in_a_row", (low,), _period(3), opposite=rising
        )
        rows[rising] = Row(
            f"{rising.replace('_', ' ')} in a row", "rises_in_a_row", (high,), _period(3), opposite=falling
        )
    body = ("Open", "Close")
    rows["red_candles"] = Row(
        "red candles in a row", "red_in_a_row", body, _period(3), opposite="green_candles"
    )
    rows["green_candles"] = Row(
        "green candles in a row", "green_in_a_row", body, _period(3), opposite="red_candles"
    )
    return rows


def _derived() -> dict[str, Row]:
    """Series computed from another series, which comes as the first argument."""
    window = (("period", 20.0),)
    return {
        "average": Row("average", "sma", (), window),
        "ema_of": Row("EMA", "ema", (), window),
        "median": Row("median", "median", (), window),
        "highest": Row("highest before", "previous_highest", (), window, opposite="lowest"),
        "lowest": Row("lowest before", "previous_lowest", (), window, opposite="highest"),
        "rank": Row("percentile rank", "percentile_rank", (), (("window", 126.0),)),
        "change": Row("change", "change", (), (("bars", 3.0),)),
        "percent_change": Row("percent change", "roc", (), (("bars", 3.0),)),
        "divergence": Row(
            "divergence with the close", "divergence", ("Close",), (("window", 20.0),), centre=0
        ),
        "atr_above": Row(
            "ATR above", "atr_above", HLC, (("atr_period", 14.0), ("atr_factor", 2.0)), opposite="atr_below"
        ),
        "atr_below": Row(
            "ATR below", "atr_below", HLC, (("atr_period", 14.0), ("atr_factor", 2.0)), opposite="atr_above"
        ),
        "above_mean": Row("mean plus deviations", "mean_plus_deviations", (), _BANDS, opposite="below_mean"),
        "below_mean": Row(
            "mean minus deviations", "mean_minus_deviations", (), _BANDS, opposite="above_mean"
        ),
    }


CATALOGUE: dict[str, Row] = {
    **_bars(),
    **_averages(),
    **_edges(),
    **_oscillators(),
    **_states(),
    **_in_a_row(),
    **_derived(),
}
DERIVED = frozenset(_derived())
IN_A_ROW = frozenset(_in_a_row())


def series(kind: str, *numbers: float, source: Series | None = None) -> Series:
    """A series of ``kind`` with the numbers that the text gave, in the row's order; the rest are defaults."""
    values = []
    for place, (name, default) in enumerate(CATALOGUE[kind].defaults):
        said = place < len(numbers)
        number = numbers[place] if said else default
        values.append(Value(name, number if default >= 0 else -abs(number), said))
    return Series(kind, tuple(values), source)
