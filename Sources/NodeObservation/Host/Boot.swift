/// This boot of the machine.
public enum Boot {
    /// A UUID that is new at every boot, in 36 characters (random(4)).
    public static func id() throws(ObservationError) -> String {
        let path = "/proc/sys/kernel/random/boot_id"
        let id = try contents(of: Array(path.utf8))?.prefix { $0 != newline } ?? []
        guard id.count == 36 else { throw .malformed(file: path, line: 1, expected: "a UUID") }
        return id.text
    }

    /// The time since the boot, including time in suspension. Nobody can set this clock.
    public static func age() throws(ObservationError) -> Duration {
        let path = "/proc/uptime"
        let text = try contents(of: Array(path.utf8))?.prefix { $0 != UInt8(ascii: " ") } ?? []
        guard let seconds = Double(text.text) else { throw .malformed(file: path, line: 1, expected: "seconds") }
        return .seconds(seconds)
    }
}
