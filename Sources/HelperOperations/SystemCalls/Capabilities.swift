internal import CCapability
internal import CLinux
public import HelperProtocol

/// Capabilities by their numbers in capabilities(7).
public struct CapabilitySet: OptionSet, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static var dacOverride: CapabilitySet { CapabilitySet(rawValue: 1 << 1) }
    public static var fowner: CapabilitySet { CapabilitySet(rawValue: 1 << 3) }
    public static var kill: CapabilitySet { CapabilitySet(rawValue: 1 << 5) }
    public static var setgid: CapabilitySet { CapabilitySet(rawValue: 1 << 6) }
    public static var setuid: CapabilitySet { CapabilitySet(rawValue: 1 << 7) }
    public static var setpcap: CapabilitySet { CapabilitySet(rawValue: 1 << 8) }
    public static var sysAdmin: CapabilitySet { CapabilitySet(rawValue: 1 << 21) }

    /// All that the helper's file carries (setcap(8)).
    public static var helper: CapabilitySet { [.sysAdmin, .dacOverride, .fowner, .kill, .setuid, .setgid, .setpcap] }
    /// What the broker keeps.
    public static var broker: CapabilitySet { [.sysAdmin, .dacOverride, .fowner] }
    /// What it takes to run a runtime: to become root, and what the launcher keeps.
    static var runtimes: CapabilitySet { [.setuid, .setgid, .dacOverride, .kill] }
    /// What the launcher, and so the runtime, keeps.
    public static var launcher: CapabilitySet { [.dacOverride, .kill] }
}

/// The process's capabilities: all held back in the permitted set, raised one operation at a time.
@safe public struct Privileges: ~Copyable {
    private let state: cap_t
    /// What can be raised.
    public private(set) var permitted = CapabilitySet()

    /// Reads what the process has (cap_get_proc(3)). Nothing is raised or dropped by it.
    public init() throws(Outcome) {
        guard let state = unsafe cap_get_proc() else { throw Outcome(errno: ENOMEM, .capset) }
        unsafe self.state = state
        for number in 0..<64 {
            var value = CAP_CLEAR
            if unsafe cap_get_flag(state, cap_value_t(number), CAP_PERMITTED, &value) == 0, value == CAP_SET {
                permitted.insert(CapabilitySet(rawValue: 1 << UInt64(number)))
            }
        }
    }

    deinit { unsafe cap_free(UnsafeMutableRawPointer(state)) }

    /// Runs `body` with `needed` in the effective set, and with none after it.
    /// Refused with `missingCapability` where one is not permitted.
    func raised<Result: ~Copyable>(
        _ needed: CapabilitySet, _ body: () throws(Outcome) -> Result
    ) throws(Outcome) -> Result {
        guard permitted.isSuperset(of: needed) else { throw .refused(.missingCapability) }
        try setEffective(needed)
        let result: Result
        do throws(Outcome) {
            result = try body()
        } catch {
            try setEffective([])
            throw error
        }
        try setEffective([])
        return result
    }

    private func setEffective(_ wanted: CapabilitySet) throws(Outcome) {
        unsafe cap_clear_flag(state, CAP_EFFECTIVE)
        set(wanted, in: CAP_EFFECTIVE)
        try check(unsafe cap_set_proc(state) == 0 ? 0 : -EPERM, .capset)
    }

    private func set(_ wanted: CapabilitySet, in flag: cap_flag_t) {
        for number in 0..<64 where wanted.contains(CapabilitySet(rawValue: 1 << UInt64(number))) {
            var value = cap_value_t(number)
            unsafe cap_set_flag(state, flag, 1, &value, CAP_SET)
        }
    }

    /// Gives up, for good, all but `kept`; the effective, inheritable and ambient sets end empty, or, for the
    /// launcher, effective is what is kept. With SETPCAP the bounding set is cut down to `kept` and the securebits
    /// are locked as well; without it that stays as it was, which `Welcome.missing` shows.
    public mutating func keep(_ kept: CapabilitySet, effective: Bool, securebits: SecureBits) throws(Outcome) {
        if permitted.contains(.setpcap) {
            try raised([.setpcap]) { () throws(Outcome) in
                for number in 0..<64 where !kept.contains(CapabilitySet(rawValue: 1 << UInt64(number))) {
                    // EINVAL: beyond the last capability that the kernel knows.
                    let result = linux_prctl(PR_CAPBSET_DROP, UInt(number), 0, 0, 0)
                    if result == -EINVAL { break }
                    try check(result, .capset)
                }
                try check(linux_prctl(PR_SET_SECUREBITS, securebits.rawValue, 0, 0, 0), .capset)
            }
        }
        try check(linux_prctl(PR_CAP_AMBIENT, UInt(PR_CAP_AMBIENT_CLEAR_ALL), 0, 0, 0), .capset)
        permitted.formIntersection(kept)
        unsafe cap_clear(state)
        set(permitted, in: CAP_PERMITTED)
        try setEffective(effective ? permitted : [])
    }

    /// Whether the kernel's view is what `keep` left: read back, not believed.
    public func isInForce() -> Bool {
        guard let now = unsafe cap_get_proc() else { return false }
        defer { unsafe cap_free(UnsafeMutableRawPointer(now)) }
        return unsafe cap_compare(now, state) == 0
    }

    /// Becomes uid and gid 0 without supplementary groups (setresuid(2)), as the runtimes expect.
    public func becomeRoot() throws(Outcome) {
        try raised([.setuid, .setgid]) { () throws(Outcome) in
            _ = try check(linux_become_root(), .capset)
        }
    }
}

/// securebits of capabilities(7), each with its lock.
public struct SecureBits: Sendable {
    let rawValue: UInt
    /// No capabilities for uid 0, none by changing uid, none kept, none raised as ambient: for the broker.
    public static var noPrivilegeByUser: SecureBits { SecureBits(rawValue: 0b1110_1111) }
    /// The same, but that an exec as uid 0 passes on what the process has: for the launcher.
    public static var rootPassesOn: SecureBits { SecureBits(rawValue: 0b1110_1100) }
}
