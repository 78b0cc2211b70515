internal import CLinux
internal import CSeccomp
internal import HelperProtocol

/// A seccomp filter (seccomp(2)) under construction.
@safe struct SystemCallFilter: ~Copyable {
    let context: scmp_filter_ctx

    /// - Parameters:
    ///   - rest: The action for a call that no rule names.
    ///   - logs: Whether the kernel's audit log gets a line for every call that is not allowed. If the kernel cannot
    ///     log, nothing is logged.
    init(rest: SystemCallRule.Action, logs: Bool) throws(Outcome) {
        guard let context = unsafe seccomp_init(Self.code(rest)) else { throw .refused(.confinementFailed) }
        unsafe self.context = context
        // A call of another architecture kills the process, not only its thread.
        _ = unsafe seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, Self.code(.kill))
        _ = unsafe seccomp_attr_set(context, SCMP_FLTATR_CTL_LOG, logs ? 1 : 0)
    }

    deinit { unsafe seccomp_release(context) }

    private static func code(_ action: SystemCallRule.Action) -> UInt32 {
        switch action {
        case .allow, .only: 0x7fff_0000
        case .absent: 0x0005_0000 | UInt32(ENOSYS)
        case .kill: 0x8000_0000
        }
    }

    func add(_ rule: SystemCallRule) throws(Outcome) {
        let number = unsafe seccomp_syscall_resolve_name(
            UnsafeRawPointer(rule.name.utf8Start).assumingMemoryBound(to: CChar.self))
        if number < 0 {
            // libseccomp gives a call that is not there a negative number, and takes rules for it that do nothing.
            if rule.isX86Only { return }
            var detail: [UInt8] = []
            detail.append("system call ")
            detail.append(rule.name)
            throw .refused(.confinementFailed, detail: detail)
        }
        try add(number, rule.action, rule.tests[...])
        guard rule.action == .only else { return }
        // All other arguments kill the process: if they got an error instead, an attacker could guess the path's
        // address.
        for count in rule.tests.indices {
            for opposite in rule.tests[count].opposites {
                try add(number, .kill, rule.tests[..<count] + [opposite])
            }
        }
    }

    private func add(
        _ number: Int32, _ action: SystemCallRule.Action, _ tests: ArraySlice<SystemCallRule.Test>
    ) throws(Outcome) {
        var comparisons: [scmp_arg_cmp] = []
        for test in tests {
            comparisons.append(
                test.mask == .max
                    ? scmp_arg_cmp(
                        arg: test.argument, op: test.isUnequal ? SCMP_CMP_NE : SCMP_CMP_EQ, datum_a: test.value,
                        datum_b: 0)
                    : scmp_arg_cmp(
                        arg: test.argument, op: SCMP_CMP_MASKED_EQ, datum_a: test.mask, datum_b: test.value))
        }
        let result = unsafe comparisons.withUnsafeBufferPointer {
            unsafe seccomp_rule_add_array(context, Self.code(action), number, UInt32($0.count), $0.baseAddress)
        }
        guard result == 0 else { throw .refused(.confinementFailed) }
    }

    /// Loads the filter, for this process and every process that it starts.
    func load() throws(Outcome) {
        guard unsafe seccomp_load(context) == 0 else { throw .refused(.confinementFailed) }
    }
}

extension SystemCallRule.Test {
    /// Compares an argument with the address of the only empty path: a filter cannot read what a pointer leads to, but
    /// it can compare addresses.
    static func isEmptyPath(_ argument: UInt32) -> Self {
        Self(argument, equals: UInt64(UInt(bitPattern: unsafe EmptyPath.address)))
    }
}
