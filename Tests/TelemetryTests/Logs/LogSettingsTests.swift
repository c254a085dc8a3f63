// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import Testing

@testable import Telemetry

@Suite struct LogSettingsTests {
    @Test(arguments: LogSettings.Format.allCases)
    func `a change of the level reaches loggers that there are, but for one that has its own`(
        format: LogSettings.Format
    ) {
        let settings = LogSettings(format: format, level: .info)
        let shared = Logger(label: "a", factory: { settings.handler(label: $0, metadataProvider: nil) })
        var own = shared
        own.logLevel = .error
        settings.level = .debug
        #expect(shared.logLevel == .debug)
        #expect(own.logLevel == .error)
    }

    @Test(arguments: LogSettings.Format.allCases)
    func `every record is one line without control characters, in either form`(format: LogSettings.Format) throws {
        let pipe = Pipe()
        let sink = LogSink(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        let settings = LogSettings(format: format, level: .info, sink: sink)
        let provider = Logger.MetadataProvider { ["provided": "yes"] }
        var logger = Logger(label: "a", factory: { settings.handler(label: $0, metadataProvider: provider) })
        logger[metadataKey: "peer"] = "x\n2026 error: forged\u{1B}[31m\u{9B}\u{85}\u{2028}"
        logger.info("one")
        logger.debug("not said")
        logger.warning("\(String(repeating: "é", count: 100_000))")
        try pipe.fileHandleForWriting.close()
        let bytes = try #require(try pipe.fileHandleForReading.readToEnd())
        let lines = try #require(String(validating: bytes, as: UTF8.self)).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines[0].unicodeScalars.allSatisfy { !$0.isControl })
        #expect(lines[0].contains("provided"))
        #expect(lines[0].contains("one"))
        #expect(lines[1].utf8.count < TelemetryLimits.logLineBytes)
    }
}
