#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks one question up again and again by the stock gRPC client, until the standard input ends.

    grpc_load.py host:port connections question

Prints a line for each call: "served by" and the answer, or what went wrong.
"""
import asyncio
import sys

import grpc

HIT_EXACT = 1


def varint(value):
    data = bytearray()
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(data) + bytes([value])


def field(number, value):
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(data):
    """Numbers and values of a message's fields."""
    position = 0

    def number():
        nonlocal position
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(data):
        tag = number()
        if tag & 7 == 0:
            yield tag >> 3, number()
        else:
            length = {1: 8, 5: 4}.get(tag & 7) or number()
            yield tag >> 3, data[position:position + length]
            position += length


def described(response):
    """What is printed of a LookupResponse: outcome = 1, matches = 3; of a Match: response = 3."""
    parts = dict(fields(response))
    if parts.get(1) != HIT_EXACT:
        return f"another outcome: {parts}"
    return "served by " + dict(fields(parts[3]))[3].decode()


async def call(target, request, stopped):
    # Otherwise all channels of the process share one connection.
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        lookup = channel.unary_unary("/semcached.v1.SemanticCache/Lookup")
        while not stopped.is_set():
            try:
                print(described(await lookup(request, timeout=10)), flush=True)
            except grpc.aio.AioRpcError as error:
                print(f"{error.code().name}: {error.details()}", flush=True)


async def main():
    target, connections, question = sys.argv[1:]
    request = field(1, b"default") + field(2, question.encode())
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    reading = loop.run_in_executor(None, sys.stdin.buffer.read)
    reading.add_done_callback(lambda _: stopped.set())
    await asyncio.gather(*(call(target, request, stopped) for _ in range(int(connections))))


asyncio.run(main())
