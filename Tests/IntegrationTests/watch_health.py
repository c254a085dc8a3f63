#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Watches a service's health by the stock gRPC client, to its end.

    watch_health.py host:port

Prints each state as it comes, and at last the status with which the call ended.
"""
import sys

import grpc

STATES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


def main():
    with grpc.insecure_channel(sys.argv[1]) as channel:
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
        try:
            for message in watch(b"", timeout=60):
                # HealthCheckResponse: status = 1, left out if it is 0.
                print(STATES[message[1] if message else 0], flush=True)
            print("ended", flush=True)
        except grpc.RpcError as error:
            print(error.code().name, flush=True)


main()
