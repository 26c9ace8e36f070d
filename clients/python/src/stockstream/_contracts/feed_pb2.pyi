from . import events_pb2 as _events_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FollowItem(_message.Message):
    __slots__ = ["event_id", "event_type", "hold", "stock", "time", "token", "traceparent", "unread"]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    STOCK_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    UNREAD_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    event_type: str
    hold: _events_pb2.HoldEvent
    stock: _events_pb2.StockEvent
    time: int
    token: str
    traceparent: str
    unread: bytes
    def __init__(self, token: _Optional[str] = ..., event_type: _Optional[str] = ..., event_id: _Optional[str] = ..., time: _Optional[int] = ..., traceparent: _Optional[str] = ..., hold: _Optional[_Union[_events_pb2.HoldEvent, _Mapping]] = ..., stock: _Optional[_Union[_events_pb2.StockEvent, _Mapping]] = ..., unread: _Optional[bytes] = ...) -> None: ...

class FollowRequest(_message.Message):
    __slots__ = ["after", "event_types", "from_earliest", "skus"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPES_FIELD_NUMBER: _ClassVar[int]
    FROM_EARLIEST_FIELD_NUMBER: _ClassVar[int]
    SKUS_FIELD_NUMBER: _ClassVar[int]
    after: str
    event_types: _containers.RepeatedScalarFieldContainer[str]
    from_earliest: bool
    skus: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, after: _Optional[str] = ..., from_earliest: bool = ..., event_types: _Optional[_Iterable[str]] = ..., skus: _Optional[_Iterable[str]] = ...) -> None: ...
