internal import LinuxSystem
internal import NodeObservation

/// Finds the programs that run the pods' containers: those that their shims and conmons call, or else those that
/// helper.conf names. It never guesses, because another program may not understand the states.
struct RuntimePrograms {
    private let monitors: [ContainerMonitor]
    private let files: NodeFiles
    /// The runtimes of helper.conf.
    private let configured: [Configured]
    private(set) var problems: [String] = []
    /// The programs and roots whose problem was reported.
    private var known: Set<String> = []

    struct Configured: Equatable {
        let name: String
        let path: String
        let root: String
    }

    static let policy = "/etc/podreap/helper.conf"

    /// - Parameter monitors: Only the node's own, because a container may run anything under such a name.
    init(_ monitors: [ContainerMonitor], _ files: NodeFiles) {
        self.monitors = monitors
        self.files = files
        configured = Self.configured((try? files.contents(of: Self.policy)) ?? nil)
    }

    /// The `runtime` lines of helper.conf; the helper itself says which lines are wrong.
    static func configured(_ text: [UInt8]?) -> [Configured] {
        (text ?? []).split(separator: UInt8(ascii: "\n")).compactMap { line in
            let words = line.prefix { $0 != UInt8(ascii: "#") }.split {
                $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t")
            }
            .map { String(decoding: $0, as: UTF8.self) }
            guard words.count >= 5, words[0] == "runtime", words[1] == "=" else { return nil }
            return Configured(name: words[2], path: words[3], root: words[4])
        }
    }

    /// Sets the program and the name of each container's runtime, and the root where nothing else says it.
    mutating func name(_ pods: inout [ForeignPod]) {
        for index in pods.indices {
            let ids = Set([pods[index].pod.id] + pods[index].pod.containers.map(\.id))
            let ofPod = monitors.filter { !ids.isDisjoint(with: $0.containers) }
            for number in pods[index].pod.containers.indices {
                let container = pods[index].pod.containers[number]
                // A pod's containers have one runtime, so another one's monitor says which.
                let own = ofPod.first { $0.containers.contains(container.id) } ?? ofPod.first
                pods[index].pod.containers[number].runtime = named(container.runtime, own)
            }
        }
        makeUnique(&pods)
    }

    private mutating func named(_ runtime: ObservedRuntime, _ monitor: ContainerMonitor?) -> ObservedRuntime {
        var runtime = runtime
        if let monitor {
            if let program = monitor.runtime { runtime.setProgram(program) }
            if runtime.path == nil { runtime.path = monitor.path(of: runtime.name) }
            if !runtime.isRootKnown, let root = monitor.runtimeRoot { runtime.root = root }
        }
        runtime.root = files.canonical(runtime.root)
        runtime.path = runtime.path.map(files.resolved)
        let lines = configured.filter { $0.root == runtime.root }
        guard let line = lines.first(where: { $0.path == runtime.path }) ?? lines.first else { return runtime }
        if runtime.path == nil || runtime.path == line.path {
            (runtime.name, runtime.path) = (line.name, line.path)
        } else if let path = runtime.path, known.insert("\(path) \(runtime.root)").inserted {
            let who = monitor.map { "\($0.program) (process \($0.pid)) calls" } ?? "the bundles name"
            problems.append(
                """
                \(who) \(path) for the containers whose states are in \(runtime.root), but helper.conf names \
                \(line.path): change its line to runtime = \(runtime.name) \(path) \(runtime.root)
                """)
        }
        return runtime
    }

    /// Makes the names unique: a name in helper.conf stands for one program and one root. If a second root is in use, on a
    /// node that had both CRI-O and containerd, the second runtime's name gets its manager's name as a suffix.
    private func makeUnique(_ pods: inout [ForeignPod]) {
        var roots = Dictionary(configured.map { ($0.name, $0.root) }) { first, _ in first }
        for index in pods.indices {
            for number in pods[index].pod.containers.indices {
                var runtime = pods[index].pod.containers[number].runtime
                if let root = roots[runtime.name], root != runtime.root {
                    runtime.name += "-\(pods[index].runtime.rawValue)"
                }
                roots[runtime.name] = runtime.root
                pods[index].pod.containers[number].runtime.name = runtime.name
            }
        }
    }
}
