from . import reservations_pb2 as _reservations_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AdjustStockReply(_message.Message):
    __slots__ = ["outcome", "stock"]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    STOCK_FIELD_NUMBER: _ClassVar[int]
    outcome: _reservations_pb2.Outcome
    stock: StockLevel
    def __init__(self, outcome: _Optional[_Union[_reservations_pb2.Outcome, str]] = ..., stock: _Optional[_Union[StockLevel, _Mapping]] = ...) -> None: ...

class AdjustStockRequest(_message.Message):
    __slots__ = ["actor", "delta", "reason", "request_id", "sku"]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    actor: str
    delta: int
    reason: str
    request_id: str
    sku: str
    def __init__(self, sku: _Optional[str] = ..., delta: _Optional[int] = ..., request_id: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class AdoptStockReply(_message.Message):
    __slots__ = ["outcome", "stock"]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    STOCK_FIELD_NUMBER: _ClassVar[int]
    outcome: _reservations_pb2.Outcome
    stock: StockLevel
    def __init__(self, outcome: _Optional[_Union[_reservations_pb2.Outcome, str]] = ..., stock: _Optional[_Union[StockLevel, _Mapping]] = ...) -> None: ...

class AdoptStockRequest(_message.Message):
    __slots__ = ["sku"]
    SKU_FIELD_NUMBER: _ClassVar[int]
    sku: str
    def __init__(self, sku: _Optional[str] = ...) -> None: ...

class GetStockReply(_message.Message):
    __slots__ = ["outcome", "stock"]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    STOCK_FIELD_NUMBER: _ClassVar[int]
    outcome: _reservations_pb2.Outcome
    stock: StockLevel
    def __init__(self, outcome: _Optional[_Union[_reservations_pb2.Outcome, str]] = ..., stock: _Optional[_Union[StockLevel, _Mapping]] = ...) -> None: ...

class GetStockRequest(_message.Message):
    __slots__ = ["sku"]
    SKU_FIELD_NUMBER: _ClassVar[int]
    sku: str
    def __init__(self, sku: _Optional[str] = ...) -> None: ...

class ListStockReply(_message.Message):
    __slots__ = ["next", "stock"]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    STOCK_FIELD_NUMBER: _ClassVar[int]
    next: str
    stock: _containers.RepeatedCompositeFieldContainer[StockListing]
    def __init__(self, stock: _Optional[_Iterable[_Union[StockListing, _Mapping]]] = ..., next: _Optional[str] = ...) -> None: ...

class ListStockRequest(_message.Message):
    __slots__ = ["after", "limit"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    after: str
    limit: int
    def __init__(self, after: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class RetireStockReply(_message.Message):
    __slots__ = ["outcome", "stock"]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    STOCK_FIELD_NUMBER: _ClassVar[int]
    outcome: _reservations_pb2.Outcome
    stock: StockLevel
    def __init__(self, outcome: _Optional[_Union[_reservations_pb2.Outcome, str]] = ..., stock: _Optional[_Union[StockLevel, _Mapping]] = ...) -> None: ...

class RetireStockRequest(_message.Message):
    __slots__ = ["actor", "reason", "request_id", "sku"]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    actor: str
    reason: str
    request_id: str
    sku: str
    def __init__(self, sku: _Optional[str] = ..., request_id: _Optional[str] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class SetStockReply(_message.Message):
    __slots__ = ["outcome", "stock"]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    STOCK_FIELD_NUMBER: _ClassVar[int]
    outcome: _reservations_pb2.Outcome
    stock: StockLevel
    def __init__(self, outcome: _Optional[_Union[_reservations_pb2.Outcome, str]] = ..., stock: _Optional[_Union[StockLevel, _Mapping]] = ...) -> None: ...

class SetStockRequest(_message.Message):
    __slots__ = ["actor", "available", "if_available", "reason", "request_id", "sku"]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    IF_AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    actor: str
    available: int
    if_available: int
    reason: str
    request_id: str
    sku: str
    def __init__(self, sku: _Optional[str] = ..., available: _Optional[int] = ..., request_id: _Optional[str] = ..., if_available: _Optional[int] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...

class StockLevel(_message.Message):
    __slots__ = ["available", "held", "retired", "sku", "sold", "supplied", "version"]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    RETIRED_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    SOLD_FIELD_NUMBER: _ClassVar[int]
    SUPPLIED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    available: int
    held: int
    retired: bool
    sku: str
    sold: int
    supplied: int
    version: int
    def __init__(self, sku: _Optional[str] = ..., available: _Optional[int] = ..., held: _Optional[int] = ..., sold: _Optional[int] = ..., supplied: _Optional[int] = ..., version: _Optional[int] = ..., retired: bool = ...) -> None: ...

class StockListing(_message.Message):
    __slots__ = ["closed", "stock"]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    STOCK_FIELD_NUMBER: _ClassVar[int]
    closed: bool
    stock: StockLevel
    def __init__(self, stock: _Optional[_Union[StockLevel, _Mapping]] = ..., closed: bool = ...) -> None: ...

class StockUpdate(_message.Message):
    __slots__ = ["closed", "outcome", "stock", "token"]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    STOCK_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    closed: bool
    outcome: _reservations_pb2.Outcome
    stock: StockLevel
    token: str
    def __init__(self, outcome: _Optional[_Union[_reservations_pb2.Outcome, str]] = ..., stock: _Optional[_Union[StockLevel, _Mapping]] = ..., closed: bool = ..., token: _Optional[str] = ...) -> None: ...

class WatchStockRequest(_message.Message):
    __slots__ = ["after", "skus"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    SKUS_FIELD_NUMBER: _ClassVar[int]
    after: str
    skus: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, skus: _Optional[_Iterable[str]] = ..., after: _Optional[str] = ...) -> None: ...
