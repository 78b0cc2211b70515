internal import HelperClient
internal import NodeObservation
internal import SandboxRegistry

extension PodFacts {
    /// Everybody on the node who keeps something of the pod, as sentences: processes of its containers, and processes with a root, working
    /// directory, program, file, mount or namespace of the pod's. Empty: nobody does, so nothing of it lives.
    ///
    /// Only a look that sees everything tells that: `blindness` must be nil.
    public var holders: [String] {
        var found = members.filter { !$0.process.isZombie }.map {
            "process \($0.process.pid) (\(printed($0.process.name))) of the container \($0.container) lives"
        }
        found += uses.map { use in
            if use.pid == 0 { return "something of the pod's is mounted at \(printed(use.path)) too" }
            return
                "process \(use.pid) (\(printed(use.name))) has \(use.how.joined(separator: ", ")) at \(printed(use.path))"
        }
        for case .process(let pin, let pid, let name) in namespaceHolders {
            found.append("process \(pid) (\(printed(name))) lives in the namespace \(printed(pin))")
        }
        return found
    }

    private func printed(_ text: String) -> String { printable(Array(text.utf8)) }
}

/// What a look at every process of the node says of a pod of which the evidence does not tell whether it lives.
public enum HoldersSeen: Codable, Sendable, Equatable {
    /// Nobody has anything of it.
    case nobody
    /// Who has, as sentences.
    case held([String])
    /// Why not every process was seen.
    case blind(String)
}

extension PodRecords {
    /// Looks at every process of the node for one with a root, working directory, program, file, mount or namespace in the pod's places, or
    /// in a cgroup of a container's name. Takes root, with a /proc that hides nothing; says so where it is not that. Changes nothing.
    ///
    /// - Parameters: As for `explain`.
    public func lookForHolders(serviceManager: Int32? = nil) throws(RemovalError) -> HoldersSeen {
        do throws(ObservationError) {
            let own = try OwnProcess.current()
            guard own.user == 0, own.seesInside else { return .blind("only root sees every process with its files") }
            guard own.isInHostPIDNamespace else {
                return .blind("this process has a PID namespace of its own, or /proc is mounted with subset=pid")
            }
            guard ContainerSearch.seesAll() else { return .blind("/proc hides processes (hidepid of proc(5))") }
            var facts = try PodFacts.gather(sandbox, containers, report, serviceManager: serviceManager)
            // While a process becomes another program it shows nothing.
            for _ in 0..<3 where !facts.hiddenProcesses.isEmpty {
                facts = try PodFacts.gather(sandbox, containers, report, serviceManager: serviceManager)
            }
            if let process = facts.hiddenProcesses.first {
                let more = facts.hiddenProcesses.count > 1 ? " and \(facts.hiddenProcesses.count - 1) more" : ""
                return .blind(
                    "process \(process.pid) (\(printable(Array(process.name.utf8))))\(more) cannot be looked into: \(process.problem)"
                )
            }
            var found = facts.holders
            let known = facts.memberPIDs.union(facts.uses.map(\.pid))
            for (container, pid) in try searched(serviceManager) where !known.contains(pid) {
                found.append("process \(pid) is in a cgroup, or has a root, of the container \(container)")
            }
            return found.isEmpty ? .nobody : .held(found)
        } catch {
            throw .observation(error)
        }
    }

    /// Processes in cgroups that are called after containers: of ids that are short, where pods' cgroups lie; of others, anywhere.
    private func searched(
        _ serviceManager: Int32?
    ) throws(ObservationError) -> [(container: String, pid: Int32)] {
        let table = try MountTable.ofNode(serviceManager: serviceManager)
        let all = CgroupHierarchies(table).roots
        var found: [(container: String, pid: Int32)] = []
        for container in containers {
            let isUnique = container.id.utf8.count == 64
            for pid in try ContainerSearch(container, isUnique ? all : cgroupRoots, table).processes() ?? [] {
                found.append((container.id, pid))
            }
        }
        return found
    }
}
