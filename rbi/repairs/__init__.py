"""Check and repair of strategy code without a model and without running it."""

from rbi.repairs.after_run import after_run
from rbi.repairs.examination import examine
from rbi.repairs.findings import Examination, Fix, Problem
from rbi.repairs.guards import Guarded, guard

__all__ = ["Examination", "Fix", "Guarded", "Problem", "after_run", "examine", "guard"]
