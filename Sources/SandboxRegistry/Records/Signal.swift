/// Signal numbers by name (signal(7)), as Linux has them on every architecture but Alpha, MIPS, PA-RISC and SPARC.
public enum Signal {
    public static let kill: UInt8 = 9
    public static let terminate: UInt8 = 15
    /// The numbers that a process can be sent.
    public static let range: ClosedRange<UInt8> = 1...64

    /// The number of `SIGTERM`, `TERM`, `SIGRTMIN+3` or `15`; nil if the text is not a signal.
    public static func number(named text: String) -> UInt8? {
        if let number = UInt8(text), text.utf8.first != UInt8(ascii: "+") {
            return range.contains(number) ? number : nil
        }
        let name = text.hasPrefix("SIG") ? String(text.dropFirst(3)) : text
        if let index = names.firstIndex(of: name) { return UInt8(index + 1) }
        if let number = aliases[name] { return number }
        for (base, start, sign) in [("RTMIN", 34, 1), ("RTMAX", 64, -1)] where name.hasPrefix(base) {
            let rest = name.dropFirst(base.count)
            if rest.isEmpty { return UInt8(start) }
            guard rest.first == (sign > 0 ? "+" : "-"), let offset = UInt8(rest.dropFirst()), offset <= 30 else {
                return nil
            }
            return UInt8(start + sign * Int(offset))
        }
        return nil
    }

    /// `SIGTERM`, `SIGRTMIN+3`; the number itself if it has no name (32 and 33, which the C library uses itself).
    public static func name(of number: UInt8) -> String {
        switch number {
        case 1...31: "SIG\(names[Int(number) - 1])"
        case 34: "SIGRTMIN"
        case 35...64: "SIGRTMIN+\(number - 34)"
        default: "\(number)"
        }
    }

    private static let names = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ]
    private static let aliases: [String: UInt8] = ["IOT": 6, "CLD": 17, "POLL": 29]
}
