internal import NodeObservation

/// What a running runtime lists through CRI.
public struct CRIListing: Sendable, Equatable, Codable {
    /// The socket at which it was asked.
    public var socket: String
    public var pods: [CRIPod]
    /// Why the runtime did not answer; nil if it did.
    public var failure: String?
    /// Why it could not be asked; nil if it was.
    public var unasked: String?

    public init(socket: String, pods: [CRIPod] = [], failure: String? = nil, unasked: String? = nil) {
        self.socket = socket
        self.pods = pods
        self.failure = failure
        self.unasked = unasked
    }
}

extension ForeignRuntime {
    /// The sockets at which the running daemons of this runtime serve CRI. One that was stopped by a signal is left out:
    /// it would not answer.
    public func sockets() throws(RemovalError) -> [String] {
        do throws(ObservationError) {
            return try PodManager.running().filter { $0.name == rawValue && !$0.isStopped }
                .compactMap { socket(of: $0.sockets) }
        } catch {
            throw .observation(error)
        }
    }

    /// The one among a daemon's sockets at which it serves CRI.
    func socket(of sockets: [String]) -> String? {
        sockets.first { $0.hasSuffix("/\(rawValue).sock") }
            ?? sockets.first { $0.hasSuffix(".sock") && !$0.contains("ttrpc") && !$0.contains("debug") }
    }
}
