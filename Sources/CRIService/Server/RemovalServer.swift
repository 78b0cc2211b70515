internal import CoreMetrics
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
public import Logging
internal import NIOCore
internal import SandboxRegistry
public import SandboxRemoval

/// Serves `runtime.v1` and `podreap.v1` on a Unix socket.
public final class RemovalServer: Sendable {
    private let daemon: DaemonContext
    private let server: GRPCServer<HTTP2ServerTransport.Posix>
    private let socket: ListeningSocket

    /// - Parameters:
    ///   - socket: Is served until the end, and removed then.
    public init(
        on socket: consuming ListeningSocket, _ orchestrator: Orchestrator, peers: PeerPolicy,
        limits: ServiceLimits = ServiceLimits(), logger: Logger
    ) {
        let daemon = DaemonContext(orchestrator, limits, logger)
        self.daemon = daemon
        let transport = HTTP2ServerTransport.Posix(
            listeningSocketDescriptor: Int(socket.descriptor), transportSecurity: .plaintext,
            config: .defaults { config in
                // A shim may find out by pings whether the daemon lives, between its calls too.
                config.connection.keepalive.clientBehavior.allowWithoutCalls = true
                config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(10)
                config.http2.maxConcurrentStreams = 1024
                // As much as a registration may be.
                config.rpc.maxRequestPayloadSize = RegistrationDocument.maximumBytes
                config.channelDebuggingCallbacks.onAcceptTCPConnection = { channel in
                    peers.check(channel) { peer in
                        Counter(label: "podreap_refused_peers_total").increment()
                        logger.warning(
                            "refused a peer", metadata: ["uid": "\(peer.user)", "pid": "\(peer.pid)"])
                    }
                }
            })
        server = GRPCServer(
            transport: transport,
            services: [RuntimeService(daemon: daemon), RemovalService(daemon: daemon), UnimplementedMethods()],
            interceptors: [CallLog(logger: logger)])
        self.socket = socket
    }

    /// Serves until `beginGracefulShutdown`, and then until the last call has its answer.
    public func serve() async throws {
        defer { socket.removeFile() }
        try await server.serve()
    }

    /// Returns when calls are taken, or will never be.
    public func waitUntilServing() async { _ = try? await server.transport.listeningAddress }

    /// Takes no further calls. Those that wait get their answers.
    ///
    /// - Parameter grace: How long they may wait; those that are left are then told to call again.
    public func beginGracefulShutdown(grace: Duration) {
        daemon.jobs.beginEnding()
        Task { [daemon, server] in
            // A server that is told to end while it begins neither ends nor begins.
            _ = try? await server.transport.listeningAddress
            server.beginGracefulShutdown()
            try? await Task.sleep(for: grace)
            daemon.jobs.leave()
        }
    }

    /// Goes on with all sandboxes whose removal was begun, by whomever, and not finished; how many that are.
    public func resume() async -> Int {
        await daemon.orchestrator.noteClockNow()
        do {
            let sandboxes = try await daemon.registry { (registry) throws(RegistryError) in try registry.sandboxes() }
            // Whoever was killed before he had made the mark has left his line in the lock file.
            let abandoned = try await daemon.registry { (registry) throws(RegistryError) in try registry.abandonedWork()
            }
            let begun = Set(abandoned.filter { $0.work == RemovalPlan.Purpose.remove.rawValue }.map(\.sandbox.id))
            let removing = sandboxes.filter { $0.state == .removing || begun.contains($0.id) }
            for sandbox in removing {
                daemon.logger.info("resuming a removal", metadata: ["id": "\(sandbox.id)"])
                Counter(label: "podreap_resumed_total").increment()
                _ = try daemon.removal(of: sandbox, isBounded: false)
            }
            return removing.count
        } catch {
            daemon.logger.error("cannot resume removals", metadata: ["reason": "\(error)"])
            return 0
        }
    }

    /// Waits for what is under way without a caller: false where it takes longer. What is not done then is resumed at the next start.
    public func waitUntilIdle(_ limit: Duration) async -> Bool { await daemon.jobs.waitUntilIdle(limit) }

    /// The sandboxes that this process removes now, or has queued.
    public var removing: Set<String> { daemon.jobs.ids(of: .removeSandbox) }

    /// How many removals and stops are under way.
    public var underWay: Int { daemon.jobs.count }
}
