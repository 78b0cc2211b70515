// swift-tools-version: 6.2
import PackageDescription

// PODREAP_EMBEDDED=1 builds the privileged half alone, in Embedded Swift and without any package:
//     PODREAP_EMBEDDED=1 swift build -c release --product podreap-helper --scratch-path .build-helper
// Otherwise the same sources are ordinary Swift, so that tests, sanitizers and fuzzers run the code that ships.
let embedded = Context.environment["PODREAP_EMBEDDED"] == "1"

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]
let privileged: [SwiftSetting] =
    strict + [.enableExperimentalFeature("Lifetimes")]
    + (embedded
        ? [
            .enableExperimentalFeature("Embedded"),
            .unsafeFlags(["-wmo", "-Osize", "-Xfrontend", "-function-sections"]),
        ] : [])
let helperLinking: [LinkerSetting] =
    embedded
    ? [.unsafeFlags(["-Xlinker", "--gc-sections", "-Xlinker", "-z", "-Xlinker", "now"])] : []

let privilegedTargets: [Target] = [
    // The helper has only what it calls itself: not the orchestrator's wrappers.
    .target(name: "CLinux", sources: embedded ? ["CLinux.c"] : nil),
    .systemLibrary(name: "CCapability", pkgConfig: "libcap", providers: [.apt(["libcap-dev"])]),
    .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
    .target(
        name: "HelperProtocol",
        // The helper answers; it has no code for asking.
        exclude: ["PROTOCOL.md"] + (embedded ? ["Asking"] : []), swiftSettings: privileged),
    .target(
        name: "HelperOperations",
        dependencies: ["HelperProtocol", "CLinux", "CCapability", "CSeccomp"],
        swiftSettings: privileged),
    .executableTarget(
        name: "podreap-helper",
        dependencies: ["HelperProtocol", "HelperOperations"],
        swiftSettings: privileged,
        linkerSettings: helperLinking),
]

let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let unprivilegedTargets: [Target] = [
    .systemLibrary(name: "CSELinux", pkgConfig: "libselinux", providers: [.apt(["libselinux1-dev"])]),
    .target(name: "HelperClient", dependencies: ["HelperProtocol", "CLinux"], swiftSettings: strict),
    .target(name: "SandboxRegistry", dependencies: ["CSELinux", grdb], swiftSettings: strict),
    .target(name: "NodeObservation", dependencies: ["CLinux"], swiftSettings: strict),
    .target(
        name: "SandboxRemoval",
        dependencies: ["HelperProtocol", "HelperClient", "SandboxRegistry", "NodeObservation"],
        swiftSettings: strict),
    .target(name: "SamplePod", dependencies: ["CLinux"], swiftSettings: strict),
    .executableTarget(
        name: "podreap",
        dependencies: ["SandboxRemoval", "HelperProtocol", "SamplePod", arguments],
        swiftSettings: strict),
]

let tests: [Target] = [
    .executableTarget(
        name: "podreap-benchmark", dependencies: ["SandboxRemoval", "SandboxRegistry", "SamplePod", arguments],
        path: "Tests/Benchmark/Driver", swiftSettings: strict),
    .testTarget(name: "SamplePodTests", dependencies: ["SamplePod"], swiftSettings: strict),
    .testTarget(
        name: "HelperProtocolTests", dependencies: ["HelperProtocol"],
        exclude: ["vectors"], swiftSettings: strict),
    .testTarget(
        name: "HelperOperationsTests", dependencies: ["HelperOperations", "HelperProtocol", "CLinux"],
        swiftSettings: strict),
    // A node with a real helper, for the tests that need one.
    .target(name: "CTestNode", path: "Tests/TestNode/C"),
    .target(
        name: "TestNode", dependencies: ["HelperProtocol", "CTestNode"], path: "Tests/TestNode", exclude: ["C"],
        swiftSettings: strict),
    .testTarget(
        name: "HelperTests", dependencies: ["TestNode", "HelperProtocol"], exclude: ["Programs"],
        swiftSettings: strict),
    // A hostile orchestrator; the test is a short run of it.
    .executableTarget(
        name: "podreap-adversary", dependencies: ["TestNode", "HelperProtocol", "CLinux"], path: "Tests/Adversary",
        swiftSettings: strict),
    .testTarget(name: "AdversaryTests", dependencies: ["podreap-adversary"], swiftSettings: strict),
    // The fuzzers' bodies over the inputs that the fuzzers have found; Tests/FuzzCorpusTests/run builds and runs those.
    .testTarget(
        name: "FuzzCorpusTests", dependencies: ["HelperOperations", "HelperProtocol", "NodeObservation", "CLinux"],
        exclude: ["Fuzzer", "corpus", "run"], swiftSettings: strict),
    // A node with podreap on it and real pods, for the tests of removals and of the program.
    .target(
        name: "TestPods", dependencies: ["TestNode", "SamplePod", "SandboxRemoval", "SandboxRegistry"],
        path: "Tests/TestPods", swiftSettings: strict),
    .testTarget(
        name: "PodRemovalTests",
        dependencies: ["TestPods", "TestNode", "SamplePod", "SandboxRemoval", "SandboxRegistry"],
        swiftSettings: strict),
    // A removal that is killed at exactly one moment.
    .executableTarget(
        name: "podreap-crasher", dependencies: ["SandboxRemoval", "SandboxRegistry"], path: "Tests/Crasher",
        swiftSettings: strict),
    .testTarget(
        name: "CrashMatrixTests",
        dependencies: ["TestPods", "TestNode", "SamplePod", "SandboxRemoval", "SandboxRegistry"],
        swiftSettings: strict),
    .testTarget(
        name: "LyingRuntimeTests",
        dependencies: ["TestPods", "TestNode", "SamplePod", "SandboxRemoval", "SandboxRegistry"],
        exclude: ["Programs"], swiftSettings: strict),
    .testTarget(
        name: "SequenceTests",
        dependencies: ["TestPods", "TestNode", "SamplePod", "SandboxRemoval", "SandboxRegistry"],
        exclude: ["Programs"], swiftSettings: strict),
    .testTarget(
        name: "CommandLineTests",
        dependencies: ["TestPods", "TestNode", "SamplePod", "HelperProtocol", "podreap"], swiftSettings: strict),
    .testTarget(
        name: "ExplainTests",
        dependencies: [
            "TestPods", "TestNode", "SamplePod", "SandboxRemoval", "SandboxRegistry", "NodeObservation", "HelperClient",
            "HelperProtocol",
        ],
        exclude: ["Programs"], swiftSettings: strict),
    .testTarget(
        name: "DiscoveryTests",
        dependencies: [
            "SandboxRemoval", "SandboxRegistry", "NodeObservation", "HelperClient", "HelperOperations",
            "HelperProtocol", "podreap",
        ],
        exclude: ["fixtures"], swiftSettings: strict),
    .testTarget(
        name: "SandboxRegistryTests", dependencies: ["SandboxRegistry", grdb], swiftSettings: strict),
    .testTarget(
        name: "NodeObservationTests", dependencies: ["NodeObservation"], swiftSettings: strict),
    .testTarget(
        name: "HelperClientTests", dependencies: ["HelperClient", "HelperProtocol"], swiftSettings: strict),
    .testTarget(
        name: "SandboxRemovalTests",
        dependencies: ["SandboxRemoval", "SandboxRegistry", "NodeObservation", "HelperClient", "HelperProtocol"],
        swiftSettings: strict),
]

let package = Package(
    name: "podreap",
    products: embedded
        ? [.executable(name: "podreap-helper", targets: ["podreap-helper"])]
        : [
            .executable(name: "podreap", targets: ["podreap"]),
            .library(name: "SandboxRemoval", targets: ["SandboxRemoval"]),
            .library(name: "SandboxRegistry", targets: ["SandboxRegistry"]),
        ],
    dependencies: embedded
        ? []
        : [
            .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
            .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        ],
    targets: privilegedTargets + (embedded ? [] : unprivilegedTargets + tests)
)
