"""The names of indicators, bands and bars in a row, in order of precedence."""

from __future__ import annotations

from models.providers.offline.vocabulary import ATR, Row

STREAKS: tuple[Row, ...] = tuple(
    ("STREAK", kind, rf"\d{{1,2}} consecutive {kind.replace('_', ' ')}")
    for kind in (
        "lower_closes",
        "higher_closes",
        "red_candles",
        "green_candles",
        "lower_lows",
        "higher_highs",
    )
)

_BB = r"(?:bollinger(?: bands?)?(?: \(bbs?\))?|bbs?)"
_KC = r"(?:keltner(?: channels?)?(?: bands?)?|kc)"
_MOVING = r"(?:moving averages?|\bmas?\b)"

SERIES: tuple[Row, ...] = (
    ("SERIES", "volume_roc", r"volume (?:roc|rate of change)|(?:roc|rate of change) of (?:the )?volume"),
    ("SERIES", "volume_macd", r"volume weighted macd"),
    ("SERIES", "vwma", rf"volume weighted (?:{_MOVING}|average price moving average)(?: \(vwma\))?|vwma"),
    ("PAIR", "vwap", r"vwap (?:bands?|envelopes?|channels?)"),
    ("SERIES", "vwap", r"(?:volume weighted average price(?: \(vwap\))?|(?:rolling |anchored )?vwap)"),
    ("SERIES", "macd_histogram", r"(?:macd )?histograms?(?: bars?)?"),
    ("SERIES", "macd", r"(?:moving average convergence divergence(?: \(macd\))?|macd)(?: lines?)?"),
    ("SIGNAL_LINE", "", r"signal lines?|%d"),
    ("SERIES", "tema", rf"(?:triple exponential {_MOVING}|tema)"),
    ("SERIES", "hma", rf"(?:hull {_MOVING}(?: \(hma\))?|hma|hull)"),
    ("SERIES", "dema", rf"(?:double exponential {_MOVING}|dema)"),
    ("SERIES", "ema", rf"(?:exponential(?: {_MOVING}| average)?(?: \(emas?\))?|emas?)"),
    ("SERIES", "wma", rf"(?:(?:linear )?weighted {_MOVING}(?: \(wma\))?|wmas?)"),
    ("SERIES", "volume_average", rf"(?:volume {_MOVING}|volume sma|average volume|volume average)"),
    ("SERIES", "sma", rf"(?:simple {_MOVING}(?: \(smas?\))?|smas?|{_MOVING})"),
    ("SERIES", "zscore", r"zscore"),
    ("SERIES", "stoch_rsi", r"(?:stochastic|stoch) ?rsi|stochastic relative strength index"),
    ("SERIES", "rsi", r"relative strength index(?:es)?(?: \(rsi\))?|rsi"),
    ("SERIES", "stochastic", r"(?:fast |slow )?stochastics?(?: oscillators?)?(?: %?k)?|%k"),
    ("SERIES", "mfi", r"money flow index(?: \(mfi\))?|mfi"),
    ("SERIES", "williams", r"williams? ?%? ?r\b|%r"),
    ("SERIES", "cci", r"commodity channel index(?: \(cci\))?|cci"),
    ("SERIES", "cmo", r"chande momentum(?: oscillators?)?(?: \(cmo\))?|cmo"),
    ("SERIES", "cmf", r"chaikin money flows?(?: \(cmf\))?(?: indicator)?|cmf"),
    ("SERIES", "chaikin", r"chaikin oscillators?"),
    ("SERIES", "chaikin_volatility", r"chaikin volatility(?: indicator)?"),
    ("SERIES", "force", r"(?:elders? )?force index(?: \(efi\))?|efi"),
    ("SERIES", "fisher", r"fisher(?: transforms?)?"),
    ("SERIES", "tsi", r"true strength index(?: \(tsi\))?|tsi"),
    ("SERIES", "awesome", r"awesome oscillator|\bao\b"),
    ("SERIES", "trix", r"trix"),
    ("SERIES", "kst", r"kst(?: momentum oscillator)?|know sure thing"),
    (
        "SERIES",
        "roc",
        r"(?:price )?rate of change(?: \(roc\))?|roc|(?:price )?returns?(?= (?:is|are|above|below|turns"
        r"|exceeds|[<>]))"
        r"|price momentum|momentum(?= (?:is|above|below|crosses"
        r"|turns|>|<|exceeds))",
    ),
    ("SERIES", "obv", r"on balance volume(?: \(obv\))?(?: indicator)?|obv(?: indicator)?"),
    ("SERIES", "vortex_plus", r"vi ?\+"),
    ("SERIES", "vortex_minus", r"vi ?-"),
    ("VORTEX", "", r"vortex(?: indicators?)?(?: \(vi\))?|\bvi\b"),
    ("SERIES", "di_plus", r"\+ ?di|di ?\+|positive directional indicator"),
    ("SERIES", "di_minus", r"- ?di|di ?-|negative directional indicator"),
    ("SERIES", "aroon_up", r"aroon up"),
    ("SERIES", "aroon_down", r"aroon down"),
    ("AROON", "", r"aroon(?: indicator| oscillator)?"),
    ("SERIES", "adx", r"average directional (?:movement )?index(?: \(adx\))?|adx"),
    ("SERIES", "atr", ATR),
    ("SERIES", "choppiness", r"choppiness(?: index)?(?: \(ci\))?|\bci\b"),
    ("SERIES", "supertrend", r"super ?trend(?: indicator| line)?"),
    ("SERIES", "sar", r"parabolic (?:sar|stop and reverse)|psar|\bsar\b"),
    ("SERIES", "kijun", r"kijun(?: sen)?"),
    ("SERIES", "tenkan", r"tenkan(?: sen)?"),
    ("PAIR", "cloud", r"ichimoku(?: (?:cloud|kumo))?|kumo|cloud|senkou span(?: [ab])?"),
    ("SERIES", "heikin", r"he?iken? ashi(?: candles?(?:ticks?)?| closes?)?|heikin(?: ashi)? candles?"),
    ("SERIES", "engulfing", r"(?:bullish |bearish )?engulfing(?: candles?(?:ticks?)?| patterns?)?"),
    ("SERIES", "percent_b", r"(?:bollinger )?%b|percent b"),
    ("SERIES", "bb_width", rf"{_BB} ?(?:band)? ?widths?|bandwidth|bbw(?:idth)?|band widths?"),
    ("SERIES", "kc_width", rf"{_KC} widths?|channel width"),
    ("SERIES", "bb_width", r"(?:historical )?width"),
    ("EDGE", "bb_upper", rf"upper {_BB}|{_BB} upper(?: band)?"),
    ("EDGE", "bb_lower", rf"lower {_BB}|{_BB} lower (?:band|boundary)"),
    ("EDGE", "bb_middle", rf"(?:middle|mid) {_BB}|{_BB} (?:midpoint|middle(?: band)?|midline|basis)"),
    ("EDGE", "kc_upper", rf"upper {_KC}|{_KC} upper(?: band| line)?"),
    ("EDGE", "kc_lower", rf"lower {_KC}|{_KC} lower(?: band| line)?"),
    ("EDGE", "kc_middle", rf"(?:middle|mid) {_KC}|{_KC} (?:midline|middle(?: line)?)"),
    ("EDGE", "dc_upper", r"upper donchian(?: channel)?|donchian(?: channel)? (?:upper|high)(?: band)?"),
    ("EDGE", "dc_lower", r"lower donchian(?: channel)?|donchian(?: channel)? (?:lower|low)(?: band)?"),
    ("EDGE", "dc_middle", r"donchian(?: channel)? mid(?:dle|line)"),
    ("PAIR", "keltner", _KC),
    ("PAIR", "bollinger", _BB),
    ("PAIR", "donchian", r"donchian(?: channels?)?(?: bands?)?"),
    ("HIGH_LOW", "both", r"highs?(?: |/| or | and )lows?|lows?(?:/| or | and )highs?"),
    ("ANY_EDGE", "either", r"upper/lower bands?|upper or lower bands?"),
    ("ANY_EDGE", "upper", r"(?:the )?upper (?:band|channel|line|boundary)|top band"),
    ("ANY_EDGE", "lower", r"(?:the )?lower (?:band|channel|line|boundary)|bottom band"),
    (
        "ANY_EDGE",
        "middle",
        r"(?:the )?(?:middle|mid|centre|center) (?:band|line|channel)|bands? midpoint|(?:channel )?midline",
    ),
    (
        "ANY_EDGE",
        "opposite",
        r"(?:opposite|opposing|other) (?:bollinger |keltner )?(?:bands?|channels?|edge|boundary"
        r"|side)(?: bands?| touch)?",
    ),
    ("ANY_PAIR", "", r"(?:both |outer )?(?:bands?|channel(?: bands?)?)"),
    ("SERIES", "volatility", r"(?:historical |realized |realised )volatility|\bhv ?\d*"),
    (
        "VOLUME_HIGH",
        "",
        r"(?:above average|high|strong|heavy|elevated) (?:relative |trading )?volumes?(?! node)(?: days?"
        r"| spikes?)?",
    ),
    (
        "VOLUME_LOW",
        "",
        r"(?:below average|low|light|reduced) (?:relative |trading )?volumes?|volume dry ups?",
    ),
    ("SERIES", "volume", r"(?:normalized |trading |relative |candle |tick )?volumes?"),
    (
        "SERIES",
        "close",
        r"(?:the )?(?:closing |stock |asset |market )?prices?(?: action)?|(?:the |todays "
        r"|daily )?close(?= (?:is|are|above|below|under|over"
        r"|outside|back|cross|break|touch|fall|rise|drop|reach|move|exceed|>|<|gets|returns|tags?|goes|comes"
        r"|pierces|dips))",
    ),
)
