import ArgumentParser
internal import Ownership
internal import SandboxRegistry
internal import SandboxRemoval

/// A runtime's name on the command line.
enum ForeignName: String, CaseIterable, ExpressibleByArgument {
    case crio, containerd

    var runtime: ForeignRuntime { self == .crio ? .crio : .containerd }
}

/// Options that say where to look for another runtime's pods.
struct ForeignOptions: ParsableArguments {
    @Option(help: "The runtime whose pods to look for.")
    var from: ForeignName?

    @Option(
        help: ArgumentHelp(
            "containerd's state directory, or the runroot of CRI-O's storage, if it is not the default.",
            valueName: "path"))
    var state: String?

    @Option(help: ArgumentHelp("The root directory of containerd, or of CRI-O's storage.", valueName: "path"))
    var root: String?

    @Option(help: ArgumentHelp("Where runc or crun keeps the containers' state.", valueName: "path"))
    var runtimeRoot: String?

    @Option(
        help: ArgumentHelp("The containerd namespace of the kubelet's containers (default: k8s.io).", valueName: "name")
    )
    var containerdNamespace: String?

    func validate() throws {
        let folders = [state, root, runtimeRoot].compactMap { $0 }
        guard from != nil || folders.isEmpty && containerdNamespace == nil else {
            throw ValidationError("--state, --root, --runtime-root and --containerd-namespace need --from")
        }
        for folder in folders {
            if let problem = RecordRules.problem(path: folder) { throw ValidationError("\(folder) \(problem)") }
        }
        guard from != .crio || containerdNamespace == nil else {
            throw ValidationError("--containerd-namespace goes with --from containerd")
        }
    }

    /// Looks for the pods of the named runtime, or of every known runtime if none is named.
    ///
    /// - Parameter pod: The pod that the command names, for messages; nil for all pods.
    func discover(
        for command: String, of pod: String? = nil, asking list: ((_ socket: String) -> CRIListing)? = nil
    ) throws -> Discovery {
        guard ProcessUser.isRoot else {
            let words =
                ["sudo podreap", command] + (from.map { ["--from", $0.rawValue] } ?? []) + (pod.map { [$0] } ?? [])
            throw UsageError("only root can read where other runtimes keep their pods: \(words.joined(separator: " "))")
        }
        let folders = ForeignFolders(
            state: state, root: root, runtimeRoot: runtimeRoot, namespace: containerdNamespace)
        return try Discovery(
            of: from.map { [$0.runtime] } ?? ForeignRuntime.allCases, folders: folders, asking: list)
    }
}
