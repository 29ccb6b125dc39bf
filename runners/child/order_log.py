"""What becomes of every order of one backtest, seen where the engine puts orders in and takes them out.

Nothing here is called for a bar on which nothing is ordered, so that watching costs next to nothing.
"""

import sys

TAG_LENGTH = 100


class OrderLog(list):
    """A broker's list of waiting orders, which counts what is put in and why it is taken out again.

    It reads the orders' own attributes, not their properties: strategies that trade on every bar feel the difference.
    """

    __slots__ = (
        "broker",
        "broker_state",
        "cancelled",
        "contingent",
        "engines_own",
        "filled",
        "finalizing",
        "first_bar",
        "first_without_margin",
        "inside",
        "last_signal",
        "placed",
        "prices",
        "reason",
        "refused",
        "signals",
    )

    def __init__(self, broker):
        self.broker = broker
        self.broker_state = broker.__dict__
        self.reason = None  # why the order that is about to be removed was cancelled
        self.inside = False  # a call of buy, sell or close is in progress
        self.signals = self.placed = self.filled = self.contingent = self.refused = 0
        self.last_signal = self.first_bar = self.first_without_margin = None
        self.cancelled = {}
        self.engines_own = {}  # by id: what the engine closes by itself after the last bar
        self.finalizing = False
        self.prices = set()

    def bar(self):
        """The current bar, 0-based; 0 before the first."""
        return self.broker_state.get("_i", 0)

    def insert(self, position, order):
        """A new order: the strategy's, or the stop-loss or take-profit of a trade."""
        list.insert(self, position, order)
        limit, stop = order._Order__limit_price, order._Order__stop_price
        sl, tp = order._Order__sl_price, order._Order__tp_price
        if limit or stop or sl or tp:
            self.prices.update(price for price in (limit, stop, sl, tp) if price)
        if order._Order__parent_trade is not None and (limit or stop):
            self.contingent += 1
        elif self.finalizing:
            self.engines_own[id(order)] = order
        else:
            self.placed += 1
            if self.first_bar is None:
                self.first_bar = self.bar()

    def remove(self, order):
        """An order was filled or cancelled; a close whose trade had ended meanwhile counts as filled."""
        list.remove(self, order)
        reason = self.reason
        if not self.counts(order):
            return
        if reason is None:
            self.filled += 1
            return
        self.reason = None
        self.cancelled[reason] = self.cancelled.get(reason, 0) + 1
        if reason == "margin" and self.first_without_margin is None:
            self.first_without_margin = {
                "bar": self.bar(),
                "size": float(order.size),
                "price": float(self.broker.last_price),
                "available": float(self.broker.margin_available),
            }

    def counts(self, order):
        """Whether it is neither a stop-loss or take-profit of a trade nor the engine's own."""
        return not (order._Order__parent_trade and (order.is_contingent or id(order) in self.engines_own))

    def pending(self):
        """How many orders still wait, without the stop-losses and take-profits of trades."""
        return sum(map(self.counts, self))


def log_of(broker):
    """The broker's log; None for one that is not observed."""
    return getattr(broker, "_log", None)


def signalling(function, broker_name, run_code=None):
    """``function`` (buy, sell or close), counted; ``broker_name`` is where its object keeps the broker.

    ``run_code`` is the engine's own run, if that calls ``function`` too, to close what is open after the last bar.
    """

    def called(self, *args, **kwargs):
        log = log_of(getattr(self, broker_name))
        if log is None or log.inside:
            return function(self, *args, **kwargs)
        if run_code is not None and sys._getframe(1).f_code is run_code:
            log.finalizing = True
            return function(self, *args, **kwargs)
        log.inside = True
        bar = log.bar()
        if bar != log.last_signal:
            log.last_signal = bar
            log.signals += 1
        try:
            return function(self, *args, **kwargs)
        except BaseException:
            log.refused += 1
            raise
        finally:
            log.inside = False

    return called


def cancelling(function, new_order_code):
    """`Order.cancel`, with its reason. ``new_order_code`` is the engine's own, which makes room for an order."""

    def cancel(self):
        log = log_of(self._Order__broker)
        if log is None:
            return function(self)
        log.reason = "exclusive" if sys._getframe(1).f_code is new_order_code else "by_strategy"
        try:
            return function(self)
        finally:
            log.reason = None

    return cancel


def repricing(function):
    """`Order._replace`, through which some strategies move an order, with its new prices."""

    def _replace(self, **changes):
        log = log_of(self._Order__broker)
        if log is not None:
            log.prices.update(value for name, value in changes.items() if name.endswith("_price") and value)
        return function(self, **changes)

    return _replace


class WatchedWarnings:
    """The engine's `warnings` module: it warns right before it removes an order for which there is no margin."""

    def __init__(self, module, run_code):
        self._module = module
        self._run_code = run_code

    def __getattr__(self, name):
        return getattr(self._module, name)

    def warn(self, message, category=None, stacklevel=1, **options):
        """`warnings.warn`, with the place in the program that it would name."""
        caller = sys._getframe(1)
        if "insufficient margin" in str(message):
            log = log_of(caller.f_locals.get("self"))
            if log is not None:
                log.reason = "margin"
        ours = (
            2 if caller.f_code is self._run_code and stacklevel > 1 else 1
        )  # this frame, and the watched run
        self._module.warn(message, category, stacklevel + ours, **options)
