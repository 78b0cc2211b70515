/// Locks that processes hold on files (proc_locks(5)).
public enum FileLocks {
    /// The pid of a process that holds a flock(2) on a file; nil where none does, or there is no such file.
    public static func holder(of path: String) throws(ObservationError) -> Int32? {
        guard let file = try FileObservation.of(path), let bytes = try contents(of: Array("/proc/locks".utf8)) else {
            return nil
        }
        for line in bytes.split(separator: newline) {
            // `1: FLOCK  ADVISORY  WRITE 23256 fe:00:16225130 0 EOF`; `->` before the kind of one that waits.
            let fields = line.split(separator: space)
            guard fields.count >= 6, fields[1].elementsEqual("FLOCK".utf8) else { continue }
            let place = fields[5].split(separator: UInt8(ascii: ":"))
            guard place.count == 3, place[2].number(as: UInt64.self) == file.inode,
                let major = UInt64(place[0].text, radix: 16), let minor = UInt64(place[1].text, radix: 16),
                file.device == major << 32 | minor, let pid = fields[4].number(as: Int32.self), pid > 0
            else { continue }
            return pid
        }
        return nil
    }
}
