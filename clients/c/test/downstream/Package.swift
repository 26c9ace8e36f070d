// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "Buyer",
  targets: [
    .systemLibrary(name: "CStockStream", pkgConfig: "stockstream"),
    .executableTarget(name: "Buyer", dependencies: ["CStockStream"]),
  ])
