"""The names of data that bars do not hold."""

from __future__ import annotations

from models.providers.offline.vocabulary import Row

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
