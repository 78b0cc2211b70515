internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
internal import SandboxRegistry

extension RegistrationValidator {
    /// Finds each container's process and cgroups, and the identities that tell them from later ones.
    mutating func findProcesses() async throws(RemovalError) {
        let mounts = try observing { () throws(ObservationError) in try MountTable.current() }
        for index in containers.indices {
            let container = containers[index]
            let target = try check(field(index, "runtime")) { (roots) throws(RootError) in
                try roots.target(container.id, runtime: container.runtime)
            }
            let look = try await ask(
                .runtimeKill(target, .look, signal: Signal.kill, all: false), field(index, "id"))
            switch look.facts {
            case .container(let facts):
                containers[index].identity.stateDirectory = FileIdentity(facts.directory)
                let runtime: RuntimeLook
                do throws(StepFailure) { runtime = try RuntimeLook(facts, mounts) } catch {
                    throw .invalid(field: field(index, "id"), problem: error.reason)
                }
                try record(runtime, index, mounts)
            case .directory(let facts):
                // A helper of protocol version 1 does not read the runtime's state, so the runtime itself is asked.
                containers[index].identity.stateDirectory = FileIdentity(facts.identity)
                try await askRuntime(target, index, mounts)
            default:
                try refuseLivingStranger(index, mounts)
                try record(pid: nil, startTime: 0, cgroups: [], index)
                warnings.append(
                    "\(field(index, "id")): \(container.runtime) does not know the container \(container.id)")
            }
        }
    }

    private mutating func record(
        _ look: RuntimeLook, _ index: Int, _ mounts: MountTable
    ) throws(RemovalError) {
        if case .read(let pid, let startTime, let cgroups) = look.state {
            return try record(pid: pid > 0 ? pid : nil, startTime: startTime, cgroups: cgroups, index)
        }
        let container = containers[index]
        warnings.append(
            "\(field(index, "id")): the state that \(container.runtime) keeps of it is missing or damaged; it goes all the same"
        )
        let named = try observing { () throws(ObservationError) in try roots.cgroups(named: container.id) }
        try record(pid: nil, startTime: 0, cgroups: named, index)
    }

    /// Records the init process that the runtime's state names, if it lives; the document must agree.
    private mutating func record(
        pid: Int32?, startTime: UInt64, cgroups: [String], _ index: Int
    ) throws(RemovalError) {
        let own = containers[index].cgroups.isEmpty ? cgroups : containers[index].cgroups
        try identify(own, index)
        let found = try pid.flatMap { (pid) throws(RemovalError) in try living(pid, startTime, cgroups) }
        if let said = containers[index].process?.pid, said != found?.process.pid {
            let known = found.map { "its process is \($0.process.pid)" } ?? "it has no process"
            throw .invalid(
                field: field(index, "pid"), problem: "\(said), but \(containers[index].runtime) says that \(known)")
        }
        containers[index].process = found?.process
        containers[index].identity.processInode = found?.inode
    }

    /// Records the cgroups that exist, with their identities. A hierarchy's root is no container's own.
    private mutating func identify(_ paths: [String], _ index: Int) throws(RemovalError) {
        var known: [String: FileIdentity] = [:]
        var own: [String] = []
        let given = !containers[index].cgroups.isEmpty
        for path in paths {
            let found = try observing { () throws(ObservationError) in try Cgroup.fileIdentity(of: path) }
            known[path] = found
            if found != nil || given { own.append(path) }
        }
        containers[index].cgroups = own
        containers[index].identity.cgroups = known
    }

    /// The process with the pid that a runtime's state names, if it is still the same process. If /proc hides its start
    /// time, it must be a member of the container's cgroups.
    private func living(
        _ pid: Int32, _ startTime: UInt64, _ cgroups: [String]
    ) throws(RemovalError) -> (process: ProcessReference, inode: UInt64?)? {
        try observing { () throws(ObservationError) in
            guard let handle = try ProcessHandle(pid: pid), !handle.isGone else { return nil }
            if let found = handle.startTime {
                guard found == startTime else { return nil }
            } else {
                guard try Cgroup.members(of: cgroups).contains(pid) else { return nil }
            }
            return (ProcessReference(pid: pid, startTime: startTime), handle.inode)
        }
    }

    /// Throws if a container that its runtime does not know still lives: then the document names the wrong runtime.
    private func refuseLivingStranger(_ index: Int, _ mounts: MountTable) throws(RemovalError) {
        let container = containers[index]
        let search = ContainerSearch(container, roots.cgroupRoots.map(\.path), mounts)
        let found = try observing { () throws(ObservationError) in try search.processes() }
        if let pid = found?.first {
            throw .invalid(
                field: field(index, "runtime"),
                problem: """
                    \(container.runtime) does not know the container \(container.id), but its process \(pid) lives; name the \
                    runtime that made it, with its state root in helper.conf
                    """)
        }
    }

    // MARK: Helpers of protocol version 1

    private mutating func askRuntime(
        _ target: RuntimeTarget, _ index: Int, _ mounts: MountTable
    ) async throws(RemovalError) {
        let container = containers[index]
        let reply = try await ask(.runtimeState(target), field(index, "id"))
        let state = RuntimeState(reply.facts)
        guard reply.outcome == .alreadyDone || state != nil else {
            throw .invalid(
                field: field(index, "id"), problem: "the state that \(container.runtime) prints is not understood")
        }
        guard let pid = state?.livingProcess,
            let startTime = try observing({ () throws(ObservationError) in try ProcessStatus.startTime(of: pid) })
        else { return try record(pid: nil, startTime: 0, cgroups: [], index) }
        let process = ProcessReference(pid: pid, startTime: startTime)
        try record(pid: pid, startTime: startTime, cgroups: try cgroups(of: process, mounts), index)
    }

    /// The cgroups that belong to the process's container alone. This excludes a hierarchy's root and any cgroup with a
    /// process older than the container, as happens if the runtime leaves the container in the cgroup that it was
    /// called from.
    private func cgroups(of process: ProcessReference, _ mounts: MountTable) throws(RemovalError) -> [String] {
        try observing { () throws(ObservationError) in
            let hierarchies = CgroupHierarchies(mounts)
            var own: [String] = []
            for directory in try hierarchies.directories(of: process.pid) where !hierarchies.roots.contains(directory) {
                if try isOwn(directory, process) { own.append(directory) }
            }
            return own
        }
    }

    private func isOwn(_ directory: String, _ process: ProcessReference) throws(ObservationError) -> Bool {
        let members: [Int32]
        do {
            members = try Cgroup.members(of: [directory])
        } catch .hiddenProcesses {
            return false
        }
        for pid in members {
            if let startTime = try ProcessStatus.startTime(of: pid), startTime < process.startTime { return false }
        }
        return true
    }
}
