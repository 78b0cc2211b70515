internal import TestNode

/// A real pod: an infra container and workloads run by an OCI runtime, a shm, a pinned network namespace, overlays and cgroups.
public struct SamplePod: Sendable {
    public struct Container: Sendable {
        public let id: String
        public let name: String
        /// The bundle: config.json, and an overlay mounted at `rootfs`.
        public let directory: String
        /// Its cgroup in every hierarchy, as absolute directories.
        public let cgroups: [String]
        /// The container's init, in this PID namespace; 0 before it was started.
        public internal(set) var pid: Int32 = 0
        /// Of its init: clock ticks after boot.
        public internal(set) var startTime: UInt64 = 0
    }

    public let node: SampleNode
    public let id: String
    public let name: String
    public let uid: String
    public let directory: String
    public let shm: String
    /// The pinned network namespace, with a pair of virtual links in it.
    public let netns: String
    public internal(set) var infra: Container
    public internal(set) var workloads: [Container]
    /// The document that `podreap register` takes (version 1, JSON).
    public internal(set) var registration = ""

    /// Makes and starts a pod; what was made is removed again where that fails.
    ///
    /// Returns when every container is running and has its signal handlers set.
    public init(
        on node: SampleNode, name: String = "web", workloads: [Workload] = [Workload()],
        pidNamespace: PIDNamespace = .container
    ) throws(SampleError) {
        let id = Self.randomID()
        self.node = node
        self.id = id
        self.name = name
        uid = "\(id.prefix(8))-\(id.dropFirst(8).prefix(4))-4000-8000-\(id.suffix(12))"
        directory = "\(node.sandboxRoot)/\(id)"
        shm = "\(directory)/shm"
        netns = "\(node.netnsRoot)/sample-\(id.prefix(16))"
        func container(_ name: String) -> Container {
            let container = Self.randomID()
            return Container(
                id: container, name: name, directory: "\(node.containerRoot)/\(container)",
                cgroups: node.cgroupRoots.map { "\($0)/\(container)" })
        }
        infra = container("POD")
        self.workloads = workloads.indices.map { container("app-\($0)") }
        do {
            try start(workloads, pidNamespace)
        } catch {
            destroy()
            throw error
        }
    }

    /// The infra container and the workloads.
    public var containers: [Container] { [infra] + workloads }

    /// Removes all that is left of the pod, by force, without podreap or the runtime. Does nothing the second time.
    public func destroy() {
        removeCgroups(cgroups)
        // A process leaves its cgroup before it is gone: the init of a PID namespace waits for the machine's init to reap
        // the zombies in it, which some do every second or two only. And one that was moved out of its cgroup goes too.
        for _ in 0..<5000 {
            let alive = containers.filter(isRunning)
            if alive.isEmpty { break }
            for container in alive { killProcess(container.pid) }
            pause(milliseconds: 1)
        }
        for container in containers {
            detachMounts(beneath: container.directory)
            removeTree(container.directory)
            removeTree(state(of: container))
        }
        detachMounts(beneath: directory)
        removeTree(directory)
        detachMounts(beneath: netns)
        removeFile(netns)
    }

    /// What is left of the pod on this machine, one line for each thing, looked at from outside: neither podreap nor the
    /// runtime is asked. Empty where nothing is.
    public func leftovers() -> [String] {
        var found: [String] = []
        for container in containers where isRunning(container) {
            found.append("process \(container.pid), init of \(container.name)")
        }
        for cgroup in cgroups.flatMap(cgroupTree) {
            found += cgroupMembers(cgroup).map { "process \($0) in \(cgroup)" }
            found.append("cgroup \(cgroup)")
        }
        for place in [directory, netns] + containers.map(\.directory) {
            found += mountsToDetach(beneath: place).map { "mount \($0.point) (\($0.type))" }
            if Entry.exists(place) { found.append("directory entry \(place)") }
        }
        for container in containers where Entry.exists(state(of: container)) {
            found.append("runtime state \(state(of: container))")
        }
        return found
    }

    /// What is mounted beneath a directory, the last mounted first.
    public func mountPoints(beneath directory: String) -> [String] { mountsToDetach(beneath: directory).map(\.point) }

    private var cgroups: [String] { containers.flatMap(\.cgroups) }

    /// Whether the container's init lives; a zombie or a later process with its pid does not count.
    private func isRunning(_ container: Container) -> Bool {
        container.pid > 0 && livingProcess(container.pid) == container.startTime
    }

    func state(of container: Container) -> String { "\(node.runtimeRoot)/\(container.id)" }

    /// 64 hexadecimal digits, as runtimes give.
    private static func randomID() -> String {
        (0..<4).map { _ in
            let digits = String(UInt64.random(in: 0...UInt64.max), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}
