"""The pieces that spelling patterns are made of."""

from __future__ import annotations

import re
from collections.abc import Callable

Replacement = str | Callable[[re.Match[str]], str]

N = r"\d{1,6}(?:\.\d{1,6})?"
UNIT = r"(?:trading )?(?:days?|bars?|candles?|sessions?|periods?|weeks?|months?|years?)"
AVERAGE = r"(?:simple |exponential )?(?:sma|ema|wma|hma|dema|tema|moving average|ma)"
LAST = r"(?:the )?(?:last |past |previous |prior |preceding )?"
SIDE = r"(?:above|over|below|under|beneath)"
BANDS = r"(?:bollinger(?: bands?)?|bbs?|keltner(?: channels?)?|kc|donchian(?: channels?)?)"
