internal import LinuxSystem
internal import NIOCore

/// Decides which peers may call. The socket's mode and group decide who can connect; this checks again, by the
/// credentials that the kernel reports, because the mode can be changed and the socket can be inherited.
public struct PeerPolicy: Sendable {
    /// Users that may call, besides root and the daemon's own user.
    public var users: Set<UInt32>
    /// A group whose members may call.
    public var group: UInt32?

    public init(users: Set<UInt32> = [], group: UInt32? = nil) {
        self.users = users
        self.group = group
    }

    /// The credentials that the kernel recorded when the peer connected.
    struct Peer: Sendable {
        /// The fields have the layout of `struct ucred` (unix(7)).
        var pid: Int32 = 0
        var user: UInt32 = .max
        var primaryGroup: UInt32 = .max
    }

    func allows(_ peer: Peer, groups: [UInt32]) -> Bool {
        if peer.user == 0 || peer.user == effectiveUser || users.contains(peer.user) { return true }
        guard let group else { return false }
        return peer.primaryGroup == group || groups.contains(group)
    }

    /// Accepts a connection, or closes it before anything is read from it.
    func check(_ channel: any Channel, refused: @escaping @Sendable (Peer) -> Void) -> EventLoopFuture<Void> {
        guard let options = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        let peer = options.unsafeGetSocketOption(level: .socket, name: peerCredentials) as EventLoopFuture<Peer>
        return peer.flatMap { peer in
            // Most peers are allowed whatever their groups, and asking for the groups of a peer that has none is an
            // error.
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

/// Supplementary groups. The kernel fills in as many as there are; the rest stays 0.
private struct Groups: Sendable {
    var ids = InlineArray<1024, UInt32>(repeating: 0)

    /// Leaves out root's group, 0, which cannot be told from an unused element.
    var list: [UInt32] { ids.indices.map { ids[$0] }.filter { $0 != 0 } }
}

/// SO_PEERCRED and SO_PEERGROUPS (asm-generic/socket.h).
private let peerCredentials = NIOBSDSocket.Option(rawValue: 17)
private let peerGroups = NIOBSDSocket.Option(rawValue: 59)
