"""Check and repair of strategy code without a model and without running it."""

from rbi.repairs.examination import examine
from rbi.repairs.findings import Examination, Fix, Problem

__all__ = ["Examination", "Fix", "Problem", "examine"]
