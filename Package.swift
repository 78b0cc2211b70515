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
// Returns and indirect jumps that the processor checks, where it can.
#if arch(x86_64)
    let branches = ["-fcf-protection=full"]
#else
    let branches = ["-mbranch-protection=standard"]
#endif
let privileged: [SwiftSetting] =
    strict + [.enableExperimentalFeature("Lifetimes")]
    + (embedded
        ? [
            .enableExperimentalFeature("Embedded"),
            .unsafeFlags(["-wmo", "-Osize", "-Xfrontend", "-function-sections"] + branches.flatMap { ["-Xcc", $0] }),
        ] : [])
// Code and constants in segments of their own; nothing is writable once it is linked.
let helperLinking: [LinkerSetting] =
    embedded
    ? [
        .unsafeFlags(
            ["-use-ld=lld", "-Xlinker", "--gc-sections"]
                + ["now", "relro", "separate-code", "shstk"].flatMap { ["-Xlinker", "-z", "-Xlinker", $0] })
    ] : []
let hardened: [CSetting] =
    embedded
    ? [
        .unsafeFlags(
            branches + [
                "-fstack-protector-strong", "-fstack-clash-protection", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2",
            ])
    ] : []

let privilegedTargets: [Target] = [
    .target(name: "CLinux", exclude: ["Generated"] + (embedded ? [] : ["Embedded.c"]), cSettings: hardened),
    .systemLibrary(name: "CCapability", pkgConfig: "libcap", providers: [.apt(["libcap-dev"])]),
    .target(
        name: "HelperProtocol",
        // The helper answers; it has no code for asking.
        exclude: ["PROTOCOL.md"] + (embedded ? ["Asking"] : []), swiftSettings: privileged),
    .target(
        name: "HelperOperations",
        dependencies: ["HelperProtocol", "CLinux", "CCapability"],
        swiftSettings: privileged),
    .executableTarget(
        name: "podreap-helper",
        dependencies: ["HelperProtocol", "HelperOperations"],
        swiftSettings: privileged,
        linkerSettings: helperLinking),
]

let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
// SQLite itself, for what GRDB does not wrap.
let sqlite: Target.Dependency = .product(name: "GRDBSQLite", package: "GRDB.swift")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

// gRPC is built for podreapd alone: what only needs the command line, such as `make demo`, does not compile it.
let grpc: Target.Dependency = .product(name: "GRPCCore", package: "grpc-swift-2")
let grpcProtobuf: Target.Dependency = .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let grpcTransport: [Target.Dependency] = [
    .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
]
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let lifecycle: [Target.Dependency] = [
    .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
    .product(name: "UnixSignals", package: "swift-service-lifecycle"),
]

let unprivilegedTargets: [Target] = [
    .systemLibrary(name: "CSELinux", pkgConfig: "libselinux", providers: [.apt(["libselinux1-dev"])]),
    .target(name: "CLinuxSystem"),
    .target(name: "LinuxSystem", dependencies: ["CLinux", "CLinuxSystem"], swiftSettings: strict),
    .target(name: "EventLoop", dependencies: ["LinuxSystem"], swiftSettings: strict),
    .target(
        name: "HelperClient", dependencies: ["LinuxSystem", "EventLoop", "HelperProtocol"], swiftSettings: strict),
    .target(name: "Ownership", dependencies: ["LinuxSystem"], swiftSettings: strict),
    .target(
        name: "SandboxRegistry", dependencies: ["LinuxSystem", "Ownership", "CSELinux", grdb, sqlite],
        swiftSettings: strict),
    .target(name: "NodeObservation", dependencies: ["LinuxSystem", "EventLoop"], swiftSettings: strict),
    .target(
        name: "SandboxRemoval",
        dependencies: [
            "LinuxSystem", "EventLoop", "HelperProtocol", "HelperClient", "SandboxRegistry", "NodeObservation",
        ],
        swiftSettings: strict),
    .executableTarget(
        name: "podreap",
        dependencies: [
            "LinuxSystem", "EventLoop", "SandboxRemoval", "SandboxRegistry", "HelperProtocol", "Ownership", "Settings",
            arguments,
        ],
        swiftSettings: strict),
    .target(
        name: "Settings", dependencies: [.product(name: "TOMLKit", package: "TOMLKit")], swiftSettings: strict),
    // What protoc's plugins have written: as it is, so without what hand-written code is held to.
    .target(
        name: "CRIMessages", dependencies: [grpc, grpcProtobuf, protobuf], exclude: ["Proto"],
        swiftSettings: [.swiftLanguageMode(.v6)]),
    .target(
        name: "CRIService",
        dependencies: [
            "CRIMessages", "LinuxSystem", "EventLoop", "SandboxRemoval", "SandboxRegistry", "HelperProtocol", grpc,
            protobuf, logging, metrics,
        ] + grpcTransport,
        swiftSettings: strict),
    // Asks another runtime.
    .target(
        name: "CRIClient",
        dependencies: [
            "CRIMessages", "SandboxRemoval", grpc, grpcProtobuf, protobuf,
            .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
        ], swiftSettings: strict),
    .executableTarget(
        name: "podreap-rescue",
        dependencies: [
            "CRIClient", "LinuxSystem", "NodeObservation", "SandboxRegistry", "SandboxRemoval", "HelperClient",
            "HelperProtocol", arguments,
        ],
        swiftSettings: strict),
    .executableTarget(
        name: "podreapd",
        dependencies: [
            "CRIService", "LinuxSystem", "EventLoop", "SandboxRemoval", "SandboxRegistry", "HelperClient",
            "HelperProtocol", "Ownership", "Settings", arguments, logging, metrics,
        ] + lifecycle,
        swiftSettings: strict),
]

let tests: [Target] = [
    // Real pods, for the demo, the tests and the benchmark.
    .target(name: "SamplePod", dependencies: ["TestNode"], path: "Tests/Support/SamplePod", swiftSettings: strict),
    .executableTarget(
        name: "podreap-demo", dependencies: ["SamplePod", "SandboxRegistry", arguments], path: "Tests/Support/Demo",
        swiftSettings: strict),
    .executableTarget(
        name: "podreap-benchmark", dependencies: ["SandboxRemoval", "SandboxRegistry", "SamplePod", arguments],
        path: "Tests/Benchmark/Driver", swiftSettings: strict),
    .executableTarget(
        name: "library-example", dependencies: ["SandboxRemoval", "SandboxRegistry"],
        path: "Tests/Support/LibraryExample",
        swiftSettings: strict),
    // One of many processes that use one registry at once.
    .executableTarget(
        name: "podreap-load", dependencies: ["SandboxRegistry", "Ownership"], path: "Tests/Support/Load",
        swiftSettings: strict),
    .testTarget(
        name: "EventLoopTests", dependencies: ["EventLoop"], path: "Tests/Unit/EventLoopTests", swiftSettings: strict),
    .testTarget(
        name: "SamplePodTests", dependencies: ["SamplePod", "TestNode"], path: "Tests/Integration/SamplePodTests",
        swiftSettings: strict),
    .testTarget(
        name: "HelperProtocolTests", dependencies: ["HelperProtocol", "TestNode"],
        path: "Tests/Unit/HelperProtocolTests", exclude: ["vectors"], swiftSettings: strict),
    .testTarget(
        name: "HelperOperationsTests",
        dependencies: ["HelperOperations", "HelperProtocol", "CLinux", "CSeccomp", "TestNode", "podreap-filters"],
        path: "Tests/Unit/HelperOperationsTests", swiftSettings: strict),
    // Compiles policy/seccomp for the helper.
    .systemLibrary(
        name: "CSeccomp", path: "Tests/Support/CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]
    ),
    .executableTarget(
        name: "podreap-filters", dependencies: ["CSeccomp", "TestNode"], path: "Tests/Support/Filters",
        swiftSettings: strict),
    // A node with a real helper, for the tests that need one.
    .target(name: "CTestNode", path: "Tests/Support/TestNode/C"),
    .target(
        name: "TestNode", dependencies: ["HelperProtocol", "CTestNode"], path: "Tests/Support/TestNode",
        exclude: ["C", "Programs"],
        swiftSettings: strict),
    .testTarget(
        name: "HelperTests", dependencies: ["TestNode", "HelperClient", "HelperProtocol", "CSeccomp"],
        path: "Tests/Integration/HelperTests", exclude: ["Programs"],
        swiftSettings: strict),
    // A hostile orchestrator; the test is a short run of it.
    .executableTarget(
        name: "podreap-adversary", dependencies: ["TestNode", "HelperProtocol", "CLinux"],
        path: "Tests/Support/Adversary",
        swiftSettings: strict),
    .testTarget(
        name: "AdversaryTests", dependencies: ["podreap-adversary", "TestNode"],
        path: "Tests/Integration/AdversaryTests",
        swiftSettings: strict),
    // The fuzzers' bodies over the inputs that the fuzzers have found; Tests/Fuzz/run builds and runs those.
    .testTarget(
        name: "FuzzCorpusTests",
        dependencies: ["HelperOperations", "HelperProtocol", "NodeObservation", "CLinux", "TestNode"],
        path: "Tests/Fuzz", exclude: ["Fuzzer", "corpus", "run"], swiftSettings: strict),
    // A node with podreap on it and real pods, for the tests of removals and of the program.
    .target(
        name: "TestPods",
        dependencies: ["EventLoop", "LinuxSystem", "TestNode", "SamplePod", "SandboxRemoval", "SandboxRegistry"],
        path: "Tests/Support/TestPods", exclude: ["Programs"], swiftSettings: strict),
    .testTarget(
        name: "PodRemovalTests",
        dependencies: ["TestPods", "TestNode", "SamplePod", "SandboxRemoval", "SandboxRegistry"],
        path: "Tests/Integration/PodRemovalTests", swiftSettings: strict),
    // A removal that is killed at exactly one moment.
    .executableTarget(
        name: "podreap-crasher", dependencies: ["SandboxRemoval", "SandboxRegistry"], path: "Tests/Support/Crasher",
        swiftSettings: strict),
    .testTarget(
        name: "CrashMatrixTests",
        dependencies: ["TestPods", "TestNode", "SamplePod", "SandboxRemoval", "SandboxRegistry"],
        path: "Tests/Integration/CrashMatrixTests", swiftSettings: strict),
    .testTarget(
        name: "LyingRuntimeTests",
        dependencies: ["TestPods", "TestNode", "SamplePod", "SandboxRemoval", "SandboxRegistry"],
        path: "Tests/Integration/LyingRuntimeTests", exclude: ["Programs"], swiftSettings: strict),
    // Tests/Support/Peers/fetch gets them; Tests/run calls it.
    .testTarget(
        name: "NewestRuntimesTests", dependencies: ["TestPods", "TestNode", "SamplePod"],
        path: "Tests/Integration/NewestRuntimesTests", exclude: ["systemd", "systemd-node"],
        swiftSettings: strict),
    .testTarget(
        name: "SequenceTests",
        dependencies: ["TestPods", "TestNode", "SamplePod", "SandboxRemoval", "SandboxRegistry"],
        path: "Tests/Integration/SequenceTests", exclude: ["Programs"], swiftSettings: strict),
    // Random histories against a model of what a removal promises.
    .testTarget(
        name: "ModelTests",
        dependencies: ["TestPods", "TestNode", "SamplePod", "SandboxRegistry", "podreap-crasher", grdb],
        path: "Tests/Integration/ModelTests", exclude: ["Faults", "run", "try-faults"], swiftSettings: strict),
    // What happens on real nodes, a case for each test.
    .testTarget(
        name: "ReproTests", dependencies: ["TestPods", "TestNode", "SamplePod"], path: "Tests/Integration/ReproTests",
        exclude: ["Programs"],
        swiftSettings: strict),
    .testTarget(
        name: "CommandLineTests",
        dependencies: ["TestPods", "TestNode", "SamplePod", "HelperProtocol", "podreap"],
        path: "Tests/Integration/CommandLineTests", swiftSettings: strict),
    .testTarget(
        name: "ExplainTests",
        dependencies: [
            "TestPods", "TestNode", "SamplePod", "SandboxRemoval", "SandboxRegistry", "NodeObservation", "HelperClient",
            "HelperProtocol",
        ],
        path: "Tests/Integration/ExplainTests", exclude: ["Programs"], swiftSettings: strict),
    // Pods of a real containerd that lives.
    .testTarget(
        name: "LivingRuntimeTests",
        dependencies: ["TestNode", "TestPods", "SandboxRemoval", "podreap", "podreap-rescue"],
        path: "Tests/Integration/LivingRuntimeTests", swiftSettings: strict),
    .testTarget(
        name: "DiscoveryTests",
        dependencies: [
            "SandboxRemoval", "SandboxRegistry", "NodeObservation", "HelperClient", "HelperOperations",
            "HelperProtocol", "TestNode", "podreap",
        ],
        path: "Tests/Unit/DiscoveryTests", exclude: ["fixtures"], swiftSettings: strict),
    // What make install installs, and how the installed parts start each other.
    .testTarget(
        name: "PackagingTests",
        dependencies: ["TestPods", "TestNode", "SamplePod", "podreap", "podreapd", "podreap-rescue"],
        path: "Tests/Integration/PackagingTests", exclude: ["Socket"], swiftSettings: strict),
    .testTarget(
        name: "SandboxRegistryTests", dependencies: ["SandboxRegistry", "TestNode", "TestPods", grdb],
        path: "Tests/Unit/SandboxRegistryTests", swiftSettings: strict),
    .testTarget(
        name: "NodeObservationTests", dependencies: ["NodeObservation", "TestNode", "CTestNode"],
        path: "Tests/Unit/NodeObservationTests", swiftSettings: strict),
    // What the daemon decides, without a daemon.
    .testTarget(
        name: "CRIServiceUnitTests",
        dependencies: [
            "CRIService", "SandboxRemoval", "SandboxRegistry", "HelperClient", "EventLoop", logging,
        ],
        path: "Tests/Unit/CRIServiceUnitTests", swiftSettings: strict),
    .testTarget(
        name: "HelperClientTests", dependencies: ["HelperClient", "HelperProtocol"],
        path: "Tests/Unit/HelperClientTests", swiftSettings: strict),
    .testTarget(
        name: "SandboxRemovalTests",
        dependencies: [
            "SandboxRemoval", "SandboxRegistry", "NodeObservation", "HelperClient", "HelperProtocol", "EventLoop",
            "TestNode",
        ],
        path: "Tests/Unit/SandboxRemovalTests", swiftSettings: strict),
    // Boots a kernel that enforces the SELinux module of policy/selinux.
    .testTarget(
        name: "SELinuxTests", dependencies: ["TestNode"],
        path: "Tests/Integration/SELinuxTests",
        exclude: ["Guest", "Policy", "make-disk", "make-policy", "rules", "run"], swiftSettings: strict),
    .testTarget(
        name: "OwnershipTests", dependencies: ["Ownership"], path: "Tests/Integration/OwnershipTests",
        swiftSettings: strict),
    .testTarget(
        name: "SettingsTests", dependencies: ["Settings"], path: "Tests/Unit/SettingsTests", swiftSettings: strict),
    // Counts that no machine changes, against the lines of its thresholds.
    .testTarget(
        name: "CostTests", dependencies: ["TestPods", "TestNode", "SamplePod", "HelperProtocol"],
        path: "Tests/Integration/CostTests", exclude: ["allocations.c", "thresholds"], swiftSettings: strict),
    // Runs podreapd, and a client that Python's protoc and grpcio make.
    .testTarget(
        name: "CRIServiceTests", dependencies: ["TestPods", "TestNode", "SamplePod"],
        path: "Tests/Integration/CRIServiceTests", exclude: ["Client"],
        swiftSettings: strict),
]

let package = Package(
    name: "podreap",
    products: embedded
        ? [.executable(name: "podreap-helper", targets: ["podreap-helper"])]
        : [
            .executable(name: "podreap", targets: ["podreap"]),
            .executable(name: "podreapd", targets: ["podreapd"]),
            .executable(name: "podreap-rescue", targets: ["podreap-rescue"]),
            .library(name: "SandboxRemoval", targets: ["SandboxRemoval"]),
            .library(name: "SandboxRegistry", targets: ["SandboxRegistry"]),
        ],
    dependencies: embedded
        ? []
        : [
            .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
            .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
            .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
            .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
            .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
            .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0", traits: []),
            .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
            .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
            .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
            .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
            .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        ],
    targets: privilegedTargets + (embedded ? [] : unprivilegedTargets + tests)
)
