from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HistoryReply(_message.Message):
    __slots__ = ["hold", "movements", "next"]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    MOVEMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    hold: HoldRecord
    movements: _containers.RepeatedCompositeFieldContainer[Movement]
    next: str
    def __init__(self, movements: _Optional[_Iterable[_Union[Movement, _Mapping]]] = ..., next: _Optional[str] = ..., hold: _Optional[_Union[HoldRecord, _Mapping]] = ...) -> None: ...

class HistoryRequest(_message.Message):
    __slots__ = ["after", "hold_id", "limit", "sku", "stock_only"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    STOCK_ONLY_FIELD_NUMBER: _ClassVar[int]
    after: str
    hold_id: str
    limit: int
    sku: str
    stock_only: bool
    def __init__(self, sku: _Optional[str] = ..., stock_only: bool = ..., after: _Optional[str] = ..., limit: _Optional[int] = ..., hold_id: _Optional[str] = ...) -> None: ...

class HoldRecord(_message.Message):
    __slots__ = ["changed_at", "created_at", "expires_at", "hold_id", "idempotency_key", "order_id", "payment_ref", "qty", "sku", "status", "stream_id", "user_id", "version"]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_REF_FIELD_NUMBER: _ClassVar[int]
    QTY_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    changed_at: int
    created_at: int
    expires_at: int
    hold_id: str
    idempotency_key: str
    order_id: str
    payment_ref: str
    qty: int
    sku: str
    status: str
    stream_id: str
    user_id: str
    version: int
    def __init__(self, hold_id: _Optional[str] = ..., status: _Optional[str] = ..., sku: _Optional[str] = ..., qty: _Optional[int] = ..., user_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., created_at: _Optional[int] = ..., expires_at: _Optional[int] = ..., changed_at: _Optional[int] = ..., version: _Optional[int] = ..., payment_ref: _Optional[str] = ..., order_id: _Optional[str] = ..., stream_id: _Optional[str] = ...) -> None: ...

class ListHoldsReply(_message.Message):
    __slots__ = ["holds", "next"]
    HOLDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    holds: _containers.RepeatedCompositeFieldContainer[HoldRecord]
    next: str
    def __init__(self, holds: _Optional[_Iterable[_Union[HoldRecord, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class ListHoldsRequest(_message.Message):
    __slots__ = ["after", "created_from", "created_until", "limit", "sku", "status", "user_id"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    CREATED_FROM_FIELD_NUMBER: _ClassVar[int]
    CREATED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    after: str
    created_from: int
    created_until: int
    limit: int
    sku: str
    status: str
    user_id: str
    def __init__(self, user_id: _Optional[str] = ..., sku: _Optional[str] = ..., status: _Optional[str] = ..., created_from: _Optional[int] = ..., created_until: _Optional[int] = ..., after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class Movement(_message.Message):
    __slots__ = ["actor", "available", "available_delta", "cause", "event_id", "found", "held", "held_delta", "hold_id", "reason", "request_id", "sku", "sold", "sold_delta", "stream_id", "supplied", "supplied_delta", "time"]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_DELTA_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    HELD_DELTA_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    SOLD_DELTA_FIELD_NUMBER: _ClassVar[int]
    SOLD_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    SUPPLIED_DELTA_FIELD_NUMBER: _ClassVar[int]
    SUPPLIED_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    actor: str
    available: int
    available_delta: int
    cause: str
    event_id: str
    found: str
    held: int
    held_delta: int
    hold_id: str
    reason: str
    request_id: str
    sku: str
    sold: int
    sold_delta: int
    stream_id: str
    supplied: int
    supplied_delta: int
    time: int
    def __init__(self, event_id: _Optional[str] = ..., cause: _Optional[str] = ..., sku: _Optional[str] = ..., hold_id: _Optional[str] = ..., time: _Optional[int] = ..., stream_id: _Optional[str] = ..., available_delta: _Optional[int] = ..., held_delta: _Optional[int] = ..., sold_delta: _Optional[int] = ..., supplied_delta: _Optional[int] = ..., available: _Optional[int] = ..., held: _Optional[int] = ..., sold: _Optional[int] = ..., supplied: _Optional[int] = ..., request_id: _Optional[str] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., found: _Optional[str] = ...) -> None: ...
