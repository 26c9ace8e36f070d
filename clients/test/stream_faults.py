"""What a proxy may do wrong with a stream of events."""

import collections

from proxy import Cut, Fault, envelope, frame, going_away
from stock.v1 import feed_pb2 as feed

FOLLOW = "stock.v1.Events/Follow"


class CutStream(Fault):
    """A connection is cut after so many items of a stream, `times` times."""

    def __init__(self, items, times):
        super().__init__()
        self.items, self.times, self.seen = items, times, collections.Counter()

    def response(self, link, response, method):
        if method == FOLLOW and response.more:
            self.seen[link.number] += 1
            if self.seen[link.number] > self.items and self.times > 0:
                self.times -= 1
                raise Cut
        return [frame(response)]


class LeavingStream(CutStream):
    """Instead of the cut: it says that it goes, and never says anything more about the stream."""

    def response(self, link, response, method):
        if method == FOLLOW and link.number in self.gone:
            return []
        try:
            return super().response(link, response, method)
        except Cut:
            self.gone.add(link.number)
            return [going_away()]

    def __init__(self, items, times):
        super().__init__(items, times)
        self.gone = set()


class WrongItems(Fault):
    """Items of a stream are messages of another kind; `token` instead: with a token of so many bytes."""

    def __init__(self, token=0):
        super().__init__()
        self.token = token

    def response(self, link, response, method):
        if method == FOLLOW and response.more:
            response.message = b"\x0a\xff"
            if self.token:
                response.message = feed.FollowItem(token="t" * self.token).SerializeToString()
        return [frame(response)]


class EndedStream(Fault):
    """The first streams are ended by the server: `status`, or in order."""

    def __init__(self, times, **status):
        super().__init__()
        self.times, self.status = times, status

    def request(self, link, request):
        if request.method != FOLLOW or self.times == 0:
            return [frame(request)]
        self.times -= 1
        detail = envelope.ErrorDetail(**{"message": "No.", **self.status})
        code = detail.reason and (envelope.CODE_RESOURCE_EXHAUSTED if detail.retryable
                                  else envelope.CODE_OUT_OF_RANGE)
        link.answer(envelope.Response(call_id=request.call_id, status=code or 0, detail=detail))
        return []
