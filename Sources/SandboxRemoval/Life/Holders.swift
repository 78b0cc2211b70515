internal import HelperClient
internal import NodeObservation
internal import SandboxRegistry

extension PodFacts {
    /// Everything on the node that holds something of the pod, as sentences: processes of its containers, and processes
    /// with a root, working directory, program, file, mount or namespace of the pod. Empty if nothing of the pod lives.
    ///
    /// Only a scan that sees every process proves this; `PodRecords.lookForHolders` checks that it does.
    public var holders: [String] {
        var found = members.filter { !$0.process.isZombie }.map {
            "process \($0.process.pid) (\(printable($0.process.name))) of the container \($0.container) lives"
        }
        found += uses.map { use in
            if use.pid == 0 { return "something of the pod's is mounted at \(printable(use.path)) too" }
            return
                "process \(use.pid) (\(printable(use.name))) has \(use.how.joined(separator: ", ")) at \(printable(use.path))"
        }
        for case .process(let pin, let pid, let name) in namespaceHolders {
            found.append("process \(pid) (\(printable(name))) lives in the namespace \(printable(pin))")
        }
        return found
    }
}

/// The result of a scan of every process on the node, for a pod whose other evidence does not tell whether it lives.
public enum HoldersSeen: Codable, Sendable, Equatable {
    /// No process holds anything of the pod.
    case nobody
    /// The holders, as sentences.
    case held([String])
    /// Why the scan did not see every process.
    case blind(String)
}

extension PodRecords {
    /// Scans all processes for a root, working directory, program, file, mount or namespace at the pod's paths, and for
    /// a cgroup named after a container. Returns `blind` without root or if /proc hides anything. Changes nothing.
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
            // A process shows nothing while it executes another program, so the scan is repeated.
            for _ in 0..<3 where !facts.hiddenProcesses.isEmpty {
                facts = try PodFacts.gather(sandbox, containers, report, serviceManager: serviceManager)
            }
            if let process = facts.hiddenProcesses.first {
                let more = facts.hiddenProcesses.count > 1 ? " and \(facts.hiddenProcesses.count - 1) more" : ""
                return .blind(
                    "process \(process.pid) (\(printable(process.name)))\(more) cannot be looked into: \(process.problem)"
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

    /// Processes in cgroups that are named after containers. A full id of 64 bytes is searched for in every cgroup
    /// hierarchy, a shorter one only beneath the cgroup roots.
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
