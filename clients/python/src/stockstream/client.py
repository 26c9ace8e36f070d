"""The client: the calls that a server of the shop answers."""

import datetime
from typing import List, Optional, Sequence, Tuple, Union

from . import errors
from ._contracts import envelope_pb2, feed_pb2, reservations_pb2, stock_pb2
from .caller import Caller
from .pages import Pages
from .results import (
    Acknowledge, FollowItem, Hold, HoldResult, Outcome, Reservation, Reserved, StockLevel, StockListing,
    StockResult, StockUpdate, _member)
from .stream import Stream


class StockClient(Caller):
    """Calls servers of one shop; when one is away, the next is tried.

    It connects with its first call, and again whenever the connection has died.  A call that failed in a way
    that another attempt may cure, or whose outcome is unknown, is made again, unchanged, until its timeout.
    Calls of several threads take turns; threads that want to call at once take a client each.
    """

    # Calls.  Each takes `timeout_s` and raises StockError.

    def reserve(self, sku: str, *, user_id: str, key: str, qty: int = 1, ttl_ms: int = 0,
                acknowledge: Acknowledge = Acknowledge.DEFAULT,
                timeout_s: Optional[float] = None) -> Reserved:
        """Takes units of a SKU for a user until a deadline.  key: the same for every repeat of an order."""
        request = Reservation(sku, user_id, key, qty, ttl_ms)._request()
        request.acknowledge = int(acknowledge)  # type: ignore[assignment]
        return Reserved._of(self._call(
            "Reservations/Reserve", request, reservations_pb2.ReserveReply, timeout_s))

    def reserve_batch(self, items: Sequence[Reservation], *,
                      acknowledge: Acknowledge = Acknowledge.DEFAULT,
                      timeout_s: Optional[float] = None) -> List[Union[Reserved, errors.StockError]]:
        """Up to 4,096 reservations in one frame, each as if it had come alone; results in their order."""
        request = reservations_pb2.BatchReserveRequest(
            items=[item._request() for item in items],
            acknowledge=int(acknowledge))  # type: ignore[arg-type]
        reply = self._call(
            "Reservations/BatchReserve", request, reservations_pb2.BatchReserveReply, timeout_s)
        if len(reply.results) != len(items):
            raise errors.malformed_reply()
        return [Reserved._of(result.reply) if result.status == envelope_pb2.CODE_OK else errors.said(result)
                for result in reply.results]

    def confirm(self, hold_id: str, payment_ref: str, *, acknowledge: Acknowledge = Acknowledge.DEFAULT,
                timeout_s: Optional[float] = None) -> HoldResult:
        """Turns a hold into an order.  With the same payment_ref it can be repeated."""
        request = reservations_pb2.ConfirmRequest(
            hold_id=hold_id, payment_ref=payment_ref,
            acknowledge=int(acknowledge))  # type: ignore[arg-type]
        return _changed(self._call("Reservations/Confirm", request, reservations_pb2.ConfirmReply, timeout_s))

    def cancel(self, hold_id: str, *, acknowledge: Acknowledge = Acknowledge.DEFAULT,
               timeout_s: Optional[float] = None) -> HoldResult:
        """Gives the units of a hold back."""
        request = reservations_pb2.CancelRequest(
            hold_id=hold_id, acknowledge=int(acknowledge))  # type: ignore[arg-type]
        return _changed(self._call("Reservations/Cancel", request, reservations_pb2.CancelReply, timeout_s))

    def release(self, hold_id: str, *, reason: str, actor: str,
                acknowledge: Acknowledge = Acknowledge.DEFAULT,
                timeout_s: Optional[float] = None) -> HoldResult:
        """A cancel in a person's name: why, and who asks for it, go into the event and the books."""
        request = reservations_pb2.ReleaseRequest(
            hold_id=hold_id, reason=reason, actor=actor,
            acknowledge=int(acknowledge))  # type: ignore[arg-type]
        return _changed(self._call("Reservations/Release", request, reservations_pb2.ReleaseReply, timeout_s))

    def extend(self, hold_id: str, expires_at: datetime.datetime, *,
               acknowledge: Acknowledge = Acknowledge.DEFAULT,
               timeout_s: Optional[float] = None) -> HoldResult:
        """Gives a hold a later deadline; an earlier one changes nothing.

        At most 10 times, and up to 7 days after the hold was made.  expires_at: a time, not a duration, so
        that a repeat adds nothing.
        """
        request = reservations_pb2.ExtendRequest(
            hold_id=hold_id, expires_at=round(expires_at.timestamp() * 1000),
            acknowledge=int(acknowledge))  # type: ignore[arg-type]
        return _changed(self._call("Reservations/Extend", request, reservations_pb2.ExtendReply, timeout_s))

    def get_hold(self, hold_id: str, *, timeout_s: Optional[float] = None) -> HoldResult:
        """One hold, by its id."""
        request = reservations_pb2.GetHoldRequest(hold_id=hold_id)
        return _hold(self._call("Reservations/GetHold", request, reservations_pb2.GetHoldReply, timeout_s))

    def find_hold(self, *, user_id: str, key: str, timeout_s: Optional[float] = None) -> HoldResult:
        """The hold that this user made with this key."""
        request = reservations_pb2.GetHoldRequest(user_id=user_id, idempotency_key=key)
        return _hold(self._call("Reservations/GetHold", request, reservations_pb2.GetHoldReply, timeout_s))

    def set_stock(self, sku: str, available: int, *, request_id: str, if_available: Optional[int] = None,
                  reason: str = "", actor: str = "", timeout_s: Optional[float] = None) -> StockResult:
        """Sets the units available.  A retired SKU is on sale again.

        request_id: new for every change, the same for a repeat.  if_available: only if so many are available
        now, else AVAILABLE_DIFFERS with the figures as they are.  reason, actor: why, and who asks for it,
        for the event and the books.
        """
        request = stock_pb2.SetStockRequest(
            sku=sku, available=available, request_id=request_id, if_available=if_available, reason=reason,
            actor=actor)
        return _stock(self._call("Stock/Set", request, stock_pb2.SetStockReply, timeout_s))

    def adjust_stock(self, sku: str, delta: int, *, request_id: str, reason: str = "", actor: str = "",
                     timeout_s: Optional[float] = None) -> StockResult:
        """Adds to the units available, or takes some away, never more than there are.

        request_id, reason, actor: as in `set_stock`.
        """
        request = stock_pb2.AdjustStockRequest(
            sku=sku, delta=delta, request_id=request_id, reason=reason, actor=actor)
        return _stock(self._call("Stock/Adjust", request, stock_pb2.AdjustStockReply, timeout_s))

    def retire_stock(self, sku: str, *, request_id: str, reason: str = "", actor: str = "",
                     timeout_s: Optional[float] = None) -> StockResult:
        """Takes a SKU off sale: no new holds begin, until `set_stock`.

        Its units stay where they are, and its holds go on.  REPEATED also when it was retired already.
        request_id, reason, actor: as in `set_stock`.
        """
        request = stock_pb2.RetireStockRequest(
            sku=sku, request_id=request_id, reason=reason, actor=actor)
        return _stock(self._call("Stock/Retire", request, stock_pb2.RetireStockReply, timeout_s))

    def adopt_stock(self, sku: str, *, timeout_s: Optional[float] = None) -> StockResult:
        """Accepts the figure that stands in Redis at `stock:<sku>` as the units available.

        Opens a SKU that was changed by hand.  REPEATED when it is open.
        """
        request = stock_pb2.AdoptStockRequest(sku=sku)
        return _stock(self._call("Stock/Adopt", request, stock_pb2.AdoptStockReply, timeout_s))

    def list_stock(self, *, after: str = "", page_size: int = 0,
                   timeout_s: Optional[float] = None) -> Pages[StockListing]:
        """All SKUs whose stock was ever changed, by the bytes of their names.

        Each comes once, whatever is sold meanwhile; its figures are of when its page was read.
        page_size: SKUs, 1 to 200; 0: 100.  timeout_s: of each page.
        """
        def ask(after: str) -> Tuple[List[StockListing], str]:
            request = stock_pb2.ListStockRequest(after=after, limit=page_size)
            reply = self._call("Stock/List", request, stock_pb2.ListStockReply, timeout_s)
            return [StockListing._of(listing) for listing in reply.stock], reply.next

        return Pages(ask, after)

    def get_stock(self, sku: str, *, timeout_s: Optional[float] = None) -> StockResult:
        """The figures of one SKU."""
        request = stock_pb2.GetStockRequest(sku=sku)
        return _stock(self._call("Stock/Get", request, stock_pb2.GetStockReply, timeout_s))

    # Streams.  Each has a connection of its own.

    def watch(self, *skus: str, after: str = "") -> Stream[StockUpdate]:
        """The figures of 1 to 256 SKUs, each once, and again whenever they have changed.

        Not each change: who is slow gets what is true by then.  after: a token for the same SKUs; nothing
        comes while nothing differs.
        """
        request = stock_pb2.WatchStockRequest(skus=skus, after=after)
        return Stream(
            self._servers.another(), "stock.v1.Stock/Watch", request, StockUpdate._of, self._metadata)

    def follow(self, *, after: str = "", from_earliest: bool = False, event_types: Sequence[str] = (),
               skus: Sequence[str] = ()) -> Stream[FollowItem]:
        """Every event at least once, those of one hold or SKU in their order.

        after: a token; without one it begins with what comes from now on, or `from_earliest`.
        event_types, skus: only these; at most 16 and 256.
        """
        request = feed_pb2.FollowRequest(
            after=after, from_earliest=from_earliest, event_types=event_types, skus=skus)
        return Stream(
            self._servers.another(), "stock.v1.Events/Follow", request, FollowItem._of, self._metadata)


def _hold(reply: reservations_pb2.GetHoldReply) -> HoldResult:
    return HoldResult(
        _member(Outcome, reply.outcome), Hold._of(reply.hold) if reply.HasField("hold") else None)


def _changed(reply: Union[reservations_pb2.ConfirmReply, reservations_pb2.CancelReply,
                          reservations_pb2.ReleaseReply, reservations_pb2.ExtendReply]) -> HoldResult:
    return HoldResult(
        _member(Outcome, reply.outcome), Hold._of(reply.hold) if reply.HasField("hold") else None,
        _member(Acknowledge, reply.acknowledged))


def _stock(reply: Union[stock_pb2.SetStockReply, stock_pb2.AdjustStockReply, stock_pb2.RetireStockReply,
                        stock_pb2.GetStockReply]) -> StockResult:
    return StockResult(
        _member(Outcome, reply.outcome), StockLevel._of(reply.stock) if reply.HasField("stock") else None)
