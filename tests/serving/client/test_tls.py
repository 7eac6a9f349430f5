"""TLS and mutual TLS from an ssl config file, over real connections; certificates are made on the spot."""

from __future__ import annotations

import grpc
import pytest

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def config_file(tmp_path, authority):
    """Writes an ssl config file for 127.0.0.1; keyword arguments replace its fields."""
    from google.protobuf import text_format

    from serving.model_server.config.server_config import SSLConfig

    certificate = authority.issue_cert("127.0.0.1")

    def write(**fields):
        pem = {
            "server_key": certificate.private_key_pem.bytes().decode(),
            "server_cert": b"".join(blob.bytes() for blob in certificate.cert_chain_pems).decode(),
            "custom_ca": authority.cert_pem.bytes().decode(),
        }
        file = tmp_path / "tls.config"
        file.write_text(text_format.MessageToString(SSLConfig(**(pem | fields))))
        return file

    return write


@pytest.fixture
def serve_with_tls(push, root):
    from serving.model_server.config.server_config import server_credentials
    from serving.model_server.server import LocalModelServer
    from serving.model_server.versions.served_model import ServedModel

    push(1)
    started = []

    def start(file):
        server = LocalModelServer([ServedModel(root)], port=0, credentials=server_credentials(file))
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


def version_served(channel):
    from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
    from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

    request = GetModelStatusRequest(model_spec={"name": "toy"})
    return (
        ModelServiceStub(channel)
        .GetModelStatus(request, timeout=600.0)
        .model_version_status[0]
        .version
    )


def refused(channel):
    with pytest.raises(grpc.RpcError) as error:
        version_served(channel)
    return error.value.code()


def test_a_client_that_trusts_the_authority_is_answered(serve_with_tls, config_file, authority):
    server = serve_with_tls(config_file())
    with grpc.secure_channel(
        server.target, grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    ) as channel:
        assert version_served(channel) == 1


def test_a_client_in_plain_text_is_refused(serve_with_tls, config_file):
    server = serve_with_tls(config_file())
    with grpc.insecure_channel(server.target) as channel:
        assert refused(channel) == grpc.StatusCode.UNAVAILABLE


def test_a_client_with_a_certificate_of_the_authority_is_answered(
    serve_with_tls, config_file, authority
):
    server = serve_with_tls(config_file(client_verify=True))
    own = authority.issue_cert("client@fulcrum.test")
    credentials = grpc.ssl_channel_credentials(
        authority.cert_pem.bytes(), own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes()
    )
    with grpc.secure_channel(server.target, credentials) as channel:
        assert version_served(channel) == 1


@pytest.mark.parametrize("shows", ["nothing", "a certificate of another authority"])
def test_a_client_that_cannot_be_verified_is_refused(serve_with_tls, config_file, authority, shows):
    import trustme

    server = serve_with_tls(config_file(client_verify=True))
    own = trustme.CA().issue_cert("client@fulcrum.test")
    pair = (
        (own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes()) if shows != "nothing" else ()
    )
    with grpc.secure_channel(
        server.target, grpc.ssl_channel_credentials(authority.cert_pem.bytes(), *pair)
    ) as channel:
        assert refused(channel) == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"server_key": ""}, "server_key must hold a PEM text"),
        ({"server_cert": "/etc/tls/server.pem"}, "the text, not a path"),
        (
            {"custom_ca": "", "client_verify": True},
            "custom_ca must hold a PEM text to verify clients by",
        ),
    ],
)
def test_a_file_without_what_it_needs_is_refused(config_file, fields, text):
    from serving.model_server.config.server_config import ConfigError, server_credentials

    with pytest.raises(ConfigError, match=text):
        server_credentials(config_file(**fields))


def test_a_key_of_another_certificate_is_refused(serve_with_tls, config_file, authority):
    from serving.model_server.config.server_config import ConfigError

    other = authority.issue_cert("127.0.0.1").private_key_pem.bytes().decode()
    with pytest.raises(ConfigError, match="server_key"):
        serve_with_tls(config_file(server_key=other))


def test_an_unknown_field_is_refused_with_its_place_and_the_valid_ones(tmp_path):
    from serving.model_server.config.server_config import ConfigError, server_credentials

    file = tmp_path / "tls.config"
    file.write_text('server_key: "k"\nserver_certificate: "c"\n')
    with pytest.raises(
        ConfigError, match=r"tls.config:2:1.*server_certificate.*server_key, server_cert, custom_ca"
    ):
        server_credentials(file)
