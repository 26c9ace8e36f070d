from . import reservations_pb2 as _reservations_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Correction(_message.Message):
    __slots__ = ["actor", "available", "found", "held", "reason", "sold", "supplied"]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SOLD_FIELD_NUMBER: _ClassVar[int]
    SUPPLIED_FIELD_NUMBER: _ClassVar[int]
    actor: str
    available: int
    found: str
    held: int
    reason: str
    sold: int
    supplied: int
    def __init__(self, actor: _Optional[str] = ..., reason: _Optional[str] = ..., found: _Optional[str] = ..., available: _Optional[int] = ..., held: _Optional[int] = ..., sold: _Optional[int] = ..., supplied: _Optional[int] = ...) -> None: ...

class HoldEvent(_message.Message):
    __slots__ = ["actor", "change_trace", "changed_at", "correction", "created_at", "expires_at", "hold", "idempotency_key", "kept", "lines", "payment_ref", "reason", "status", "trace", "user_id", "version"]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    CHANGE_TRACE_FIELD_NUMBER: _ClassVar[int]
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_REF_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    actor: str
    change_trace: bytes
    changed_at: int
    correction: Correction
    created_at: int
    expires_at: int
    hold: str
    idempotency_key: str
    kept: bytes
    lines: _containers.RepeatedCompositeFieldContainer[HoldLine]
    payment_ref: str
    reason: str
    status: _reservations_pb2.Hold.Status
    trace: bytes
    user_id: str
    version: int
    def __init__(self, hold: _Optional[str] = ..., user_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., trace: _Optional[bytes] = ..., lines: _Optional[_Iterable[_Union[HoldLine, _Mapping]]] = ..., created_at: _Optional[int] = ..., status: _Optional[_Union[_reservations_pb2.Hold.Status, str]] = ..., version: _Optional[int] = ..., changed_at: _Optional[int] = ..., expires_at: _Optional[int] = ..., payment_ref: _Optional[str] = ..., change_trace: _Optional[bytes] = ..., correction: _Optional[_Union[Correction, _Mapping]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., kept: _Optional[bytes] = ...) -> None: ...

class HoldLine(_message.Message):
    __slots__ = ["qty", "sku"]
    QTY_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    qty: int
    sku: str
    def __init__(self, qty: _Optional[int] = ..., sku: _Optional[str] = ...) -> None: ...

class StockEvent(_message.Message):
    __slots__ = ["actor", "available", "changed_at", "correction", "delta", "held", "reason", "request_id", "retired", "sku", "sold", "supplied", "trace", "version"]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RETIRED_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    SOLD_FIELD_NUMBER: _ClassVar[int]
    SUPPLIED_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    actor: str
    available: int
    changed_at: int
    correction: Correction
    delta: int
    held: int
    reason: str
    request_id: str
    retired: bool
    sku: str
    sold: int
    supplied: int
    trace: bytes
    version: int
    def __init__(self, sku: _Optional[str] = ..., request_id: _Optional[str] = ..., trace: _Optional[bytes] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., version: _Optional[int] = ..., changed_at: _Optional[int] = ..., available: _Optional[int] = ..., held: _Optional[int] = ..., sold: _Optional[int] = ..., supplied: _Optional[int] = ..., delta: _Optional[int] = ..., correction: _Optional[_Union[Correction, _Mapping]] = ..., retired: bool = ...) -> None: ...
