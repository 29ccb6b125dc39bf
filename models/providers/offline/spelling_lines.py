# ruff: noqa: E501  a pattern broken over lines is read by nobody
"""How indicators and their numbers are written, in the one spelling that the vocabulary knows."""

from __future__ import annotations

from models.providers.offline.spelling_parts import AVERAGE, BANDS, SIDE, UNIT, N, Replacement


def _agree(comparison: str, sign: str) -> bool:
    """Whether "above" goes with a line moved up, or "below" with one moved down."""
    return (comparison in {">", "above"}) == (sign == "+")


LINES: tuple[tuple[str, Replacement], ...] = (
    (r"\bavg\b", "average"),
    (
        rf"\(ema \(?({N})\)?,? ?(?:and )?atr \(?({N})\)?,? ?(?:multiplier |multiple |factor |x )?({N})(?: ?x)?\)",
        r"(\1,\3)",
    ),
    (rf"\batr trailing stop (?:of|at|with) ({N})(?: ?x)?(?! ?(?:%|x|atr))\b", r"\1 atr trailing stop"),
    (rf"\b(stochastics?|macd) ({N}) ({N}) ({N})\b", r"\1 (\2,\3,\4)"),
    (
        rf"\b(?:after )?(?:an? )?({N}%) (?:drop|fall|decline|pullback|drawdown|correction) (?:from|below|off) ",
        r"price is \1 below ",
    ),
    (r"(?<=\d)(?=(?:atr|ema|sma|wma|hma|dma|rsi)s?\b)", " "),
    (r"\bbbands?\b", "bollinger bands"),
    (r"\bmacd( \([^)]{1,20}\))? hist(?:ogram)?\b", r"macd histogram\1"),
    (rf"\(({N}) (?:days?|bars?|periods?|candles?|sessions?)\)", r"(\1)"),
    (
        rf"\b({BANDS}(?: \([^)]{{1,20}}\))?) (upper|lower|middle|mid)(?: bands?| line| channel)?\b(?! {BANDS})",
        lambda match: f"{match[2].replace('mid', 'middle').replace('middledle', 'middle')} {match[1]}",
    ),
    (r"\bcross(?:es|ing)? %?d (?:up|upwards?|from below)\b", "crosses above %d"),
    (r"\bcross(?:es|ing)? %?d (?:down|downwards?|from above)\b", "crosses below %d"),
    (rf"\b({AVERAGE}) cross(?:over)?s? ({N}) ?/ ?({N})\b", r"\2/\3 \1 crossover"),
    (rf"\b(sma|ema|wma|hma|dema|tema|ma)s? ({N}) ?/ ?({N})\b", r"\2/\3 \1"),
    (
        rf"\b({N})(?: days?)? (?:vs\.?|versus|against|/) (?:the )?({N})(?: days?)? ({AVERAGE})s? cross",
        r"\1/\2 \3 cross",
    ),
    (
        rf"\b(?:close|price) (?:is )?([<>]|above|below) ({AVERAGE} \({N}\)) ([+-]) ({N})(?: x)? ?(atrs?(?: \({N}\))?)",
        lambda match: (
            f"price is {match[4]} {match[5]} {'above' if match[3] == '+' else 'below'} {match[2]}"
            if _agree(match[1], match[3])
            else match[0]
        ),
    ),
    (
        rf"\b(?:close|price) (?:is )?([<>]|above|below) sma \(({N})\) ([+-]) ({N})(?: x)? ?(?:standard deviations?|std(?: devs?)?|sd)\b",
        lambda match: (
            f"close {match[1]} {'upper' if match[3] == '+' else 'lower'} bollinger band ({match[2]},{match[4]})"
        ),
    ),
    (
        rf"\b(?:close|price) (?:is )?([<>]|above|below) ({N}) x ({AVERAGE} \({N}\))",
        lambda match: (
            f"price is {abs(float(match[2]) - 1) * 100:g}% {'above' if float(match[2]) > 1 else 'below'} {match[3]}"
            if _agree(match[1], "+" if float(match[2]) > 1 else "-")
            else match[0]
        ),
    ),
    (r"\b(stochastics?|stoch)( oscillator)?( \([^)]{1,20}\)) %k", r"\1\3"),
    (r"\bz(?= ?(?:[=<>]|is |at ))|(?<=at )z\b", "zscore"),
    (r"(?<=\w) = (?=-?\d)", " "),
    (r"\b(upper|lower|middle) one\b", r"\1 band"),
    (
        rf"\b({N} (?:day|bar|period|week|month|year)s?) (?:average|mean)(?! (?:volume|width|true|reversion|range))",
        r"\1 sma",
    ),
    (
        r"\bcloses? (?:below|outside|under)(?: of)? ((?:the )?lower (?:bollinger |keltner )?(?:bands?|channel)?[^;.:]{0,24}?),? "
        r"(?:and )?(?:then )?(?:the )?(?:next )?(?:bar )?(?:closes? |comes |returns )?(?:back )?(?:inside|within|above it|in)(?: (?:it|the bands?|the channel))?(?=[,;.: ]|$)",
        r"price crosses above \1",
    ),
    (
        r"\bcloses? (?:above|outside|over)(?: of)? ((?:the )?upper (?:bollinger |keltner )?(?:bands?|channel)?[^;.:]{0,24}?),? "
        r"(?:and )?(?:then )?(?:the )?(?:next )?(?:bar )?(?:closes? |comes |returns )?(?:back )?(?:inside|within|below it|in)(?: (?:it|the bands?|the channel))?(?=[,;.: ]|$)",
        r"price crosses below \1",
    ),
    (r"\bslope (?:is |of it is )?(?:turns|flips|becomes) (?:positive|up)", "turns up"),
    (r"\bslope (?:is |of it is )?(?:turns|flips|becomes) (?:negative|down)", "turns down"),
    (
        r"\b(?:has |with )?(?:a )?(?:slope (?:is )?(?:positive|rising|up|above zero|> ?0)|positive slope)",
        "rising",
    ),
    (
        r"\b(?:has |with )?(?:a )?(?:slope (?:is )?(?:negative|falling|down|below zero|< ?0)|negative slope)",
        "falling",
    ),
    (r"\bdonchian[_ ](?:high|upper)(?: band)?(?= ?\()", "upper donchian"),
    (r"\bdonchian[_ ](?:low|lower)(?: band)?(?= ?\()", "lower donchian"),
    (rf"\b(donchian(?: channels?)? \({N}\)) (?:high|upper)\b", r"upper \1"),
    (rf"\b(donchian(?: channels?)? \({N}\)) (?:low|lower)\b", r"lower \1"),
    (rf"\bdonchian(?: channels?)? ({N})(?= |$)(?! ?(?:{UNIT}|%|x))", r"donchian (\1)"),
    (
        rf"\b(macd|stochastics?|stoch|bb|bollinger bands?|keltner(?: channels?)?|kc)(?: oscillator)? ({N}) ?[/,] ?({N})"
        rf"(?: ?[/,] ?({N}))(?!\.?\d)",
        r"\1 (\2,\3,\4)",
    ),
    (
        rf"\b(macd|stochastics?|stoch|bb|bollinger bands?|keltner(?: channels?)?|kc)(?: oscillator)? ({N}) ?[/,] ?({N})"
        r"(?!\.?\d)(?! ?[%x])",
        r"\1 (\2,\3)",
    ),
    (
        rf"\(\s?(?:ema )?({N})(?: {UNIT})?(?: ema)? ?, ?({N})(?: ?x)? ?(?:atrs?(?: \(?{N}\)?)?|standard deviations?|std(?: devs?)?|stdevs?|sigmas?)\s?\)",
        r"(\1,\2)",
    ),
    (rf"\b(sma|ema|wma|hma|dema|tema|ma|rsi|adx|atr|cci|mfi|roc|cmo|willr|hv)({N})\b", r"\1 (\2)"),
    (
        rf"\b({AVERAGE}) ({N})(?= |$|[,;:./)<>])(?! ?(?:{UNIT}|%|x\b|atr|/ ?\d|to\b|sma|ema|wma|hma|ma\b))",
        r"\1 (\2)",
    ),
    (r"\b(\d{1,4}) ?dma\b", r"\1 day sma"),
    (rf"\b({N}) (sma|ema|wma|hma|ma)s\b", r"\1 \2"),
    (r"\b(?:will(?:iams)? ?%? ?r|wpr|w%r|wr)\b(?! ?squared)", "williams %r"),
    (r"\bstoch\b(?! ?rsi)", "stochastic"),
    (r"(?<![\w%])k (?=(?:cross\w*|is|>|<|above|below|over|under|closes|turns) ?)", "%k "),
    (r"(?<=above )d\b|(?<=below )d\b|(?<=over )d\b|(?<=under )d\b|(?<=> )d\b|(?<=< )d\b", "%d"),
    (r"\b(?:std|standard) ?devs?\b|\bstdevs?\b|(?<=\d )std\b", "standard deviations"),
    (rf"\b({SIDE}|crosses|crossing|>|<) (?:the |its )?signal\b(?! line)", r"\1 signal line"),
    (
        rf"\b({AVERAGE}) \(({N})\) ?(?:/|and|&|vs\.?|with|,) ?({AVERAGE}) \(({N})\) (?:cross(?:over)?s?|crossing)\b",
        r"\1 (\2) crosses \3 (\4)",
    ),
    (
        rf"\bcross(?:es|over|ing)? (?:of|between) (?:the )?({AVERAGE}) \(({N})\) (?:and|over|above) (?:the )?({AVERAGE}) \(({N})\)",
        r"\1 (\2) crosses above \3 (\4)",
    ),
    (
        rf"\b({SIDE}) both (?:the |its )?({N})(?: days?)? and (?:the )?({N}) ((?:day |bar |period )?)({AVERAGE})s?\b",
        r"\1 \2 \4\5 and \1 \3 \4\5",
    ),
    (
        r"\b(?:the )?fast(?:er)?(?: (?:one|line|ma|average|ema|sma))? (crosses|is|falls|drops|goes)((?: back)? "
        r"(?:below|above|under|over))(?: the)? slow(?:er)?(?: (?:one|line|ma|average|ema|sma))?(?! ?[(\w])",
        r"it \1\2",
    ),
    (rf"\b(?:short|shorter|long|longer) (?:term )?(?:moving )?average(?= \({N}\))", "sma"),
)
