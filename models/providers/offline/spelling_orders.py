# ruff: noqa: E501  a pattern broken over lines is read by nobody
"""How orders, sides and exits are written, in the one spelling that the vocabulary knows."""

from __future__ import annotations

import re

from models.providers.offline.spelling_parts import AVERAGE, N, Replacement


def _along(match: re.Match[str]) -> str:
    """``in the direction of the 200 EMA``: for a short trade the price is below it."""
    words = match.string
    if "long" in words and "short" in words and "long only" not in words:
        return "aligned"  # each side would need its own words: listed as ignored rather than read for one
    sided = re.search(r"\b(?:long|short|buy|sell)", words)
    return f"{'' if sided else ', both directions'}, price {'below' if 'short' in words and 'long' not in words else 'above'} {match[1]}"


_LINE = rf"(?:{N} (?:day |bar |period )?{AVERAGE}|{AVERAGE} ?\({N}\)|{AVERAGE} {N})"

ORDERS: tuple[tuple[str, Replacement], ...] = (
    (rf"\batr ?(\({N}\))? ?(?:x|\*|times) ?({N})\b", r"\2x atr\1"),
    (rf"\batr (trailing stop|stop(?: loss)?)(?: of)? ({N})x?(?= ?(?:[,;.]|$))", r"\1 \2 atr"),
    (rf"\btrailing ({N} ?%|{N}x? ?atr) stop(?: loss)?\b", r"trailing stop \1"),
    (rf"\b(?:percent|%) (trailing stop|stop(?: loss)?)(?: of)? ({N})(?= ?(?:[,;.]|$))", r"\1 \2%"),
    (rf"\b(stop(?: loss)?|trailing stop|trail)( at| of)? ({N}) ?n\b", r"\1\2 \3 atr"),
    (r"\btrail(?:ing)?(?: it| stop)? (?:with|using|along|on) (?:the |an? )?", "trailing stop "),
    (r"\bmacd cross(?= ?(?:[,;.:]|$|with\b|in (?:the )?direction\b))", "macd crossover"),
    (rf"\b(?:only )?in (?:the )?direction of (?:the )?({_LINE})(?: only)?", _along),
    (
        rf"\b(above|below|over|under) ((?:the |its )?{_LINE}) by (?:more than |at least )?({N} ?%)",
        r"\3 \1 \2",
    ),
    (
        rf"\b(?:drops|falls|dips|goes|moves|crosses|is) (?:below|under) (-?{N})(?:,? and)?,? (?:then )?"
        r"(?:recovers|rises|moves|crosses|climbs|gets|comes|goes)(?: back)? (?:above|over) (?:it|\1)\b",
        r"crosses above \1",
    ),
    (
        rf"\b(?:rises|climbs|goes|moves|crosses|is) (?:above|over) (-?{N})(?:,? and)?,? (?:then )?"
        r"(?:drops|falls|moves|crosses|dips|gets|comes|goes)(?: back)? (?:below|under) (?:it|\1)\b",
        r"crosses below \1",
    ),
    (rf"\b(?:falls|drops|moves|goes) from above (-?{N}) to below (?:it|\1)\b", r"crosses below \1"),
    (rf"\b(?:rises|climbs|moves|goes) from below (-?{N}) to above (?:it|\1)\b", r"crosses above \1"),
    (rf"\b(highest high|lowest low) of ({N})(?= ?(?:[,;.]|$))", r"\1 of \2 bars"),
    (r"(?<=[\w%])\(", " ("),
    (r"\b(?:sits|sitting|lies|rests|hovers|holds) (?=(?:above|below|over|under|beneath) )", "is "),
    (
        r"\b(?:do not|don'?t|never) hold (?:it |the position |a position |positions )?(?:for )?(?:longer|more) than ",
        "hold for ",
    ),
    (r"\bhold(?:ing)? (?:for )?(?:no|not) (?:longer|more) than ", "hold for "),
    (r"\b(\w+) filter (?=(?:>|<|above|below|over|under) ?)", r"\1 "),
    (r"\b(oversold|overbought) \((?:at )?(-?\d+)\)", r"\1 at \2"),
    (
        r"\b(?:exits|leaves|comes out of|emerges from|climbs out of|rises out of|moves out of) (?=oversold)",
        "rises from ",
    ),
    (r"\b(?:exits|leaves|comes out of|drops out of|falls out of|moves out of) (?=overbought)", "falls from "),
    (r"\b(?:enters|goes|moves into|is in) (?=overbought|oversold)", "is "),
    (r"\bmid ?bands?\b", "middle band"),
    (
        r"(?<!historical )(?<!realized )(?<!realised )(?<!chaikin )(?<!implied )\bvolatility(?= (?:is|below|above|under|over|<|>|falls|rises|drops|stays|remains))",
        "historical volatility",
    ),
    (
        r"\bclose (?:is )?(?:above|>|higher than|over) (?:the |its |todays )?open\b(?! interest)",
        "1 consecutive green candles",
    ),
    (
        r"\bclose (?:is )?(?:below|<|lower than|under) (?:the |its |todays )?open\b(?! interest)",
        "1 consecutive red candles",
    ),
    (r"\bs/l\b|\bsl\b|\bstoploss\b", "stop loss"),
    (r"\bt/p\b|\btp\b|\btakeprofit\b", "take profit"),
    (r"\br ?[:/] ?r\b|\brisk ?[:/] ?reward\b", "rr"),
    (
        r"\b(stop loss|stops?|trailing stop(?: loss)?|trail|initial stop|take profit|profit target|targets?"
        r"|time stop|max hold|hold|rr|filter) ?(?:[:=]|- )\s*",
        r"\1 ",
    ),
    (r"(?:^|(?<=[.;,] ))- (?=[a-z])", ""),
    (rf"\brisk(?:ing)? ({N}) ?x? ?(?=atr)", r"stop loss \1 "),
    (rf"\b(?:take profit|targets?|exit)(?: at| of)? ({N}) ?r\b", r"target rr \1:1"),
    (
        rf"(?:if |when )?(?:the )?(?:price|close|it) (?:falls|drops|declines) ({N}%) "
        r"(?:from|below|off) (?:its |the )?(?:peak|highest point|high since entry|top)",
        r"trailing stop \1",
    ),
    (r"\bentry (?:price|point|level)\b", "entry"),
    (r"\band both (?:are |lines are )?(?=(?:below|above|under|over|<|>) )", "and "),
    (r"\bflat(?= ?(?:[,;.]|$))|\bleave(?= (?:when|if|at|on)\b)|\bclose (?=(?:when|if|once)\b)", "exit "),
    (r"\bcross(?:es|ed|ing)? (?:back )?to the upside", "crosses above it"),
    (r"\bcross(?:es|ed|ing)? (?:back )?to the downside", "crosses below it"),
    (r"\bcross(?:es|ed|ing)? ([^,;:<>]{1,50}?) to the upside", r"crosses above \1"),
    (r"\bcross(?:es|ed|ing)? ([^,;:<>]{1,50}?) to the downside", r"crosses below \1"),
    (r"\b(?:climbs|gets|comes) (?:back )?(?=(?:above|over|below|under) )", "rises "),
    (
        r"\b(?:no|without(?: an?| any)?) (?:fixed )?(?:profit )?(?:stop(?: loss)?|targets?|take profit)(?:es|s)?\b",
        "",
    ),
    (r"\bno (?:pyramiding|scaling(?: in| out)?|leverage|averaging(?: down)?)\b", ""),
    (r"\b(exit|close|cover|sell) both\b", r"\1"),
    (r"\bhold(?:ing)?(?= (?:when|while|if|as long as|only when)\b)|\b(?:be|stay) invested\b", "long"),
    (
        r"\b(?:previous|prior|yesterdays|last) (?:days? |bars? |candles? |sessions? )?(high|low)\b(?! of)",
        r"1 day \1",
    ),
    (
        r",? ?(?:and )?\b(?:reverse|flip)(?: the)?(?: position)? (?:on|at|when|with) (?:the |an? )?(?:opposite|opposing|reverse|contrary) "
        r"(signal|cross(?:over)?|breakout)|,? ?\balways in the market",
        ", exit on the opposite signal",
    ),
    (r",? ?whichever (?:comes |is |happens |occurs |hits )?(?:first|sooner|earlier)", ""),
    (
        r"\b(hold(?:ing)?(?: it| for| the position)*|after|for) (?:a|1|one|another) (?=(?:day|week|month|year|bar)\b)",
        r"\1 1 ",
    ),
    (r"\bbuy(?:ing)? (?:it )?(?:back|to cover)\b", "cover"),
    (r"\bget(?:ting)? out\b|\bbail(?: out)?\b|(?<=[.;,] )out(?= (?:at|when|on|if|below|above)\b)", "exit"),
    (
        r"\b(?:otherwise|else),? (?:be |go |stay |move )?(?:to |in |into |out |out of )?(?:flat|cash|the market|out)\b"
        r"|\b(?:exit|close|sell)(?: the (?:trade|position))?,? (?:on|when|if|as soon as) (?:either|any|one|1)"
        r"(?: of (?:them|these|the (?:two|2|three|conditions)))?(?: (?:condition|rule))?"
        r" (?:failing|fails?|breaks?|is (?:no longer (?:true|met)|violated|not met|false)|stops holding)\b"
        r"|\b(?:exit|close|sell),? (?:when|if|as soon as) (?:the |any )?(?:entry )?conditions? (?:no longer hold|fail|stop)s?\b",
        "exit otherwise",
    ),
    (r"\b(?:go |be |get |stay |turn )?flat(?= (?:at|when|if|below|above|under|over|on|once)\b)", "exit"),
    (r"\b(?:go|be|move|get) (?:to|in|into) cash\b", "exit"),
    (
        r"\b(?:no|never|not?|without|don'?t|do not|avoid)(?: (?:go|any|take|enter|open|going))? short(?:s|ing)?"
        r"(?: (?:positions?|trades?|side|selling|sales))?(?= ?(?:[,;.:)]|$|and\b|or\b))",
        "long only",
    ),
    (
        r"\b(?:no|never|without|don'?t|do not)(?: (?:go|any|take|enter|open|going))? longs?"
        r"(?: (?:positions?|trades?|side))?(?= ?(?:[,;.:)]|$|and\b))",
        "short only",
    ),
    (r"\bonly (long|short)s?\b(?= ?(?:[,;.]|$))", r"\1 only"),
    (
        r"\b(?:and )?(?:(?:the )?(?:mirror(?:ed)?(?: image)?|vice versa|(?:exact )?(?:opposite|reverse|inverse)|"
        r"same|symmetric(?:al(?:ly)?)?)(?: (?:logic|rules?|conditions?|setup|it|this|in reverse))*"
        r" (?:for|on|to) (?:the )?(?:go(?:ing)? )?short(?:s|ing)?(?: (?:side|trades|positions))?)",
        "vice versa",
    ),
    (
        r"\bshorts? (?:are |is )?(?:the )?(?:mirror(?:ed)?(?: image)?|opposite|reverse|inverse|vice versa)\b",
        "vice versa",
    ),
    (
        r"\bboth (?:long and short|longs and shorts|sides|ways|directions)\b|\b(?:in )?(?:both|either) directions?\b",
        "both directions",
    ),
)
