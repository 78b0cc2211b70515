internal import EventLoop
import FoundationEssentials
public import HelperClient
public import HelperProtocol
public import NodeObservation
public import SandboxRegistry

/// All that is known of an installation. A diagnosis is a pure function of it.
public struct Installation: Sendable {
    /// The result of starting a helper.
    public enum Start: Sendable, Equatable {
        case welcomed(Welcome)
        case failed(HelperError)
    }

    /// The state of one of helper.conf's roots on this node.
    public enum RootState: Sendable, Equatable {
        case there, missing, notADirectory
        /// This user may not look there.
        case hidden
        case silent
    }

    /// The state of the registry.
    public enum RegistryState: Sendable, Equatable {
        /// The registry can be read. `warnings` are sentences on what may have been lost.
        case good(sandboxes: Int, warnings: [String] = [])
        /// The registry is created when the first sandbox is registered.
        case notThereYet
        case bad(RegistryError)
    }

    public var helperPath: String
    /// nil if nothing is at that path.
    public var helper: InstalledFile?
    /// The socket that helpers come from instead of being started by this process; nil if there is none.
    public var socketPath: String?
    /// nil if nothing is at that path.
    public var socket: InstalledFile?
    /// The daemons that run now.
    public var daemons: [DaemonProcess]
    public var process: OwnProcess
    public var kernel: KernelFeatures
    public var limits: [ResourceLimit]
    public var start: Start
    /// In the order of the roots in the Welcome.
    public var roots: [RootState]
    /// The result of calling each runtime, in the order of the Welcome.
    public var runtimes: [RuntimeAnswer]
    public var registryPath: String
    public var registryDirectory: InstalledFile?
    public var registryFile: InstalledFile?
    public var registry: RegistryState

    public init(
        helperPath: String, helper: InstalledFile?, socketPath: String? = nil, socket: InstalledFile? = nil,
        daemons: [DaemonProcess] = [], process: OwnProcess, kernel: KernelFeatures,
        limits: [ResourceLimit], start: Start, roots: [RootState] = [], runtimes: [RuntimeAnswer] = [],
        registryPath: String, registryDirectory: InstalledFile?, registryFile: InstalledFile?, registry: RegistryState
    ) {
        self.helperPath = helperPath
        self.helper = helper
        self.socketPath = socketPath
        self.socket = socket
        self.daemons = daemons
        self.process = process
        self.kernel = kernel
        self.limits = limits
        self.start = start
        self.roots = roots
        self.runtimes = runtimes
        self.registryPath = registryPath
        self.registryDirectory = registryDirectory
        self.registryFile = registryFile
        self.registry = registry
    }

    /// Examines an installation: starts a helper, and has every runtime list its containers. Changes nothing.
    ///
    /// - Parameters:
    ///   - socket: The socket at which a service manager starts helpers; used instead of `helper`.
    ///   - policy: A policy to use instead of the installed one; the helper accepts it from root only.
    ///   - timeout: For the whole call. What has not answered by then is reported as not working.
    public static func examine(
        helper: String, socket: String? = nil, policy: String? = nil, registry: String,
        timeout: Duration = .seconds(120)
    ) async throws(ObservationError) -> Installation {
        let time = CallTime(timeout)
        let helpers = HelperPool(socket.map { .socket($0) } ?? .program(helper, arguments: policy.map { [$0] } ?? []))
        let start: Start
        var session: HelperSession?
        do throws(HelperError) {
            let opened = try await helpers.session(until: time.deadline)
            start = .welcomed(opened.welcome)
            session = opened
        } catch {
            start = .failed(error)
        }
        let slash = registry.lastIndex(of: "/")
        let directory = slash.map { String(registry[..<$0]) } ?? "."
        var found = Installation(
            helperPath: helper, helper: try fileIfVisible(helper), socketPath: socket,
            socket: try socket.flatMap { path throws(ObservationError) in try fileIfVisible(path) },
            daemons: try DaemonProcess.running(), process: try .current(), kernel: try .current(),
            limits: try ResourceLimit.current(), start: start, registryPath: registry,
            registryDirectory: try fileIfVisible(directory), registryFile: try fileIfVisible(registry),
            registry: .notThereYet)
        // Opening a registry creates it, so one that does not exist is not opened.
        if found.registryFile != nil {
            found.registry =
                await Threads.looking.run(until: time.deadline) { verify(registry, until: time.deadline) }
                ?? .bad(.busy(path: registry))
        }
        guard case .welcomed(let welcome) = start else { return found }
        for root in welcome.roots { found.roots.append(state(of: root.path.array.shown)) }
        found.runtimes = await session?.callRuntimes(time) ?? []
        return found
    }

    private static func fileIfVisible(_ path: String) throws(ObservationError) -> InstalledFile? {
        do throws(ObservationError) { return try InstalledFile.of(path) } catch {
            if error.isRefusal { return nil }
            throw error
        }
    }

    private static func verify(_ path: String, until deadline: ContinuousClock.Instant) -> RegistryState {
        do throws(RegistryError) {
            let registry = try Registry(path: path, until: deadline)
            try registry.verify()
            return .good(sandboxes: try registry.sandboxes().count, warnings: registry.warnings)
        } catch {
            return .bad(error)
        }
    }

    private static func state(of path: String) -> RootState {
        switch FilesystemProbe.ask(path) {
        case .silent: return .silent
        case .forbidden: return .hidden
        case .failed: return .missing
        case .answers: break
        }
        guard let found = try? FileObservation.of(path) else { return .missing }
        // A mount at the path itself is not asked for its kind, so a mount root counts as a directory.
        return found.kind == .directory || found.isMountRoot == true ? .there : .notADirectory
    }
}
