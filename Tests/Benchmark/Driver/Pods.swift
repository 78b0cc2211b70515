import SamplePod

/// What a pod consists of.
struct Shape {
    let workloads: Int
    let behaviour: Workload.Behaviour

    /// For a row of the table.
    var name: String { "infra + \(workloads)\(ignoresTerm ? ", TERM ignored" : "")" }
    var ignoresTerm: Bool { behaviour == .ignoresTerm }
}

/// One way to remove pods.
protocol Contestant {
    /// Makes pods and has them known to whoever removes them; none of it is measured.
    func prepare(_ count: Int, _ shape: Shape) throws -> any Prepared
}

/// Pods that run, and wait for their removal.
protocol Prepared {
    /// Removes them, all at once where there are several: milliseconds, by the name of who measured.
    func remove() throws -> [(who: String, milliseconds: Double)]
    /// Takes away what is left, and throws where that was anything.
    func finish() throws
}

/// Real pods on the node of the benchmark, removed by something that leaves nothing behind.
struct SamplePods: Prepared {
    let pods: [SamplePod]
    private let name: String
    private let removal: ([SamplePod]) throws -> [(who: String, milliseconds: Double)]

    init(
        _ node: SampleNode, _ count: Int, _ shape: Shape, for name: String,
        prepare: ([SamplePod]) throws -> Void = { _ in },
        remove removal: @escaping ([SamplePod]) throws -> [(who: String, milliseconds: Double)]
    ) throws {
        self.name = name
        self.removal = removal
        var pods: [SamplePod] = []
        do {
            for number in 0..<count {
                let workloads = (0..<shape.workloads).map { _ in Workload(shape.behaviour) }
                pods.append(try SamplePod(on: node, name: "web-\(number)", workloads: workloads))
            }
            try prepare(pods)
        } catch {
            pods.forEach { $0.destroy() }
            throw error
        }
        self.pods = pods
    }

    func remove() throws -> [(who: String, milliseconds: Double)] { try removal(pods) }

    func finish() throws {
        defer { pods.forEach { $0.destroy() } }
        let left = pods.flatMap { $0.leftovers() }
        guard left.isEmpty else { throw Incomplete("\(name) left behind: \(left.joined(separator: ", "))") }
    }
}

/// The form in which floor.c and the shell script read what there is to remove.
func description(of pods: [SamplePod]) -> String {
    var lines: [String] = []
    for pod in pods {
        lines.append("pod \(pod.id)")
        func describe(_ container: SamplePod.Container, as word: String) {
            lines.append("\(word) \(container.id) \(container.pid)")
            lines += pod.mountPoints(beneath: container.directory).map { "unmount \($0)" }
            lines.append("directory \(container.directory)")
            lines += container.cgroups.map { "cgroup \($0)" }
        }
        pod.workloads.forEach { describe($0, as: "container") }
        describe(pod.infra, as: "infra")
        lines += ["sandbox", "unmount \(pod.shm)", "directory \(pod.directory)", "netns \(pod.netns)"]
    }
    return lines.joined(separator: "\n") + "\n"
}
