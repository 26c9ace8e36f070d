from . import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

ACKNOWLEDGE_DEFAULT: Acknowledge
ALREADY_CANCELLED: Outcome
ALREADY_CONFIRMED: Outcome
AVAILABLE_DIFFERS: Outcome
CANCELLED: Outcome
CONFIRMED: Outcome
DESCRIPTOR: _descriptor.FileDescriptor
EXPIRED: Outcome
EXTENDED: Outcome
EXTENDED_TOO_OFTEN: Outcome
FOUND: Outcome
FSYNC: Acknowledge
HELD: Outcome
LEDGER: Acknowledge
MEMORY: Acknowledge
NOT_FOR_SALE: Outcome
NO_SUCH_HOLD: Outcome
OUTCOME_UNSPECIFIED: Outcome
REPEATED: Outcome
REPLICA: Acknowledge
SOLD_OUT: Outcome
STOCK_ADJUSTED: Outcome
STOCK_ADOPTED: Outcome
STOCK_RETIRED: Outcome
STOCK_SET: Outcome
TOO_FEW_AVAILABLE: Outcome
UNKNOWN_SKU: Outcome

class BatchReserveReply(_message.Message):
    __slots__ = ["results"]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ReserveResult]
    def __init__(self, results: _Optional[_Iterable[_Union[ReserveResult, _Mapping]]] = ...) -> None: ...

class BatchReserveRequest(_message.Message):
    __slots__ = ["acknowledge", "items"]
    ACKNOWLEDGE_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    acknowledge: Acknowledge
    items: _containers.RepeatedCompositeFieldContainer[ReserveRequest]
    def __init__(self, items: _Optional[_Iterable[_Union[ReserveRequest, _Mapping]]] = ..., acknowledge: _Optional[_Union[Acknowledge, str]] = ...) -> None: ...

class CancelReply(_message.Message):
    __slots__ = ["acknowledged", "hold", "outcome"]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    acknowledged: Acknowledge
    hold: Hold
    outcome: Outcome
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., hold: _Optional[_Union[Hold, _Mapping]] = ..., acknowledged: _Optional[_Union[Acknowledge, str]] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ["acknowledge", "hold_id"]
    ACKNOWLEDGE_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    acknowledge: Acknowledge
    hold_id: str
    def __init__(self, hold_id: _Optional[str] = ..., acknowledge: _Optional[_Union[Acknowledge, str]] = ...) -> None: ...

class ConfirmReply(_message.Message):
    __slots__ = ["acknowledged", "hold", "outcome"]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    acknowledged: Acknowledge
    hold: Hold
    outcome: Outcome
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., hold: _Optional[_Union[Hold, _Mapping]] = ..., acknowledged: _Optional[_Union[Acknowledge, str]] = ...) -> None: ...

class ConfirmRequest(_message.Message):
    __slots__ = ["acknowledge", "hold_id", "payment_ref"]
    ACKNOWLEDGE_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_REF_FIELD_NUMBER: _ClassVar[int]
    acknowledge: Acknowledge
    hold_id: str
    payment_ref: str
    def __init__(self, hold_id: _Optional[str] = ..., payment_ref: _Optional[str] = ..., acknowledge: _Optional[_Union[Acknowledge, str]] = ...) -> None: ...

class ExtendReply(_message.Message):
    __slots__ = ["acknowledged", "hold", "outcome"]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    acknowledged: Acknowledge
    hold: Hold
    outcome: Outcome
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., hold: _Optional[_Union[Hold, _Mapping]] = ..., acknowledged: _Optional[_Union[Acknowledge, str]] = ...) -> None: ...

class ExtendRequest(_message.Message):
    __slots__ = ["acknowledge", "expires_at", "hold_id"]
    ACKNOWLEDGE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    acknowledge: Acknowledge
    expires_at: int
    hold_id: str
    def __init__(self, hold_id: _Optional[str] = ..., expires_at: _Optional[int] = ..., acknowledge: _Optional[_Union[Acknowledge, str]] = ...) -> None: ...

class GetHoldReply(_message.Message):
    __slots__ = ["hold", "outcome"]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    hold: Hold
    outcome: Outcome
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., hold: _Optional[_Union[Hold, _Mapping]] = ...) -> None: ...

class GetHoldRequest(_message.Message):
    __slots__ = ["hold_id", "idempotency_key", "user_id"]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    hold_id: str
    idempotency_key: str
    user_id: str
    def __init__(self, hold_id: _Optional[str] = ..., user_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class Hold(_message.Message):
    __slots__ = ["changed_at", "created_at", "expires_at", "hold_id", "idempotency_key", "order_id", "payment_ref", "qty", "sku", "status", "user_id", "version"]
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    ACTIVE: Hold.Status
    CANCELLED: Hold.Status
    CHANGED_AT_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED: Hold.Status
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    EXPIRED: Hold.Status
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_REF_FIELD_NUMBER: _ClassVar[int]
    QTY_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    UNSPECIFIED: Hold.Status
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
    status: Hold.Status
    user_id: str
    version: int
    def __init__(self, hold_id: _Optional[str] = ..., status: _Optional[_Union[Hold.Status, str]] = ..., sku: _Optional[str] = ..., qty: _Optional[int] = ..., user_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., created_at: _Optional[int] = ..., expires_at: _Optional[int] = ..., changed_at: _Optional[int] = ..., version: _Optional[int] = ..., payment_ref: _Optional[str] = ..., order_id: _Optional[str] = ...) -> None: ...

class ReleaseReply(_message.Message):
    __slots__ = ["acknowledged", "hold", "outcome"]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    acknowledged: Acknowledge
    hold: Hold
    outcome: Outcome
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., hold: _Optional[_Union[Hold, _Mapping]] = ..., acknowledged: _Optional[_Union[Acknowledge, str]] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ["acknowledge", "actor", "hold_id", "reason"]
    ACKNOWLEDGE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    acknowledge: Acknowledge
    actor: str
    hold_id: str
    reason: str
    def __init__(self, hold_id: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., acknowledge: _Optional[_Union[Acknowledge, str]] = ...) -> None: ...

class ReserveReply(_message.Message):
    __slots__ = ["acknowledged", "available", "expires_at", "hold_id", "outcome", "status"]
    ACKNOWLEDGED_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    acknowledged: Acknowledge
    available: int
    expires_at: int
    hold_id: str
    outcome: Outcome
    status: Hold.Status
    def __init__(self, outcome: _Optional[_Union[Outcome, str]] = ..., hold_id: _Optional[str] = ..., status: _Optional[_Union[Hold.Status, str]] = ..., expires_at: _Optional[int] = ..., available: _Optional[int] = ..., acknowledged: _Optional[_Union[Acknowledge, str]] = ...) -> None: ...

class ReserveRequest(_message.Message):
    __slots__ = ["acknowledge", "idempotency_key", "qty", "sku", "ttl_ms", "user_id"]
    ACKNOWLEDGE_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    QTY_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    acknowledge: Acknowledge
    idempotency_key: str
    qty: int
    sku: str
    ttl_ms: int
    user_id: str
    def __init__(self, sku: _Optional[str] = ..., qty: _Optional[int] = ..., user_id: _Optional[str] = ..., idempotency_key: _Optional[str] = ..., ttl_ms: _Optional[int] = ..., acknowledge: _Optional[_Union[Acknowledge, str]] = ...) -> None: ...

class ReserveResult(_message.Message):
    __slots__ = ["detail", "reply", "status"]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    REPLY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    detail: _envelope_pb2.ErrorDetail
    reply: ReserveReply
    status: _envelope_pb2.Code
    def __init__(self, status: _Optional[_Union[_envelope_pb2.Code, str]] = ..., detail: _Optional[_Union[_envelope_pb2.ErrorDetail, _Mapping]] = ..., reply: _Optional[_Union[ReserveReply, _Mapping]] = ...) -> None: ...

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class Acknowledge(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
