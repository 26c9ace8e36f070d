from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CancelCallReply(_message.Message):
    __slots__ = ["found"]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    found: bool
    def __init__(self, found: bool = ...) -> None: ...

class CancelCallRequest(_message.Message):
    __slots__ = ["call_id"]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    call_id: int
    def __init__(self, call_id: _Optional[int] = ...) -> None: ...

class ConnectionLimits(_message.Message):
    __slots__ = ["age_ms", "calls_in_flight_max", "frame_bytes_max", "idle_ms", "request_bytes_in_flight_max", "streams_max", "window_bytes_max"]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    CALLS_IN_FLIGHT_MAX_FIELD_NUMBER: _ClassVar[int]
    FRAME_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    IDLE_MS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_BYTES_IN_FLIGHT_MAX_FIELD_NUMBER: _ClassVar[int]
    STREAMS_MAX_FIELD_NUMBER: _ClassVar[int]
    WINDOW_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    age_ms: int
    calls_in_flight_max: int
    frame_bytes_max: int
    idle_ms: int
    request_bytes_in_flight_max: int
    streams_max: int
    window_bytes_max: int
    def __init__(self, frame_bytes_max: _Optional[int] = ..., calls_in_flight_max: _Optional[int] = ..., request_bytes_in_flight_max: _Optional[int] = ..., streams_max: _Optional[int] = ..., window_bytes_max: _Optional[int] = ..., idle_ms: _Optional[int] = ..., age_ms: _Optional[int] = ...) -> None: ...

class CreditReply(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class CreditRequest(_message.Message):
    __slots__ = ["bytes", "call_id"]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    bytes: int
    call_id: int
    def __init__(self, call_id: _Optional[int] = ..., bytes: _Optional[int] = ...) -> None: ...

class GoingAway(_message.Message):
    __slots__ = ["close_after_ms", "reason"]
    CLOSE_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    close_after_ms: int
    reason: str
    def __init__(self, reason: _Optional[str] = ..., close_after_ms: _Optional[int] = ...) -> None: ...

class HelloReply(_message.Message):
    __slots__ = ["limits", "protocol", "server"]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    limits: ConnectionLimits
    protocol: int
    server: str
    def __init__(self, protocol: _Optional[int] = ..., server: _Optional[str] = ..., limits: _Optional[_Union[ConnectionLimits, _Mapping]] = ...) -> None: ...

class HelloRequest(_message.Message):
    __slots__ = ["client", "protocol_max", "protocol_min"]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_MAX_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_MIN_FIELD_NUMBER: _ClassVar[int]
    client: str
    protocol_max: int
    protocol_min: int
    def __init__(self, protocol_min: _Optional[int] = ..., protocol_max: _Optional[int] = ..., client: _Optional[str] = ...) -> None: ...

class Notice(_message.Message):
    __slots__ = ["going_away"]
    GOING_AWAY_FIELD_NUMBER: _ClassVar[int]
    going_away: GoingAway
    def __init__(self, going_away: _Optional[_Union[GoingAway, _Mapping]] = ...) -> None: ...

class PingReply(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class PingRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...
