"""The first contract, as its own programs spoke it, against the server of today."""

import struct
import uuid

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from cases import WireTest
from client import Connection, envelope
from conversation import StoreCommand, contract, read
from programs import wait_until
from stock.v1 import reflection_pb2 as reflection

# What differs from server to server and from day to day.
TIMES = {"expires_at", "created_at", "changed_at"}
TEXTS = {"stock.v1.ErrorDetail.message", "stock.v1.HealthCheckReply.version"}
# Fields that later contracts have added to the messages of the first, as (message, number).
ADDITIONS = set()
# What later servers have added to what the first said: a method that it did not have.
HELLO = "hello of a later client"


class FrozenContract:
    """The messages of then, and no others."""

    def __init__(self, name):
        self.files = descriptor_pb2.FileDescriptorSet.FromString(contract(name)).file
        self.pool = descriptor_pool.DescriptorPool()
        for file in self.files:
            self.pool.Add(file)
        self.classes = message_factory.MessageFactory(self.pool)

    def decode(self, name, data):
        message = self.classes.GetPrototype(self.pool.FindMessageTypeByName(name))()
        message.ParseFromString(data)
        return message

    def method(self, request):
        """None: there was no such method."""
        service, _, name = request.method.partition("/")
        try:
            return self.pool.FindServiceByName(service).FindMethodByName(name)
        except KeyError:
            return None


def payload(frame):
    assert struct.unpack(">I", frame[:4])[0] == len(frame) - 4
    return frame[4:]


class TestFirstContract(WireTest):
    def setUp(self):
        super().setUp()
        self.own_programs()
        self.frozen = FrozenContract("first")
        self.hold_ids = {}  # the recorded one, and today's

    def test_its_client_gets_the_same_answers(self):
        steps = read("first")
        self.assertGreater(sum(not isinstance(step, StoreCommand) for step in steps), 40)
        for step in steps:
            if isinstance(step, StoreCommand):
                self.programs.store(*step.words)
            else:
                with self.subTest(step=step.name):
                    self.replay(step)

    def replay(self, step):
        if step.name.endswith("once expired"):
            hold_id = list(self.hold_ids.values())[-1]
            # Its status says so by the clock, its version when it has been swept.
            wait_until(lambda: self.get_hold(hold_id=hold_id).hold.version == 2,
                       "the hold has been swept")
        sent = [self.today(frame) for frame in step.sent]
        with Connection(self.address) as peer:
            peer.send(b"".join(sent))
            answers = {}
            for _ in step.received:
                (length,) = struct.unpack(">I", peer.receive_exactly(4))
                answer = self.frozen.decode("stock.v1.Response", peer.receive_exactly(length))
                answers[answer.call_id] = answer
        requests = {}
        for frame in sent:
            request = self.frozen.decode("stock.v1.Request", payload(frame))
            requests[request.call_id] = request
        for frame in step.received:
            then = self.frozen.decode("stock.v1.Response", payload(frame))
            self.compare(step, requests[then.call_id], then, answers.pop(then.call_id))
        self.assertFalse(answers)

    def today(self, frame):
        """The same bytes, but for the time of creation that is part of a hold's name."""
        for then, now in self.hold_ids.items():
            frame = frame.replace(then.encode(), now.encode())
        return frame

    def compare(self, step, request, then, now):
        if step.name == HELLO:
            self.assertEqual(then.status, envelope.CODE_UNIMPLEMENTED)
            self.assertEqual(now.status, envelope.CODE_OK)
            return
        self.assert_same(then, now, skip="message")
        method = self.frozen.method(request)
        if then.status == envelope.CODE_OK:
            replies = [self.frozen.decode(method.output_type.full_name, response.message)
                       for response in (then, now)]
            self.assert_same(*replies)
        else:
            self.assertEqual(now.message, b"")

    def assert_same(self, then, now, skip=None):
        for field in then.DESCRIPTOR.fields:
            if field.name == skip:
                continue
            values = getattr(then, field.name), getattr(now, field.name)
            with self.subTest(field=field.full_name):
                self.assert_same_field(field, *values, present=[
                    field.name in [had.name for had, _ in message.ListFields()]
                    for message in (then, now)])
        unknown = {(now.DESCRIPTOR.full_name, field.field_number)
                   for field in now.UnknownFields()}
        self.assertLessEqual(unknown, ADDITIONS)

    def assert_same_field(self, field, then, now, present):
        self.assertEqual(*present, "set then and now")
        if field.name in TIMES or field.full_name in TEXTS:
            return
        if field.name == "hold_id" and then:
            self.assertEqual(then.rpartition("-")[0], now.rpartition("-")[0])
            self.hold_ids.setdefault(then, now)
        elif field.name == "order_id" and then:
            self.assertEqual(uuid.UUID(now).version, uuid.UUID(then).version)
        elif field.message_type and field.label != field.LABEL_REPEATED:
            self.assert_same(then, now)
        else:
            self.assertEqual(then, now)

    def test_nothing_of_it_has_changed_its_number_or_its_type(self):
        described = self.connection.ask(
            "Reflection/Describe", reflection.DescribeRequest(), reflection.DescribeReply)
        today = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(described.descriptors).file:
            today.Add(file)
        compared = 0
        for file in self.frozen.files:
            for message in file.message_type:
                compared += self.assert_kept(
                    message, today.FindMessageTypeByName(f"{file.package}.{message.name}"))
            for values in file.enum_type:
                self.assert_numbers_kept(
                    values, today.FindEnumTypeByName(f"{file.package}.{values.name}"))
            for service in file.service:
                now = today.FindServiceByName(f"{file.package}.{service.name}")
                for method in service.method:
                    self.assertEqual(
                        (method.input_type, method.output_type),
                        tuple("." + one.full_name for one in (
                            now.methods_by_name[method.name].input_type,
                            now.methods_by_name[method.name].output_type)))
        self.assertGreater(compared, 80)

    def assert_kept(self, then, now):
        for field in then.field:
            with self.subTest(message=then.name, field=field.name):
                found = now.fields_by_number[field.number]
                self.assertEqual((field.name, field.type, field.label),
                                 (found.name, found.type, found.label))
        for values in then.enum_type:
            self.assert_numbers_kept(values, now.enum_types_by_name[values.name])
        return len(then.field)

    def assert_numbers_kept(self, then, now):
        for value in then.value:
            with self.subTest(enum=then.name, value=value.name):
                self.assertEqual(now.values_by_name[value.name].number, value.number)
