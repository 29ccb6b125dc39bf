# ruff: noqa: E501  an idea stands on one line, as its author wrote it
"""Exact readings: each idea with the rules that its text states, in the writer's own words."""

from __future__ import annotations

import pytest

from models.providers.offline.describe import entries_in_words, exits_in_words, risk_in_words
from models.providers.offline.rules import Coverage
from models.providers.offline.understand import understand

READINGS = [
    (
        "RSI(2)<10 long, exit >60, SL 3%",
        ["Long when RSI (2) below 10"],
        ["Long ends when RSI (2) above 60", "Stop: 3%"],
    ),
    (
        "Long: RSI(14) crosses up through 30. Exit: RSI(14) > 55. Stop: 2 ATR below entry.",
        ["Long when RSI (14) crosses above 30"],
        ["Long ends when RSI (14) above 55", "Stop: 2 x ATR (14)"],
    ),
    (
        "Buy if Williams %R(14) < -90, exit when > -20; no trades when ADX(14)>40",
        ["Long when Williams %R (14) below -90 and ADX (14) below 40"],
        ["Long ends when Williams %R (14) above -20"],
    ),
    (
        "MACD crosses above zero -> buy; crosses below zero -> sell",
        ["Long when MACD line (12, 26) crosses above 0"],
        ["Long ends when MACD line (12, 26) crosses below 0"],
    ),
    (
        "Keltner channel (20, 2 ATR) breakout both directions with trailing stop of 3%",
        [
            "Long when close crosses above upper Keltner line (20, 2)",
            "Short when close crosses below lower Keltner line (20, 2)",
        ],
        ["Trailing stop: 3%"],
    ),
    (
        "Stochastic %K crosses above %D below 20 -> long; crosses below %D above 80 -> short",
        [
            "Long when stochastic %K (14, 3) crosses above average (3) of stochastic %K (14, 3) and stochastic %K (14, 3) below 20",
            "Short when stochastic %K (14, 3) crosses below average (3) of stochastic %K (14, 3) and stochastic %K (14, 3) above 80",
        ],
        ["The opposite entry closes the position and opens the other"],
    ),
    (
        "buy when 12-month ROC is positive, hold for a month",
        ["Long when rate of change (252) above 0"],
        ["The position is closed after 21 bars"],
    ),
    (
        "buy after 3 consecutive down days and sell after 5 days",
        ["Long when 3 lower closes in a row"],
        ["The position is closed after 5 bars"],
    ),
    (
        "Buy after three lower closes in a row, exit at the 5-day SMA",
        ["Long when 3 lower closes in a row"],
        ["Long ends when close crosses SMA (5)"],
    ),
    (
        "EMA9/EMA21 cross, long and short, stop 1.5%",
        ["Long when EMA (9) crosses above EMA (21)", "Short when EMA (9) crosses below EMA (21)"],
        ["The opposite entry closes the position and opens the other", "Stop: 1.5%"],
    ),
    (
        "MACD 8/21/5 bullish cross above 200 EMA, SL 2%, TP 4%",
        ["Long when MACD line (8, 21) crosses above MACD signal line (8, 21, 5) and close above EMA (200)"],
        ["Stop: 2%", "Target: 4%"],
    ),
    (
        "KC(20,1.5) breakout long, exit at the middle line",
        ["Long when close crosses above upper Keltner line (20, 1.5)"],
        ["Long ends when close crosses middle Keltner line (20)"],
    ),
    (
        "I'd like to buy whenever price reclaims the 50-day moving average and sell when it loses it.",
        ["Long when close crosses above SMA (50)"],
        ["Long ends when close crosses below SMA (50)"],
    ),
    (
        "When the close pierces the upper Bollinger Band (20,2.5), go short; cover at the middle band.",
        ["Short when close crosses above upper Bollinger Band (20, 2.5)"],
        ["Short ends when close crosses middle Bollinger Band (20)"],
    ),
    (
        "Price tags the lower keltner band (20, 2) while RSI(3) is under 15 -> long. Out at the midline.",
        ["Long when low below lower Keltner line (20, 2) and RSI (3) below 15"],
        ["Long ends when close crosses middle Keltner line (20)"],
    ),
    (
        "Go long when price rips above the 55-day high. Exit on a new 20-day low.",
        ["Long when close crosses above the highest high of the 55 bars before"],
        ["Long ends when low below the lowest low of the 20 bars before"],
    ),
    (
        "Buy new 52-week highs, trail by 2.5 x ATR(10)",
        ["Long when close above the highest high of the 252 bars before"],
        ["Trailing stop: 2.5 x ATR (10)"],
    ),
    (
        "Buy the highest close in 20 bars, exit at the lowest close in 10 bars",
        ["Long when close above the highest close of the 20 bars before"],
        ["Long ends when close below the lowest close of the 10 bars before"],
    ),
    (
        "MACD histogram flips positive: long. Flips negative: exit.",
        ["Long when MACD histogram (12, 26, 9) crosses above 0"],
        ["Long ends when MACD histogram (12, 26, 9) crosses below 0"],
    ),
    (
        "MACD histogram turns up while below zero - buy; stop loss 5%",
        [
            "Long when change (1) of MACD histogram (12, 26, 9) crosses above 0 and MACD histogram (12, 26, 9) below 0"
        ],
        ["The position is closed after 20 bars", "Stop: 5%"],
    ),
    (
        "Buy when the 10-day ROC flips positive, flat when it goes below zero",
        ["Long when rate of change (10) crosses above 0"],
        ["Long ends when rate of change (10) below 0"],
    ),
    (
        "Go long if CCI(20) > 100, flat below 0",
        ["Long when CCI (20) above 100"],
        ["Long ends when CCI (20) below 0"],
    ),
    (
        "CCI(14) crosses up through -100 long, exit at +100. Mirror for shorts.",
        ["Long when CCI (14) crosses above -100", "Short when CCI (14) crosses below 100"],
        ["Long ends when CCI (14) crosses 100", "Short ends when CCI (14) crosses -100"],
    ),
    (
        "Buy stochastic(14,3,3) oversold cross: %K crosses over %D under 20, exit above 80",
        [
            "Long when stochastic %K (14, 3) below 20 and stochastic %K (14, 3) crosses above average (3) of stochastic %K (14, 3)"
        ],
        ["Long ends when stochastic %K (14, 3) above 80"],
    ),
    (
        "WillR(14) under -80 buy, over -20 sell",
        ["Long when Williams %R (14) below -80"],
        ["Long ends when Williams %R (14) above -20"],
    ),
    (
        "Williams %R (10) crosses above -80 -> long, crosses below -20 -> short",
        ["Long when Williams %R (10) crosses above -80", "Short when Williams %R (10) crosses below -20"],
        ["The opposite entry closes the position and opens the other"],
    ),
    (
        "Risk 1 ATR, target 3 ATR; enter long when EMA(20) crosses above EMA(50)",
        ["Long when EMA (20) crosses above EMA (50)"],
        ["Stop: 1 x ATR (14)", "Target: 3 x ATR (14)"],
    ),
    (
        "Short-term average (10) above long-term average (40): long. Below: short.",
        ["Long when SMA (10) above SMA (40)", "Short when SMA (10) below SMA (40)"],
        ["The opposite entry closes the position and opens the other"],
    ),
    (
        "Buy close above upper Donchian(20); exit at lower Donchian(10); no shorts",
        ["Long when close above the highest high of the 20 bars before"],
        ["Long ends when low below the lowest low of the 10 bars before"],
    ),
    (
        "Buy 20-day high breakouts when volume is more than twice the 50-day average volume; exit on close below the 10-day EMA",
        [
            "Long when close above the highest high of the 20 bars before and volume above 2 x average (50) of volume"
        ],
        ["Long ends when close below EMA (10)"],
    ),
    (
        "Long when SMA(20) > SMA(50), not when ADX is under 20",
        ["Long when SMA (20) above SMA (50) and ADX (14) above 20"],
        ["The position is closed after 20 bars"],
    ),
    (
        "Buy when RSI(2) is below 5 unless price is below the 200-day SMA; exit when RSI(2) > 70",
        ["Long when RSI (2) below 5 and close above SMA (200)"],
        ["Long ends when RSI (2) above 70"],
    ),
    (
        "Avoid trades when ADX(14) < 20. Long when EMA 20 crosses over EMA 50, exit on the reverse cross.",
        ["Long when ADX (14) above 20 and EMA (20) crosses above EMA (50)"],
        ["Long ends when EMA (20) crosses below EMA (50)"],
    ),
    (
        "Skip if volume is below its 20-day average. Buy when price closes above the 20-day high, sell below the 10-day low.",
        [
            "Long when volume above average (20) of volume and close above the highest high of the 20 bars before"
        ],
        ["Long ends when close below the lowest low of the 10 bars before"],
    ),
    (
        "Long if price > 200 SMA and RSI(5) < 30. Exit when RSI(5) > 50 or after 7 bars, whichever comes first.",
        ["Long when close above SMA (200) and RSI (5) below 30"],
        ["Long ends when RSI (5) above 50", "The position is closed after 7 bars"],
    ),
    (
        "Price closes 3% below the 10-day SMA -> buy; sell when price gets back above the SMA",
        ["Long when close below 0.97 x SMA (10)"],
        ["Long ends when close above SMA (10)"],
    ),
    (
        "Buy when bandwidth is at a 120-day low and price breaks the upper band; stop at lower band",
        [
            "Long when Bollinger Band width (%) (20, 2) below the lowest of the 120 bars before within the last 5 bars and close crosses above upper Bollinger Band (20, 2)"
        ],
        ["Long ends when low below lower Bollinger Band (20, 2)"],
    ),
    (
        "Short the upper Bollinger band, cover at the lower one",
        ["Short when high above upper Bollinger Band (20, 2)"],
        ["Short ends when low below lower Bollinger Band (20, 2)"],
    ),
    (
        "Go long when RSI crosses 50 from below, exit when RSI crosses 50 from above",
        ["Long when RSI (14) crosses above 50"],
        ["Long ends when RSI (14) crosses below 50"],
    ),
    (
        "Buy when RSI(14) is between 40 and 50 and price is above the 200-day SMA, exit when RSI > 65",
        ["Long when RSI (14) above 40 and RSI (14) below 50 and close above SMA (200)"],
        ["Long ends when RSI (14) above 65"],
    ),
    (
        "Entry - close crosses above VWAP; exit - close crosses below VWAP; stop - 1%",
        ["Long when close crosses above rolling VWAP (20)"],
        ["Long ends when close crosses below rolling VWAP (20)", "Stop: 1%"],
    ),
    (
        "Buy: SMA10 crosses SMA30 upward. Sell: SMA10 crosses SMA30 downward. Stop-loss: 4%. Take-profit: 12%.",
        ["Long when SMA (10) crosses above SMA (30)"],
        ["Long ends when SMA (10) crosses below SMA (30)", "Stop: 4%", "Target: 12%"],
    ),
    (
        "Buy the golden cross (50/200 SMA), get out on the death cross or if price falls 10% from its peak",
        ["Long when SMA (50) crosses above SMA (200)"],
        ["Long ends when SMA (50) crosses below SMA (200)", "Trailing stop: 10%"],
    ),
    (
        "Long when 5-day EMA > 20-day EMA > 50-day EMA, exit when the 5-day drops under the 20-day",
        ["Long when EMA (5) above EMA (20) and EMA (20) above EMA (50)"],
        ["Long ends when EMA (5) crosses below EMA (20)"],
    ),
    (
        "buy when price crosses above sma 20, but only if sma 50 is rising",
        ["Long when close crosses above SMA (20) and change (1) of SMA (50) above 0"],
        ["The position is closed after 20 bars"],
    ),
    (
        "Don't go long below the 200-day SMA; buy RSI(2) under 5, sell RSI(2) over 95",
        ["Long when close above SMA (200) and RSI (2) below 5"],
        ["Long ends when RSI (2) above 95"],
    ),
    (
        "Sell short after five consecutive higher closes above the 200-day SMA; cover below the 5-day SMA",
        ["Short when 5 higher closes in a row and close above SMA (200)"],
        ["Short ends when close below SMA (5)"],
    ),
    (
        "Buy when the 20-day SMA is above the 100-day SMA and price pulls back to the 20-day SMA; 2 ATR stop, 4 ATR target",
        ["Long when SMA (20) above SMA (100) and low below SMA (20)"],
        ["Stop: 2 x ATR (14)", "Target: 4 x ATR (14)"],
    ),
    (
        "Go long when Aroon up(25) > 70 and Aroon down < 30; exit when Aroon down > Aroon up",
        ["Long when Aroon up (25) above 70 and Aroon down (25) below 30"],
        ["Long ends when Aroon down (25) above Aroon up (25)"],
    ),
    (
        "Buy if the close rises 2 ATR above the 20-day EMA, exit when it closes below the EMA",
        ["Long when close above 2 x ATR (14) above EMA (20)"],
        ["Long ends when close below EMA (20)"],
    ),
    (
        "Short when price stretches more than 2.5 ATRs above its 20-day moving average; cover at the moving average",
        ["Short when close above 2.5 x ATR (14) above SMA (20)"],
        ["Short ends when close crosses SMA (20)"],
    ),
    (
        "HMA(55) slope positive: long; slope negative: short",
        ["Long when change (1) of HMA (55) above 0", "Short when change (1) of HMA (55) below 0"],
        ["The opposite entry closes the position and opens the other"],
    ),
    (
        "50 DMA > 200 DMA and price > 50 DMA: long; otherwise flat",
        ["Long when SMA (50) above SMA (200) and close above SMA (50)"],
        ["Long ends when SMA (50) below SMA (200)", "Long ends when close below SMA (50)"],
    ),
    (
        "Mean reversion: z-score of close vs 20-day mean below -2 -> long; exit at z = 0",
        ["Long when z-score of the close (20) below -2"],
        ["Long ends when z-score of the close (20) crosses 0"],
    ),
    (
        "Buy if price is 2 standard deviations below its 20-day mean, exit at the mean",
        ["Long when close below lower Bollinger Band (20, 2)"],
        ["Long ends when close crosses middle Bollinger Band (20)"],
    ),
    (
        "Cover shorts at RSI 30; enter shorts at RSI(14) above 70 while under SMA(200)",
        ["Short when RSI (14) above 70 and close below SMA (200)"],
        ["Short ends when RSI (14) crosses 30"],
    ),
    (
        "Enter Long When RSI(7) <= 25 & Close >= SMA(200); Exit When RSI(7) >= 60; StopLoss 5%",
        ["Long when RSI (7) below 25 and close above SMA (200)"],
        ["Long ends when RSI (7) above 60", "Stop: 5%"],
    ),
    (
        "buy: rsi(14) x> 30, sell: rsi(14) x< 70",
        ["Long when RSI (14) crosses above 30"],
        ["Long ends when RSI (14) crosses below 70"],
    ),
    (
        "long: close > donchian_high(20) ; exit: close < donchian_low(10) ; sl: 2*atr(20)",
        ["Long when close above the highest high of the 20 bars before"],
        ["Long ends when close below the lowest low of the 10 bars before", "Stop: 2 x ATR (20)"],
    ),
    (
        "ema(10) > ema(30) => long | ema(10) < ema(30) => short",
        ["Long when EMA (10) above EMA (30)", "Short when EMA (10) below EMA (30)"],
        ["The opposite entry closes the position and opens the other"],
    ),
    (
        "RSI 14 oversold at 20, overbought at 80, long and short",
        ["Long when RSI (14) below 20", "Short when RSI (14) above 80"],
        ["The opposite entry closes the position and opens the other"],
    ),
    (
        "Buy when MACD(5,35,5) crosses up, sell when it crosses down, both directions, no stop",
        [
            "Long when MACD line (5, 35) crosses above MACD signal line (5, 35, 5)",
            "Short when MACD line (5, 35) crosses below MACD signal line (5, 35, 5)",
        ],
        ["The opposite entry closes the position and opens the other"],
    ),
    (
        "A simple strategy: hold when price above 200 day average; otherwise cash",
        ["Long when close above SMA (200)"],
        ["Long ends when close below SMA (200)"],
    ),
    (
        "Price crossing the 21 EMA from above => short, from below => long",
        ["Long when close crosses above EMA (21)", "Short when close crosses below EMA (21)"],
        ["The opposite entry closes the position and opens the other"],
    ),
    (
        "no entry if RSI > 70. long when close breaks out above 30-day high; exit when close breaks below 15-day low",
        ["Long when RSI (14) below 70 and close crosses above the highest high of the 30 bars before"],
        ["Long ends when close crosses below the lowest low of the 15 bars before"],
    ),
    (
        "When 8 EMA is above 34 EMA and MACD is above its signal, long. Exit on either failing.",
        ["Long when EMA (8) above EMA (34) and MACD line (12, 26) above MACD signal line (12, 26, 9)"],
        [
            "Long ends when EMA (8) below EMA (34)",
            "Long ends when MACD line (12, 26) below MACD signal line (12, 26, 9)",
        ],
    ),
    (
        "I want to go long when the price of the stock crosses its 100-day simple moving average to the upside, and I close the position when it crosses to the downside.",
        ["Long when close crosses above SMA (100)"],
        ["Long ends when close crosses below SMA (100)"],
    ),
    (
        "If the 14-day RSI falls below 30 then buy; once it climbs back over 50, sell. Protect with a 7% stop.",
        ["Long when RSI (14) crosses below 30"],
        ["Long ends when RSI (14) crosses above 50", "Stop: 7%"],
    ),
    (
        "Stochastic(5,3,3): buy when %K crosses above %D and both are below 20; sell when %K crosses below %D and both are above 80.",
        [
            "Long when stochastic %K (5, 3) crosses above average (3) of stochastic %K (5, 3) and stochastic %K (5, 3) below 20"
        ],
        [
            "Long ends when stochastic %K (5, 3) crosses below average (3) of stochastic %K (5, 3) and stochastic %K (5, 3) above 80"
        ],
    ),
    (
        "When MACD (12, 26, 9) histogram becomes positive and the close is over the 200 EMA go long. Close when the histogram becomes negative.",
        ["Long when MACD histogram (12, 26, 9) crosses above 0 and close above EMA (200)"],
        ["Long ends when MACD histogram (12, 26, 9) crosses below 0"],
    ),
    (
        "Long when 12-day EMA crosses 26-day EMA from below and volume is at least 1.2 times the 20-day average.",
        ["Long when EMA (12) crosses above EMA (26) and volume above 1.2 x average (20) of volume"],
        ["The position is closed after 20 bars"],
    ),
    (
        "Buy on a 3-day losing streak above the 200-day moving average. Sell after the first up close.",
        ["Long when 3 lower closes in a row and close above SMA (200)"],
        ["Long ends when 1 higher closes in a row"],
    ),
    (
        "Buy if close > SMA(20) + 2 standard deviations, exit if close < SMA(20)",
        ["Long when close above upper Bollinger Band (20, 2)"],
        ["Long ends when close below SMA (20)"],
    ),
    (
        "Buy breakouts above the Donchian channel (55) and exit at the opposite 20-period channel.",
        ["Long when close crosses above the highest high of the 55 bars before"],
        ["Long ends when low below the lowest low of the 20 bars before"],
    ),
    (
        "Donchian reversal: buy at the lower 20-day channel, sell at the upper channel.",
        ["Long when low below the lowest low of the 20 bars before"],
        ["Long ends when high above the highest high of the 20 bars before"],
    ),
    (
        "Long when close > 1.02 * SMA(50), exit when close < SMA(50)",
        ["Long when close above 1.02 x SMA (50)"],
        ["Long ends when close below SMA (50)"],
    ),
    (
        "Buy if price gains 5% in 10 days, sell if it loses 5% in 10 days",
        ["Long when rate of change (10) above 5"],
        ["Long ends when rate of change (10) below -5"],
    ),
    (
        "Buy when price crosses above SMA(50) but not if volume is below average",
        ["Long when close crosses above SMA (50) and volume above average (20) of volume"],
        ["The position is closed after 20 bars"],
    ),
    (
        "Go long on MACD crossover, except when price is below 200 SMA or ADX is below 20",
        [
            "Long when MACD line (12, 26) crosses above MACD signal line (12, 26, 9) and close above SMA (200) and ADX (14) above 20"
        ],
        ["The position is closed after 20 bars"],
    ),
    (
        "SHORT when 9EMA crosses below 21EMA, EXIT when 9EMA crosses above 21EMA, SL=1.5ATR, TP=3ATR",
        ["Short when EMA (9) crosses below EMA (21)"],
        ["Short ends when EMA (9) crosses above EMA (21)", "Stop: 1.5 x ATR (14)", "Target: 3 x ATR (14)"],
    ),
    (
        "stoch K<20 & K crosses D up => long, K>80 => flat",
        [
            "Long when stochastic %K (14, 3) below 20 and stochastic %K (14, 3) crosses above average (3) of stochastic %K (14, 3)"
        ],
        ["Long ends when stochastic %K (14, 3) above 80"],
    ),
    (
        "bbands(20,2) lower touch + RSI(14)<30 => long; tp = bb mid; sl = 3%",
        ["Long when low below lower Bollinger Band (20, 2) and RSI (14) below 30"],
        ["Long ends when close crosses middle Bollinger Band (20)", "Stop: 3%"],
    ),
    (
        "Fast EMA 8, slow EMA 34: go long when fast crosses above slow; go short when fast crosses below slow",
        ["Long when EMA (8) crosses above EMA (34)", "Short when EMA (8) crosses below EMA (34)"],
        ["The opposite entry closes the position and opens the other"],
    ),
    (
        "Go long after RSI(14) has been below 30 and then crosses above 30. Exit at RSI(14) 60 or after 20 days.",
        ["Long when RSI (14) crosses above 30"],
        ["Long ends when RSI (14) crosses 60", "The position is closed after 20 bars"],
    ),
    (
        "If the stochastic crosses up from oversold go long, exit in overbought",
        ["Long when stochastic %K (14, 3) crosses above 20"],
        ["Long ends when stochastic %K (14, 3) above 80"],
    ),
    (
        "Long if 3-month momentum > 0 and 1-month momentum < 0; exit after one month",
        ["Long when rate of change (63) above 0 and rate of change (21) below 0"],
        ["The position is closed after 21 bars"],
    ),
    (
        "Enter when the 20-day volatility is below its 100-day average and price breaks the 20-day high",
        [
            "Long when historical volatility (% a bar) (20) below average (100) of historical volatility (% a bar) (20) and close crosses above the highest high of the 20 bars before"
        ],
        ["The position is closed after 20 bars"],
    ),
    (
        "Don't trade if ADX(14) < 20. Don't trade if volume < 20-day average. Buy MACD bullish crossover, sell on bearish crossover.",
        [
            "Long when ADX (14) above 20 and volume above average (20) of volume and MACD line (12, 26) crosses above MACD signal line (12, 26, 9)"
        ],
        ["Long ends when MACD line (12, 26) crosses below MACD signal line (12, 26, 9)"],
    ),
    (
        "Long when RSI(14) < 30; do not hold longer than 10 days",
        ["Long when RSI (14) below 30"],
        ["The position is closed after 10 bars"],
    ),
    (
        "Avoid long trades below the 200 EMA. Avoid short trades above the 200 EMA. EMA 9/21 crossover both directions.",
        [
            "Long when close above EMA (200) and EMA (9) crosses above EMA (21)",
            "Short when close below EMA (200) and EMA (9) crosses below EMA (21)",
        ],
        ["The opposite entry closes the position and opens the other"],
    ),
    (
        "Buy when RSI(14) hits 30, sell when RSI(14) hits 70",
        ["Long when RSI (14) crosses 30"],
        ["Long ends when RSI (14) crosses 70"],
    ),
    (
        "Long on RSI 30 cross up, short on RSI 70 cross down, 2% stop",
        ["Long when RSI (14) crosses above 30", "Short when RSI (14) crosses below 70"],
        ["The opposite entry closes the position and opens the other", "Stop: 2%"],
    ),
    (
        "Long when RSI(14) exits oversold; exit when RSI(14) enters overbought",
        ["Long when RSI (14) crosses above 30"],
        ["Long ends when RSI (14) above 70"],
    ),
    (
        "Fade moves outside Bollinger (20, 2.5): short above upper, long below lower, exit at the middle",
        [
            "Long when close below lower Bollinger Band (20, 2.5)",
            "Short when close above upper Bollinger Band (20, 2.5)",
        ],
        [
            "Long ends when close crosses middle Bollinger Band (20)",
            "Short ends when close crosses middle Bollinger Band (20)",
        ],
    ),
    (
        "EMA9/EMA21 cross long only, ATR stop 1.5",
        ["Long when EMA (9) crosses above EMA (21)"],
        ["The position is closed after 20 bars", "Stop: 1.5 x ATR (14)"],
    ),
    (
        "52-week high breakout, trailing 10% stop",
        ["Long when close above the highest high of the 252 bars before"],
        ["Trailing stop: 10%"],
    ),
    (
        "Donchian 20 reversal: buy when price makes a new 20-day low, sell when it makes a new 20-day high",
        ["Long when close below the lowest low of the 20 bars before"],
        ["Long ends when high above the highest high of the 20 bars before"],
    ),
    (
        "Fade 20-day breakouts: short a close above the 20-day high, buy a close under the 20-day low, stop 2 ATR",
        [
            "Long when close below the lowest low of the 20 bars before",
            "Short when close above the highest high of the 20 bars before",
        ],
        ["The opposite entry closes the position and opens the other", "Stop: 2 x ATR (14)"],
    ),
    (
        "Go against the move when price closes outside the Keltner Channel, take profit at the middle line",
        [
            "Long when close below lower Keltner line (20, 2)",
            "Short when close above upper Keltner line (20, 2)",
        ],
        [
            "Long ends when close crosses middle Keltner line (20)",
            "Short ends when close crosses middle Keltner line (20)",
        ],
    ),
    (
        "CCI(20) drops below -100 then recovers above it: buy. Exit at +100",
        ["Long when CCI (20) crosses above -100"],
        ["Long ends when CCI (20) crosses 100"],
    ),
    (
        "mean revert: rsi14 under 25 go long, over 75 go short, flat at 50",
        ["Long when RSI (14) below 25", "Short when RSI (14) above 75"],
        ["Long ends when RSI (14) crosses 50", "Short ends when RSI (14) crosses 50"],
    ),
    (
        "Enter long when price breaks above Donchian(40), trail with Donchian(10) low",
        ["Long when close crosses above the highest high of the 40 bars before"],
        ["Long ends when low below the lowest low of the 10 bars before"],
    ),
    (
        "Short on break of the 55-day low; cover on 20-day high; stop 2N",
        ["Short when close crosses below the lowest low of the 55 bars before"],
        ["Short ends when high above the highest high of the 20 bars before", "Stop: 2 x ATR (14)"],
    ),
    (
        "fade the 10-day high: short new 10-day highs, cover after 5 bars, stop 3%",
        ["Short when close above the highest high of the 10 bars before"],
        ["The position is closed after 5 bars", "Stop: 3%"],
    ),
    (
        "trade MACD cross in direction of 200 EMA only, stop 2 ATR, target 2R",
        [
            "Long when MACD line (12, 26) crosses above MACD signal line (12, 26, 9) and close above EMA (200)",
            "Short when MACD line (12, 26) crosses below MACD signal line (12, 26, 9) and close below EMA (200)",
        ],
        ["Stop: 2 x ATR (14)", "Target: 2 times the risk"],
    ),
    (
        "DEMA 20 / DEMA 50 crossover, long & short, ATR(14) x 2.5 stop",
        ["Long when DEMA (20) crosses above DEMA (50)", "Short when DEMA (20) crosses below DEMA (50)"],
        ["The opposite entry closes the position and opens the other", "Stop: 2.5 x ATR (14)"],
    ),
    (
        "MFI(14) under 20 buy, above 80 sell, percent trailing stop 5",
        ["Long when money flow index (14) below 20"],
        ["Long ends when money flow index (14) above 80", "Trailing stop: 5%"],
    ),
    (
        "Sell short when Stochastic(14,3,3) falls from above 80 to below it and close < EMA 50; target 2 ATR, stop 1 ATR",
        ["Short when stochastic %K (14, 3) crosses below 80 and close below EMA (50)"],
        ["Stop: 1 x ATR (14)", "Target: 2 x ATR (14)"],
    ),
    (
        "Buy when price is below the 20 SMA by 3% or RSI < 25; sell at 20 SMA",
        ["Long when close below 0.97 x SMA (20) or RSI (14) below 25"],
        ["Long ends when close crosses SMA (20)"],
    ),
    (
        "buy new 20-day lows if RSI(2) below 10 and close above SMA 200; exit close above SMA 5",
        [
            "Long when close below the lowest low of the 20 bars before and RSI (2) below 10 and close above SMA (200)"
        ],
        ["Long ends when close above SMA (5)"],
    ),
    (
        "Contrarian: 9/21 EMA cross",
        ["Long when EMA (9) crosses below EMA (21)", "Short when EMA (9) crosses above EMA (21)"],
        ["The opposite entry closes the position and opens the other"],
    ),
    (
        "Counter-trend Donchian(20) breakout, stop 2 ATR, hold 5 bars",
        [
            "Long when close crosses below the lowest low of the 20 bars before",
            "Short when close crosses above the highest high of the 20 bars before",
        ],
        ["The position is closed after 5 bars", "Stop: 2 x ATR (14)"],
    ),
    (
        "Fade closes above the upper Bollinger band",
        ["Short when close above upper Bollinger Band (20, 2)"],
        ["The position is closed after 20 bars"],
    ),
    (
        "Mean reversion: price closes outside the Bollinger Bands (20,2), exit at the middle band",
        [
            "Long when close below lower Bollinger Band (20, 2)",
            "Short when close above upper Bollinger Band (20, 2)",
        ],
        [
            "Long ends when close crosses middle Bollinger Band (20)",
            "Short ends when close crosses middle Bollinger Band (20)",
        ],
    ),
    (
        "Bet against breakouts of the Keltner channel, target the middle line",
        [
            "Long when close crosses below lower Keltner line (20, 2)",
            "Short when close crosses above upper Keltner line (20, 2)",
        ],
        [
            "Long ends when close crosses middle Keltner line (20)",
            "Short ends when close crosses middle Keltner line (20)",
        ],
    ),
    (
        "Buy breakouts above the 50-day high in the direction of the 200 SMA, stop 3 ATR",
        ["Long when close crosses above the highest high of the 50 bars before and close above SMA (200)"],
        ["The position is closed after 20 bars", "Stop: 3 x ATR (14)"],
    ),
    (
        "Short in the direction of the 100 EMA when RSI(14) > 60, target 3%",
        ["Short when close below EMA (100) and RSI (14) above 60"],
        ["Target: 3%"],
    ),
    (
        "Counter-trend long: price closes below the lower Keltner band, exit at the middle",
        ["Long when close below lower Keltner line (20, 2)"],
        ["Long ends when close crosses middle Keltner line (20)"],
    ),
    (
        "Go long when SMA 20 crosses above SMA 60, close position when SMA 20 crosses back below",
        ["Long when SMA (20) crosses above SMA (60)"],
        ["Long ends when SMA (20) crosses below SMA (60)"],
    ),
]


@pytest.mark.parametrize(("idea", "entries", "exits"), READINGS)
def test_the_rules_are_those_of_the_text_and_no_word_is_left(
    idea: str, entries: list[str], exits: list[str]
) -> None:
    plan = understand(idea)
    assert entries_in_words(plan) == entries
    assert exits_in_words(plan.exits) + risk_in_words(plan.exits) == exits
    assert plan.coverage is Coverage.WHOLLY, plan.ignored


def test_a_squeeze_named_once_comes_before_a_breakout_either_way() -> None:
    plan = understand(
        "Bollinger squeeze then close above the upper band buy, close below lower band short, exit middle"
    )
    assert all("within the last 5 bars" in line for line in entries_in_words(plan))
    assert exits_in_words(plan.exits) == [
        "Long ends when close crosses middle Bollinger Band (20)",
        "Short ends when close crosses middle Bollinger Band (20)",
    ]


def test_a_return_into_the_bands_is_left_at_the_other_band() -> None:
    plan = understand(
        "Price re-enters Bollinger bands from below: long; from above: short; exit opposite band"
    )
    assert exits_in_words(plan.exits) == [
        "Long ends when high above upper Bollinger Band (20, 2)",
        "Short ends when low below lower Bollinger Band (20, 2)",
    ]


def test_an_exit_that_repeats_an_entry_condition_is_left_out_and_said_so() -> None:
    plan = understand(
        "Sell breakouts of the upper Bollinger band when ADX < 20; buy breakdowns of the lower band when ADX < 20"
    )
    assert exits_in_words(plan.exits) == ["Long ends when close crosses above upper Bollinger Band (20, 2)"]
    assert "an exit that repeats an entry condition is left out" in plan.assumed


def test_a_price_above_and_below_one_line_is_refused() -> None:
    plan = understand("Short when the close is above the 100 SMA and the close is below the 100 SMA")
    assert plan.coverage is Coverage.NONE
    assert "exclude each other" in plan.why_not


def test_contrarian_volume_does_not_turn_a_breakout_round() -> None:
    plan = understand("Keltner Channel breakout with contrarian volume")
    assert entries_in_words(plan)[0].startswith("Long when close crosses above upper Keltner line")


def test_fifty_two_weeks_are_said_to_count_as_252_bars() -> None:
    assert "52 weeks count as 252 bars" in understand("52-week high breakout, trailing 10% stop").assumed
