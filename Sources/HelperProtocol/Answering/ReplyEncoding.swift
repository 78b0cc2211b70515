extension Reply {
    /// Replaces the contents of `out` with the packet's bytes. The capacity is kept, so reusing a buffer costs no
    /// allocation.
    ///
    /// - Parameter version: The version that both sides have agreed on. The reply must not contain facts of a later
    ///   version.
    public func encode(into out: inout [UInt8], version: UInt16 = Limits.oldestVersion) {
        out.removeAll(keepingCapacity: true)
        Header(kind: kind, requestID: requestID, last: outcome.status)
            .encode(to: &out, reply: true, version: version)
        outcome.encode(to: &out)
        facts.encode(to: &out, version)
        Header.seal(&out)
    }
}

extension Outcome {
    var status: UInt32 {
        switch self {
        case .done: 0
        case .alreadyDone: 1
        case .inProgress: 2
        case .refused: 3
        case .malformed: 4
        case .failed: 5
        case .timedOut: 6
        case .unsupported: 7
        }
    }

    func encode(to out: inout [UInt8]) {
        switch self {
        case .done, .alreadyDone, .inProgress, .timedOut: break
        case .refused(let rule, let detail):
            out.put(rule.rawValue)
            out.put(detail, limit: Limits.detailBytes)
        case .malformed(let reason):
            out.put(reason.rawValue)
        case .failed(let failure):
            out.put(failure.errno)
            out.put(failure.call.rawValue)
            out.put(failure.detail, limit: Limits.detailBytes)
        case .unsupported(let versions):
            versions.encode(to: &out)
        }
    }
}

extension Facts {
    func encode(to out: inout [UInt8], _ version: UInt16) {
        switch self {
        case .none:
            out.put(UInt8(0))
        case .welcome(let welcome):
            out.put(UInt8(1))
            welcome.encode(to: &out)
        case .mount(let identity):
            out.put(UInt8(2))
            identity.encode(to: &out)
        case .namespace(let identity, let mounted):
            out.put(UInt8(3))
            identity.encode(to: &out)
            out.put(mounted)
        case .directory(let facts):
            out.put(UInt8(4))
            facts.encode(to: &out)
        case .count(let count):
            out.put(UInt8(5))
            out.put(count)
        case .runtime(let facts):
            out.put(UInt8(6))
            facts.encode(to: &out)
        case .mountPoint(let identity, let covered):
            out.put(UInt8(7))
            identity.encode(to: &out)
            covered.encode(to: &out)
        case .container(let facts):
            out.put(UInt8(8))
            facts.encode(to: &out, version)
        }
    }
}

extension DirectoryFacts {
    func encode(to out: inout [UInt8]) {
        identity.encode(to: &out)
        out.put(next)
        out.put(UInt16(truncatingIfNeeded: children.count))
        for child in children {
            out.put(child.type)
            out.put(UInt8(truncatingIfNeeded: child.name.count))
            for byte in child.name { out.append(byte) }
        }
    }
}

extension RuntimeFacts {
    func encode(to out: inout [UInt8]) {
        out.put(UInt32(bitPattern: status))
        out.put(stateDirectory != nil)
        stateDirectory?.encode(to: &out)
        out.put(errorOutput, limit: Limits.errorOutputBytes)
        switch output {
        case .inline(let bytes):
            out.put(false)
            out.put(bytes, limit: Limits.inlineOutputBytes)
        case .memfd(let bytes):
            out.put(true)
            out.put(bytes)
        }
    }
}

extension ContainerFacts {
    func encode(to out: inout [UInt8], _ version: UInt16) {
        directory.encode(to: &out)
        out.put(state.rawValue)
        out.put(pid)
        out.put(startTime)
        out.put(scope, limit: Limits.componentBytes)
        out.put(UInt8(truncatingIfNeeded: cgroups.count))
        for cgroup in cgroups {
            out.put(cgroup.controller, limit: Limits.componentBytes)
            out.put(cgroup.path, limit: Limits.cgroupPathBytes)
        }
        if version > 2 { out.put(bundle, limit: Limits.bundleBytes) }
    }
}

extension Welcome {
    func encode(to out: inout [UInt8]) {
        out.put(version)
        out.put(release)
        out.put(missing)
        out.put(UInt8(truncatingIfNeeded: roots.count))
        for root in roots {
            out.put(root.kind.rawValue)
            out.put(root.minimumDepth)
            out.put(root.maximumDepth)
            out.put(root.path)
            out.put(root.names)
            if version > 1 { out.put(root.mayKill) }
        }
        out.put(UInt8(truncatingIfNeeded: runtimes.count))
        for runtime in runtimes {
            out.put(runtime.name)
            out.put(runtime.stateRoot)
            out.put(runtime.hooks)
        }
        if version > 1 { out.put(features) }
    }
}
