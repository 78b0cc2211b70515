public import HelperProtocol

extension Facts {
    /// The topmost mount at a place, whatever version of the protocol told it.
    public var mountIdentity: MountIdentity? {
        switch self {
        case .mount(let identity), .mountPoint(let identity, _): identity
        default: nil
        }
    }

    /// A container's state directory, from a look, whatever version of the protocol told it.
    public var stateDirectory: NodeIdentity? {
        switch self {
        case .directory(let facts): facts.identity
        case .container(let facts): facts.directory
        default: nil
        }
    }
}
