#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls a running semcached with Python's stock gRPC, by stubs that grpcio-tools makes of Protos/.

Needs grpcio, grpcio-tools, grpcio-health-checking, grpcio-reflection and grpcio-status. Prints a line of JSON for each
check and exits with 1 if one of them failed.
"""

import argparse
import importlib
import json
import pathlib
import sys
import tempfile
import threading
import traceback

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status
from grpc_tools import protoc

SERVICES = ["semcached.v1.Admin", "semcached.v1.SemanticCache"]


def make_stubs(protos, folder):
    """Compiles the schema and imports what comes of it."""
    well_known = str(importlib.resources.files("grpc_tools") / "_proto")
    arguments = ["protoc", f"-I{protos}", f"-I{well_known}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    if protoc.main([*arguments, "semcached/v1/semantic_cache.proto"]) != 0:
        sys.exit("the schema does not compile")
    sys.path.insert(0, folder)
    return (
        importlib.import_module("semcached.v1.semantic_cache_pb2"),
        importlib.import_module("semcached.v1.semantic_cache_pb2_grpc"),
    )


def read(path):
    return pathlib.Path(path).read_bytes() if path else None


class Checks:
    def __init__(self, options, messages, stubs):
        self.options = options
        self.messages = messages
        self.channel = self.open(options.certificate, options.key)
        self.cache = stubs.SemanticCacheStub(self.channel)
        self.admin = stubs.AdminStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)
        self.stubs = stubs
        self.metadata = self.credential(options.api_key)

    def credential(self, key):
        return [("x-api-key", key)] if key else [("authorization", f"Bearer {self.options.token}")] if self.options.token else []

    def open(self, certificate=None, key=None):
        address = f"{self.options.host}:{self.options.port}"
        arguments = [("grpc.enable_retries", 0)]
        if not self.options.ca:
            return grpc.insecure_channel(address, options=arguments)
        if self.options.server_name:
            arguments.append(("grpc.ssl_target_name_override", self.options.server_name))
        credentials = grpc.ssl_channel_credentials(read(self.options.ca), read(key), read(certificate))
        return grpc.secure_channel(address, credentials, options=arguments)

    def lookup(self, prompt, stub=None, metadata=None, timeout=10, **fields):
        request = self.messages.LookupRequest(cache=b"stock", prompt=prompt.encode(), **fields)
        return (stub or self.cache).Lookup(
            request, timeout=timeout, metadata=self.metadata if metadata is None else metadata)

    def code(self, call):
        try:
            call()
        except grpc.RpcError as error:
            return error
        raise AssertionError("the call succeeded")

    # The checks, in this order.

    def check_store_and_exact_hit(self):
        stored = self.cache.Store(
            self.messages.StoreRequest(
                cache=b"stock", prompt=b"what is a stock client?", response=b"one that nobody changed", tags=[b"t1"],
                attributes=[self.messages.Attribute(name=b"lang", string=b"en")]),
            timeout=10, metadata=self.metadata)
        assert len(stored.entry_id) == 32 and stored.expires_at_ms > 0, stored
        answer = self.lookup("what is a stock client?")
        assert answer.outcome == self.messages.OUTCOME_HIT_EXACT, answer
        assert answer.matches[0].response == b"one that nobody changed", answer
        assert answer.matches[0].entry_id == stored.entry_id, answer

    def check_miss(self):
        answer = self.lookup("is this what nobody stored?", mode=self.messages.LOOKUP_MODE_EXACT)
        assert answer.outcome == self.messages.OUTCOME_MISS, answer
        assert answer.miss.reason == self.messages.MISS_REASON_NOT_STORED, answer

    def check_statistics_ping_and_export(self):
        statistics = self.admin.Stats(
            self.messages.StatsRequest(cache=b"stock"), timeout=10, metadata=self.metadata)
        assert statistics.caches[0].stores >= 1, statistics
        assert self.admin.Ping(self.messages.PingRequest(), timeout=10, metadata=self.metadata).server_version
        page = self.admin.Export(self.messages.ExportRequest(cache=b"stock"), timeout=10, metadata=self.metadata)
        assert [entry.prompt for entry in page.entries] == [b"what is a stock client?"], page

    def check_invalidate(self):
        removed = self.cache.Invalidate(
            self.messages.InvalidateRequest(cache=b"stock", tags=self.messages.Tags(tags=[b"t1"])),
            timeout=10, metadata=self.metadata)
        assert removed.count == 1, removed
        answer = self.lookup("what is a stock client?", mode=self.messages.LOOKUP_MODE_EXACT)
        assert answer.outcome == self.messages.OUTCOME_MISS, answer

    def check_embed(self):
        made = self.cache.Embed(
            self.messages.EmbedRequest(cache=b"stock", texts=[b"one", b"two", b"one"]), timeout=10,
            metadata=self.metadata)
        vectors = [list(embedding.values) for embedding in made.embeddings]
        assert len(vectors) == 3 and vectors[0] == vectors[2] != vectors[1], made
        assert abs(sum(value * value for value in vectors[0]) - 1) < 1e-4, made
        assert made.embedding_identity, made

    def check_feedback_without_a_verdict(self):
        request = self.messages.FeedbackRequest(cache=b"stock", entry_id=b"0" * 32, prompt=b"q")
        error = self.code(lambda: self.cache.Feedback(request, timeout=10, metadata=self.metadata))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "verdict" in error.details(), error

    def check_large_response(self):
        large = bytes(range(256)) * 8000
        self.cache.Store(
            self.messages.StoreRequest(cache=b"stock", prompt=b"large", response=large),
            timeout=30, metadata=self.metadata)
        assert self.lookup("large", timeout=30).matches[0].response == large

    def check_errors_have_details(self):
        error = self.code(lambda: self.lookup("q", similarity_threshold=7))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
        status = rpc_status.from_call(error)
        request = error_details_pb2.BadRequest()
        assert status.details[0].Unpack(request), status
        assert request.field_violations[0].field == "similarity_threshold", status

    def check_refused_before_it_has_arrived(self):
        """A stranger is told so, however much there is still to come."""
        if not self.options.api_key:
            return "skipped"
        call = self.channel.unary_unary("/semcached.v1.SemanticCache/Store")
        for _ in range(20):
            error = self.code(lambda: call(bytes(4 << 20), timeout=10, metadata=[("x-api-key", "wrong")]))
            assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error
        return None

    def check_unknown_method(self):
        call = self.channel.unary_unary("/semcached.v1.SemanticCache/Guess")
        assert self.code(lambda: call(b"", timeout=10)).code() == grpc.StatusCode.UNIMPLEMENTED

    def check_message_limit(self):
        call = self.channel.unary_unary("/semcached.v1.SemanticCache/Lookup")
        for _ in range(20):
            error = self.code(lambda: call(bytes(5 << 20), timeout=10, metadata=self.metadata))
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
        assert self.admin.Ping(self.messages.PingRequest(), timeout=10, metadata=self.metadata).server_version

    def check_deadline(self):
        """A client's deadline: the answer comes before it, as a miss that says why, or else the error of gRPC."""
        # The last one is over before a question could be embedded: it may not be answered as if there had been time.
        for timeout in [0.3] * 5 + [1e-9]:
            try:
                answer = self.lookup(f"held {timeout} " + "what takes a while? " * 200, timeout=timeout)
                late = answer.miss.degraded == self.messages.DEGRADED_DEADLINE_EXCEEDED
                assert late or timeout > 1e-3 and answer.outcome == self.messages.OUTCOME_MISS, answer
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error

    def check_cancellation(self):
        calls = [
            self.cache.Lookup.future(
                self.messages.LookupRequest(cache=b"stock", prompt=f"held {number}".encode()), timeout=30,
                metadata=self.metadata)
            for number in range(50)
        ]
        for call in calls:
            call.cancel()
        assert all(call.cancelled() or call.code() == grpc.StatusCode.OK for call in calls)
        assert self.lookup("after them", mode=self.messages.LOOKUP_MODE_EXACT).outcome == self.messages.OUTCOME_MISS

    def check_health(self):
        for name in ["", *SERVICES]:
            answer = self.health.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING, (name, answer)
        error = self.code(lambda: self.health.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=10))
        assert error.code() == grpc.StatusCode.NOT_FOUND, error

    def check_health_watch(self):
        for name, expected in [
            (SERVICES[1], health_pb2.HealthCheckResponse.SERVING),
            ("nobody", health_pb2.HealthCheckResponse.SERVICE_UNKNOWN),
        ]:
            watch = self.health.Watch(health_pb2.HealthCheckRequest(service=name), timeout=30)
            assert next(watch).status == expected
            watch.cancel()

    def check_reflection(self):
        database = ProtoReflectionDescriptorDatabase(self.channel)
        services = set(database.get_services())
        assert services >= {*SERVICES, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"}, services
        pool = DescriptorPool(database)
        service = pool.FindServiceByName("semcached.v1.SemanticCache")
        methods = ["Lookup", "Store", "Lease", "Invalidate", "Embed", "Feedback"]
        assert [method.name for method in service.methods] == methods, service.methods
        assert pool.FindMessageTypeByName("semcached.v1.LookupRequest").fields_by_name["prompt"].number == 2
        assert pool.FindFileByName("grpc/health/v1/health.proto").package == "grpc.health.v1"

    def check_reflection_version_1(self):
        call = self.channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        # ServerReflectionRequest{list_services: ""}, and one for a file that is not there.
        missing = b"x.proto"
        answers = list(call(iter([b"\x3a\x00", b"\x1a" + bytes([len(missing)]) + missing]), timeout=10))
        assert b"semcached.v1.SemanticCache" in answers[0] and b"not found" in answers[1], answers

    def check_many_at_once(self):
        failures = []

        def work(number):
            try:
                for turn in range(20):
                    self.lookup(f"question {number % 4}.{turn}", mode=self.messages.LOOKUP_MODE_EXACT, timeout=60)
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures[:3]

    # Only with credentials.

    def check_credentials(self):
        if not self.options.api_key:
            return "skipped"
        for metadata in [[("x-api-key", "wrong")], [("authorization", "Bearer a.b.c")], [("authorization", "Basic x")]]:
            error = self.code(lambda m=metadata: self.lookup("q", metadata=m))
            assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error
        if not self.options.certificate:
            error = self.code(lambda: self.lookup("q", metadata=[]))
            assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error
        error = self.code(lambda: self.lookup("q", metadata=self.metadata + [("x-semcache-tenant", "b")]))
        assert error.code() == grpc.StatusCode.PERMISSION_DENIED, error
        return None

    def check_gateway(self):
        if not self.options.gateway_key or not self.options.gateway_tenant:
            return "skipped"
        with self.open() as channel:
            stub = self.stubs.SemanticCacheStub(channel)
            gateway = self.credential(self.options.gateway_key)
            named = gateway + [("x-semcache-tenant", self.options.gateway_tenant)]
            assert self.lookup("q", stub, named, mode=self.messages.LOOKUP_MODE_EXACT).outcome
            error = self.code(lambda: self.lookup("q", stub, gateway))
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
        return None

    def check_client_certificate(self):
        """The certificate is credential enough."""
        if not self.options.certificate:
            return "skipped"
        assert self.lookup("q", metadata=[], mode=self.messages.LOOKUP_MODE_EXACT).outcome
        with self.open() as channel:
            error = self.code(lambda: self.lookup("q", self.stubs.SemanticCacheStub(channel), []))
            expected = grpc.StatusCode.UNAVAILABLE if self.options.certificate_required else grpc.StatusCode.UNAUTHENTICATED
            assert error.code() == expected, error
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--protos", default=str(pathlib.Path(__file__).resolve().parents[2] / "Protos"))
    parser.add_argument("--ca", help="PEM of whoever signed the server's certificate; plain TCP without")
    parser.add_argument("--server-name", help="name in the server's certificate")
    parser.add_argument("--certificate", help="PEM of the client's certificate")
    parser.add_argument("--key", help="PEM of its key")
    parser.add_argument("--certificate-required", action="store_true", help="the server wants one of everybody")
    parser.add_argument("--api-key")
    parser.add_argument("--token")
    parser.add_argument("--gateway-key")
    parser.add_argument("--gateway-tenant")
    parser.add_argument("--only", nargs="*", help="names of checks")
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        messages, stubs = make_stubs(options.protos, folder)
        checks = Checks(options, messages, stubs)
        names = [name for name in vars(Checks) if name.startswith("check_")]
        for name in names:
            if options.only and name.removeprefix("check_") not in options.only:
                continue
            line = {"check": name.removeprefix("check_"), "result": "passed"}
            try:
                line["result"] = getattr(checks, name)() or "passed"
            except Exception:  # pylint: disable=broad-except
                line |= {"result": "failed", "trouble": traceback.format_exc(limit=3)}
                failed = True
            print(json.dumps(line), flush=True)
        checks.channel.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
