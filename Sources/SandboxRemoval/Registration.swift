internal import HelperClient
internal import HelperProtocol
internal import NodeObservation
public import SandboxRegistry

/// What was registered.
public struct Registration: Sendable {
    public var sandbox: Sandbox
    public var containers: [Container]
    /// What is worth knowing: directories that are not there, containers that the runtime does not know.
    public var warnings: [String]
}

extension Orchestrator {
    /// Registers a sandbox with its containers: all or nothing.
    ///
    /// Every path must lie where the helper's policy allows its removal, and every runtime must be one of the policy's. What is
    /// there is looked at, so that it is known again: processes with their start times and cgroups, the identities of directories
    /// and namespaces, and the boot.
    public func register(_ document: RegistrationDocument) async throws(RemovalError) -> Registration {
        let welcome: Welcome
        let bootID: String
        do throws(HelperError) { welcome = try await helpers.welcome() } catch { throw .helper(error) }
        do throws(ObservationError) { bootID = try Boot.id() } catch { throw .observation(error) }
        var examination = Examination(document, RootMap(welcome), helpers)
        try examination.checkPaths()
        try await examination.identify()
        try await examination.findProcesses()
        examination.sandbox.bootID = bootID
        let (sandbox, containers) = (examination.sandbox, examination.containers)
        try fromRegistry { (registry) throws(RegistryError) in try registry.register(sandbox, containers) }
        return Registration(sandbox: sandbox, containers: containers, warnings: examination.warnings)
    }
}

/// A document that is being compared with the policy and with what there is.
struct Examination {
    var sandbox: Sandbox
    var containers: [Container]
    var warnings: [String] = []
    private let roots: RootMap
    private let helpers: HelperPool
    private static let patience: Duration = .seconds(20)

    init(_ document: RegistrationDocument, _ roots: RootMap, _ helpers: HelperPool) {
        sandbox = document.sandbox
        containers = document.containers
        self.roots = roots
        self.helpers = helpers
    }

    /// A container's field as the document calls it.
    private func field(_ index: Int, _ name: String) -> String {
        if containers[index].isInfra { return "infra.\(name)" }
        let before = containers[..<index].count { !$0.isInfra }
        return "containers[\(before)].\(name)"
    }

    // MARK: The policy

    /// Checks every path and runtime, and writes paths as mountinfo does.
    mutating func checkPaths() throws(RemovalError) {
        _ = try check("sandbox.runtime") { (roots) throws(RootError) in try roots.runtime(named: sandbox.runtime) }
        sandbox.directory = try path(sandbox.directory, .remove, [.sandbox, .container], "sandbox.directory")
        if let shm = sandbox.shm, !sandbox.usesHostShm {
            sandbox.shm = try path(shm, .unmount, [.sandbox, .container], "sandbox.shm")
        }
        for index in sandbox.namespaces.indices {
            let pin = sandbox.namespaces[index]
            let field = "sandbox.namespaces.\(pin.kind.rawValue)"
            sandbox.namespaces[index].path = try path(pin.path, .deleteNamespace, [pin.kind.rootKind], field)
        }
        for index in containers.indices {
            let container = containers[index]
            _ = try check(field(index, "runtime")) { (roots) throws(RootError) in
                try roots.target(container.id, runtime: container.runtime)
            }
            for number in container.directories.indices {
                containers[index].directories[number].path = try path(
                    container.directories[number].path, .remove, [.container, .sandbox],
                    field(index, "directories[\(number)]"))
            }
        }
    }

    private func path(
        _ path: String, _ use: PlaceUse, _ kinds: [RootKind], _ field: String
    ) throws(RemovalError) -> String {
        _ = try place(path, use, kinds, field)
        return String(decoding: roots.canonical(Array(path.utf8)), as: UTF8.self)
    }

    private func place(
        _ path: String, _ use: PlaceUse, _ kinds: [RootKind], _ field: String
    ) throws(RemovalError) -> Place {
        try check(field) { (roots) throws(RootError) in try roots.place(path, for: use, in: kinds) }
    }

    private func check<Value>(
        _ field: String, _ body: (RootMap) throws(RootError) -> Value
    ) throws(RemovalError) -> Value {
        do { return try body(roots) } catch { throw .invalid(field: field, problem: "\(error)") }
    }

    // MARK: What there is

    mutating func identify() async throws(RemovalError) {
        sandbox.directoryIdentity = try await directory(sandbox.directory, [.sandbox, .container], "sandbox.directory")
        for index in sandbox.namespaces.indices {
            let pin = sandbox.namespaces[index]
            let field = "sandbox.namespaces.\(pin.kind.rawValue)"
            let place = try place(pin.path, .deleteNamespace, [pin.kind.rootKind], field)
            let reply = try await ask(.deleteNetworkNamespace(place, .look), field)
            guard case .namespace(let identity, let mounted) = reply.facts else {
                warnings.append("\(field): \(pin.path) is not there")
                continue
            }
            if !mounted { warnings.append("\(field): \(pin.path) is left over: no namespace is mounted there") }
            sandbox.namespaces[index].identity = FileIdentity(identity)
        }
        try await identifyContainers()
    }

    mutating func identifyContainers() async throws(RemovalError) {
        for index in containers.indices {
            for number in containers[index].directories.indices {
                containers[index].directories[number].identity = try await directory(
                    containers[index].directories[number].path, [.container, .sandbox],
                    field(index, "directories[\(number)]"))
            }
        }
    }

    private mutating func directory(
        _ path: String, _ kinds: [RootKind], _ field: String
    ) async throws(RemovalError) -> FileIdentity? {
        let place = try place(path, .remove, kinds, field)
        let reply = try await ask(.removeDirectory(place, .look(cursor: 0)), field)
        guard case .directory(let facts) = reply.facts else {
            warnings.append("\(field): \(path) is not there")
            return nil
        }
        return FileIdentity(facts.identity)
    }

    /// Throws where the answer is neither that something is there nor that nothing is.
    private func ask(_ request: Request, _ field: String) async throws(RemovalError) -> Reply {
        let reply: Reply
        do throws(HelperError) {
            reply = try await helpers.call(request, deadline: Self.patience)
        } catch {
            throw .helper(error)
        }
        guard reply.isSuccess else {
            throw .invalid(field: field, problem: StepFailure(reply, of: "cannot be looked at").reason)
        }
        return reply
    }

    // MARK: Processes

    mutating func findProcesses() async throws(RemovalError) {
        var found: [Int: [String]] = [:]
        for index in containers.indices {
            guard let process = try await process(index) else {
                containers[index].process = nil
                continue
            }
            containers[index].process = process
            if containers[index].cgroups.isEmpty { found[index] = try cgroups(of: process) }
        }
        // A cgroup that two containers share is neither's own: it would never be empty before the other ends.
        let uses = found.values.reduce(into: [String: Int]()) { uses, paths in
            for path in Set(paths) { uses[path, default: 0] += 1 }
        }
        for (index, paths) in found { containers[index].cgroups = paths.filter { uses[$0] == 1 } }
    }

    /// The container's init as its runtime knows it. What the document says of it must agree.
    private mutating func process(_ index: Int) async throws(RemovalError) -> ProcessReference? {
        let container = containers[index]
        let target = try check(field(index, "runtime")) { (roots) throws(RootError) in
            try roots.target(container.id, runtime: container.runtime)
        }
        let reply = try await ask(.runtimeState(target), field(index, "id"))
        if reply.outcome == .alreadyDone {
            warnings.append("\(field(index, "id")): \(container.runtime) does not know the container \(container.id)")
        }
        let state = RuntimeState(reply.facts)
        guard reply.outcome == .alreadyDone || state != nil else {
            throw .invalid(
                field: field(index, "id"), problem: "the state that \(container.runtime) prints is not understood")
        }
        let pid = state?.livingProcess
        if let said = container.process?.pid, said != pid {
            let known = pid.map { "its process is \($0)" } ?? "it has no process"
            throw .invalid(field: field(index, "pid"), problem: "\(said), but \(container.runtime) says that \(known)")
        }
        guard let pid else { return nil }
        do throws(ObservationError) {
            guard let startTime = try ProcessStatus.startTime(of: pid) else { return nil }
            return ProcessReference(pid: pid, startTime: startTime)
        } catch {
            throw .observation(error)
        }
    }

    /// The cgroups that are the process's container's own: not a hierarchy's root, and without a process that is older than the
    /// container, as where the runtime has left it in the cgroup that it was called from.
    private func cgroups(of process: ProcessReference) throws(RemovalError) -> [String] {
        do throws(ObservationError) {
            let hierarchies = CgroupHierarchies(try .current())
            var own: [String] = []
            for directory in try hierarchies.directories(of: process.pid) where !hierarchies.roots.contains(directory) {
                if try isOwn(directory, process) { own.append(directory) }
            }
            return own
        } catch {
            throw .observation(error)
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
