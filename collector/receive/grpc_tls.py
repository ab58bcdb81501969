"""TLS of the gRPC door: the collector's certificate as grpcio's server asks for it, at each handshake."""

from __future__ import annotations

from typing import Any

import grpc

from collector.tls import Tls


def credentials(tls: Tls) -> Any:
    """Credentials of a gRPC server."""

    def current() -> Any:
        pem = tls.pem
        return grpc.ssl_server_certificate_configuration([(pem.key, pem.certificate)], pem.ca)

    return grpc.dynamic_ssl_server_credentials(current(), current, require_client_authentication=tls.pem.ca is not None)
