internal import CRIService
internal import CoreMetrics
internal import HelperClient
internal import HelperProtocol
internal import LinuxSystem
internal import Logging
internal import Ownership
internal import SandboxRegistry
internal import SandboxRemoval
internal import ServiceLifecycle
internal import Settings
internal import UnixSignals

/// Starts the daemon from its settings, runs it, and ends it.
struct Daemon {
    private let settings: Settings
    private let peers: PeerPolicy
    private let group: UInt32?
    private let logger: Logger
    private let metrics = PrometheusMetrics()

    /// Checks the settings and changes nothing. Throws if they name a user or a group that does not exist.
    init(_ settings: Settings) throws {
        self.settings = settings
        var users: Set<UInt32> = []
        for name in settings.daemon.users {
            guard let user = userNumber(name) else {
                throw StartError("daemon.users: there is no user \(name)")
            }
            users.insert(user)
        }
        group = try settings.daemon.group.map { name in
            guard let group = groupNumber(name) else {
                throw StartError("daemon.group: there is no group \(name)")
            }
            return group
        }
        peers = PeerPolicy(users: users, group: group)
        logger = Logger(label: "podreapd") { _ in
            JournalLog(logLevel: Logger.Level(rawValue: settings.daemon.log) ?? .info)
        }
    }

    /// Returns the listening socket, and drops root if another user owns the registry's directory. Root makes the
    /// socket only in a directory that nobody else can change; elsewhere it becomes the registry's owner first. Must be
    /// called while the process has one thread.
    func settle() throws -> ListeningSocket {
        raiseDescriptorLimit()
        let inherited = try ServiceManager.inheritedSocket()
        guard ProcessUser.isRoot else { return try listen(inherited, group) }
        let owner = try Registry.ownerToBecome(settings.registry)
        if owner == nil, settings.helperSocket == nil, let weakness = PathTrust.of(settings.helper).weakness() {
            throw StartError("root does not start the helper \(settings.helper): \(weakness)")
        }
        let weakness =
            inherited == nil
            ? PathTrust.ofDirectory(holding: settings.daemon.socket, followsLink: false).weakness() : nil
        if let owner, weakness != nil {
            try owner.become()
            return try listen(inherited, group)
        }
        if let weakness { throw StartError("root does not listen at \(settings.daemon.socket): \(weakness)") }
        let socket = try listen(inherited, group ?? owner?.group)
        try owner?.become()
        return socket
    }

    func run(on socket: consuming ListeningSocket) async throws {
        MetricsSystem.bootstrap(metrics)
        let registry = try Registry(path: settings.registry)
        for warning in registry.warnings { logger.warning("\(warning)") }
        let helpers = HelperPool(
            settings.helperSocket.map { .socket($0) } ?? .program(settings.helper),
            limits: HelperLimits(helpers: settings.helpers))
        let orchestrator = Orchestrator(registry: registry, helpers: helpers)
        let server = RemovalServer(
            on: socket, orchestrator, peers: peers, limits: limits, logger: logger)
        let metricsServer = try await serveMetrics(registry, helpers, server)
        if environmentVariable("PODREAP_FORBID_BLOCKING") != nil { forbidBlockingTasks() }
        let service = Serving(server: server, logger: logger, settings: settings)
        var configuration = ServiceGroupConfiguration(
            services: [service], gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        // Longer than `endGrace`, so that calls get all of their grace first.
        configuration.maximumGracefulShutdownDuration = settings.daemon.endGrace + .seconds(5)
        try await ServiceGroup(configuration: configuration).run()
        await metricsServer?.close()
        let left = server.underWay
        logger.notice("ended", metadata: left == 0 ? [:] : ["resumedAtNextStart": "\(left)"])
    }

    private func listen(_ inherited: Int32?, _ group: UInt32?) throws -> ListeningSocket {
        if let inherited { return try ListeningSocket(inherited: inherited) }
        return try ListeningSocket(path: settings.daemon.socket, mode: settings.daemon.mode, group: group)
    }

    private var limits: ServiceLimits {
        var limits = ServiceLimits()
        limits.removal.timeout = settings.removal.timeout
        limits.removal.runtimeCall = settings.removal.runtimeCall
        limits.removal.afterKill = settings.removal.afterKill
        if !settings.removal.beforeNetns.isEmpty {
            limits.removal.runBeforeNamespaces(
                settings.removal.beforeNetns, timeout: settings.removal.beforeNetnsTimeout)
        }
        limits.stopGrace = settings.removal.stopGrace
        limits.atOnce = settings.daemon.atOnce
        limits.waiting = settings.daemon.waiting
        return limits
    }

    /// Silences ServiceLifecycle's own messages below errors, because the daemon's messages say the same.
    private var quiet: Logger {
        var logger = logger
        logger.logLevel = .error
        return logger
    }

    private func serveMetrics(
        _ registry: Registry, _ helpers: HelperPool, _ server: RemovalServer
    ) async throws -> MetricsServer? {
        guard let address = settings.daemon.metrics, let colon = address.lastIndex(of: ":"),
            let port = Int(address[address.index(after: colon)...])
        else { return nil }
        let metrics = metrics
        do {
            let metricsServer = try await MetricsServer(host: String(address[..<colon]), port: port) {
                // A read takes some microseconds. If the registry cannot be read because it is locked, all counts are
                // 0.
                let sandboxes = (try? registry.sandboxes()) ?? []
                for state in [SandboxState.ready, .notReady, .removing] {
                    let count = sandboxes.count { $0.state == state }
                    metrics.set("podreap_sandboxes", [("state", state.rawValue)], Double(count))
                }
                let removing = server.removing
                let stuck = sandboxes.count { $0.state == .removing && !removing.contains($0.id) }
                metrics.set("podreap_stuck_sandboxes", [], Double(stuck))
                metrics.set("podreap_helpers_started", [], Double(helpers.started))
                return metrics.text()
            }
            logger.info("serving metrics", metadata: ["port": "\(metricsServer.port ?? port)"])
            return metricsServer
        } catch {
            throw StartError("daemon.metrics: cannot listen at \(address): \(error)")
        }
    }
}

/// Serves until a signal arrives, answers the calls in flight, and waits for jobs that no longer have a caller.
private struct Serving: Service {
    let server: RemovalServer
    let logger: Logger
    let settings: Settings

    /// ServiceLifecycle handles signals before it calls this, so the daemon may report from here on that it is ready.
    func run() async throws {
        let grace = settings.daemon.endGrace
        try await withThrowingTaskGroup { group in
            group.addTask { try await serve(grace) }
            await server.waitUntilServing()
            let count = await server.resume()
            logger.notice(
                "ready",
                metadata: [
                    "socket": "\(settings.daemon.socket)", "registry": "\(settings.registry)",
                    "resuming": "\(count)", "release": "\(Release.version)",
                ])
            ServiceManager.tell("READY=1\nSTATUS=serving \(settings.daemon.socket)")
            try await group.waitForAll()
        }
        _ = await server.waitUntilIdle(grace)
    }

    private func serve(_ grace: Duration) async throws {
        try await withGracefulShutdownHandler {
            try await server.serve()
        } onGracefulShutdown: {
            ServiceManager.tell("STOPPING=1")
            logger.notice("ending", metadata: ["underWay": "\(server.underWay)"])
            server.beginGracefulShutdown(grace: grace)
        }
    }
}
