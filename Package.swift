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
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")

// libFuzzer brings `main`; `swift build --sanitize=fuzzer` instruments what they call.
let fuzzers: [Target] =
    Context.environment["SEMCACHED_FUZZ"] == nil
    ? []
    : ["FuzzClientMessages", "FuzzServerMessages", "FuzzPrompt", "FuzzFilter", "FuzzRedisReplies"].map { name in
        .executableTarget(
            name: name, dependencies: ["FuzzProperties"], path: "Tests/Fuzz/\(name)",
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])])
    }

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
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
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
        .target(name: "CacheEngine", dependencies: ["CacheModel", deque, logging], swiftSettings: strict),
        .target(
            name: "CacheWire", dependencies: ["CacheModel", "CCacheProto", nioCore],
            swiftSettings: strict),

        // Adapters
        .target(
            name: "EmbeddedStore", dependencies: ["CacheEngine", "CacheModel", "CKernels", grdb, logging],
            swiftSettings: strict),
        .target(
            name: "RedisClient", dependencies: ["COpenSSL", nioCore, nioPosix, deque, logging], swiftSettings: strict),
        .target(
            name: "RedisStore", dependencies: ["CacheEngine", "CacheModel", "RedisClient", deque, nioCore, logging],
            swiftSettings: strict),
        .target(
            name: "LocalEmbedder", dependencies: ["CacheEngine", "CacheModel", "CKernels"],
            exclude: ["UnicodeTable/generate.py"], swiftSettings: strict),

        .target(
            name: "TokenVerification",
            dependencies: [
                "CacheModel", crypto, cryptoExtras, httpClient, logging, nioCore, nioHTTP1, systemPackage,
            ],
            swiftSettings: strict),

        // Ends
        .target(
            name: "CacheServer",
            dependencies: [
                "CCacheProto", "CacheEngine", "CacheModel", "CacheWire", nioCore, nioPosix, logging, lifecycle,
            ],
            swiftSettings: strict),
        .target(
            name: "CacheClient", dependencies: ["CacheModel", "CacheWire", nioCore, nioPosix], swiftSettings: strict),
        .executableTarget(
            name: "semcached",
            dependencies: [
                "CacheServer", "CacheEngine", "CacheModel", "CacheWire", "EmbeddedStore", "LocalEmbedder",
                "RedisClient",
                "RedisStore", "TokenVerification", arguments, configuration, lifecycle, signals, logging, nioCore,
                nioPosix, yams,
            ], swiftSettings: strict),
        .executableTarget(
            name: "semcache", dependencies: ["CacheClient", "CacheModel", arguments], swiftSettings: strict),
        .executableTarget(
            name: "semcache-bench",
            dependencies: [
                "CCacheProto", "CKernels", "CacheEngine", "CacheModel", "CacheWire", "EmbeddedStore", "LocalEmbedder",
                "RedisClient", "RedisStore", arguments, histogram, logging, nioCore, nioPosix,
            ], swiftSettings: strict),

        // Tests
        .target(
            name: "TestSupport", dependencies: ["CacheEngine", "CacheModel", "CacheWire", nioCore, nioPosix],
            path: "Tests/TestSupport", swiftSettings: strict),
        .testTarget(name: "CacheModelTests", dependencies: ["CacheModel", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "CacheEngineTests", dependencies: ["CacheEngine", "CacheModel", "TestSupport", logging],
            swiftSettings: strict),
        .testTarget(
            name: "CacheWireTests",
            dependencies: ["CacheWire", "CacheModel", "CCacheProto", "TestSupport", nioCore], swiftSettings: strict),
        .testTarget(
            name: "CacheServerTests",
            dependencies: [
                "CacheServer", "CacheEngine", "CacheModel", "CacheWire", "TestSupport", nioCore, nioPosix, logging,
                lifecycle,
            ], swiftSettings: strict),
        .testTarget(
            name: "CacheClientTests", dependencies: ["CacheClient", "CacheModel", "CacheWire", nioCore, nioPosix],
            swiftSettings: strict),
        .testTarget(
            name: "CLITests", dependencies: ["semcache", "CacheClient", "CacheModel", arguments],
            swiftSettings: strict),
        .target(
            name: "FuzzProperties", dependencies: ["CacheModel", "CacheWire", "RedisClient", nioCore],
            path: "Tests/Fuzz/FuzzProperties", swiftSettings: strict),
        .testTarget(
            name: "FuzzReplayTests", dependencies: ["FuzzProperties"], path: "Tests/Fuzz/FuzzReplayTests",
            swiftSettings: strict),
        .target(
            name: "StoreConformance", dependencies: ["CacheEngine", "CacheModel", "TestSupport"],
            path: "Tests/StoreConformance", swiftSettings: strict),
        .testTarget(
            name: "RedisClientTests",
            dependencies: ["RedisClient", "TestSupport", nioCore, nioEmbedded, nioPosix, logging], swiftSettings: strict
        ),
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
            ],
            swiftSettings: strict),
        .testTarget(
            name: "LocalEmbedderTests", dependencies: ["LocalEmbedder", "CacheModel", "CKernels"],
            resources: [.copy("Resources")], swiftSettings: strict),
        .testTarget(
            name: "TokenVerificationTests",
            dependencies: [
                "TokenVerification", "CacheModel", crypto, cryptoExtras, logging, nioCore, nioHTTP1, nioPosix,
            ], swiftSettings: strict),
        .testTarget(
            name: "PitfallTests",
            dependencies: [
                "CKernels", "CacheEngine", "CacheModel", "CacheServer", "CacheWire", "EmbeddedStore", "TestSupport",
                grdb, lifecycle, logging, nioCore, nioPosix,
            ], swiftSettings: strict),
        .testTarget(
            name: "IntegrationTests", dependencies: ["CacheClient", "TestSupport", "semcache", "semcached"],
            swiftSettings: strict),
    ] + fuzzers,
    cLanguageStandard: .c11
)
