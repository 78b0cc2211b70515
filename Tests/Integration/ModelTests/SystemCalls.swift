import Glibc

// The only file of these tests that touches C: they look at the whole node after each step, so a look has to be quick.

/// The names in a directory but `.` and `..`, and which are directories themselves; none where it cannot be read.
func names(in directory: String) -> [(name: String, isDirectory: Bool)] {
    guard let stream = unsafe opendir(directory) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [(name: String, isDirectory: Bool)] = []
    while let entry = unsafe readdir(stream) {
        let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        guard name != ".", name != ".." else { continue }
        names.append((name, unsafe entry.pointee.d_type == DT_DIR))
    }
    return names
}

/// A file's first bytes; nil where it cannot be read.
func bytes(of path: String, limit: Int) -> [UInt8]? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: limit)
    var count = 0
    while count < limit {
        let more = unsafe buffer.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress! + count, limit - count) }
        guard more > 0 else { break }
        count += more
    }
    return Array(buffer[..<count])
}

func text(of path: String, limit: Int = 1 << 20) -> String? {
    bytes(of: path, limit: limit).map { String(decoding: $0, as: UTF8.self) }
}

let ownPID = getpid()

func pause(milliseconds: UInt32) { usleep(1000 * milliseconds) }
