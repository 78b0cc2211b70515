/// This boot of the machine.
public enum Boot {
    /// A UUID that is new at every boot, in 36 characters (random(4)).
    public static func id() throws(ObservationError) -> String {
        let path = "/proc/sys/kernel/random/boot_id"
        let id = try kernelFile(path).prefix { $0 != newline }
        guard id.count == 36 else { throw .malformed(file: path, line: 1, expected: "a UUID") }
        return id.text
    }

    /// The time since the boot, including time in suspension. Nobody can set this clock.
    public static func age() throws(ObservationError) -> Duration {
        let path = "/proc/uptime"
        let text = try kernelFile(path).prefix { $0 != UInt8(ascii: " ") }
        guard let seconds = Double(text.text) else { throw .malformed(file: path, line: 1, expected: "seconds") }
        return .seconds(seconds)
    }

    private static func kernelFile(_ path: String) throws(ObservationError) -> [UInt8] {
        guard let bytes = try contents(of: Array(path.utf8)) else { throw .partialProc(file: path) }
        return bytes
    }
}
