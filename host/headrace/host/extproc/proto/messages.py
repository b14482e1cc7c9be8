"""The message classes, built from `schema.binpb` in a descriptor pool of our own.

A private pool, because another package in the same process (xds-protos, say) may have
put Envoy's own files into the default pool, and a name can be defined only once there.
`messages.pyi` beside this file has the types.
"""

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from headrace.host.extproc.proto.schema import files


def _pool() -> DescriptorPool:
    pool = DescriptorPool()
    for file in files():
        pool.AddSerializedFile(file.SerializeToString())
    return pool


_POOL = _pool()


def _class(name: str) -> type[Message]:
    return GetMessageClass(_POOL.FindMessageTypeByName(name))


Any = _class("google.protobuf.Any")
BoolValue = _class("google.protobuf.BoolValue")
Duration = _class("google.protobuf.Duration")
ListValue = _class("google.protobuf.ListValue")
Struct = _class("google.protobuf.Struct")
Value = _class("google.protobuf.Value")

HeaderMap = _class("envoy.config.core.v3.HeaderMap")
HeaderValue = _class("envoy.config.core.v3.HeaderValue")
HeaderValueOption = _class("envoy.config.core.v3.HeaderValueOption")
Metadata = _class("envoy.config.core.v3.Metadata")
HttpStatus = _class("envoy.type.v3.HttpStatus")
ProcessingMode = _class("envoy.extensions.filters.http.ext_proc.v3.ProcessingMode")

BodyMutation = _class("envoy.service.ext_proc.v3.BodyMutation")
BodyResponse = _class("envoy.service.ext_proc.v3.BodyResponse")
CommonResponse = _class("envoy.service.ext_proc.v3.CommonResponse")
GrpcStatus = _class("envoy.service.ext_proc.v3.GrpcStatus")
HeaderMutation = _class("envoy.service.ext_proc.v3.HeaderMutation")
HeadersResponse = _class("envoy.service.ext_proc.v3.HeadersResponse")
HttpBody = _class("envoy.service.ext_proc.v3.HttpBody")
HttpHeaders = _class("envoy.service.ext_proc.v3.HttpHeaders")
HttpTrailers = _class("envoy.service.ext_proc.v3.HttpTrailers")
ImmediateResponse = _class("envoy.service.ext_proc.v3.ImmediateResponse")
ProcessingRequest = _class("envoy.service.ext_proc.v3.ProcessingRequest")
ProcessingResponse = _class("envoy.service.ext_proc.v3.ProcessingResponse")
ProtocolConfiguration = _class("envoy.service.ext_proc.v3.ProtocolConfiguration")
StreamedBodyResponse = _class("envoy.service.ext_proc.v3.StreamedBodyResponse")
StreamedImmediateResponse = _class("envoy.service.ext_proc.v3.StreamedImmediateResponse")
TrailersResponse = _class("envoy.service.ext_proc.v3.TrailersResponse")

HealthCheckRequest = _class("grpc.health.v1.HealthCheckRequest")
HealthCheckResponse = _class("grpc.health.v1.HealthCheckResponse")

ErrorResponse = _class("grpc.reflection.v1.ErrorResponse")
ExtensionNumberResponse = _class("grpc.reflection.v1.ExtensionNumberResponse")
ExtensionRequest = _class("grpc.reflection.v1.ExtensionRequest")
FileDescriptorResponse = _class("grpc.reflection.v1.FileDescriptorResponse")
ListServiceResponse = _class("grpc.reflection.v1.ListServiceResponse")
ServerReflectionRequest = _class("grpc.reflection.v1.ServerReflectionRequest")
ServerReflectionResponse = _class("grpc.reflection.v1.ServerReflectionResponse")
ServiceResponse = _class("grpc.reflection.v1.ServiceResponse")
