"""The phrases that are recognised, in order of precedence, as (kind, value, pattern) rows over normalised text."""

from __future__ import annotations

NUMBER = r"\d{1,6}(?:\.\d{1,6})?(?!\.?\d)"
_DAYS = r"(?:day|period|bar|candle|session|trading day|d)s?"
_UNITS = r"(?:trading days?|days?|periods?|bars?|candles?|sessions?|weeks?|months?|years?|d)"
_ATR = r"(?:average true ranges?(?: \(atrs?\))?|atrs?(?: \(average true range\))?)"

Row = tuple[str, str, str]

NUMBERS: tuple[Row, ...] = (
    ("ARGS", "", rf"\(\s?{NUMBER}(?:\s?, ?{NUMBER}){{0,3}}\s?\)"),
    ("ARGS", "", rf"\(\s?\d{{1,5}} ?{_UNITS}?\s?, ?{NUMBER} standard deviations?\s?\)"),
    ("RISK_REWARD", "", rf"{NUMBER} ?(?::|to) ?{NUMBER}(?= (?:risk|reward|profit|r/r|rr\b|rrr))"),
    ("RISK_REWARD", "", rf"(?:risk|reward|profit)[a-z ]{{0,30}}(?:ratio )?(?:of )?{NUMBER} ?: ?{NUMBER}"),
    ("RATIO", "", rf"{NUMBER} ?: ?{NUMBER}"),
    ("FRAME", "", r"\d{1,5} ?(?:hours?|hrs?|minutes?|mins?|h|m)(?= |$|[,.;)])|hourly|intraday|weekly"),
    ("RANGE", "", rf"{NUMBER} to {NUMBER}%?"),
    ("PERIODS", "", rf"\d{{1,5}} ?(?:{_UNITS})? ?(?:and|/|&) ?(?:the |a )?\d{{1,5}} {_UNITS}"),
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
        rf"|of ){{0,4}}(?:\d{{1,5}} {_DAYS} )?{_ATR})(?!\w)",
    ),
    ("TIMES", "", rf"{NUMBER} ?x(?= |$|[,.;)])"),
    ("YEAR", "", r"1 year|one year|52 weeks?|yearly|all time"),
    ("PERIOD", "", rf"\d{{1,5}} ?{_UNITS}(?=\W|$)"),
    ("PERCENT", "", rf"{NUMBER} ?(?:%|percent)"),
    ("NUMBER", "", rf"[+-]?{NUMBER}"),
)

MISSING: tuple[Row, ...] = (
    (
        "MISSING",
        "",
        r"(?:(?:extreme|surging|surge in|negative|positive|perpetual|swap|futures|high|low|clustered"
        r"|impending|nearest"
        r"|concentrated|opposing|hourly|exchange|detected|real time|aggregate|rising|increasing|declining"
        r"|diverging) ){0,4}"
        r"(?:fund(?:ing)? rates?|order ?book(?: (?:imbalances?|depth|delta|heatmaps?|heatmap|liquidation"
        r"|data|analysis)){0,4}"
        r"|liquidations?(?: (?:clusters?|clustering|heatmaps?|levels?|zones?|cascades?|events?|volume|risk"
        r"|data|density"
        r"|candles?|cliffs?|proximity)){0,4}|open interest(?: \w+)?|\boi\b|vix(?: term structure)?|vvix|spx"
        r"|put/call(?: ratios?)?|options?(?: (?:flow|chain|open interest|volume|data)){0,4}|put option"
        r"|gamma(?: exposure)?"
        r"|on chain(?: \w+)?|netflows?|heatmaps?|sentiment|news|headlines?|tweets?|twitter|reddit"
        r"|social media|earnings"
        r"|implied volatility|\biv\b|strike price|straddles?|delta options flow|long/short ratios?"
        r"|taker buy/sell ratio"
        r"|(?:cumulative )?volume delta|cvd|delta volume|tick volume(?: \w+)?|futures basis(?: spread)?"
        r"|basis spread"
        r"|whales?|insider|fundamentals?|p/e|dividends?|term structure|contango|backwardation|leverage data"
        r"|liquidity (?:pools?|gaps?|zones?|pockets?|clusters?|levels?|absorption)|volume profile"
        r"|point of control"
        r"|high volume nodes?|volume nodes?|market depth|bid/ask(?: spread)?|bid ask spread|google trends"
        r"|macroeconomic"
        r"|interest rates?|yield curve|correlat\w+|cointegrat\w+|pairs? trading|arbitrage|statistical arbitrage"
        r"|cross exchange|perpetual swaps?|spot and futures)"
        r"(?: (?:signals?|shifts?|divergence|extremes?|normalization|flips? polarity)){0,4}",
    ),
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
    ("SERIES", "macd_histogram", r"macd histograms?(?: bars?)?"),
    ("SERIES", "macd", r"(?:moving average convergence divergence(?: \(macd\))?|macd)(?: lines?)?"),
    ("SIGNAL_LINE", "", r"signal lines?|%d"),
    ("SERIES", "hma", rf"(?:hull {_MOVING}(?: \(hma\))?|hma)"),
    ("SERIES", "dema", rf"(?:double exponential {_MOVING}|dema)"),
    ("SERIES", "ema", rf"(?:exponential(?: {_MOVING}| average)?(?: \(emas?\))?|emas?)"),
    ("SERIES", "wma", rf"(?:(?:linear )?weighted {_MOVING}(?: \(wma\))?|wmas?)"),
    ("SERIES", "volume_average", rf"(?:volume {_MOVING}|volume sma|average volume|volume average)"),
    ("SERIES", "sma", rf"(?:simple {_MOVING}(?: \(smas?\))?|smas?|{_MOVING})"),
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
        r"(?:price )?rate of change(?: \(roc\))?|roc|(?:price )?returns?(?= (?:is|are|above|below|turns|exceeds|[<>]))"
        r"|price momentum|momentum(?= (?:is|above|below|crosses"
        r"|turns))",
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
    ("SERIES", "atr", _ATR),
    ("SERIES", "choppiness", r"choppiness(?: index)?(?: \(ci\))?|\bci\b"),
    ("SERIES", "supertrend", r"super ?trend(?: indicator| line)?"),
    ("SERIES", "sar", r"parabolic (?:sar|stop and reverse)|psar|\bsar\b"),
    ("SERIES", "kijun", r"kijun(?: sen)?"),
    ("SERIES", "tenkan", r"tenkan(?: sen)?"),
    ("PAIR", "cloud", r"ichimoku(?: (?:cloud|kumo))?|kumo|senkou span(?: [ab])?"),
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
    ("HIGH_LOW", "both", r"highs?(?: |/| or | and )lows?"),
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
        r"(?:the )?(?:closing |stock |asset |market )?prices?(?: action)?|(?:the )?close(?= (?:is|above"
        r"|below|outside|cross|break|touch|fall|rise|drop|reach|move|exceed))",
    ),
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
        "up",
        r"(?:flips?|turns?|turning|goes|crosses|is|becomes) (?:from negative )?(?:to |into )?(?:positive"
        r"|bullish|green)",
    ),
    (
        "TURN",
        "down",
        r"(?:flips?|turns?|turning|goes|crosses|is|becomes) (?:from positive )?(?:to |into )?(?:negative"
        r"|bearish|red)",
    ),
    (
        "COMPARE",
        "up event",
        r"(?:cross(?:es|ed|ing|overs?)?|breaks?|breaking|broke|breakouts?|breach(?:es|ed)?|pierces?|pushes"
        r"|reclaims?)"
        r"(?: back| out| up){0,4} (?:above|over|through|upwards?)|reclaims",
    ),
    (
        "COMPARE",
        "down event",
        r"(?:cross(?:es|ed|ing|overs?)?|breaks?|breaking|broke|breakdowns?|breach(?:es|ed)?|pierces?)"
        r"(?: back| down){0,4} (?:below|under|downwards?|beneath)|break(?:down|s down)",
    ),
    (
        "COMPARE",
        "up",
        r"(?:is |are |was |being |remains? |stays? |trades? |trading |closes? |closing |rises? |rising "
        r"|rose |surges? |surging "
        r"|moves? |climbs? |spikes? |spiking |goes |reading |holds? |expands? |recovers? ){0,4}(?:back )?"
        r"(?:above|over(?! the)|greater than|more than|higher than|>=?|past)(?! \d{1,5} (?:day|bar)s$)",
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
        r"(?:touch(?:es|ed|ing)?|tags?|nears?|approach(?:es)?|retraces? to|retracements? to|pulls? back to"
        r"|retest(?:s)?|tests?)(?: of)?(?: the)?",
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
        r"(?:over bought|overbought)(?: (?:territory|levels?|conditions?|zone|readings?|signals?))?(?!/"
        r"| ?or over)",
    ),
    (
        "LEVEL",
        "both",
        r"(?:oversold ?(?:/|or|and) ?overbought|overbought ?(?:/|or|and) ?oversold)(?: (?:territory"
        r"|levels?|extremes?|conditions?|zones?|readings?|signals?)){0,4}",
    ),
    ("LEVEL", "centre", r"(?:the )?(?:zero(?: line)?|mid level|centre ?line|center ?line|midline)"),
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
    ("EXTREME", "low", r"lows?(?= |$|[,.;)])"),
    ("EXTREME", "high", r"highs?(?= |$|[,.;)])"),
    ("DECILE", "", r"lowest (?:decile|quintile|quartile)"),
    (
        "PERCENTILE_WORD",
        "",
        r"(?:historical |rolling ){0,4}(?:volatility )?percentiles?(?: (?:rank|filter|threshold|thresholds))?",
    ),
    (
        "AVERAGE",
        "",
        r"(?:historical |rolling |recent )?(?:average|averages|mean(?! reversion)|norm)(?: width| level"
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
        r"|accumulating|upslope|turning up|growing)",
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
        r"(?:after|within|hold(?:ing|s)?(?: (?:for|period of))?|for|time (?:stop|exit|limit)(?: (?:of"
        r"|after))?|timeout(?: after)?|maximum (?:of )?)(?= (?:at most |up to "
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
        "",
        r"(?:do not|don'?t|does not|never|not|without|no longer)"
        r"(?: (?:buy|sell|enter|trade|go|short|long|open))?(?: (?:long|short))?"
        r"|filtering(?: out)?|avoid(?:s|ing)?|except(?: when)?|unless|not when|re ?entr?(?:y|ies|ers?"
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
        r"(?:exit(?:s|ed|ing)?(?! high| low)|clos(?:e|es|ing) (?:out )?(?:the |all |any )?(?:positions?"
        r"|trades?|longs?|shorts?|out)|cover(?:s|ing)?(?= (?:when|on|at|the|short))|liquidate (?:when|at)"
        r"|get out)"
        r"(?: (?:positions?|trades?|longs?|the position)){0,4}",
    ),
    (
        "DIRECTION",
        "both",
        r"(?:long(?: |/| or | and )(?:and )?short(?: positions?| trades?| entries)?|short(?:/| or )long"
        r"|both (?:directions|ways|sides)|symmetrical(?:ly)?|(?:and )?vice versa|opposite for shorts?"
        r"|mirrored|reverse for shorts?|either direction)",
    ),
    (
        "DIRECTION",
        "long",
        r"(?:go )?(?:longs?(?: positions?| trades?| entries| only)?|buy(?:s|ing)?(?: signals?)?)",
    ),
    (
        "DIRECTION",
        "short",
        r"(?:go )?(?:shorts?(?: positions?| trades?| entries| only)?|shorting|sell short)",
    ),
    ("SELL", "", r"sell(?:s|ing)?(?: signals?)?"),
    ("COMMA", "", r"[,;]|\. ?(?= |$)|[.!?:]"),
    ("OPEN", "", r"\("),
    ("CLOSE", "", r"\)"),
    ("OR", "", r"or"),
    ("OF", "", r"of(?: the| its| their| a)?|relative to(?: its)?"),
    ("BY", "", r"by(?: at least)?"),
    (
        "JOIN",
        "",
        r"(?:and|while|when(?:ever)?|with|if|during|amid|coinciding|coincides?|alongside|accompanied"
        r"|combined|combining|paired|coupled|concurrent(?:ly)?|simultaneous(?:ly)?"
        r"|where|then|plus|after|followed|but|once|as|provided|upon|paired)(?: (?:by|with|a)){0,4}",
    ),
)

FILLER = frozenset(
    """
    a about above accompanied accumulating action actions activity adjusted advanced again against all also
    an and another any appear appears approach are area areas around as asset assets at available back bar
    bars based basic be bearish been begin begins being below between bitcoin both breakout btc build
    bullish buy by called can candle candles candlestick candlesticks capture captures certain classic
    coinciding combination combine combines combining come compared condition conditions confirm
    confirmation confirmed confirming confirms confluence consider contrarian could counter create crypto
    current currently daily day days define defined defines detect detected develop different direction
    directions do does down driven dynamic dynamically e.g each early eg either else emerging end ending
    ends enter entries entry etc every exceeding execute executed executes exhibits extreme extremes filter
    find first fixed focused follow following follows for forex frequency from futures generate get gets
    given go goes had happen happens has have he her here high higher highs him his historical hit hits
    hitting i i.e idea ideas identified identifies identify identifying ie if implement in indicator
    indicators initial initiates instrument into involving is it its itself just key last level levels like
    line lines long look looking low lower lows make makes market markets may me mean measured method might
    model momentum more most move moves moving much multiple must my named near nearest new next no
    normalized note occur occurs of off on one ones only onto opportunities opportunity or oriented
    oscillator our out over overall own pair particular pattern-based per percentage period periods phase
    phases place placed places play please point points position positions possible potential predefined
    previous prior quality range reach reached reaches reaching reading readings recent relative reversion
    rule rules same search second security see seen sees sell set sets setup setups several sharp sharply
    she short should show showing shown shows signal signals significant significantly simple simultaneous
    so specific stage start starting starts status stock stocks strategic strategies strategy strategy's
    strength strong such sudden surrounding system take takes taking technique term territory test than
    that the their them themselves then there these they this those threshold thresholds through time times
    to together trade trader trades trading trend trending trends trigger triggered triggering triggers
    under underlying up upon upper us use used uses using value values various very via volatility was way
    ways we weighted were what when which while who whose will with within would write you your zone zones
    """.split()  # noqa: SIM905 a list of hundreds of quoted words would be read by nobody
)
"""Words that carry rule: they are neither used nor reported as ignored."""
