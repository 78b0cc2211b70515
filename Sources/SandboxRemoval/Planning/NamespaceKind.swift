internal import HelperProtocol
internal import SandboxRegistry

extension NamespaceKind {
    /// What the helper's roots for such namespaces are.
    var rootKind: RootKind {
        switch self {
        case .network: .networkNamespace
        case .ipc: .ipcNamespace
        case .uts: .utsNamespace
        case .user: .userNamespace
        }
    }

    /// The kind of the namespaces beneath a root; nil if it is no namespace root.
    init?(_ root: RootKind) {
        guard let kind = Self.allCases.first(where: { $0.rootKind == root }) else { return nil }
        self = kind
    }

    /// The kind's name in /proc/PID/ns.
    var link: String {
        switch self {
        case .network: "net"
        case .ipc: "ipc"
        case .uts: "uts"
        case .user: "user"
        }
    }
}
