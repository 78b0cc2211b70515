internal import HelperProtocol
internal import LinuxSystem
internal import NodeObservation

/// A resource limit of this process (getrlimit(2)), and the least value that the helper needs.
public struct ResourceLimit: Sendable, Equatable {
    /// The limit's name in ulimit and systemd, such as `NOFILE`.
    public var name: String
    public var hard: UInt64
    public var least: UInt64

    public init(name: String, hard: UInt64, least: UInt64) {
        self.name = name
        self.hard = hard
        self.least = least
    }

    private static let names: [Int32: String] = [
        0: "CPU", 1: "FSIZE", 2: "DATA", 3: "STACK", 7: "NOFILE", 9: "AS",
    ]

    /// The limits that the helper checks when it starts.
    static func current() throws(ObservationError) -> [ResourceLimit] {
        var limits: [ResourceLimit] = []
        for (number, least) in Limits.resources {
            let name = names[number] ?? "\(number)"
            do throws(Errno) {
                let hard = try resourceLimit(UInt32(number)).hard
                limits.append(ResourceLimit(name: name, hard: hard, least: least))
            } catch {
                throw .failed(call: "getrlimit", path: name, code: error.number)
            }
        }
        return limits
    }
}
