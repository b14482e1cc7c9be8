"""The types of `messages.py`. Written by generate.py; run ``make protos``."""

from collections.abc import Iterable, Mapping

from google.protobuf.internal.containers import (
    MessageMap,
    RepeatedCompositeFieldContainer,
    RepeatedScalarFieldContainer,
)
from google.protobuf.message import Message

class Any(Message):
    type_url: str
    value: bytes
    def __init__(self, *, type_url: str | None = ..., value: bytes | None = ...) -> None: ...

class Struct(Message):
    @property
    def fields(self) -> MessageMap[str, Value]: ...
    def __init__(self, *, fields: Mapping[str, Value] | None = ...) -> None: ...

class Value(Message):
    null_value: int
    number_value: float
    string_value: str
    bool_value: bool
    @property
    def struct_value(self) -> Struct: ...
    @property
    def list_value(self) -> ListValue: ...
    def __init__(
        self,
        *,
        null_value: int | None = ...,
        number_value: float | None = ...,
        string_value: str | None = ...,
        bool_value: bool | None = ...,
        struct_value: Struct | None = ...,
        list_value: ListValue | None = ...,
    ) -> None: ...

class ListValue(Message):
    @property
    def values(self) -> RepeatedCompositeFieldContainer[Value]: ...
    def __init__(self, *, values: Iterable[Value] | None = ...) -> None: ...

class BoolValue(Message):
    value: bool
    def __init__(self, *, value: bool | None = ...) -> None: ...

class Metadata(Message):
    @property
    def filter_metadata(self) -> MessageMap[str, Struct]: ...
    @property
    def typed_filter_metadata(self) -> MessageMap[str, Any]: ...
    def __init__(
        self,
        *,
        filter_metadata: Mapping[str, Struct] | None = ...,
        typed_filter_metadata: Mapping[str, Any] | None = ...,
    ) -> None: ...

class HeaderValue(Message):
    key: str
    value: str
    raw_value: bytes
    def __init__(
        self, *, key: str | None = ..., value: str | None = ..., raw_value: bytes | None = ...
    ) -> None: ...

class HeaderValueOption(Message):
    @property
    def header(self) -> HeaderValue: ...
    @property
    def append(self) -> BoolValue: ...
    append_action: int
    keep_empty_value: bool
    def __init__(
        self,
        *,
        header: HeaderValue | None = ...,
        append: BoolValue | None = ...,
        append_action: int | None = ...,
        keep_empty_value: bool | None = ...,
    ) -> None: ...

class HeaderMap(Message):
    @property
    def headers(self) -> RepeatedCompositeFieldContainer[HeaderValue]: ...
    def __init__(self, *, headers: Iterable[HeaderValue] | None = ...) -> None: ...

class Duration(Message):
    seconds: int
    nanos: int
    def __init__(self, *, seconds: int | None = ..., nanos: int | None = ...) -> None: ...

class HttpStatus(Message):
    code: int
    def __init__(self, *, code: int | None = ...) -> None: ...

class ProcessingMode(Message):
    request_header_mode: int
    response_header_mode: int
    request_body_mode: int
    response_body_mode: int
    request_trailer_mode: int
    response_trailer_mode: int
    def __init__(
        self,
        *,
        request_header_mode: int | None = ...,
        response_header_mode: int | None = ...,
        request_body_mode: int | None = ...,
        response_body_mode: int | None = ...,
        request_trailer_mode: int | None = ...,
        response_trailer_mode: int | None = ...,
    ) -> None: ...

class ProtocolConfiguration(Message):
    request_body_mode: int
    response_body_mode: int
    send_body_without_waiting_for_header_response: bool
    def __init__(
        self,
        *,
        request_body_mode: int | None = ...,
        response_body_mode: int | None = ...,
        send_body_without_waiting_for_header_response: bool | None = ...,
    ) -> None: ...

class ProcessingRequest(Message):
    class FlowControlInit(Message):
        def __init__(self) -> None: ...

    class ClientWindowUpdate(Message):
        def __init__(self) -> None: ...

    @property
    def request_headers(self) -> HttpHeaders: ...
    @property
    def response_headers(self) -> HttpHeaders: ...
    @property
    def request_body(self) -> HttpBody: ...
    @property
    def response_body(self) -> HttpBody: ...
    @property
    def request_trailers(self) -> HttpTrailers: ...
    @property
    def response_trailers(self) -> HttpTrailers: ...
    @property
    def metadata_context(self) -> Metadata: ...
    @property
    def attributes(self) -> MessageMap[str, Struct]: ...
    observability_mode: bool
    @property
    def protocol_config(self) -> ProtocolConfiguration: ...
    @property
    def flow_control_init(self) -> FlowControlInit: ...
    @property
    def client_window_update(self) -> ClientWindowUpdate: ...
    def __init__(
        self,
        *,
        request_headers: HttpHeaders | None = ...,
        response_headers: HttpHeaders | None = ...,
        request_body: HttpBody | None = ...,
        response_body: HttpBody | None = ...,
        request_trailers: HttpTrailers | None = ...,
        response_trailers: HttpTrailers | None = ...,
        metadata_context: Metadata | None = ...,
        attributes: Mapping[str, Struct] | None = ...,
        observability_mode: bool | None = ...,
        protocol_config: ProtocolConfiguration | None = ...,
        flow_control_init: FlowControlInit | None = ...,
        client_window_update: ClientWindowUpdate | None = ...,
    ) -> None: ...

class ProcessingResponse(Message):
    class ServerWindowUpdate(Message):
        def __init__(self) -> None: ...

    @property
    def request_headers(self) -> HeadersResponse: ...
    @property
    def response_headers(self) -> HeadersResponse: ...
    @property
    def request_body(self) -> BodyResponse: ...
    @property
    def response_body(self) -> BodyResponse: ...
    @property
    def request_trailers(self) -> TrailersResponse: ...
    @property
    def response_trailers(self) -> TrailersResponse: ...
    @property
    def immediate_response(self) -> ImmediateResponse: ...
    @property
    def streamed_immediate_response(self) -> StreamedImmediateResponse: ...
    @property
    def dynamic_metadata(self) -> Struct: ...
    @property
    def typed_dynamic_metadata(self) -> MessageMap[str, Any]: ...
    @property
    def mode_override(self) -> ProcessingMode: ...
    request_drain: bool
    request_drain_requests: bool
    request_drain_responses: bool
    @property
    def override_message_timeout(self) -> Duration: ...
    @property
    def server_window_update(self) -> ServerWindowUpdate: ...
    def __init__(
        self,
        *,
        request_headers: HeadersResponse | None = ...,
        response_headers: HeadersResponse | None = ...,
        request_body: BodyResponse | None = ...,
        response_body: BodyResponse | None = ...,
        request_trailers: TrailersResponse | None = ...,
        response_trailers: TrailersResponse | None = ...,
        immediate_response: ImmediateResponse | None = ...,
        streamed_immediate_response: StreamedImmediateResponse | None = ...,
        dynamic_metadata: Struct | None = ...,
        typed_dynamic_metadata: Mapping[str, Any] | None = ...,
        mode_override: ProcessingMode | None = ...,
        request_drain: bool | None = ...,
        request_drain_requests: bool | None = ...,
        request_drain_responses: bool | None = ...,
        override_message_timeout: Duration | None = ...,
        server_window_update: ServerWindowUpdate | None = ...,
    ) -> None: ...

class HttpHeaders(Message):
    @property
    def headers(self) -> HeaderMap: ...
    end_of_stream: bool
    def __init__(
        self, *, headers: HeaderMap | None = ..., end_of_stream: bool | None = ...
    ) -> None: ...

class HttpBody(Message):
    body: bytes
    end_of_stream: bool
    end_of_stream_without_message: bool
    grpc_message_compressed: bool
    drain_complete: bool
    def __init__(
        self,
        *,
        body: bytes | None = ...,
        end_of_stream: bool | None = ...,
        end_of_stream_without_message: bool | None = ...,
        grpc_message_compressed: bool | None = ...,
        drain_complete: bool | None = ...,
    ) -> None: ...

class HttpTrailers(Message):
    @property
    def trailers(self) -> HeaderMap: ...
    def __init__(self, *, trailers: HeaderMap | None = ...) -> None: ...

class HeadersResponse(Message):
    @property
    def response(self) -> CommonResponse: ...
    def __init__(self, *, response: CommonResponse | None = ...) -> None: ...

class BodyResponse(Message):
    @property
    def response(self) -> CommonResponse: ...
    def __init__(self, *, response: CommonResponse | None = ...) -> None: ...

class TrailersResponse(Message):
    @property
    def header_mutation(self) -> HeaderMutation: ...
    def __init__(self, *, header_mutation: HeaderMutation | None = ...) -> None: ...

class StreamedImmediateResponse(Message):
    @property
    def headers_response(self) -> HttpHeaders: ...
    @property
    def body_response(self) -> StreamedBodyResponse: ...
    @property
    def trailers_response(self) -> HeaderMap: ...
    def __init__(
        self,
        *,
        headers_response: HttpHeaders | None = ...,
        body_response: StreamedBodyResponse | None = ...,
        trailers_response: HeaderMap | None = ...,
    ) -> None: ...

class CommonResponse(Message):
    status: int
    @property
    def header_mutation(self) -> HeaderMutation: ...
    @property
    def body_mutation(self) -> BodyMutation: ...
    @property
    def trailers(self) -> HeaderMap: ...
    clear_route_cache: bool
    def __init__(
        self,
        *,
        status: int | None = ...,
        header_mutation: HeaderMutation | None = ...,
        body_mutation: BodyMutation | None = ...,
        trailers: HeaderMap | None = ...,
        clear_route_cache: bool | None = ...,
    ) -> None: ...

class ImmediateResponse(Message):
    @property
    def status(self) -> HttpStatus: ...
    @property
    def headers(self) -> HeaderMutation: ...
    body: bytes
    @property
    def grpc_status(self) -> GrpcStatus: ...
    details: str
    def __init__(
        self,
        *,
        status: HttpStatus | None = ...,
        headers: HeaderMutation | None = ...,
        body: bytes | None = ...,
        grpc_status: GrpcStatus | None = ...,
        details: str | None = ...,
    ) -> None: ...

class GrpcStatus(Message):
    status: int
    def __init__(self, *, status: int | None = ...) -> None: ...

class HeaderMutation(Message):
    @property
    def set_headers(self) -> RepeatedCompositeFieldContainer[HeaderValueOption]: ...
    @property
    def remove_headers(self) -> RepeatedScalarFieldContainer[str]: ...
    def __init__(
        self,
        *,
        set_headers: Iterable[HeaderValueOption] | None = ...,
        remove_headers: Iterable[str] | None = ...,
    ) -> None: ...

class StreamedBodyResponse(Message):
    body: bytes
    end_of_stream: bool
    end_of_stream_without_message: bool
    grpc_message_compressed: bool
    drain_complete: bool
    def __init__(
        self,
        *,
        body: bytes | None = ...,
        end_of_stream: bool | None = ...,
        end_of_stream_without_message: bool | None = ...,
        grpc_message_compressed: bool | None = ...,
        drain_complete: bool | None = ...,
    ) -> None: ...

class BodyMutation(Message):
    body: bytes
    clear_body: bool
    @property
    def streamed_response(self) -> StreamedBodyResponse: ...
    def __init__(
        self,
        *,
        body: bytes | None = ...,
        clear_body: bool | None = ...,
        streamed_response: StreamedBodyResponse | None = ...,
    ) -> None: ...

class HealthCheckRequest(Message):
    service: str
    def __init__(self, *, service: str | None = ...) -> None: ...

class HealthCheckResponse(Message):
    status: int
    def __init__(self, *, status: int | None = ...) -> None: ...

class ServerReflectionRequest(Message):
    host: str
    file_by_filename: str
    file_containing_symbol: str
    @property
    def file_containing_extension(self) -> ExtensionRequest: ...
    all_extension_numbers_of_type: str
    list_services: str
    def __init__(
        self,
        *,
        host: str | None = ...,
        file_by_filename: str | None = ...,
        file_containing_symbol: str | None = ...,
        file_containing_extension: ExtensionRequest | None = ...,
        all_extension_numbers_of_type: str | None = ...,
        list_services: str | None = ...,
    ) -> None: ...

class ExtensionRequest(Message):
    containing_type: str
    extension_number: int
    def __init__(
        self, *, containing_type: str | None = ..., extension_number: int | None = ...
    ) -> None: ...

class ServerReflectionResponse(Message):
    valid_host: str
    @property
    def original_request(self) -> ServerReflectionRequest: ...
    @property
    def file_descriptor_response(self) -> FileDescriptorResponse: ...
    @property
    def all_extension_numbers_response(self) -> ExtensionNumberResponse: ...
    @property
    def list_services_response(self) -> ListServiceResponse: ...
    @property
    def error_response(self) -> ErrorResponse: ...
    def __init__(
        self,
        *,
        valid_host: str | None = ...,
        original_request: ServerReflectionRequest | None = ...,
        file_descriptor_response: FileDescriptorResponse | None = ...,
        all_extension_numbers_response: ExtensionNumberResponse | None = ...,
        list_services_response: ListServiceResponse | None = ...,
        error_response: ErrorResponse | None = ...,
    ) -> None: ...

class FileDescriptorResponse(Message):
    @property
    def file_descriptor_proto(self) -> RepeatedScalarFieldContainer[bytes]: ...
    def __init__(self, *, file_descriptor_proto: Iterable[bytes] | None = ...) -> None: ...

class ExtensionNumberResponse(Message):
    base_type_name: str
    @property
    def extension_number(self) -> RepeatedScalarFieldContainer[int]: ...
    def __init__(
        self, *, base_type_name: str | None = ..., extension_number: Iterable[int] | None = ...
    ) -> None: ...

class ListServiceResponse(Message):
    @property
    def service(self) -> RepeatedCompositeFieldContainer[ServiceResponse]: ...
    def __init__(self, *, service: Iterable[ServiceResponse] | None = ...) -> None: ...

class ServiceResponse(Message):
    name: str
    def __init__(self, *, name: str | None = ...) -> None: ...

class ErrorResponse(Message):
    error_code: int
    error_message: str
    def __init__(
        self, *, error_code: int | None = ..., error_message: str | None = ...
    ) -> None: ...
