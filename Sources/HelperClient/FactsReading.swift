public import HelperProtocol

extension Facts {
    /// The topmost mount at a place, in any version of the protocol.
    public var mountIdentity: MountIdentity? {
        switch self {
        case .mount(let identity), .mountPoint(let identity, _): identity
        default: nil
        }
    }

    /// A container's state directory, as a look reported it in any version of the protocol.
    public var stateDirectory: NodeIdentity? {
        switch self {
        case .directory(let facts): facts.identity
        case .container(let facts): facts.directory
        default: nil
        }
    }
}
