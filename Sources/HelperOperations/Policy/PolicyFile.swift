public import HelperProtocol

extension Policy {
    /// The largest policy file, and the largest passwd(5) file searched for callers, in bytes.
    private static var fileLimit: Int { 1 << 20 }

    /// Reads the policy at an absolute path. Throws `refused` with a rule from 100 up, and a detail, if the policy
    /// cannot be read or is malformed, or if users other than root could replace it, a root or a runtime.
    public init(file path: [UInt8]) throws(Outcome) {
        guard let name = InlineBytes<256>(path[...]), path.first == 0x2f
        else { throw .refused(.policyUnreadable, detail: path) }
        let text: [UInt8]
        do throws(Outcome) {
            let file = try name.openTrusted(.file, else: .policyReplaceable)
            guard try file.status().isRegular else { throw .refused(.policyUnreadable, detail: path) }
            text = try file.readAll(limit: Self.fileLimit)
        } catch {
            if case .refused = error { throw error }
            if error.errno == ErrorNumber.noSystemCall { throw .refused(.kernelTooOld) }
            throw .refused(.policyUnreadable, detail: path)
        }
        do throws(PolicyError) {
            try self.init(parsing: text, users: Self.users())
        } catch {
            throw .refused(.policyMalformed, detail: error.detail(path))
        }
        for root in roots { firmRoots.append(try root.path.check(else: .rootReplaceable)) }
        for index in runtimes.indices {
            _ = try runtimes[index].path.check(else: .runtimeReplaceable)
            runtimes[index].hasFirmRoot = try runtimes[index].seen.stateRoot.check(
                else: .rootReplaceable, strictly: true)
        }
    }

    private static func users() -> [UInt8] {
        let path: StaticString = "/etc/passwd"
        do throws(Outcome) {
            return try Descriptor.absolute(InlineBytes<256>(path).terminated, .file).readAll(limit: fileLimit)
        } catch {
            return []
        }
    }
}

extension Descriptor {
    /// Reads the whole file, which must not be larger than `limit` bytes.
    func readAll(limit: Int) throws(Outcome) -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 15)
        while true {
            let count = try read(into: &buffer, at: all.count)
            if count == 0 { return all }
            guard all.count + count <= limit else { throw Outcome(errno: ErrorNumber.tooLarge, .read) }
            all += buffer[..<count]
        }
    }
}

extension InlineBytes {
    init(_ text: StaticString) {
        self.init()
        for index in 0..<text.utf8CodeUnitCount { _ = append(text.byte(index)) }
    }
}

extension PolicyError {
    /// `PATH:LINE: REASON`.
    fileprivate func detail(_ path: [UInt8]) -> [UInt8] {
        var text = path
        text.append(0x3a)
        text.append(decimal: UInt64(line))
        text.append(0x3a)
        text.append(0x20)
        for index in 0..<reason.utf8CodeUnitCount { text.append(reason.byte(index)) }
        return text
    }
}
