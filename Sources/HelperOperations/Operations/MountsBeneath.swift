internal import HelperProtocol

/// The largest mountinfo text that is read, in bytes.
private var mountInfoLimit: Int { 64 << 20 }

extension Broker {
    /// Detaches what is mounted beneath a directory, however deep, and nothing at the directory itself. Mountinfo says
    /// where the mounts are, but is only a hint: each is resolved anew from the directory, through no link and no other
    /// mount.
    func unmountBeneath(
        _ place: Place, only: NodeIdentity?, _ most: UInt32, _ deadline: Deadline
    ) throws(Outcome) -> Answer {
        let root = try policy.root(of: place, for: .unmount)
        let path = root.path.array + [0x2f] + place.names
        return try privileges.raised([.dacOverride, .sysAdmin]) { () throws(Outcome) -> Answer in
            let directory: Descriptor
            do throws(Outcome) {
                directory = try place.openParent(in: policy).open(place.name.terminated, .pathOfDirectory)
            } catch {
                if error.isMissingEntry { return Answer(.alreadyDone) }
                if error.errno == ErrorNumber.crossDevice { throw .refused(.mountBeneath) }
                throw error.asResolution
            }
            if let only, try directory.status().identity != only { throw .refused(.identityMismatch) }
            var count: UInt64 = 0
            var isIdle = false
            while true {
                let before = count
                var obstacle: Outcome?
                let points = mountPoints(in: try mountInfo.readAll(limit: mountInfoLimit), beneath: path)
                if points.isEmpty { return count > 0 ? Answer(.done, .count(count)) : Answer(.alreadyDone) }
                audit.begin()
                for point in points {
                    let left = Int(most) - Int(count)
                    if left <= 0 || count > 0 && deadline.isPast { return Answer(.inProgress, .count(count)) }
                    do throws(Outcome) {
                        let detached = try directory.unmountAll(beneath: point, left, deadline)
                        count += detached
                        // Either the mount is gone, or a mount at or above the root hides both it and its mount point.
                        if detached == 0 { obstacle = obstacle ?? .refused(.leavesRoot, detail: point) }
                    } catch {
                        // Usually this mount lay in one that is detached by now, or is still covered by another mount.
                        obstacle = obstacle ?? error.at(point)
                    }
                }
                if count == before, isIdle, let obstacle { throw obstacle }
                isIdle = count == before
            }
        }
    }
}

extension Descriptor {
    /// Detaches the mounts at a path beneath this directory, at most `most` of them; returns how many.
    fileprivate func unmountAll(
        beneath path: [UInt8], _ most: Int, _ deadline: Deadline
    ) throws(Outcome) -> UInt64 {
        var parent = try open(InlineBytes<2>(".").terminated, .pathOfDirectory)
        let names = path.split(separator: 0x2f)
        for name in names.dropLast() { parent = try parent.open((Array(name) + [0]).span, .pathOfDirectory) }
        guard let name = InlineBytes<256>(names[names.count - 1]) else { return 0 }
        return try parent.unmountAll(at: name, most, deadline)
    }
}

extension Outcome {
    /// The same outcome, with a path beneath the request's place as its detail.
    fileprivate func at(_ path: [UInt8]) -> Outcome {
        switch asResolution {
        case .refused(let rule, _): .refused(rule, detail: path)
        case .failed(let failure): .failed(Failure(errno: failure.errno, call: failure.call, detail: path))
        case let other: other
        }
    }
}

/// The mount points beneath a directory, as paths relative to it, from the text of `/proc/PID/mountinfo`
/// (proc_pid_mountinfo(5)). Consecutive mounts at the same point give one path.
func mountPoints(in text: [UInt8], beneath directory: [UInt8]) -> [[UInt8]] {
    var points: [[UInt8]] = []
    for line in text.split(separator: 0x0a) {
        let fields = line.split(separator: 0x20, maxSplits: 5)
        guard fields.count > 5 else { continue }
        let point = unescaped(fields[4])
        guard point.count > directory.count + 1, point.starts(with: directory), point[directory.count] == 0x2f
        else { continue }
        let path = Array(point[(directory.count + 1)...])
        if points.last != path { points.append(path) }
    }
    return points
}

/// A mountinfo field with its escapes decoded; each is a backslash and three octal digits.
private func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    var index = field.startIndex
    while index < field.endIndex {
        let digits = field[index...].dropFirst().prefix(3)
        if field[index] == 0x5c, digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) }) {
            bytes.append(digits.reduce(0) { $0 << 3 | ($1 & 7) })
            index += 4
        } else {
            bytes.append(field[index])
            index += 1
        }
    }
    return bytes
}
