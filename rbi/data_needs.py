"""Data that bars do not hold: what it is called, and whether a text really needs it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Name -> the words that mean it. Words that mean it only sometimes are not here: to reject an idea that can be tested
# is worse than to pay for one that cannot.
_VOCABULARY: tuple[tuple[str, str], ...] = (
    (
        "order book",
        r"order[ -]?books?|(?:level[ -]?(?:2|ii|two)|l2|nasdaq) (?:data|quotes?|depth|books?|feed|market data)"
        r"|market[ -]depth|depth of (?:the )?market|book depth"
        r"|bid[ /-]+(?:and )?asks? (?:imbalances?|volumes?|ratios?|depth|sizes?|quotes?|data)"
        r"|bid[ /-]+(?:and )?ask spreads? (?:data|is|are|narrows?|widens?|exceeds?|tightens?|above|below)",
    ),
    (
        "order flow",
        r"(?<!bullish )(?<!bearish )(?<!institutional )order[ -]?flow"
        r"|footprint (?:charts?|data|imbalances?)|cumulative (?:volume )?delta|cvd|volume delta"
        r"|(?:positive |negative )?delta (?:volume|divergences?|imbalances?|analysis)|aggressor|taker (?:buy|sell)\w*"
        r"|tick (?:data|imbalances?)|tick[ -]by[ -]tick|time (?:and|&) sales|tape reading|trade[ -]by[ -]trade",
    ),
    (
        "volatility index",
        r"vvix|vix(?! ?(?:fix|style|like|prox))|vxx|uvxy|vxn|vstoxx|dvol|fear index|cboe volatility index",
    ),
    (
        "funding rates",
        r"fund(?:ing)?[ -]rates?|(?:perpetual|positive|negative|extreme) funding(?! rates?)"
        r"|funding (?:fees?|payments?|data)",
    ),
    ("open interest", r"open[ -]interest|(?-i:OI)"),
    (
        "liquidations",
        r"liquidation[ -](?:clusters?|clustering|heat ?maps?|levels?|zones?|cascades?|events?|volumes?|data|density"
        r"|candles?|cliffs?|feeds?|risk|spikes?|pools?|maps?|prices?)|liquidable levels?"
        r"|(?:clustered|forced|mass|short|long) liquidations",
    ),
    (
        "options",
        r"implied vol(?:atility|s)?|iv (?:ranks?|percentiles?|crush|skew)|(?:option|volatility) greeks"
        r"|options? (?:flows?|chains?|open interest|volumes?|data|skew|premiums?|prices?|contracts?|expir\w+|greeks)"
        r"|(?:put|call) options?|put[ /-]+(?:to[ -])?call (?:volume |open interest )?(?:ratios?|skew|volumes?)"
        r"|gamma exposure|gex|dealer gamma|strike prices?|straddles?(?! (?:orders?|stops?))|strangles?"
        r"|iron condors?|covered calls?",
    ),
    (
        "on-chain data",
        r"on[ -]?chain|exchange (?:in|out|net )?flows?|netflows?|exchange reserves"
        r"|whale (?:wallets?|transactions?|activity|alerts?|movements?|accumulation)|mvrv|sopr|nupl|nvt ratio"
        r"|hash ?rate|active addresses|mempool|miner (?:out)?flows?",
    ),
    (
        "sentiment",
        r"(?:social|news|twitter|reddit|investor|tweet|headline)(?:[ -]media)?[ -]sentiment"
        r"|sentiment (?:scores?|analysis|data|index|ind(?:ex|ices)|surveys?|feeds?|readings?)"
        r"|twitter|tweets?|reddit|stocktwits|social media|social volume|google trends|search (?:volume|interest|trends)"
        r"|fear (?:and|&) greed(?: index)?",
    ),
    ("news", r"news|headlines|press releases?"),
    (
        "fundamentals",
        r"earnings (?:announcements?|releases?|reports?|surprises?|dates?|season|calls?|gaps?|news|beats?|misses|growth"
        r"|yields?|per share|data)|(?:before|after|post|pre|positive|negative|strong)[ -]earnings|(?-i:EPS)"
        r"|p/e|price[ -]to[ -](?:earnings|book|sales)|dividends?(?![ -]adjusted)|fundamentals"
        r"|fundamental (?:data|ratios?|metrics|analysis)|balance sheets?|book value"
        r"|free cash flow|revenue (?:growth|data)"
        r"|analyst (?:ratings?|estimates|upgrades|downgrades)|insider (?:buying|selling|trades|transactions)",
    ),
    (
        "economic data",
        r"cpi|nfp|fomc|gdp|pmi|non-?farm payrolls?|unemployment|interest rate (?:decisions?|differentials?|hikes?)"
        r"|economic (?:data|calendars?|releases?|indicators?|events?|surprises?)|macro(?:economic)? (?:data|events?)"
        r"|yield curve|(?:treasury|bond) yields?|fed funds|commitments? of traders|cot (?:data|reports?|index)",
    ),
    (
        "other instruments",
        r"(?<!currency )(?<!forex )(?<!fx )pairs[ -]trading(?! (?:at|above|below|in|near))|co-?integrat\w+"
        r"|(?:correlat\w+|beta|relative strength|spread|ratio) (?:with|to|versus|vs\.?|against|between) (?:the )?"
        r"(?:btc|bitcoin|eth|ethereum|spy|spx|s&p ?500|qqq|nasdaq|gold|dxy|sector|benchmark|another|other|two (?:stocks"
        r"|assets|symbols|instruments|coins))"
        r"|(?:btc|bitcoin|usdt|tether) dominance|(?:market|nyse|nasdaq) breadth|advance[ /-]+decline|mcclellan|trin"
        r"|nyse tick|sector (?:rotation|etfs?|ind(?:ex|ices)|performance|strength)|intermarket|dxy|dollar index"
        r"|statistical arbitrage|stat[ -]arb|(?:cross|inter)[ -]exchange|triangular arbitrage|cross[ -]sectional"
        r"|(?:between|both) spot and (?:futures|perpetual)|futures basis|basis spreads?|cash[ -]and[ -]carry"
        r"|second (?:symbol|instrument)",
    ),
    ("futures curve", r"term structure|contango|backwardation"),
    ("positioning", r"long[ /-]+short ratios?|short interest|days to cover|short float|dark[ -]pools?"),
)
# Words that only look like data that is missing.
_LOOK_ALIKES = re.compile(
    r"\b(?:(?:williams |cm )*vix ?fix|synthetic vix|liquidation of (?:the |any |all )?(?:positions?|trades?|holdings)"
    r"|(?:good|bad|old) news|order blocks?|news ?bars?)\b",
    re.IGNORECASE,
)
# A part of a text that says so does without what it names.
_DEALT_WITH = re.compile(
    r"\b(?:optional\w*|if (?:it is |they are )?available|nice to have|ignor\w+|omit\w*|(?:is|are|was|were) dropped"
    r"|left out|leav(?:e|es|ing) out|exclud\w+|disregard\w*|prox(?:y|ies)|approximat\w+|approx"
    r"|simulat\w+|synthetic|stand-?in|substitut\w+|replac\w+|instead of|in place of|in lieu of|rather than"
    r"|(?:detect|identif|estimat|infer|deriv|measur|defin|comput|calculat)\w*\b[^,]{0,40}?"
    r" (?:from|via|by|with|using|through)"
    r" (?:the )?(?:bars|ohlcv?|price|volume|high[ -]volume|wicks?|candles?|swings?|pivots?)"
    r"|no|not|never|nor|without|isn't|aren't|don't|doesn't|can't|cannot|unnecessary|un(?:used|needed)"
    r"|avoid\w*|skip\w*|unless|except|filter out|stay out"
    r"|stand aside|other than)\b",
    re.IGNORECASE,
)
_UNAVAILABLE = re.compile(
    r"\b(?:not (?:available|provided|included|part of|contained|accessible|obtainable|here|in)|unavailable"
    r"|cannot be (?:had|obtained)|lack\w*|missing)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\b(?:when\w*|if|while|once|during|after|until|trigger\w*|confirm\w*|signal\w*|us(?:e|es|ing)|based on|combin\w+"
    r"|identif\w+|detect\w+|exceed\w*|cross\w*|above|below|spikes?|surg\w+|extremes?|highest|lowest|diverg\w+|coincid\w+)\b",
    re.IGNORECASE,
)
# In a list of data, a word alone means the data; in a rule it may be a manner of speaking.
_LISTED = (
    ("sentiment", re.compile(r"(?:\w+ ){0,2}sentiment(?: indicators?| gauges?| readings?)?", re.IGNORECASE)),
)
# How rules speak of data without its name.
_SPOKEN_OF = {
    "order book": r"bids?|asks?|imbalances?",
    "order flow": r"delta|aggress\w+|footprint",
    "options": r"puts?|calls?|(?:put|call)\W+(?:put|call)",
    "sentiment": r"sentiment|tweets?|greed|bullishness",
    "volatility index": r"vix",
}
# Words in the names of data that rules use for other things, too.
_COMMON_WORDS = frozenset(
    (
        *(
            "order",
            "open",
            "data",
            "index",
            "volume",
            "rate",
            "rates",
            "other",
            "ratio",
            "ratios",
            "flow",
            "market",
        ),
        *(
            "level",
            "levels",
            "price",
            "prices",
            "with",
            "between",
            "short",
            "long",
            "and",
            "analysis",
            "events",
            "depth",
        ),
    )
)
_AIM = re.compile(r"\btargeting\b[^,;.]*", re.IGNORECASE)
_CLAUSE_END = re.compile(r"[.;!?](?=\s|$)|\n|,?\s\b(?:but|however|although|though)\b|(?<=\)),")


@dataclass(frozen=True, slots=True)
class DataNeed:
    """Data that is not here: what it is, and the words of the text that ask for it."""

    name: str
    words: str

    @property
    def cause(self) -> str:
        """The stable name of the failure to have it."""
        return re.sub(r"\W+", "_", self.name)


_PATTERNS = tuple(
    (name, re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)) for name, words in _VOCABULARY
)


def needs_in(text: str, columns: Sequence[str]) -> tuple[DataNeed, ...]:
    """The data that a text names and that no column holds, in the order of the text, each once."""
    bare = _LOOK_ALIKES.sub(lambda match: " " * len(match[0]), text)
    held = " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", column) for column in columns)
    found = [
        (match.start(), DataNeed(name, match[0]))
        for name, pattern in _PATTERNS
        if (match := pattern.search(bare)) and not pattern.search(held)
    ]
    return tuple(need for _, need in sorted(found, key=lambda place: place[0]))


def needed(texts: Iterable[str], columns: Sequence[str]) -> tuple[DataNeed, ...]:
    """What the texts need, leaving out the clauses that say that they do without."""
    clauses = (clause for clause in _clauses(texts) if not _DEALT_WITH.search(clause))
    return _distinct(clauses, columns)


def listed(items: Iterable[str], columns: Sequence[str]) -> tuple[DataNeed, ...]:
    """What the items of a list of data need: what they name, and words that are data where they stand alone."""
    alone = [
        DataNeed(name, item.strip(" -*.;"))
        for item in items
        for name, pattern in _LISTED
        if pattern.fullmatch(item.strip(" -*.;")) and not _DEALT_WITH.search(item)
    ]
    return tuple({need.name: need for need in (*needed(items, columns), *alone)}.values())


def dealt_with(texts: Iterable[str], columns: Sequence[str]) -> tuple[DataNeed, ...]:
    """What the texts name and do without: optional, left out, or replaced by something that bars hold."""
    clauses = (c for c in _clauses(texts) if _DEALT_WITH.search(_UNAVAILABLE.sub(" ", c)))
    return _distinct(clauses, columns)


def unavailable(texts: Iterable[str], columns: Sequence[str]) -> tuple[DataNeed, ...]:
    """What the texts name and say cannot be had."""
    return _distinct((clause for clause in _clauses(texts) if _UNAVAILABLE.search(clause)), columns)


def speaks_of(text: str, need: DataNeed) -> bool:
    """Whether a text uses a word that stands for the need: *sentiment* where *news sentiment* is needed."""
    words = set(re.findall(r"[a-z]{3,}", f"{need.name} {need.words}".lower())) - _COMMON_WORDS
    words |= {_SPOKEN_OF[need.name]} if need.name in _SPOKEN_OF else set()
    return any(re.search(rf"\b(?:{word})\b", text, re.IGNORECASE) for word in words)


def conditions(text: str, columns: Sequence[str]) -> tuple[DataNeed, ...]:
    """What a text makes a condition of: the words of somebody who wrote no rules."""
    # What a trade may reach is no condition of it.
    bare = _AIM.sub(" ", text)
    clauses = (c for c in _clauses((bare,)) if _CONDITION.search(c) and not _DEALT_WITH.search(c))
    return _distinct(clauses, columns)


def _clauses(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        yield from (clause for clause in _CLAUSE_END.split(text) if clause.strip())


def _distinct(clauses: Iterable[str], columns: Sequence[str]) -> tuple[DataNeed, ...]:
    found: dict[str, DataNeed] = {}
    for clause in clauses:
        for need in needs_in(clause, columns):
            found.setdefault(need.name, need)
    return tuple(found.values())
