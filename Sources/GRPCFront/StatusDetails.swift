// SPDX-License-Identifier: Apache-2.0

import CacheModel
import CacheWire
import GRPCCore

extension RPCError {
    /// An error with what there is to know besides code and text, in the standard places: `google.rpc.BadRequest` and
    /// `google.rpc.RetryInfo` in `grpc-status-details-bin`, and `grpc-retry-pushback-ms` for clients that retry by
    /// themselves.
    init(_ error: CacheError) {
        let code = Status.Code(rawValue: Int(error.code.rawValue)).flatMap(Code.init) ?? .unknown
        var metadata = Metadata()
        if let retryAfter = error.retryAfter {
            metadata.addString("\(retryAfter.millisecondsRoundedUp)", forKey: "grpc-retry-pushback-ms")
        }
        if error.field != nil || error.retryAfter != nil {
            metadata.addBinary(Self.details(of: error), forKey: "grpc-status-details-bin")
        }
        self.init(code: code, message: error.message, metadata: metadata)
    }

    /// A `google.rpc.Status`.
    private static func details(of error: CacheError) -> [UInt8] {
        var status = ProtobufWriter()
        status.varint(1, UInt64(error.code.rawValue))
        status.text(2, error.message)
        if let field = error.field {
            status.message(3) { any in
                any.text(1, "type.googleapis.com/google.rpc.BadRequest")
                any.message(2) { badRequest in
                    badRequest.message(1) { violation in
                        violation.text(1, field)
                        violation.text(2, error.message)
                    }
                }
            }
        }
        if let retryAfter = error.retryAfter {
            let milliseconds = retryAfter.millisecondsRoundedUp
            status.message(3) { any in
                any.text(1, "type.googleapis.com/google.rpc.RetryInfo")
                any.message(2) { retryInfo in
                    retryInfo.message(1) { duration in
                        duration.varint(1, milliseconds / 1000)
                        duration.varint(2, milliseconds % 1000 * 1_000_000)
                    }
                }
            }
        }
        return status.bytes
    }
}
