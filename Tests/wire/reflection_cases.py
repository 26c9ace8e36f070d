"""A tool that knows nothing but what the server says of its contracts."""

import os
import struct
import subprocess

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from cases import WireTest, fresh
from client import FRAME_PAYLOAD_BYTES_MAX, ROOT, WORK, envelope, frame
from stock.v1 import diagnostics_pb2 as diagnostics
from stock.v1 import reflection_pb2 as reflection


class TestReflection(WireTest):
    def setUp(self):
        super().setUp()
        self.described = self.connection.ask(
            "Reflection/Describe", reflection.DescribeRequest(), reflection.DescribeReply)

    def pool(self):
        """The descriptors of the server, and no others."""
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(self.described.descriptors).file:
            pool.Add(file)
        return pool

    def test_the_files_are_those_of_the_repository(self):
        folder = os.path.join(ROOT, "proto", "stock", "v1")
        expected = {}
        # The others are the worker's.
        for name in set(os.listdir(folder)) - {"dead_letters.proto", "audit.proto", "records.proto"}:
            with open(os.path.join(folder, name), encoding="utf-8") as contract:
                expected["stock/v1/" + name] = contract.read()
        self.assertEqual({file.name: file.text for file in self.described.files}, expected)

    def test_the_descriptors_are_those_of_the_files(self):
        folder = os.path.join(WORK, fresh("served"))
        for file in self.described.files:
            path = os.path.join(folder, file.name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as contract:
                contract.write(file.text)
        made = os.path.join(folder, "set")
        subprocess.run(
            ["protoc", "-I", folder, "--include_imports", f"--descriptor_set_out={made}",
             *(file.name for file in self.described.files)], check=True)
        with open(made, "rb") as descriptors:
            self.assertEqual(self.described.descriptors, descriptors.read())

    def test_a_call_by_descriptors_alone(self):
        self.set_stock(3)
        pool = self.pool()
        classes = message_factory.MessageFactory(pool)

        def made(name, **fields):
            return classes.GetPrototype(pool.FindMessageTypeByName(name))(**fields)

        method = pool.FindServiceByName("stock.v1.Reservations").FindMethodByName("Reserve")
        request = made(method.input_type.full_name, sku=self.sku, qty=2, user_id="tool",
                       idempotency_key=fresh("key"))
        whole = made("stock.v1.Request", call_id=77, method="stock.v1.Reservations/Reserve",
                     message=request.SerializeToString()).SerializeToString()
        self.connection.send(struct.pack(">I", len(whole)) + whole)
        (length,) = struct.unpack(">I", self.connection.receive_exactly(4))
        self.assertLess(length, FRAME_PAYLOAD_BYTES_MAX)
        response = made("stock.v1.Response")
        response.ParseFromString(self.connection.receive_exactly(length))
        self.assertEqual((response.call_id, response.status), (77, 0))
        reply = made(method.output_type.full_name)
        reply.ParseFromString(response.message)
        outcomes = pool.FindEnumTypeByName("stock.v1.Outcome")
        self.assertEqual(outcomes.values_by_number[reply.outcome].name, "HELD")
        self.assertEqual(reply.available, 1)
        self.assert_figures(1, 2, 0)

    def test_every_method_is_served(self):
        files = descriptor_pb2.FileDescriptorSet.FromString(self.described.descriptors).file
        names = [f"{file.package}.{service.name}/{method.name}"
                 for file in files for service in file.service for method in service.method]
        self.assertGreater(len(names), 12)
        # A message that no method takes: it tells a method that is there from one that is not.
        for call_id, name in enumerate(names + ["stock.v1.Stock/Steal"], start=1000):
            with self.subTest(method=name):
                self.connection.send(frame(envelope.Request(
                    call_id=call_id, method=name, message=b"\x0a\xff")))
                response = self.connection.receive()
                self.assertEqual(response.call_id, call_id)
                self.assertEqual(response.detail.reason == "UNKNOWN_METHOD", "Steal" in name)


class TestState(WireTest):
    def test_this_connection_is_listed(self):
        self.set_stock(1)
        state = self.connection.ask(
            "Diagnostics/State", diagnostics.StateRequest(), diagnostics.StateReply)
        self.assertTrue(state.process.version and state.process.pid)
        self.assertEqual(state.shards_silent, 0)
        self.assertTrue({"listen", "redis", "shards"} <= {s.name for s in state.settings})
        mine = [connection for shard in state.shards for connection in shard.connections
                if connection.calls_in_flight == 1 and connection.calls_made == 2]
        self.assertTrue(mine)
        sets = [method for shard in state.shards for method in shard.methods
                if method.method == "stock.v1.Stock/Set" and method.calls > 0]
        self.assertTrue(sets)
        self.assertTrue(all(0 < method.p50_ns <= method.max_ns for method in sets))
