"""Words of an idea that carry no rule."""

from __future__ import annotations

FILLER = frozenset(
    """
    a about accompanied accumulating action actions activity adjusted advanced again all also always an
    and another any appear appears approach are area areas as asset assets at available away back bar
    bars based basic be bearish been begin begins being bitcoin breakout btc build bullish buy by called
    can candle candles candlestick candlesticks capture captures certain classic coinciding combination
    combine combines combining come compared condition conditions confirm confirmation confirmed
    confirming confirms confluence consider contrarian could counter create crypto current currently
    daily day days define defined defines detect detected develop different direction directions do does
    driven dynamic dynamically e.g each eg else emerging end ending ends enter entries entry etc every
    exceeding execute executed executes exhibits fast faster filter find fixed focused follow following
    follows for forex from fully futures generate get gets given go goes had happen happens has have he
    her here him his historical hit hits hitting i i'd i'll i'm i.e idea ideas identified identifies
    identify identifying ie if implement in indicator indicators initial initiates instrument into
    involving is it it's its itself just key last let lets level levels like line lines long look
    looking make makes making market markets may me mean measured method might model momentum more most
    move moves moving much must my named new normalized note now occur occurs of off on one ones only
    onto opportunities opportunity or oriented oscillator our out over overall own pair particular
    pattern-based per percentage period periods phase phases place placed places play please point
    points position positions possible potential predefined previous prior protect reach reached reaches
    reaching reading readings recent relative require required requires reversion rule rules same search
    security see seen sees sell set sets setup setups she short should show showing shown shows signal
    signals simple simultaneous slow slower so soon specific stage start starting starts status still
    stock stocks strategic strategies strategy strategy's strength such surrounding system take takes
    taking technique term territory test than that that's the their them themselves then there these
    they this those threshold thresholds through time times to today todays together trade trader trades
    trading trend trending trends trigger triggered triggering triggers under underlying upon upper us
    use used uses using value values various very via volatility want was way ways we weighted were what
    when whenever which while who whose will with within would write you your zone zones
    """.split()  # noqa: SIM905 a list of hundreds of quoted words would be read by nobody
)
"""Words that carry rule: they are neither used nor reported as ignored."""
