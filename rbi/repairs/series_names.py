"""What a pandas Series has and a numpy array lacks."""

from __future__ import annotations

from rbi.repairs.words import words

SERIES_METHODS = words(
    """
    shift diff pct_change fillna ffill bfill abs cummax cummin where mask replace rank apply map
    interpolate isna notna isnull notnull between rolling ewm expanding dropna tail head quantile median
    corr cov idxmax idxmin autocorr sort_values nlargest nsmallest isin to_frame value_counts unique
    first_valid_index last_valid_index kurt skew add sub mul div gt lt ge le eq ne resample
    """
)
SERIES_VALUES = frozenset({"values", "to_numpy", "array"})
PLACES = frozenset({"iloc", "iat"})
SERIES_ONLY = SERIES_METHODS | SERIES_VALUES | PLACES
FRAME_ONLY = words(
    """
    iloc loc tail head columns rolling ewm iterrows itertuples copy values shape shift iat at empty
    describe apply to_numpy
    """
)
