// swift-tools-version: 6.1
import PackageDescription

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  // Debug builds, which run the tests, check each access; in a release it is a tenth of a call.
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

/// Targets in the order of their imports: each may import only from those above it.
let package = Package(
  name: "stockstream",
  products: [
    .executable(name: "stockd", targets: ["stockd"]),
    .executable(name: "stockworker", targets: ["stockworker"]),
    .executable(name: "stockctl", targets: ["stockctl"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    // The system libraries, and the generated contracts.
    .systemLibrary(name: "CHiredis"),
    .systemLibrary(name: "CPQ"),
    .systemLibrary(name: "CProtobufC"),
    .systemLibrary(name: "CCrypto"),
    .target(name: "CEpoll"),
    .target(
      name: "CStockProto", dependencies: ["CProtobufC"],
      linkerSettings: [.linkedLibrary("protobuf-c")]),

    // What the server tells of its contracts, beside no code that changes: it compiles slowly.
    .target(
      name: "Contracts",
      resources: [.embedInCode("describe_server.binpb"), .embedInCode("describe_worker.binpb")],
      swiftSettings: strict),

    .target(name: "Inventory", swiftSettings: strict),
    .target(
      name: "Wire", dependencies: ["Inventory", "CStockProto", "CCrypto"], swiftSettings: strict),
    .target(name: "Loop", dependencies: ["CEpoll"], swiftSettings: strict),
    .target(
      name: "RPC",
      dependencies: ["Wire", "Loop", "CEpoll", .product(name: "Logging", package: "swift-log")],
      swiftSettings: strict),
    .target(
      name: "HotPath",
      dependencies: [
        "Inventory", "Wire", "Loop", "CHiredis", .product(name: "Logging", package: "swift-log"),
      ],
      resources: [.embedInCode("Scripts")], swiftSettings: strict),
    .target(
      name: "Introspection", dependencies: ["RPC", "Loop"], swiftSettings: strict),
    .target(
      name: "Reservations", dependencies: ["Contracts", "Introspection", "RPC", "HotPath"],
      swiftSettings: strict
    ),
    .target(
      name: "Ledger", dependencies: ["Inventory", "Wire", "Loop", "CPQ"],
      resources: [.embedInCode("Migrations"), .embedInCode("Statements")],
      swiftSettings: strict),
    .target(
      name: "Projection",
      dependencies: ["HotPath", "Ledger", .product(name: "Logging", package: "swift-log")],
      swiftSettings: strict),

    .target(
      name: "Audit",
      dependencies: ["Projection", .product(name: "Logging", package: "swift-log")],
      swiftSettings: strict),
    .target(name: "Recovery", dependencies: ["HotPath", "Ledger"], swiftSettings: strict),
    .target(
      name: "Administration",
      dependencies: ["Contracts", "Introspection", "RPC", "Projection", "Audit"],
      swiftSettings: strict),

    .target(name: "Settings", dependencies: ["Inventory", "RPC"], swiftSettings: strict),

    .executableTarget(
      name: "stockd",
      dependencies: [
        "Reservations", "Settings",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "stockworker",
      dependencies: [
        "Projection", "Audit", "Recovery", "Administration", "Settings",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "stockctl",
      dependencies: [
        "RPC", "Loop", .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ],
      swiftSettings: strict),

    // Tests: the harness starts real servers and the built programs.
    .target(name: "Harness", path: "Tests/Harness", swiftSettings: strict),
    .testTarget(name: "TidyTests"),
    .testTarget(name: "SettingsTests", dependencies: ["Settings"]),
    .testTarget(name: "InventoryTests", dependencies: ["Inventory"]),
    .testTarget(name: "WireTests", dependencies: ["Inventory", "Wire", "CStockProto"]),
    .testTarget(name: "RPCTests", dependencies: ["Wire", "Loop", "RPC", "Harness"]),
    .testTarget(
      name: "HotPathTests", dependencies: ["Inventory", "Wire", "Loop", "HotPath", "Harness"]),
    .testTarget(
      name: "LedgerTests",
      dependencies: [
        "Inventory", "Wire", "HotPath", "Ledger", "Projection", "Harness", "stockworker",
      ]),
    .testTarget(
      name: "AuditTests",
      dependencies: [
        "Inventory", "Wire", "RPC", "HotPath", "Ledger", "Audit", "Harness", "stockd",
        "stockworker",
      ]),
    .testTarget(
      name: "RecoveryTests",
      dependencies: [
        "Inventory", "Wire", "RPC", "HotPath", "Ledger", "Projection", "Recovery", "Harness",
        "stockd", "stockworker", "stockctl",
      ]),
    .testTarget(
      name: "DurabilityTests",
      dependencies: ["Inventory", "Wire", "RPC", "Harness", "stockd", "stockworker", "stockctl"]),
    .testTarget(
      name: "EndToEndTests",
      dependencies: [
        "Inventory", "Wire", "RPC", "HotPath", "Reservations", "Harness", "stockd", "stockworker",
        "stockctl",
      ]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c11
)
