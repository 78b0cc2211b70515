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
    ///   - socket: Served until the server ends, and then removed.
    public init(
        on socket: consuming ListeningSocket, _ orchestrator: Orchestrator, peers: PeerPolicy,
        limits: ServiceLimits = ServiceLimits(), logger: Logger
    ) {
        let daemon = DaemonContext(orchestrator, limits, logger)
        self.daemon = daemon
        let descriptor = socket.descriptor
        let transport = HTTP2ServerTransport.Posix(
            listeningSocketDescriptor: Int(descriptor), transportSecurity: .plaintext,
            config: .defaults { config in
                // Lets a shim find out by pings whether the daemon is alive, also between calls.
                config.connection.keepalive.clientBehavior.allowWithoutCalls = true
                config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(10)
                config.http2.maxConcurrentStreams = 1024
                // The largest registration document that is accepted.
                config.rpc.maxRequestPayloadSize = RegistrationDocument.maximumBytes
                config.channelDebuggingCallbacks.onBindTCPListener = { channel in
                    channel.eventLoop.makeCompletedFuture { try ListeningSocket.lengthenQueue(of: descriptor) }
                }
                config.channelDebuggingCallbacks.onAcceptTCPConnection = { channel in
                    peers.check(channel) { peer in
                        Counter(label: "podreap_refused_peers_total").increment()
                        logger.warning(
                            "refused a peer", metadata: ["uid": "\(peer.user)", "pid": "\(peer.pid)"])
                    }.flatMap { Self.readLittle(channel) }
                }
            })
        server = GRPCServer(
            transport: transport,
            services: [RuntimeService(daemon: daemon), RemovalService(daemon: daemon), UnimplementedMethods()],
            interceptors: [CallLog(logger: logger), CallDeadline()])
        self.socket = socket
    }

    /// Has gRPC's threads, of which there are few, read little of a connection at a time, and then serve the others: a
    /// client that makes many calls at once delays no other client, and nobody who connects.
    private static func readLittle(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.setOption(.maxMessagesPerRead, value: 1).flatMap {
            channel.setOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4096))
        }
    }

    /// Serves until `beginGracefulShutdown` is called, and after that until the last call is answered.
    public func serve() async throws {
        defer { socket.removeFile() }
        try await server.serve()
    }

    /// Returns once the server accepts calls, or once it is certain that it never will.
    public func waitUntilServing() async { _ = try? await server.transport.listeningAddress }

    /// Accepts no further calls. Calls in flight are answered.
    ///
    /// - Parameter grace: How long calls in flight may wait for their jobs. The remaining calls are then told to call
    ///   again.
    public func beginGracefulShutdown(grace: Duration) {
        daemon.jobs.beginEnding()
        Task { [daemon, server] in
            // A server that is told to shut down while it is starting neither starts nor ends, so wait for the start.
            _ = try? await server.transport.listeningAddress
            server.beginGracefulShutdown()
            try? await Task.sleep(for: grace)
            daemon.jobs.leave()
        }
    }

    /// Resumes every removal of a sandbox that any process began and did not finish. Returns their number.
    public func resume() async -> Int {
        await daemon.orchestrator.noteClockNow(until: .now + Registry.busyTimeout)
        do {
            let sandboxes = try await daemon.registry { (registry) throws(RegistryError) in try registry.sandboxes() }
            // A process that was killed before it marked the sandbox as being removed has left its line in the lock
            // file.
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

    /// Waits until no job is under way; false if that takes longer than `limit`. Removals not done then are resumed at
    /// the next start.
    public func waitUntilIdle(_ limit: Duration) async -> Bool { await daemon.jobs.waitUntilIdle(limit) }

    /// The ids of the sandboxes whose removal is running or queued in this process.
    public var removing: Set<String> { daemon.jobs.ids(of: .removeSandbox) }

    /// How many removals and stops are under way.
    public var underWay: Int { daemon.jobs.count }
}
