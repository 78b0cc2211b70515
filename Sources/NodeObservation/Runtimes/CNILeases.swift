/// What CNI keeps about a pod's network until it is told to delete it (CNI DEL).
public struct CNILeases: Sendable, Equatable {
    public let path: String
    public let network: String
    public let container: String

    /// The addresses that the host-local plugin holds, and libcni's results, in their default directories.
    public static func all(_ files: NodeFiles = NodeFiles()) throws(ObservationError) -> [CNILeases] {
        var found: [CNILeases] = []
        let networks = "/var/lib/cni/networks"
        for network in try files.names(in: networks) {
            for name in try files.names(in: "\(networks)/\(network)") where name.first?.isHexDigit == true {
                // The first line is the container's id, the second is the interface.
                guard let text = try? files.text(of: "\(networks)/\(network)/\(name)"),
                    let id = text.split(whereSeparator: \.isNewline).first
                else { continue }
                found.append(
                    CNILeases(path: "\(networks)/\(network)/\(name)", network: network, container: String(id)))
            }
        }
        let results = "/var/lib/cni/results"
        for name in try files.names(in: results) {
            // NETWORK-CONTAINER-INTERFACE
            let parts = name.split(separator: "-")
            guard parts.count >= 3 else { continue }
            found.append(
                CNILeases(
                    path: "\(results)/\(name)", network: parts.dropLast(2).joined(separator: "-"),
                    container: String(parts[parts.count - 2])))
        }
        return found
    }
}
