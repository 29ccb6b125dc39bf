"""The phrases that are recognised, in order of precedence, as (kind, value, pattern) rows over normalised text."""

from __future__ import annotations

NUMBER = r"\d{1,6}(?:\.\d{1,6})?(?!\.?\d)"
_DAYS = r"(?:day|period|bar|candle|session|trading day|d)s?"
_UNITS = r"(?:trading days?|days?|periods?|bars?|candles?|sessions?|weeks?|months?|years?|d)"
ATR = r"(?:average true ranges?(?: \(atrs?\))?|atrs?(?: \(average true range\))?)"

Row = tuple[str, str, str]

NUMBERS: tuple[Row, ...] = (
    ("ARGS", "", rf"\(\s?{NUMBER}(?:\s?, ?{NUMBER}){{0,3}}\s?\)"),
    ("ARGS", "", rf"\(\s?\d{{1,5}} ?{_UNITS}?\s?, ?{NUMBER} standard deviations?\s?\)"),
    ("RISK_REWARD", "", rf"{NUMBER} ?(?::|to) ?{NUMBER}(?= (?:risk|reward|profit|r/r|rr\b|rrr))"),
    ("RISK_REWARD", "", rf"(?:risk|reward|profit)[a-z ]{{0,30}}(?:ratio )?(?:of )?{NUMBER} ?: ?{NUMBER}"),
    ("RATIO", "", rf"{NUMBER} ?: ?{NUMBER}"),
    ("FRAME", "", r"\d{1,5} ?(?:hours?|hrs?|minutes?|mins?|h|m)(?= |$|[,.;:)])|hourly|intraday|weekly"),
    ("RANGE", "", rf"{NUMBER} to {NUMBER}%?"),
    ("PERIODS", "", rf"(?<![<>] )\d{{1,5}} ?(?:{_UNITS})? ?(?:and|/|&) ?(?:the |a )?\d{{1,5}} {_UNITS}"),
    (
        "PERIODS",
        "",
        r"\d{1,5} ?/ ?\d{1,5}(?= (?:sma|ema|wma|hma|ma\b|moving|simple|exponential|golden|crossover|cross))",
    ),
    ("LEVELS", "", rf"{NUMBER} ?/ ?{NUMBER}"),
    ("PERCENTILE", "", rf"{NUMBER}(?:st|nd|rd|th) percentiles?(?: rank)?"),
    ("SIGMA", "", rf"{NUMBER} ?(?:historical )?(?:standard deviations?|std devs?|stdev|sigmas?)"),
    (
        "ATRX",
        "",
        rf"(?:{NUMBER} ?x? ?(?:times )?(?:the |its |recent |daily "
        rf"|of ){{0,4}}(?:\d{{1,5}} {_DAYS} )?{ATR}(?: ?\({NUMBER}\))?)(?!\w)",
    ),
    ("TIMES", "", rf"{NUMBER} ?x(?= |$|[,.;:)])"),
    ("YEAR", "", r"1 year|52 weeks?|yearly"),
    ("PERIOD", "", rf"\d{{1,5}} ?{_UNITS}(?=\W|$)"),
    ("PERCENT", "", rf"{NUMBER} ?(?:%|percent)"),
    ("NUMBER", "", rf"[+-]?{NUMBER}"),
)


COMPARISONS: tuple[Row, ...] = (
    ("GOLDEN", "both", r"golden cross(?:es)?(?: ?/ ?| or | and )death cross(?:es)?"),
    ("GOLDEN", "up", r"golden cross(?:es)?(?:over)?"),
    ("GOLDEN", "down", r"death cross(?:es)?(?:over)?"),
    (
        "COMPARE",
        "either event",
        r"(?:cross(?:es|ing|overs?)?|breaks?|breakouts?|closes?|moves|re?versal|breach(?:es)?"
        r"|spikes?)?(?: back| out)?"
        r" ?(?:above ?/ ?below|above or below|below or above|above and below|below ?/ ?above)",
    ),
    (
        "TURN",
        "up state",
        r"(?:is |are |stays? |remains? |being |reads? )(?:still )?(?:positive|bullish|green)"
        r"|(?<=slope )positive",
    ),
    (
        "TURN",
        "down state",
        r"(?:is |are |stays? |remains? |being |reads? )(?:still )?(?:negative|bearish|red)|(?<=slope )negative",
    ),
    (
        "TURN",
        "up",
        r"(?:flips?|turns?|turning|goes|crosses|becomes) (?:from negative )?(?:to |into )?(?:positive"
        r"|bullish|green)",
    ),
    (
        "TURN",
        "down",
        r"(?:flips?|turns?|turning|goes|crosses|becomes) (?:from positive )?(?:to |into )?(?:negative"
        r"|bearish|red)",
    ),
    (
        "COMPARE",
        "up event",
        r"(?:cross(?:es|ed|ing|overs?)?|breaks?|breaking|broke|breakouts?|breach(?:es|ed)?|pierces?|pushes"
        r"|reclaims?)"
        r"(?: back| out| up){0,4} (?:above|over|through|upwards?)|reclaims|crosses (?:up|higher)(?! ?\d)",
    ),
    (
        "COMPARE",
        "down event",
        r"(?:cross(?:es|ed|ing|overs?)?|breaks?|breaking|broke|breakdowns?|breach(?:es|ed)?|pierces?)"
        r"(?: back| down){0,4} (?:below|under|downwards?|beneath)|break(?:down|s down)|crosses (?:down"
        r"|lower)(?! ?\d)",
    ),
    (
        "COMPARE",
        "up",
        r"(?:is |are |was |being |remains? |stays? |trades? |trading |closes? |closing |rises? |rising "
        r"|rose |surges? |surging "
        r"|moves? |climbs? |spikes? |spiking |goes |reading |holds? |expands? |recovers? ){0,4}(?:back )?"
        r"(?:above|over(?! the (?:last|past|prev|prior))|greater than|more than|higher than|>=?"
        r"|past)(?! \d{1,5} (?:day|bar)s$)",
    ),
    (
        "COMPARE",
        "up",
        r"(?:exceed(?:s|ing|ed)?|surpass(?:es|ing)?|outpaces?|expands? beyond|expansion (?:beyond|above"
        r"|exceeding)|beyond)",
    ),
    (
        "COMPARE",
        "down",
        r"(?:is |are |was |being |remains? |stays? |trades? |trading |closes? |closing |falls? |falling "
        r"|fell |drops? |dropping "
        r"|dips? |moves? |declines? |contracts? |contracting |contracted |contraction |contractions "
        r"|narrows? |narrowing |goes ){0,4}(?:back )?"
        r"(?:below|under|beneath|less than|lower than|<=?)",
    ),
    (
        "COMPARE",
        "either event",
        r"cross(?:es|ed|ing)?(?: (?:of|through|over(?= the)|beyond))?(?! (?:asset|exchange))",
    ),
    ("CROSSOVER", "up", r"(?:bullish|upward|positive) (?:cross(?:over|es)?s?|flips?)"),
    ("CROSSOVER", "down", r"(?:bearish|downward|negative) (?:cross(?:over|es)?s?|flips?)"),
    ("CROSSOVER", "both", r"cross(?:overs?| overs?)(?: signals?)?"),
    (
        "TOUCH",
        "",
        r"(?:touch(?:es|ed|ing)?|tags?|nears?|approach(?:es)?|retraces? to|retracements? to"
        r"|pullbacks? to|pulls? back to|retest(?:s)?|tests?)(?: of)?(?: the)?",
    ),
    (
        "OUTSIDE",
        "",
        r"(?:(?:clos(?:es?|ing)|breaks?|moves?|breakouts?) )?(?:price )?outside(?: of)?|(?:exits?|exceeds?"
        r"|break(?:s|ing)? out of|leaves)(?= (?:the )?(?:bands|channel))",
    ),
    (
        "INSIDE",
        "",
        r"(?:re ?ent(?:ers?|ry|ering)|returns?|back|retracement|falls?|clos(?:es"
        r"|ing))(?: back)? (?:in(?:side|to)|within)"
        r"|re ?ent(?:ers?|ry)|inside|re ?cross(?:es)?",
    ),
    (
        "BREAK",
        "",
        r"(?:breaks?|breaking|breach(?:es|ed|ing)?|breakdowns?(?= (?:of|from))|penetrates?|pierces?"
        r"|clears?)(?: (?:of|out of|out|from))?",
    ),
    (
        "LEVEL",
        "oversold",
        r"(?:rises? from |from )?(?:oversold|over sold)(?: (?:territory|levels?|conditions?|zone|readings?"
        r"|signals?))?(?!/| ?or over)",
    ),
    (
        "LEVEL",
        "overbought",
        r"(?:falls? from |from )?(?:over bought|overbought)(?: (?:territory|levels?|conditions?|zone"
        r"|readings?|signals?))?(?!/"
        r"| ?or over)",
    ),
    (
        "LEVEL",
        "both",
        r"(?:oversold ?(?:/|or|and) ?overbought|overbought ?(?:/|or|and) ?oversold)(?: (?:territory"
        r"|levels?|extremes?|conditions?|zones?|readings?|signals?)){0,4}",
    ),
    ("LEVEL", "centre", r"(?:the |its )?(?:zero(?: line)?|mid level|centre ?line|center ?line|midline)"),
    (
        "WORD_EXTREME",
        "low",
        r"(?:its |the |their |a |an )?(?:lowest|narrowest|smallest|tightest|minimum|minima"
        r"|historic(?:al)? lows?|multi month lows?)(?: (?:points?|levels?|widths?|ranges?|historical"
        r"|values?)){0,4}",
    ),
    (
        "WORD_EXTREME",
        "high",
        r"(?:its |the )?(?:highest|widest|maximum|historic(?:al)? highs?)(?: (?:points?|levels?|widths?"
        r"|closes?)){0,4}",
    ),
    ("EXTREME", "low", r"closing lows?|lows?(?= |$|[,.;:)])"),
    ("EXTREME", "high", r"closing highs?|highs?(?= |$|[,.;:)])"),
    ("DECILE", "", r"lowest (?:decile|quintile|quartile)"),
    (
        "PERCENTILE_WORD",
        "",
        r"(?:historical |rolling ){0,4}(?:volatility )?percentiles?(?: (?:rank|filter|threshold|thresholds))?",
    ),
    (
        "AVERAGE",
        "",
        r"(?:historical |rolling |recent )?(?:average|averages|mean(?! rever)|norm)(?: width| level"
        r"| volume)?|baseline",
    ),
    ("MEDIAN", "", r"(?:historical |rolling )?median(?: width| volatility)?"),
    (
        "DIVERGENCE",
        "up",
        r"(?:bullish|positive) (?:rsi |macd )?divergences?|diverges? (?:bullishly|positively)|hidden buying",
    ),
    (
        "DIVERGENCE",
        "down",
        r"(?:bearish|negative) (?:rsi |macd )?divergences?|diverges? (?:bearishly|negatively)",
    ),
    (
        "DIVERGENCE",
        "both",
        r"(?:positive/negative )?(?:divergences?(?: signals?)?|diverg(?:es|ing|e))(?: from(?: price)?"
        r"| against price| between)?",
    ),
)

STATES: tuple[Row, ...] = (
    ("OTHERWISE", "", r"otherwise"),
    ("TREND", "up event", r"(?:turns?|turning|hooks?|curls?|ticks?) (?:back )?(?:up|higher|upwards?)"),
    (
        "TREND",
        "down event",
        r"(?:turns?|turning|hooks?|curls?|rolls?|ticks?) (?:back )?(?:down|over|lower|downwards?)",
    ),
    (
        "TREND",
        "up",
        r"(?:slop(?:es?|ing)|pointing|points|heading|trending) (?:is |are )?(?:up|upwards?|higher)"
        r"|upward sloping",
    ),
    (
        "TREND",
        "down",
        r"(?:slop(?:es?|ing)|pointing|points|heading|trending) (?:is |are )?(?:down|downwards?|lower)"
        r"|downward sloping",
    ),
    (
        "SQUEEZE",
        "",
        r"(?:ttm |volatility |range )?(?:squeezes?|contractions?|compressions?|compressed|contract(?:s|ing"
        r"|ed)?|narrow(?:s|ing)?|converg(?:ing|e|es)|consolidations?"
        r"|tighten(?:s|ing)?|consolidat(?:es|ing))(?: (?:zones?|patterns?|periods?|phases?|ranges?))?"
        r"|low (?:historical )?volatility(?: (?:periods?|phases?|conditions?))?|volatility (?:lows?"
        r"|minima)",
    ),
    (
        "EXPANSION",
        "",
        r"(?:volatility (?:expansions?|expands?|spikes?|surges?|bursts?)|expansions?|expand(?:s|ing)?"
        r"|widen(?:s|ing)?)",
    ),
    (
        "SURGE",
        "",
        r"(?:surg(?:es?|ing)|spik(?:es?|ing)|accelerat(?:ion|ing|es)|bursts?|jumps?"
        r"|breakouts? volume)(?: confirmation| confirms?)?",
    ),
    (
        "TREND",
        "up",
        r"(?:rising|rises?|increas(?:es|ing|e)|upturns?|trending up|trends? upwards?|upward|accumulation"
        r"|accumulating|upslope|growing)",
    ),
    (
        "TREND",
        "down",
        r"(?:falling|falls?|drops?|decreas(?:es|ing|e)|declin(?:es?|ing)|downturns?|trending down"
        r"|trends? downwards?|downward|distribution|weaken(?:s|ing)|drying up)",
    ),
    (
        "CONFIRM",
        "",
        r"(?:trend |momentum |volume )?(?:confirm(?:s|ed|ing|ation|ations)?|aligns?|alignment|agrees?"
        r"|supports)(?: (?:signals?|the trend(?: direction)?|trend|strong|momentum)){0,4}",
    ),
    (
        "REVERSAL",
        "",
        r"(?:trend )?(?:reversals?|reverses?|reverting|reverse|flips?|turns)(?: (?:signals?|direction))?",
    ),
    (
        "FADE",
        "",
        r"(?<!not )(?<!never )(?:fad(?:e|es|ing)|contrarian(?! volume)|counter ?trend"
        r"|(?:go(?:es|ing)? |trad(?:e|es|ing) |bet(?:s|ting)? )?against"
        r"(?: (?:the |this |that )?(?:moves?|signals?|extremes?|crowd)"
        r"|(?= (?:the |this |that |a )?break(?:out)?s?\b)))",
    ),
    ("BREAKOUT", "both", r"breakouts?(?: (?:direction|trades?|entries|signals?))?|breakdowns?/breakouts?"),
    (
        "REVERSION",
        "",
        r"(?:mean )?(?:reversions?|reverts?)|returns? to|retracements?|pullbacks?(?= to)|recross(?:es)?",
    ),
)

RISK: tuple[Row, ...] = (
    ("CHANDELIER", "", r"chandelier(?: exits?| stops?)?"),
    (
        "TRAIL",
        "",
        r"(?:dynamic )?trail(?:ing|s)?(?: (?:volatility|percentage|percent"
        r"|atr(?= stop)))?(?: stop)?(?: loss(?:es)?)?(?: ?stops?| exits?)?(?: orders?)?",
    ),
    (
        "STOP",
        "",
        r"(?:protective |initial |hard |dynamic ){0,4}stop ?(?:loss(?:es)?|outs?)?s?(?: orders?| placement"
        r"| levels?)?(?: (?:set|placed))?|stops",
    ),
    (
        "TARGET",
        "",
        r"(?:take profits?|taking profits?|profit targets?|profits?|target(?:s|ing)?"
        r"|price targets?)(?: (?:at|of|set at))?",
    ),
    (
        "RR_WORD",
        "",
        r"(?:fixed )?(?:risk ?/? ?(?:to )?rewards?|rewards?(?: to)? risk|profit to loss|profit/loss|r/r"
        r"|rr\b|rrr)(?: (?:ratio|thresholds?|target|basis)){0,4}",
    ),
    ("MOVE", "", r"moves?(?: (?:from|above|in))?(?: (?:the )?entry)?(?: price| point)?"),
    (
        "SWING",
        "",
        r"(?:(?:nearest|recent|prior|previous|last|beyond|below|above) ){0,4}(?:swing (?:high/low|highs?"
        r"|lows?|extremes?|highs?/lows?)|(?:consolidation|squeezes?|pullback) (?:lows?|range))",
    ),
    (
        "HOLD",
        "",
        r"(?:after|within|hold(?:ing|s)?(?: (?:it|position|the position))?(?: (?:for|period of|period"
        r"|time))?(?: (?:of|at most|up to|max))?"
        r"|for|time (?:stop|exit|limit)(?: (?:of"
        r"|after|at))?|timeout(?: after)?|max(?:imum)?(?: (?:of|hold(?:ing)?(?: (?:time"
        r"|period))?(?: of)?))?)(?= (?:at most |up to |about "
        r"|a maximum of )?\d{1,5} (?:trading )?(?:bars?|days?|periods?|candles?|sessions?|weeks?|months?))",
    ),
    (
        "OPPOSITE_SIGNAL",
        "",
        r"(?:opposite|opposing|reverse|inverse|contrary)(?: \w+)? (?:signals?|crossovers?|cross|crosses"
        r"|breakouts?|entry|flip)|signal reverses|reversal of (?:the )?signal",
    ),
)

STRUCTURE: tuple[Row, ...] = (
    (
        "FILLER",
        "",
        r"long/short ratio|short term|long term|medium term|mid term|longer term|trend following"
        r"|risk management|position sizing|stop and reverse|take advantage",
    ),
    ("FILLER", "", r"(?:long|short|trade) volatility|long liquidations?|short squeeze|stealth"),
    (
        "COMMENT",
        "",
        r"(?:signal(?:s|ling|ing)|indicat(?:es|ing)|suggesting|implying|showing that|to (?:capture"
        r"|capitalize|signal|profit|identify|detect|ride|avoid|exploit|reduce|confirm that)|capturing"
        r"|as a sign of|which (?:suggests|indicates|signals)|because|since)",
    ),
    (
        "UNLESS",
        "negated",
        r"(?:do not|don'?t|does not|never|no|not)(?: (?:take|any|new|make|place|open))?"
        r" (?:buys?|buying|sell|enter|entry|entries|trades?|trading|go|shorts?|longs?|open|positions?|signals?)"
        r"(?: (?:long|short|trades|positions|signals))?(?= (?:when|if|while|during|below|above|under|over"
        r"|unless|in))"
        r"(?: (?:when|if|while))?"
        r"|(?:avoid|skip|ignore|exclude|stand aside|stay out|sit out)(?:s|ing)?(?: (?:it|all|any|the|new"
        r"|trades?|trading|entries|signals?"
        r"|setups?|longs?|shorts?|buys?|buying|the (?:trade|signal|entry)|this|them)){0,2} (?:when|if|while"
        r"|whenever)"
        r"|(?:no (?:new )?(?:trades?|entries|positions?)|do(?:n'?t| not) (?:trade|enter|buy)|stay out"
        r"|stand aside"
        r"|skip(?: it| the trade)?|avoid)(?= ?(?:[,;.]|$))"
        r"|avoid(?:ing)? (?:(?:going )?(?:longs?|shorts?)(?: trades| positions| entries)?|trades|buying"
        r"|shorting)"
        r"(?= (?:below|above|under|over|in|when|if|while))(?: (?:when|if|while))?"
        r"|unless|except(?: (?:when|if|while))|(?:but )?(?:not|never) (?:when|if|while)|only (?:when"
        r"|if) (?:it is )?not",
    ),
    (
        "UNLESS",
        "unread",
        r"(?:do not|don'?t|does not|doesn'?t|isn'?t|never|not|without|no longer|cannot|neither|nor|no)"
        r"|filtering(?: out)?|avoid(?:s|ing)?|skip(?:s|ping)?|ignor(?:e|ing)|exclud(?:e|ing)|except"
        r"|re ?entr?(?:y|ies|ers?"
        r"|ering) (?:on|when|if|after|long|short)"
        r"|scal(?:e|es|ing) (?:in|out)|pyramid(?:s|ing)?",
    ),
    (
        "ENTER",
        "",
        r"(?:entr(?:y|ies)|enter(?:s|ed|ing)?|initiat(?:es?|ing)|open(?:s|ing)? (?:a )?(?:positions?"
        r"|trades?)|go(?:es|ing)?(?= (?:long|short))|filtered by"
        r"|filters?|only if|only when|provided|trades? when)",
    ),
    (
        "EXIT",
        "",
        r"(?:exit(?:s|ed|ing)?(?! high| low\b)|clos(?:e|es|ing) (?:out )?(?:the |all |any )?(?:positions?"
        r"|trades?|longs?|shorts?|out)|cover(?:s|ed|ing)?(?: (?:the |all |my )?shorts?)?|liquidate (?:when|at)"
        r"|get out)"
        r"(?: (?:positions?|trades?|longs?|the position)){0,4}",
    ),
    (
        "DIRECTION",
        "both",
        r"(?:longs?(?: |/| ?or | ?and | ?& ?)(?:and )?shorts?(?: positions?| trades?| entries)?|short(?:/"
        r"| or )long"
        r"|both (?:directions|ways|sides)|symmetrical(?:ly)?|(?:and )?vice versa|opposite for shorts?"
        r"|mirror(?:ed)?(?: (?:rules|logic))?|reverse for shorts?|either direction)",
    ),
    (
        "DIRECTION",
        "long",
        r"(?:go(?:es|ing)? |be |stay )?(?:longs?(?: positions?| trades?| entries| only)?|buy(?:s"
        r"|ing)?(?: signals?)?)",
    ),
    (
        "DIRECTION",
        "short",
        r"(?:go(?:es|ing)? |be |stay )?(?:shorts?(?: positions?| trades?| entries| only)?|shorting"
        r"|sell(?:ing)? short)",
    ),
    ("SELL", "", r"sell(?:s|ing)?(?: signals?)?"),
    ("COMMA", "", r"[,;|]|\. ?(?= |$)|[.!?:]"),
    ("OPEN", "", r"\("),
    ("CLOSE", "", r"\)"),
    ("OR", "", r"or"),
    ("OF", "", r"of(?: the| its| their| a)?|relative to(?: its)?"),
    ("BY", "", r"by(?: at least)?"),
    (
        "JOIN",
        "",
        r"(?:and|&|while|when(?:ever)?|with|if|during|amid|coinciding|coincides?|alongside|accompanied"
        r"|combined|combining|paired|coupled|concurrent(?:ly)?|simultaneous(?:ly)?"
        r"|where|then|plus|after|followed|but|once|as|provided|upon|paired)(?: (?:by|with|a)){0,4}",
    ),
)
