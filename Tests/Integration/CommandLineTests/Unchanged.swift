import SamplePod
import TestNode
import TestPods
import Testing

/// What bad input must leave as it was: the registry, and the pod on the node.
struct Unchanged {
    private let node: PodNode
    private let pod: SamplePod
    private let registry: String
    private let traces: [String]

    /// Makes a pod and registers it.
    init(_ node: PodNode) throws {
        self.node = node
        pod = try node.pod("kept", [Workload(.ignoresTerm)])
        let result = try node.register(pod)
        #expect(result.status == 0 && result.errors == "", "\(result)")
        registry = try Self.content(node)
        traces = pod.leftovers()
    }

    var document: String { pod.registration }
    var id: String { pod.id }
    var sample: SamplePod { pod }

    func verify(_ comment: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(try Self.content(node) == registry, "\(comment)", sourceLocation: sourceLocation)
        #expect(pod.leftovers() == traces, "\(comment)", sourceLocation: sourceLocation)
    }

    private static func content(_ node: PodNode) throws -> String {
        let result = try node.podreap(["ps", "--json"])
        #expect(result.status == 0)
        return result.output
    }
}

extension PodNode {
    func register(_ pod: SamplePod, options: [String] = []) throws -> PodreapResult {
        try podreap(["register", try write(pod.registration, as: "\(pod.name).json")] + options)
    }
}

/// The exit status and all that was said on standard error, which is one message or none.
func expectFailure(
    _ result: PodreapResult, _ status: Int32, _ message: String, sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(result.status == status, "\(result)", sourceLocation: sourceLocation)
    #expect(result.output == "", sourceLocation: sourceLocation)
    #expect(result.errors.hasPrefix("podreap: \(message)"), "\(result.errors)", sourceLocation: sourceLocation)
    #expect(!result.errors.contains("\u{1b}"), sourceLocation: sourceLocation)
}
