internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

extension Discovery {
    /// The lines that helper.conf needs for the removal of these pods, with comments that say what they allow.
    ///
    /// - Parameter caller: The user that will run podreap: a name or a uid.
    public func policy(caller: String) -> String {
        var lines = Lines(caller: caller, hierarchies: hierarchies)
        for foreign in pods where documents.contains(where: { $0.sandbox.id == foreign.pod.id }) {
            lines.add(foreign.pod, files)
        }
        return lines.text(title: runtimes.map(\.title).joined(separator: " and "))
    }
}

/// The contents of helper.conf, built up pod by pod.
private struct Lines {
    let caller: String
    let hierarchies: [String]
    private var sandboxRoots: [String: ClosedRange<Int>] = [:]
    private var containerRoots: [String: ClosedRange<Int>] = [:]
    private var cgroupRoots: [String: ClosedRange<Int>] = [:]
    /// The name patterns, by key and path.
    private var namespaceRoots: [String: Set<String>] = [:]
    private var runtimes: [String: ObservedRuntime] = [:]
    private var notes: Set<String> = []

    init(caller: String, hierarchies: [String]) {
        self.caller = caller
        self.hierarchies = hierarchies
    }

    mutating func add(_ pod: ObservedPod, _ files: NodeFiles) {
        Self.widen(&sandboxRoots, files.canonical(pod.directory.root), pod.directory.depth)
        for container in pod.containers {
            for directory in container.directories {
                Self.widen(&containerRoots, files.canonical(directory.root), directory.depth)
            }
            for cgroup in container.cgroups { add(cgroup: cgroup) }
            var runtime = container.runtime
            runtime.path = runtime.path ?? runtimes[runtime.name]?.path
            runtime.hooks = runtime.hooks || runtimes[runtime.name]?.hooks == true
            runtimes[runtime.name] = runtime
        }
        for cgroup in pod.cgroups { add(cgroup: cgroup) }
        for kind in NamespaceKind.allCases {
            if let pin = pod.pins[kind.rawValue] { add(pin: files.canonical(pin), "\(kind.rootKind.key)") }
        }
    }

    private static func widen(_ roots: inout [String: ClosedRange<Int>], _ root: String, _ depth: Int) {
        let range = roots[root] ?? depth...depth
        roots[root] = min(range.lowerBound, depth)...max(range.upperBound, depth)
    }

    private mutating func add(pin: String, _ key: String) {
        guard let slash = pin.lastIndex(of: "/"), slash != pin.startIndex else { return }
        let name = pin[pin.index(after: slash)...]
        let root = "\(key) = \(pin[..<slash])"
        var bytes = InlineBytes<256>()
        if name.utf8.allSatisfy({ bytes.append($0) }), bytes.isUUID {
            namespaceRoots[root, default: []].insert("uuid")
        } else if let dash = name.firstIndex(of: "-"), dash != name.startIndex {
            namespaceRoots[root, default: []].insert("\(name[...dash])*")
        } else {
            notes.insert("\(pin) has a name that no pattern fits, so podreap cannot delete it: ip netns delete \(name)")
        }
    }

    /// The first cgroup of the hierarchy, such as `kubepods`, becomes the root: nothing beside it belongs to a pod.
    private mutating func add(cgroup: String) {
        let hierarchy = hierarchies.first { cgroup.hasPrefix("\($0)/") }
        let names = cgroup.dropFirst(hierarchy?.count ?? 0).split(separator: "/")
        let first = names.firstIndex { $0.hasPrefix("kubepods") } ?? (hierarchy == nil ? names.count : 0)
        guard first < names.count - 1 else {
            notes.insert("\(cgroup) lies in no other cgroup, so that no root fits it. If it is left: rmdir \(cgroup)")
            return
        }
        Self.widen(
            &cgroupRoots, "\(hierarchy ?? "")/" + names[...first].joined(separator: "/"), names.count - 1 - first)
    }

    func text(title: String) -> String {
        var text = ["# For pods that \(title) left. Nothing else is allowed to podreap's helper."]
        text.append("caller = \(caller)")
        text += Self.lines("sandbox-root", sandboxRoots)
        for line in Self.lines("container-root", containerRoots) {
            if line.contains(" depth ") {
                text.append("# Image layers lie beneath the next root too. Remove its line when these pods are gone.")
            }
            text.append(line)
        }
        text += namespaceRoots.sorted { $0.key < $1.key }.map { "\($0) names \($1.sorted().joined(separator: " "))" }
        let cgroups = Self.lines("cgroup-root", cgroupRoots)
        // Runtimes remove their own cgroups; these lines are for cgroups that a runtime leaves behind.
        let room = Int(Limits.roots) - sandboxRoots.count - containerRoots.count - namespaceRoots.count
        text += cgroups.prefix(max(0, room))
        if cgroups.count > room { text.append("# \(cgroups.count - room) more cgroup roots do not fit in a policy.") }
        for (name, runtime) in runtimes.sorted(by: { $0.key < $1.key }) {
            if runtime.hooks { text.append("# Bundles have poststop hooks, which run as root when it deletes them.") }
            let hooks = runtime.hooks ? " hooks" : ""
            if let path = runtime.path {
                text.append("runtime = \(name) \(path) \(runtime.root)\(hooks)")
            } else {
                text.append("# Which program this was is not known: no shim or conmon of it lives. Name it here.")
                text.append("# runtime = \(name) /PATH/TO/\(name.prefix { $0 != "-" }) \(runtime.root)\(hooks)")
            }
        }
        text += notes.sorted().map { "# \($0)" }
        return text.joined(separator: "\n") + "\n"
    }

    private static func lines(_ key: String, _ roots: [String: ClosedRange<Int>]) -> [String] {
        roots.sorted { $0.key < $1.key }.map { root, depth in
            let depths = depth.count == 1 ? "\(depth.lowerBound)" : "\(depth.lowerBound)-\(depth.upperBound)"
            return "\(key) = \(root)" + (depths == "1" ? "" : " depth \(depths)")
        }
    }
}
