# ruff: noqa: E501  a pattern broken over lines is read by nobody
"""How crossings and comparisons are written, in the one spelling that the vocabulary knows."""

from __future__ import annotations

from models.providers.offline.spelling_parts import AVERAGE, N, Replacement

CROSSINGS: tuple[tuple[str, Replacement], ...] = (
    (
        rf"\b(?:has been |was |is |dips? |drops? |falls? |goes |crosses )?(?:below|under) (-?{N}),? (?:and )?(?:then )?(?:crosses|rises|climbs|moves|turns|comes|goes|closes)"
        r"(?: back)?(?: up)? (?:above|over)(?: \1\b| it\b)",
        r"crosses above \1",
    ),
    (
        rf"\b(?:has been |was |is |spikes? |climbs? |rises? |goes |crosses )?(?:above|over) (\+?-?{N}),? (?:and )?(?:then )?(?:crosses|falls|drops|moves|turns|comes|goes|closes)"
        r"(?: back)?(?: down)? (?:below|under)(?: \1\b| it\b)",
        r"crosses below \1",
    ),
    (
        rf"\b(rsi|cci|mfi|stochastic|williams %r)( \({N}\))? ([+-]?{N}) (?:cross(?:es)? up|up ?cross)\b",
        r"\1\2 crosses above \3",
    ),
    (
        rf"\b(rsi|cci|mfi|stochastic|williams %r)( \({N}\))? ([+-]?{N}) (?:cross(?:es)? down|down ?cross)\b",
        r"\1\2 crosses below \3",
    ),
    (rf"\b((?:{N} )?{AVERAGE}(?: \({N}\))?) x (?=(?:{N} )?{AVERAGE}\b)", r"\1 crosses "),
    (r"\b(?:isn'?t|is not|not) (?:below|under|beneath)\b", "is above"),
    (r"\b(?:isn'?t|is not|not) (?:above|over)\b(?! the (?:last|past))", "is below"),
    (r"\b(?:x|crosses) ?> ?", "crosses above "),
    (r"\b(?:x|crosses) ?< ?", "crosses below "),
    (
        rf"({AVERAGE}(?: \({N}\))?|price|close) ([<>]) ((?:{N} (?:day |bar |period )?)?{AVERAGE}(?: ?\({N}\))?) \2 (?=\w)",
        r"\1 \2 \3 and \3 \2 ",
    ),
    (rf"\b(?:is |stays |remains |sits )?between ({N}) and ({N})\b", r"> \1 and < \2"),
    (
        r"\bcross(?:es|ed|ing)? ((?:the |its )?[^,;.:]{1,40}?),? (?:back )?from (below|underneath|under)\b",
        r"crosses above \1",
    ),
    (
        r"\bcross(?:es|ed|ing)? ((?:the |its )?[^,;.:]{1,40}?),? (?:back )?from (above|over)\b",
        r"crosses below \1",
    ),
    (
        rf"\bcross(?:es|ed|ing)? ((?:the )?{AVERAGE} \({N}\)) (?:upwards?|to the upside|up)\b",
        r"crosses above \1",
    ),
    (
        rf"\bcross(?:es|ed|ing)? ((?:the )?{AVERAGE} \({N}\)) (?:downwards?|to the downside|down)\b",
        r"crosses below \1",
    ),
    (r"(?<=, )from below\b", "price crosses above it"),
    (r"(?<=, )from above\b", "price crosses below it"),
    (
        r"\b(?:cross(?:es|ed|ing)?|goes|moves|rises|pushes|breaks|comes) (?:back )?(?:up )?(?:back )?(?:through|up through|up over|up above)\b"
        r"|\b(?:rips?|pops?|shoots?|punches|jumps?|bursts?|blasts?|thrusts?|vaults?|pokes?) (?:back )?(?:up )?(?:above|over|through)\b",
        "crosses above",
    ),
    (
        r"\b(?:cross(?:es|ed|ing)?|goes|moves|falls|drops|breaks|cuts|slips|sinks|slices) (?:back )?down (?:through|below|under)\b"
        r"|\b(?:falls|drops|cuts|slips|sinks|slices|slides|plunges|tumbles|dips|ducks|pierces) (?:back )?(?:through|below|under|beneath)\b",
        "crosses below",
    ),
    (r"\bpierces (?=(?:the )?upper)", "crosses above "),
    (r"\bpierces (?=(?:the )?lower)", "crosses below "),
    (r"\b(?:reclaims|regains|retakes|recovers)\b(?! (?:above|to|from))", "crosses above"),
    (r"\b(?:loses|gives up|surrenders) (?=(?:it\b|the |its |sma|ema|\d))", "crosses below "),
    (r"\bgets? back (above|below|over|under|to)\b", r"is \1"),
    (rf"\b(no lower than|not below|at or above|at least)(?= {N})", ">="),
    (rf"\b(no higher than|not above|at or below|at most)(?= {N})", "<="),
    (r" / (?=(?:above|below|sell|short|buy|long|cross|exit|stop))", " ; "),
    (r" (?:&&?|\+) (?=[a-z%])", " and "),
    (r" \|\|? ", " . "),
)
