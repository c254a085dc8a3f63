// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The command line of a semantic cache.
@main
struct Semcache: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "semcache",
        abstract: "Looks up, stores and removes answers in a semcached server.",
        discussion: """
            The server is named by --server or SEMCACHED_SERVER; 127.0.0.1:7070 if neither is given. With
            semcached+tls:// before it, or --tls, the connection is encrypted and the server must prove its name, to an
            authority of the system or of --ca-file (SEMCACHED_CA_FILE). A server with credentials is shown the one of
            --api-key-file, --token-file, SEMCACHED_API_KEY or SEMCACHED_TOKEN; one that knows its clients by
            certificates, that of --client-certificate and --client-key (SEMCACHED_CLIENT_CERTIFICATE,
            SEMCACHED_CLIENT_KEY).
            Exit codes: 0 done (for lookup: hit), 1 miss or bypass (lookup), or a requirement that is not met (eval), 2 error.
            """,
        version: versionText,
        subcommands: [
            LookupCommand.self, StoreCommand.self, InvalidateCommand.self, ImportCommand.self, ExportCommand.self,
            EmbedCommand.self, FeedbackCommand.self, EvalCommand.self, TuneCommand.self, StatsCommand.self,
            PingCommand.self, KeysCommand.self,
        ])

    static func main() async {
        // Writing to a reader that has gone away fails instead; the exit code stays what the command found out.
        signal(SIGPIPE, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            var command = try Self.parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            ExitStatus.exit(after: error, isJSON: arguments.contains("--json"))
        }
    }
}
