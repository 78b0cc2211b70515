internal import EventLoop
internal import HelperClient
internal import HelperProtocol
internal import LinuxSystem
internal import NodeObservation
public import SandboxRegistry

/// The result of a registration.
public struct Registration: Sendable {
    public var sandbox: Sandbox
    public var containers: [Container]
    /// What is worth knowing: directories that do not exist, containers that the runtime does not know.
    public var warnings: [String]
}

extension Orchestrator {
    /// Registers a sandbox with all its containers, or nothing.
    ///
    /// The helper's policy must allow the removal of every path and must list every runtime. The identities of existing
    /// things are recorded so that they can be recognised later: processes with their start times and cgroups,
    /// directories, namespaces, and the boot.
    ///
    /// - Parameter timeout: For the whole call. Nothing is registered after it, unless the error says that this is not
    ///   known.
    public func register(
        _ document: RegistrationDocument, timeout: Duration = .seconds(120)
    ) async throws(RemovalError) -> Registration {
        let time = CallTime(timeout)
        // This is checked before anything else, because a sandbox that is half removed would fail the other checks too.
        let id = document.sandbox.id
        let held = try await time.reading { () throws(RemovalError) in try self.find(id) }
        if held?.state == .removing { throw .registry(.beingRemoved(id: id)) }
        let registration = try await time.bound("a look at the node") { () throws(RemovalError) in
            try await self.examine(document, time)
        }
        try await time.writing { [registry] (deadline) throws(RegistryError) in
            try registry.register(
                registration.sandbox, registration.containers, clock: Self.clock(), until: deadline)
        }
        return registration
    }

    private func examine(_ document: RegistrationDocument, _ time: CallTime) async throws(RemovalError) -> Registration
    {
        let session = try await time.session(helpers)
        let bootID = try observing { () throws(ObservationError) in try Boot.id() }
        var examination = RegistrationValidator(document, session, time)
        try examination.checkPaths()
        try await examination.identify()
        try await examination.findProcesses()
        try examination.findPodsOwn()
        examination.sandbox.bootID = bootID
        return examination.registration
    }

    /// Registers another container of a registered sandbox, as `register` does for the first ones.
    ///
    /// - Parameters:
    ///   - sandboxID: The sandbox's whole id.
    ///   - timeout: As for a sandbox.
    public func register(
        _ containers: [Container], into sandboxID: String, timeout: Duration = .seconds(120)
    ) async throws(RemovalError) -> Registration {
        let time = CallTime(timeout)
        let sandbox = try await time.reading { () throws(RemovalError) in try self.find(sandboxID) }
        guard let sandbox else { throw .registry(.unknownSandbox(id: sandboxID)) }
        let registration = try await time.bound("a look at the node") { () throws(RemovalError) in
            try await self.examine(RegistrationDocument(sandbox: sandbox, containers: containers), into: sandbox, time)
        }
        try await time.writing { [registry] (deadline) throws(RegistryError) in
            try registry.register(registration.containers, into: sandboxID, until: deadline)
        }
        return registration
    }

    private func examine(
        _ document: RegistrationDocument, into sandbox: Sandbox, _ time: CallTime
    ) async throws(RemovalError) -> Registration {
        let session = try await time.session(helpers)
        let bootID = try observing { () throws(ObservationError) in try Boot.id() }
        if sandbox.isFromEarlierBoot(than: bootID) {
            throw .invalid(
                field: "pod_sandbox_id", problem: "the machine was booted after that sandbox was registered; remove it")
        }
        var examination = RegistrationValidator(document, session, time)
        try examination.checkPaths()
        try await examination.identifyContainers()
        try await examination.findProcesses()
        return Registration(sandbox: sandbox, containers: examination.containers, warnings: examination.warnings)
    }
}

/// Validates a document against the policy and against what exists on the node.
struct RegistrationValidator {
    var sandbox: Sandbox
    var containers: [Container]
    var warnings: [String] = []
    let roots: RootMap
    let helpers: HelperSession
    private let time: CallTime

    init(_ document: RegistrationDocument, _ helpers: HelperSession, _ time: CallTime) {
        sandbox = document.sandbox
        containers = document.containers
        roots = RootMap(helpers.welcome)
        self.helpers = helpers
        self.time = time
    }

    var registration: Registration { Registration(sandbox: sandbox, containers: containers, warnings: warnings) }

    /// The name of a container's field in the document.
    func field(_ index: Int, _ name: String) -> String {
        if containers[index].isInfra { return "infra.\(name)" }
        let before = containers[..<index].count { !$0.isInfra }
        return "containers[\(before)].\(name)"
    }

    // MARK: The policy

    /// Checks every path and runtime, and rewrites paths as mountinfo shows them.
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

    func check<Value>(
        _ field: String, _ body: (RootMap) throws(RootError) -> Value
    ) throws(RemovalError) -> Value {
        do { return try body(roots) } catch { throw .invalid(field: field, problem: "\(error)") }
    }

    // MARK: What exists on the node

    mutating func identify() async throws(RemovalError) {
        let own = try await directory(sandbox.directory, [.sandbox, .container], "sandbox.directory")
        sandbox.directoryIdentity = own.identity
        sandbox.directoryMountID = own.mountID
        if let shm = sandbox.shm, !sandbox.usesHostShm {
            let place = try place(shm, .unmount, [.sandbox, .container], "sandbox.shm")
            let reply = try await send(.unmount(place, .look), "sandbox.shm")
            // The shm lies in a directory that is itself a mount, so it goes with that mount.
            let isCovered = if case .refused(.leavesRoot, _) = reply.outcome { liesInMount(shm) } else { false }
            if !isCovered {
                try refuseFailure(reply, "sandbox.shm")
                (sandbox.shmMountID, sandbox.shmIdentity) = Self.mount(reply)
            }
        }
        for index in sandbox.namespaces.indices {
            let pin = sandbox.namespaces[index]
            let field = "sandbox.namespaces.\(pin.kind.rawValue)"
            let place = try place(pin.path, .deleteNamespace, [pin.kind.rootKind], field)
            let reply = try await ask(.deleteNamespace(place, .look), field)
            guard case .namespace(let identity, let mounted) = reply.facts else {
                warnings.append("\(field): \(pin.path) is not there")
                continue
            }
            if !mounted { warnings.append("\(field): \(pin.path) is left over: no namespace is mounted there") }
            sandbox.namespaces[index].identity = FileIdentity(identity)
        }
        try await identifyContainers()
    }

    private func liesInMount(_ path: String) -> Bool {
        sandbox.directoryMountID != nil && path != sandbox.directory && isBeneath(sandbox.directory, path)
    }

    mutating func identifyContainers() async throws(RemovalError) {
        for index in containers.indices {
            for number in containers[index].directories.indices {
                containers[index].directories[number] = try await directory(
                    containers[index].directories[number].path, [.container, .sandbox],
                    field(index, "directories[\(number)]"))
            }
        }
    }

    private mutating func directory(
        _ path: String, _ kinds: [RootKind], _ field: String
    ) async throws(RemovalError) -> Container.Directory {
        let place = try place(path, .remove, kinds, field)
        let reply = try await send(.removeDirectory(place, .look(cursor: 0)), field)
        // The directory is itself a mount, as where each pod has a volume. The directory that the mount covers is
        // recorded, because it is what will be left to remove.
        if case .refused(let rule, let detail) = reply.outcome, rule == .mountBeneath || rule == .leavesRoot,
            detail.isEmpty
        {
            let mount = Self.mount(try await ask(.unmount(place, .look), field))
            if let covers = mount.covers {
                return Container.Directory(path: path, identity: covers, mountID: mount.id)
            }
        }
        try refuseFailure(reply, field)
        guard case .directory(let facts) = reply.facts else {
            warnings.append("\(field): \(path) is not there")
            return Container.Directory(path: path)
        }
        return Container.Directory(path: path, identity: FileIdentity(facts.identity))
    }

    /// The topmost mount at a place, and what it covers, as a helper of protocol version 2 reports them.
    private static func mount(_ reply: Reply) -> (id: UInt64?, covers: FileIdentity?) {
        switch reply.facts {
        case .mountPoint(let identity, let covers):
            (identity.unique ? identity.id : nil, covers.inode == 0 ? nil : FileIdentity(covers))
        case .mount(let identity): (identity.unique ? identity.id : nil, nil)
        default: (nil, nil)
        }
    }

    /// Throws unless the answer says either that something is there or that nothing is.
    func ask(_ request: Request, _ field: String) async throws(RemovalError) -> Reply {
        let reply = try await send(request, field)
        try refuseFailure(reply, field)
        return reply
    }

    private func send(_ request: Request, _ field: String) async throws(RemovalError) -> Reply {
        try await time.look(request, helpers, "\(field): a look at it")
    }

    private func refuseFailure(_ reply: Reply, _ field: String) throws(RemovalError) {
        guard reply.isSuccess else {
            throw .invalid(field: field, problem: StepFailure(reply, of: "cannot be looked at").reason)
        }
    }
}
