internal import LinuxSystem

/// Opens a file as standard input, unless `path` is `-`.
func openInput(_ path: String) throws(InputError) {
    guard path != "-" else { return }
    do throws(Errno) {
        let file = try Descriptor.open(Array(path.utf8))
        // If standard input was closed, the file has its number.
        if file.number == 0 { _ = file.release() } else { redirect(0, to: file) }
    } catch {
        throw InputError(path: path, reason: error)
    }
}

/// Reads standard input, which error messages call `path`. Returns at most one byte more than `limit`, which shows that
/// the input is too long.
func readInput(_ path: String, limit: Int) throws(InputError) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count <= limit {
        do throws(Errno) {
            let more = try readSome(from: 0, atMost: 65536)
            if more.isEmpty { return bytes }
            bytes += more
        } catch {
            throw InputError(path: path, reason: error)
        }
    }
    return Array(bytes.prefix(limit + 1))
}

/// A file that cannot be read.
struct InputError: Error, CustomStringConvertible {
    let path: String
    let reason: Errno

    var description: String { "\(path == "-" ? "standard input" : path) cannot be read: \(reason)" }
}
