internal import NIOCore

/// Who may call. The socket's mode and group decide who can connect at all; this decides it again from what the kernel says of the
/// peer, because a mode can be changed and a socket inherited.
public struct PeerPolicy: Sendable {
    /// Users that may call besides root and the daemon's own.
    public var users: Set<UInt32>
    /// A group whose members may call.
    public var group: UInt32?

    public init(users: Set<UInt32> = [], group: UInt32? = nil) {
        self.users = users
        self.group = group
    }

    /// What the kernel recorded when the peer connected.
    struct Peer: Sendable {
        /// `struct ucred` (unix(7)).
        var pid: Int32 = 0
        var user: UInt32 = .max
        var primaryGroup: UInt32 = .max
    }

    func allows(_ peer: Peer, groups: [UInt32]) -> Bool {
        if peer.user == 0 || peer.user == SystemCalls.user || users.contains(peer.user) { return true }
        guard let group else { return false }
        return peer.primaryGroup == group || groups.contains(group)
    }

    /// Lets a connection be, or closes it before it has said anything.
    func check(_ channel: any Channel, refused: @escaping @Sendable (Peer) -> Void) -> EventLoopFuture<Void> {
        guard let options = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        let peer = options.unsafeGetSocketOption(level: .socket, name: peerCredentials) as EventLoopFuture<Peer>
        return peer.flatMap { peer in
            // Most peers need no look at their groups, and those without any give an error.
            if allows(peer, groups: []) { return channel.eventLoop.makeSucceededVoidFuture() }
            let groups = options.unsafeGetSocketOption(level: .socket, name: peerGroups) as EventLoopFuture<Groups>
            return groups.map(\.list).recover { _ in [] }.flatMap { groups in
                if allows(peer, groups: groups) { return channel.eventLoop.makeSucceededVoidFuture() }
                refused(peer)
                return channel.close().flatMapThrowing { throw ChannelError.ioOnClosedChannel }
            }
        }
    }
}

/// Supplementary groups: the kernel fills as many as there are, and the rest stays 0.
private struct Groups: Sendable {
    var ids = InlineArray<1024, UInt32>(repeating: 0)

    /// Without root's, which cannot be told from no group.
    var list: [UInt32] { ids.indices.map { ids[$0] }.filter { $0 != 0 } }
}

/// SO_PEERCRED and SO_PEERGROUPS (asm-generic/socket.h).
private let peerCredentials = NIOBSDSocket.Option(rawValue: 17)
private let peerGroups = NIOBSDSocket.Option(rawValue: 59)
