// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CacheClient
import CacheModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

let versionText = ServiceVersion.current

/// What the process ends with.
enum ExitStatus {
    static let miss = ExitCode(1)
    static let failure = ExitCode(2)
    /// What a shell reports for a process that Ctrl-C ended.
    static let interrupted = ExitCode(130)

    static func end(_ code: ExitCode) -> Never { endProcess(code.rawValue) }

    /// Ends the process with the status that an error stands for, having said what it is.
    static func exit(after error: any Error, isJSON: Bool) -> Never {
        if let code = error as? ExitCode { self.end(code) }
        if let fault = CommandFault(error) {
            if isJSON {
                Output.error(JSONText.line(ErrorObject(fault)))
            } else {
                Output.error("semcache: \(fault.text)")
            }
            self.end(self.failure)
        }
        let message = Semcache.fullMessage(for: error)
        // What was asked for, such as the help, is output; what is wrong with the arguments is not.
        let isSuccess = Semcache.exitCode(for: error).isSuccess
        if isSuccess { Output.line(message) } else { Output.error(message) }
        self.end(isSuccess ? .success : self.failure)
    }
}

/// Something that keeps a command from being carried out, in a line that says what to do.
struct CommandFault: Error, Equatable {
    let code: String
    let text: String
    let field: String?
    let retryAfter: Duration?

    init(
        _ text: String, code: String = "invalid_argument", field: String? = nil, retryAfter: Duration? = nil
    ) {
        self.code = code
        self.text = text
        self.field = field
        self.retryAfter = retryAfter
    }

    init?(_ error: any Error) {
        switch error {
        case let fault as CommandFault:
            self = fault
        case let error as CacheClientError:
            self.init(
                Self.text(of: error), code: error.code.label, field: error.field,
                retryAfter: error.retryAfter)
        default:
            return nil
        }
    }

    private static func text(of error: CacheClientError) -> String {
        // A server's words are printed to a terminal.
        let message = Output.printable(error.message)
        if let retryAfter = error.retryAfter { return "\(message); try again in \(DurationText.wait(retryAfter))" }
        switch (error.origin, error.code) {
        case (.connection, .unavailable) where error.field == "tls":
            return "\(message). See --ca-file, --server-name, --client-certificate and --client-key"
        case (.connection, .unavailable):
            return "\(message). Start a server with ./deploy/run, or name another with --server or SEMCACHED_SERVER"
        case (.server, .unauthenticated):
            return "\(message). Name a credential with --api-key-file, --token-file or --client-certificate"
        default:
            return message
        }
    }
}

struct ErrorObject: Encodable {
    struct Content: Encodable {
        let code: String
        let message: String
        let field: String?
        let retryAfterMilliseconds: Int64?

        enum CodingKeys: String, CodingKey {
            case code
            case message
            case field
            case retryAfterMilliseconds = "retry_after_ms"
        }
    }

    let error: Content

    init(_ fault: CommandFault) {
        self.error = Content(
            code: fault.code, message: fault.text, field: fault.field,
            retryAfterMilliseconds: fault.retryAfter?.wholeMilliseconds)
    }
}

private func endProcess(_ status: Int32) -> Never { exit(status) }
