internal import CLinux
internal import CSeccomp
internal import HelperProtocol

/// A seccomp filter (seccomp(2)) that is being put together.
@safe struct SystemCallFilter: ~Copyable {
    private let context: scmp_filter_ctx

    /// A filter that ends the process at every call that no rule allows.
    init(defaultAllow: Bool = false) throws(Outcome) {
        guard let context = unsafe seccomp_init(defaultAllow ? Self.allow : Self.kill)
        else { throw .refused(.confinementFailed) }
        unsafe self.context = context
    }

    deinit { unsafe seccomp_release(context) }

    private static var kill: UInt32 { 0x8000_0000 }
    private static var allow: UInt32 { 0x7fff_0000 }
    private static var error: UInt32 { 0x0005_0000 }

    /// Adds a rule. A call that this architecture or kernel does not have is passed over: it cannot be made.
    func add(_ rule: SystemCallRule) throws(Outcome) {
        let number = unsafe seccomp_syscall_resolve_name(
            UnsafeRawPointer(rule.name.utf8Start).assumingMemoryBound(to: CChar.self))
        if number == Int32(__NR_SCMP_ERROR) { return }
        var action = Self.allow
        var comparisons: [scmp_arg_cmp] = []
        for test in rule.tests {
            comparisons.append(
                scmp_arg_cmp(
                    arg: test.argument, op: test.mask == .max ? SCMP_CMP_EQ : SCMP_CMP_MASKED_EQ,
                    datum_a: test.mask == .max ? test.value : test.mask, datum_b: test.value))
        }
        switch rule.action {
        case .allow: break
        case .absent: action = Self.error | UInt32(ENOSYS)
        case .kill: action = Self.kill
        }
        let result = unsafe comparisons.withUnsafeBufferPointer {
            unsafe seccomp_rule_add_array(context, action, number, UInt32($0.count), $0.baseAddress)
        }
        guard result == 0 else { throw .refused(.confinementFailed) }
    }

    /// Puts the filter in force, for this process and all that it will ever start.
    func load() throws(Outcome) {
        guard unsafe seccomp_load(context) == 0 else { throw .refused(.confinementFailed) }
    }
}

extension SystemCallRule.Test {
    /// The address of the one empty path: a filter cannot read what a pointer leads to, but it can compare addresses.
    static func isEmptyPath(_ argument: UInt32) -> Self {
        Self(argument, equals: UInt64(UInt(bitPattern: unsafe EmptyPath.address)))
    }
}
