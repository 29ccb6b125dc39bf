# ruff: noqa: E501  a pattern broken over lines is read by nobody
"""How windows, distances and bars in a row are written, in the one spelling that the vocabulary knows."""

from __future__ import annotations

import re

from models.providers.offline.spelling_parts import LAST, SIDE, UNIT, N, Replacement

_GAINS = frozenset({"gains", "gained", "rises", "risen", "up", "climbs"})
_END = {"highest": "high", "lowest": "low"}
_MORE = frozenset({"higher", "above", "greater", "more", ">"})
_FALLING = frozenset({"down", "lower", "falling", "negative", "losing", "red", "bearish"})


def _side(word: str) -> str:
    return "above" if word in {"above", "over", "up from"} else "below"


def _edge(word: str) -> str:
    return "upper" if _side(word) == "above" else "lower"


def _fell(text: str) -> str:
    return "lower" if re.search("fall|drop|declin", text) else "higher"


def _streak(bars: str, way: str, what: str) -> str:
    """``3 consecutive lower closes``: the one spelling of bars in a row that go the same way."""
    falling = way.strip() in _FALLING
    if what.startswith(("low", "high")):
        return f"{bars} consecutive {'lower' if falling else 'higher'} {what.rstrip('s')}s"
    coloured = way.strip() in {"red", "green", "bearish", "bullish"}
    if coloured:
        return f"{bars} consecutive {'red' if falling else 'green'} candles"
    return f"{bars} consecutive {'lower' if falling else 'higher'} closes"


BARS: tuple[tuple[str, Replacement], ...] = (
    (
        rf"\b(upper|lower|opposite|opposing) ({N}) (?:day|period|bar) (?:donchian )?(?:channel|band)\b",
        r"\1 channel (\2)",
    ),
    (
        rf"\b({N}) (?:day|bar) (losing|winning|down|up) (?:streak|run)",
        lambda match: _streak(match[1], match[2], "closes"),
    ),
    (
        r"\b(?:the )?(?:first|next) (up|down|higher|lower) (?:day|bar|candle|close)\b",
        lambda match: _streak("1", match[1], "closes"),
    ),
    (rf"\b({N} {UNIT}) breakdowns?\b", r"price crosses below the \1 low"),
    (
        rf"\b(?:(?:the )?(?:price|close|it) )?(?:has )?(?:is |closes )?(gains|gained|rises|risen|up|climbs|loses|lost|drops|dropped|falls|fallen|down|declines)"
        rf"(?: by)?(?: more than| at least| over)? ({N}) ?(?:%|percent) (?:in|over|within|during) {LAST}(?:(?:a|one) (?=day|week|month))?({N} )?({UNIT})\b",
        lambda match: (
            f"{match[3] or '1 '}{match[4]} roc is {'above ' if match[1] in _GAINS else 'below -'}{match[2]}"
        ),
    ),
    (
        rf"\b(?:the )?(highest high|lowest low|highs?|lows?) (?:of|in|over|for|from) {LAST}({N} {UNIT})\b",
        lambda match: f"{match[2]} {match[1].split()[-1].rstrip('s')}",
    ),
    (
        rf"\b(?:the |its |a new )?(highest|lowest) clos(?:e|ing price)s? (?:of|in|over|for|from) {LAST}({N} {UNIT})\b",
        lambda match: f"{match[2]} closing {_END[match[1]]}",
    ),
    (
        rf"\b(close|price|it) is (?:at )?(?:the |its )?(highest|lowest)(?: (?:close|level|price|point))? (?:of|in|over|for) "
        rf"{LAST}({N} {UNIT})\b",
        lambda match: f"price at {match[3]} closing {_END[match[2]]}",
    ),
    (rf"\b({N} {UNIT}) (highest|lowest) close\b", lambda match: f"{match[1]} closing {_END[match[2]]}"),
    (
        rf"\b(?:highest|lowest) ({N} {UNIT}) clos(?:e|ing price)\b",
        lambda match: f"{match[1]} closing {_END[match[0].split()[0]]}",
    ),
    (
        rf"\b(?:todays )?(?:the )?(?:close|price|it) (?:is |closes )?(higher|above|greater|more|lower|below|less|>|<)(?: than)? "
        rf"(?:the |its )?(?:(?:close|closing price|price|level|value|it was) )*(?:from |of )?({N} {UNIT}) (?:ago|earlier|before)\b",
        lambda match: f"{match[2]} roc is {'above' if match[1] in _MORE else 'below'} 0",
    ),
    (
        rf"\b({N})(?: {UNIT})? (?:standard deviations|sigmas?) ({SIDE}) (?:its |the )?({N}) (?:day |bar |period )?"
        r"(?:mean|average|sma|moving average|ma)\b",
        lambda match: f"{_side(match[2])} the {_edge(match[2])} bollinger band ({match[3]},{match[1]})",
    ),
    (
        rf"\bz ?scores?(?: ?(\({N}\)))?(?: of (?:the )?(?:closing )?(?:close|price))?(?: (?:vs\.?|versus|against|from|relative to|to) "
        rf"(?:its |the )?({N}) (?:day |bar |period )?(?:mean|average|sma|ma))?",
        lambda match: f"zscore {f'({match[2]})' if match[2] else match[1] or ''} ",
    ),
    (
        rf"(?<!stop )(?<!loss )\b(?:(?:close|price|it) )?(?:(?:closes?|trades?|falls?|drops?|dips?|stretche[sd]|stretch|moves?|rises?|is|gets|goes) )?"
        rf"(?:at least |more than |over |by )?({N} ?(?:%|percent|x? ?atrs?(?: ?\({N}\))?)) ({SIDE}|down from|off|up from) "
        rf"(?=(?:the |its |a )?(?:{N} |sma|ema|wma|hma|moving|middle|average))",
        lambda match: f"price is {match[1]} {_side(match[2])} ",
    ),
    (
        rf"\b({N}) (?:consecutive |straight |successive )?(down|lower|falling|negative|losing|up|higher|rising|positive|winning|red|green|bearish|bullish)"
        r" (closes?|days?|bars?|candles?|sessions?|lows?|highs?)(?: in a row| straight| consecutively)?\b",
        lambda match: _streak(match[1], match[2], match[3]),
    ),
    (
        rf"\b(?:makes? |has |had |made )?(?:an? )?(lower|higher|down|up|red|green) (close|day|low|high|candle|bar) for ({N}) (?:days|bars|sessions|candles)"
        r"(?: in a row| straight| running)?",
        lambda match: _streak(match[3], match[1], match[2]),
    ),
    (
        rf"\b(?:price |it |the close |close )?(?:has )?(?:closes|closed|falls|fallen|drops|dropped|rises|risen|gained|declined) (lower |higher |down |up )?"
        rf"(?:for )?({N}) (?:consecutive |straight )?(?:days|bars|sessions)(?: in a row| straight| running)?(?= ?(?:[,;.]|$|and|buy|sell|short|long|:|while|with))",
        lambda match: _streak(match[2], match[1] or _fell(match[0]), "closes"),
    ),
    (
        r"\b(?:on|and|after)? ?an? (up|down) (day|bar|candle)\b",
        lambda match: f" and {_streak('1', match[1], 'closes')}",
    ),
    (
        r"\b(?:on|and|after)? ?an? (green|red|bullish|bearish) (day|bar|candle)\b(?! pattern)",
        lambda match: f" and {_streak('1', match[1], 'candles')}",
    ),
)
