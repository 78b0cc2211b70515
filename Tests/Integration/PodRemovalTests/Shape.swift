import SamplePod
import SandboxRegistry
import TestNode
import TestPods
import Testing

/// The kinds of pods that must all be removed without a trace.
enum Shape: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case infraAlone, oneWorkload, threeWorkloads, ignoresTerm, paused, everythingPaused
    case podPIDNamespace, hostPIDNamespace, childOutlivesInit, childOutlivesInitOnHost
    case manyFiles, foreignMount, stackedMounts, hostNetwork, hostShm

    var testDescription: String { rawValue }

    private var workloads: [Workload] {
        switch self {
        case .infraAlone: []
        case .threeWorkloads, .podPIDNamespace: [Workload(), Workload(.ignoresTerm), Workload(.leavesChild)]
        case .hostPIDNamespace: [Workload(), Workload(.ignoresTerm)]
        case .ignoresTerm: [Workload(.ignoresTerm)]
        case .paused: [Workload(isPaused: true), Workload()]
        case .everythingPaused: [Workload(.ignoresTerm, isPaused: true), Workload(isPaused: true)]
        case .childOutlivesInit, .childOutlivesInitOnHost: [Workload(.leavesChild), Workload()]
        case .manyFiles: [Workload(files: 3000)]
        case .oneWorkload, .foreignMount, .stackedMounts, .hostNetwork, .hostShm: [Workload()]
        }
    }

    private var pidNamespace: PIDNamespace {
        switch self {
        case .podPIDNamespace, .childOutlivesInit: .pod
        case .hostPIDNamespace, .childOutlivesInitOnHost: .host
        default: .container
        }
    }

    /// Data that is mounted beneath a container's directory and belongs to somebody else.
    static let foreign = "/mnt/foreign"

    func pod(on node: PodNode) throws -> SamplePod {
        let pod = try node.pod("web", workloads, pidNamespace)
        switch self {
        case .foreignMount:
            let directory = pod.workloads[0].directory
            try shell(
                """
                mkdir -p \(Self.foreign)/deep && echo mine >\(Self.foreign)/deep/file
                mkdir -p \(directory)/a/b && touch \(directory)/a/file
                mount --bind \(Self.foreign) \(directory)/a/b
                mount --bind \(Self.foreign)/deep/file \(directory)/a/file
                """)
        case .stackedMounts:
            let directory = pod.workloads[0].directory
            try shell(
                """
                mkdir \(directory)/stack
                for i in 1 2 3; do mount -t tmpfs stack \(directory)/stack; mkdir \(directory)/stack/inner; done
                mount -t tmpfs stack \(directory)/stack/inner
                mount -t tmpfs stack \(pod.shm)
                mkdir '\(pod.directory)/with blank' && mount -t tmpfs stack '\(pod.directory)/with blank'
                mount --bind \(pod.netns) \(pod.netns)
                """)
        default: break
        }
        return pod
    }

    func document(of pod: SamplePod) throws -> RegistrationDocument {
        var document = try pod.document()
        if self == .hostNetwork { document.sandbox.namespaces = [] }
        if self == .hostShm { document.sandbox.shm = "/dev/shm" }
        return document
    }

    /// What podreap was not told of, and so has to leave alone.
    func isForeign(_ leftover: String, to pod: SamplePod) -> Bool {
        self == .hostNetwork && leftover.contains(pod.netns)
    }
}
