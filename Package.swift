// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let tracing = Target.Dependency.product(name: "Tracing", package: "swift-distributed-tracing")
let metricsTestKit = Target.Dependency.product(name: "MetricsTestKit", package: "swift-metrics")
let inMemoryTracing = Target.Dependency.product(name: "InMemoryTracing", package: "swift-distributed-tracing")
let lifecycleTestKit = Target.Dependency.product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let grpcCore = Target.Dependency.product(name: "GRPCCore", package: "grpc-swift-2")
let grpcTransport = Target.Dependency.product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport")
let nioHTTP2 = Target.Dependency.product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioHPACK = Target.Dependency.product(name: "NIOHPACK", package: "swift-nio-http2")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")

// libFuzzer brings `main`; `swift build --sanitize=fuzzer` instruments what they call.
let fuzzers: [Target] =
    Context.environment["SEMCACHED_FUZZ"] == nil
    ? []
    : [
        "FuzzClientMessages", "FuzzServerMessages", "FuzzPrompt", "FuzzFilter", "FuzzRedisReplies", "FuzzTLSHandshake",
    ].map { name in
        .executableTarget(
            name: name, dependencies: ["FuzzProperties"], path: "Tests/Fuzz/\(name)",
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])])
    }

// What .ci/sanitize leaves out, for its builds are long: the benchmark, and the tests that start programs.
let unitTestsOnly = Context.environment["SEMCACHED_UNIT_TESTS_ONLY"] != nil
let leftOut: Set<String> = unitTestsOnly ? ["semcache-bench", "semcached", "IntegrationTests"] : []

// Arrows point from a target to what it is built on; Sources/README.md draws them.
let package = Package(
    name: "semcached",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "CacheClient", targets: ["CacheClient"]),
        .executable(name: "semcached", targets: ["semcached"]),
        .executable(name: "semcache", targets: ["semcache"]),
        .executable(name: "semcache-bench", targets: ["semcache-bench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // C
        .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
        .target(name: "CCacheProto", linkerSettings: [.linkedLibrary("protobuf-c")]),
        .target(name: "CKernels"),

        // Nouns, verbs, wire
        .target(name: "CacheModel", dependencies: ["COpenSSL"], swiftSettings: strict),
        .target(
            name: "CacheEngine", dependencies: ["CacheModel", "Decisions", coreMetrics, deque, logging, tracing],
            swiftSettings: strict),
        .target(name: "CacheWire", dependencies: ["CacheModel", "CCacheProto", nioCore], swiftSettings: strict),
        .target(
            name: "Decisions", dependencies: ["CacheModel"], exclude: ["Data/generate.py", "Data/LICENSE.WordNet"],
            swiftSettings: strict),
        // TLS and telemetry know nothing of caches
        .target(name: "OpenSSLTLS", dependencies: ["COpenSSL", nioCore], swiftSettings: strict),
        .target(
            name: "Telemetry", dependencies: [coreMetrics, logging, tracing, lifecycle], swiftSettings: strict),
        // Adapters
        .target(
            name: "EmbeddedStore", dependencies: ["CacheEngine", "CacheModel", "CKernels", grdb, logging],
            swiftSettings: strict),
        .target(
            name: "RedisClient", dependencies: ["COpenSSL", "OpenSSLTLS", nioCore, nioPosix, deque, logging],
            swiftSettings: strict),
        .target(
            name: "RedisStore",
            dependencies: ["CacheEngine", "CacheModel", "RedisClient", coreMetrics, deque, nioCore, logging],
            swiftSettings: strict),
        .target(
            name: "LocalEmbedder", dependencies: ["CacheEngine", "CacheModel", "CKernels"],
            exclude: ["UnicodeTable/generate.py"], swiftSettings: strict),
        .target(
            name: "HTTPEmbedder",
            dependencies: [
                "CacheEngine", "CacheModel", coreMetrics, deque, httpClient, logging, nioCore, nioHTTP1, nioPosix,
                nioSSL, systemPackage,
            ], swiftSettings: strict),
        .target(
            name: "TokenVerification",
            dependencies: [
                "CacheModel", crypto, cryptoExtras, httpClient, logging, nioCore, nioHTTP1, systemPackage,
            ], swiftSettings: strict),

        // Ends
        .target(
            name: "CacheServer",
            dependencies: [
                "CCacheProto", "CacheEngine", "CacheModel", "CacheWire", "OpenSSLTLS", nioCore, nioPosix, logging,
                lifecycle, coreMetrics, tracing,
            ],
            swiftSettings: strict),
        .target(
            name: "GRPCFront",
            dependencies: [
                "CCacheProto", "CacheEngine", "CacheModel", "CacheServer", "CacheWire", "OpenSSLTLS", grpcCore,
                grpcTransport, nioCore, nioHPACK, nioHTTP2, nioPosix, logging, lifecycle,
            ], swiftSettings: strict),
        .target(
            name: "AdminServer",
            dependencies: [
                "CacheEngine", "CacheModel", "Telemetry", hummingbird, httpTypes, nioHTTPTypes, nioCore, logging,
                lifecycle,
            ], swiftSettings: strict),
        .target(
            name: "CacheClient",
            dependencies: ["CacheModel", "CacheWire", "OpenSSLTLS", nioCore, nioPosix, tracing], swiftSettings: strict),
        .executableTarget(
            name: "semcached",
            dependencies: [
                "AdminServer", "CacheServer", "CacheEngine", "CacheModel", "CacheWire", "EmbeddedStore", "GRPCFront",
                "HTTPEmbedder", "LocalEmbedder", "OpenSSLTLS", "RedisClient", "RedisStore", "Telemetry",
                "TokenVerification",
                arguments, configuration, coreMetrics, httpClient, lifecycle, signals, logging, nioCore, nioHTTP1,
                nioPosix, tracing, yams,
            ], swiftSettings: strict),
        .executableTarget(
            name: "semcache", dependencies: ["CacheClient", "CacheModel", "Decisions", arguments],
            swiftSettings: strict),
        .executableTarget(
            name: "semcache-bench",
            dependencies: [
                "CCacheProto", "CKernels", "CacheEngine", "CacheModel", "CacheWire", "EmbeddedStore", "LocalEmbedder",
                "OpenSSLTLS", "RedisClient", "RedisStore", arguments, histogram, logging, nioCore, nioEmbedded,
                nioPosix,
            ], swiftSettings: strict),
        // Tests
        .target(
            name: "TestSupport",
            dependencies: [
                "CacheEngine", "CacheModel", "CacheWire", "COpenSSL", "OpenSSLTLS", logging, nioCore, nioPosix,
            ],
            path: "Tests/TestSupport", swiftSettings: strict),
        .testTarget(name: "CacheModelTests", dependencies: ["CacheModel", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "DecisionsTests", dependencies: ["CacheModel", "Decisions"], swiftSettings: strict),
        .testTarget(
            name: "DecisionStreamTests",
            dependencies: ["CacheEngine", "CacheModel", "CKernels", "Decisions", "LocalEmbedder"], swiftSettings: strict
        ),
        .testTarget(
            name: "CacheEngineTests",
            dependencies: [
                "CacheEngine", "CacheModel", "TestSupport", coreMetrics, inMemoryTracing, logging, metricsTestKit,
                tracing,
            ], swiftSettings: strict),
        .testTarget(
            name: "CacheWireTests",
            dependencies: ["CacheWire", "CacheModel", "CCacheProto", "TestSupport", nioCore], swiftSettings: strict),
        .testTarget(
            name: "CacheServerTests",
            dependencies: [
                "CacheServer", "CacheEngine", "CacheModel", "CacheWire", "OpenSSLTLS", "TestSupport", coreMetrics,
                nioCore, nioPosix, logging, lifecycle, metricsTestKit,
            ], swiftSettings: strict),
        .testTarget(
            name: "GRPCFrontTests",
            dependencies: [
                "GRPCFront", "CacheEngine", "CacheModel", "CacheServer", "CacheWire", "OpenSSLTLS", "TestSupport",
                grpcCore, grpcTransport, nioCore, nioHPACK, nioPosix, logging, lifecycle, coreMetrics,
                metricsTestKit,
            ], exclude: ["stock_client.py"], swiftSettings: strict),
        .testTarget(
            name: "AdminServerTests",
            dependencies: [
                "AdminServer", "Telemetry", "CacheEngine", "CacheModel", "TestSupport", logging, nioCore, nioPosix,
                lifecycle,
            ], swiftSettings: strict),
        .testTarget(
            name: "CacheClientTests",
            dependencies: [
                "CacheClient", "CacheModel", "CacheWire", "OpenSSLTLS", "TestSupport", nioCore, nioPosix, tracing,
                inMemoryTracing,
            ], swiftSettings: strict),
        .testTarget(
            name: "CLITests", dependencies: ["semcache", "CacheClient", "CacheModel", arguments],
            swiftSettings: strict),
        .target(
            name: "FuzzProperties",
            dependencies: [
                "CacheModel", "CacheWire", "OpenSSLTLS", "RedisClient", "TestSupport", nioCore, nioEmbedded,
            ],
            path: "Tests/Fuzz/FuzzProperties", swiftSettings: strict),
        .testTarget(
            name: "FuzzReplayTests", dependencies: ["FuzzProperties"], path: "Tests/Fuzz/FuzzReplayTests",
            swiftSettings: strict),
        .target(
            name: "StoreConformance", dependencies: ["CacheEngine", "CacheModel", "TestSupport"],
            path: "Tests/StoreConformance", swiftSettings: strict),
        .testTarget(
            name: "RedisClientTests",
            dependencies: ["OpenSSLTLS", "RedisClient", "TestSupport", nioCore, nioEmbedded, nioPosix, logging],
            swiftSettings: strict),
        .testTarget(
            name: "RedisStoreTests",
            dependencies: [
                "CacheEngine", "CacheModel", "RedisClient", "RedisStore", "StoreConformance", "TestSupport", nioCore,
                nioPosix, logging,
            ], swiftSettings: strict),
        .testTarget(
            name: "EmbeddedStoreTests",
            dependencies: [
                "EmbeddedStore", "CacheEngine", "CacheModel", "CKernels", "StoreConformance", "TestSupport", grdb,
                logging,
            ], swiftSettings: strict),
        .testTarget(
            name: "LocalEmbedderTests", dependencies: ["LocalEmbedder", "CacheModel", "CKernels"],
            resources: [.copy("Resources")], swiftSettings: strict),
        .testTarget(
            name: "OpenSSLTLSTests",
            dependencies: ["COpenSSL", "OpenSSLTLS", "TestSupport", nioCore, nioEmbedded, nioPosix],
            swiftSettings: strict),
        .testTarget(
            name: "TelemetryTests",
            dependencies: [
                "Telemetry", "TestSupport", coreMetrics, logging, tracing, lifecycle, lifecycleTestKit, nioCore,
                nioPosix, nioHTTP1,
            ], swiftSettings: strict),
        .testTarget(
            name: "TokenVerificationTests",
            dependencies: [
                "TokenVerification", "CacheModel", "TestSupport", crypto, cryptoExtras, logging, nioCore, nioHTTP1,
                nioPosix,
            ], swiftSettings: strict),
        .testTarget(
            name: "HTTPEmbedderTests",
            dependencies: [
                "HTTPEmbedder", "CacheEngine", "CacheModel", "TestSupport", coreMetrics, logging, metricsTestKit,
                nioCore, nioHTTP1, nioPosix, nioSSL,
            ], swiftSettings: strict),
        .testTarget(
            name: "PitfallTests",
            dependencies: [
                "CKernels", "CacheEngine", "CacheModel", "CacheServer", "CacheWire", "EmbeddedStore", "TestSupport",
                grdb, lifecycle, logging, nioCore, nioPosix,
            ], swiftSettings: strict),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "CacheClient", "CacheModel", "OpenSSLTLS", "Telemetry", "TestSupport", "semcache", "semcached",
                coreMetrics, logging, nioCore, nioHTTP1, nioPosix, tracing,
            ], exclude: ["grpc_load.py", "watch_health.py"], swiftSettings: strict),
    ] + fuzzers,
    cLanguageStandard: .c11
)
package.targets.removeAll { leftOut.contains($0.name) }
package.products.removeAll { leftOut.contains($0.name) }
