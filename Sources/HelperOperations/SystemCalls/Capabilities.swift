internal import CCapability
internal import CLinux
public import HelperProtocol

/// A set of capabilities, one bit for each number in capabilities(7).
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

    /// The capabilities that the helper's file carries (setcap(8)).
    public static var helper: CapabilitySet { [.sysAdmin, .dacOverride, .fowner, .kill, .setuid, .setgid, .setpcap] }
    /// The capabilities that the broker keeps.
    public static var broker: CapabilitySet { [.dacOverride, .fowner] }
    /// The capabilities that the unmounter keeps.
    static var unmounter: CapabilitySet { [.sysAdmin, .dacOverride] }
    /// The capabilities needed to run a runtime: those for becoming root, and those that the launcher keeps.
    static var runtimes: CapabilitySet { [.setuid, .setgid, .dacOverride, .kill] }
    /// The capabilities that the launcher keeps, and so the runtime has.
    public static var launcher: CapabilitySet { [.dacOverride, .kill] }
}

/// The process's capabilities: kept in the permitted set, and made effective for one operation at a time.
@safe public struct Privileges: ~Copyable {
    private let state: cap_t
    /// The capabilities that can be raised.
    public private(set) var permitted = CapabilitySet()

    /// Reads the process's capabilities (cap_get_proc(3)) without raising or dropping any.
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

    /// Runs `body` with `needed` in the effective set, and empties the effective set afterwards. Throws
    /// `refused(missingCapability)` if one of them is not permitted.
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

    /// Gives up all capabilities but `kept` for good. The inheritable and ambient sets end empty, and so does the
    /// effective set, unless `effective` is true, as for the launcher: then it is what is kept. With SETPCAP, the
    /// bounding set is also reduced to `kept`, and the securebits are set and locked. Without SETPCAP both stay as they
    /// were, which `Welcome.missing` shows.
    public mutating func keep(_ kept: CapabilitySet, effective: Bool, securebits: SecureBits) throws(Outcome) {
        if permitted.contains(.setpcap) {
            try raised([.setpcap]) { () throws(Outcome) in
                for number in 0..<64 where !kept.contains(CapabilitySet(rawValue: 1 << UInt64(number))) {
                    // EINVAL: the number is beyond the last capability that the kernel knows.
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

    /// Whether the kernel reports the capabilities that `keep` set: they are read back.
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

/// Securebits of capabilities(7), each with its lock.
public struct SecureBits: Sendable {
    let rawValue: UInt
    /// For the broker: no capabilities for uid 0, none gained by changing uid, KEEP_CAPS off, and none raised as
    /// ambient.
    public static var noPrivilegeByUser: SecureBits { SecureBits(rawValue: 0b1110_1111) }
    /// For the launcher: the same, except that an exec as uid 0 passes on the process's capabilities.
    public static var rootPassesOn: SecureBits { SecureBits(rawValue: 0b1110_1100) }
}
