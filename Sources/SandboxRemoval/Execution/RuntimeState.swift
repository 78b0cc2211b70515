import FoundationEssentials
internal import HelperProtocol

/// A container's state as a runtime prints it (OCI runtime specification, "State").
struct RuntimeState: Decodable {
    let status: String
    /// 0 or nil if there is no process.
    let pid: Int32?

    /// nil if the output does not follow the specification.
    init?(_ facts: Facts) {
        guard case .runtime(let runtime) = facts, case .inline(let bytes) = runtime.output,
            let state = try? JSONDecoder().decode(Self.self, from: Data(bytes))
        else { return nil }
        self = state
    }

    /// The pid of the init process; nil if it has ended.
    var livingProcess: Int32? {
        guard status != "stopped", let pid, pid > 0 else { return nil }
        return pid
    }
}
