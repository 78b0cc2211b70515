internal import EventLoop
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// Answers `GET /metrics` for Prometheus. It has no authentication: bind it to an address that only Prometheus reaches.
///
/// Whoever reaches the address can open connections, so it has few, and each for a short time: the daemon's descriptors
/// are for its work.
public final class MetricsServer: Sendable {
    private let channel: any Channel
    private static let most = 16
    private static let longest = TimeAmount.seconds(10)

    /// - Parameters:
    ///   - host: An address of this machine.
    ///   - port: 0 for any free port.
    ///   - text: Returns the metrics; called on a thread that may wait.
    public init(host: String, port: Int, text: @escaping @Sendable () -> String) async throws {
        let places = Places(Self.most)
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                guard places.takeIfFree() else {
                    return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
                }
                let end = channel.eventLoop.scheduleTask(in: Self.longest) { channel.close(promise: nil) }
                channel.closeFuture.whenComplete { _ in
                    end.cancel()
                    places.give()
                }
                return channel.pipeline.configureHTTPServerPipeline().flatMapThrowing {
                    try channel.pipeline.syncOperations.addHandler(MetricsHandler(text))
                }
            }
            .bind(host: host, port: port).get()
    }

    public var port: Int? { channel.localAddress?.port }

    public func close() async { try? await channel.close() }
}

private final class MetricsHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// A thread of their own for the metrics, because making their text reads the registry.
    private static let threads = BlockingPool("metrics", threads: 1)
    private let text: @Sendable () -> String

    init(_ text: @escaping @Sendable () -> String) { self.text = text }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data) else { return }
        let isKnown = head.uri == "/metrics" && (head.method == .GET || head.method == .HEAD)
        let (channel, text) = (context.channel, text)
        Self.threads.start {
            let body = isKnown ? text() : "only GET /metrics is served here\n"
            var headers = HTTPHeaders()
            headers.add(name: "Content-Type", value: "text/plain; version=0.0.4; charset=utf-8")
            headers.add(name: "Content-Length", value: "\(body.utf8.count)")
            headers.add(name: "Connection", value: "close")
            let response = HTTPResponseHead(version: .http1_1, status: isKnown ? .ok : .notFound, headers: headers)
            channel.write(HTTPServerResponsePart.head(response), promise: nil)
            if head.method != .HEAD {
                channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: body))), promise: nil)
            }
            channel.writeAndFlush(HTTPServerResponsePart.end(nil)).whenComplete { _ in channel.close(promise: nil) }
        }
    }
}
